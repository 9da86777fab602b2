/*
 * chips.c: 8259 pair, 8254, RTC memory, IOAPIC.
 */
#include "chips.h"
#include "firmware.h"

#define PIC1   0x20
#define PIC2   0xa0
#define PIT    0x40
#define PORT_B 0x61
#define CMOS   0x70

void pic_init(void)
{
    outb(PIC1, 0x11);
    outb(PIC2, 0x11);
    outb(PIC1 + 1, PIC_BASE);
    outb(PIC2 + 1, PIC_BASE + 8);
    outb(PIC1 + 1, 1 << 2);
    outb(PIC2 + 1, 2);
    outb(PIC1 + 1, 1);
    outb(PIC2 + 1, 1);
    outb(PIC1 + 1, 0xff);
    outb(PIC2 + 1, 0xff);
}

static void mask_bit(uint16_t port, unsigned bit, bool masked)
{
    uint8_t v = inb(port);
    outb(port, (uint8_t)(masked ? v | 1u << bit : v & ~(1u << bit)));
}

void pic_mask(unsigned irq, bool masked)
{
    if (irq >= 8) {
        mask_bit(PIC2 + 1, irq - 8, masked);
        if (!masked)
            mask_bit(PIC1 + 1, 2, false);
    } else {
        mask_bit(PIC1 + 1, irq, masked);
    }
}

void pic_eoi(unsigned irq)
{
    if (irq >= 8)
        outb(PIC2, 0x20);
    outb(PIC1, 0x20);
}

static uint16_t pic_ocw3(uint8_t v)
{
    outb(PIC1, v);
    outb(PIC2, v);
    return (uint16_t)(inb(PIC1) | inb(PIC2) << 8);
}

uint16_t pic_irr(void)
{
    return pic_ocw3(0x0a);
}

uint16_t pic_isr(void)
{
    return pic_ocw3(0x0b);
}

void pit_start(unsigned channel, unsigned mode, uint16_t count)
{
    outb(PIT + 3, (uint8_t)(channel << 6 | 0x30 | mode << 1));
    outb((uint16_t)(PIT + channel), (uint8_t)count);
    outb((uint16_t)(PIT + channel), (uint8_t)(count >> 8));
}

void pit_stop(unsigned channel)
{
    outb(PIT + 3, (uint8_t)(channel << 6 | 0x30));
}

static uint16_t pit_two_bytes(unsigned channel)
{
    uint8_t low = inb((uint16_t)(PIT + channel));
    return (uint16_t)(low | inb((uint16_t)(PIT + channel)) << 8);
}

uint16_t pit_read(unsigned channel)
{
    outb(PIT + 3, (uint8_t)(channel << 6));
    return pit_two_bytes(channel);
}

uint16_t pit_read_back(unsigned channel, uint8_t *status)
{
    outb(PIT + 3, (uint8_t)(0xc0 | 2u << channel));
    *status = inb((uint16_t)(PIT + channel));
    return pit_two_bytes(channel);
}

void delay_us(unsigned us)
{
    while (us) {
        unsigned part = us < 50000 ? us : 50000;
        outb(PORT_B, (uint8_t)((inb(PORT_B) & 0xfc) | 1)); /* gate on, speaker off */
        pit_start(2, 0, (uint16_t)(part * (uint64_t)PIT_HZ / 1000000 + 1));
        while (!(inb(PORT_B) & BIT(5)))
            cpu_relax();
        us -= part;
    }
}

void wait_tsc(uint64_t tsc)
{
    while (rdtsc() < tsc)
        cpu_relax();
}

uint8_t cmos_read(uint8_t index)
{
    outb(CMOS, index);
    return inb(CMOS + 1);
}

void cmos_write(uint8_t index, uint8_t v)
{
    outb(CMOS, index);
    outb(CMOS + 1, v);
}

static volatile uint32_t *ioapic_registers(void)
{
    const struct madt_ioapic *e = acpi_madt_entry(1, 0);
    return (volatile uint32_t *)(uint64_t)(e ? e->address : 0xfec00000);
}

uint32_t ioapic_read(unsigned index)
{
    volatile uint32_t *r = ioapic_registers();
    r[0] = index;
    return r[4];
}

void ioapic_write(unsigned index, uint32_t v)
{
    volatile uint32_t *r = ioapic_registers();
    r[0] = index;
    r[4] = v;
}

unsigned ioapic_pins(void)
{
    return (ioapic_read(1) >> 16 & 0xff) + 1;
}

uint64_t ioapic_entry(unsigned pin)
{
    return ioapic_read(0x10 + 2 * pin) | (uint64_t)ioapic_read(0x11 + 2 * pin) << 32;
}

void ioapic_set_entry(unsigned pin, uint64_t v)
{
    ioapic_write(0x10 + 2 * pin, (uint32_t)v | IOAPIC_MASKED);
    ioapic_write(0x11 + 2 * pin, (uint32_t)(v >> 32));
    ioapic_write(0x10 + 2 * pin, (uint32_t)v);
}

void ioapic_init(void)
{
    for (unsigned i = 0; i < ioapic_pins(); i++)
        ioapic_set_entry(i, IOAPIC_MASKED);
}

unsigned ioapic_isa_gsi(unsigned irq)
{
    const struct madt_override *e;
    for (unsigned n = 0; (e = acpi_madt_entry(2, n)); n++)
        if (e->source == irq)
            return e->gsi;
    return irq;
}
