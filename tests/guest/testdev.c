/*
 * testdev.c: the ports and the memory of the test device: ports that keep what is written, interrupt lines
 * that have the level that is written, MMIO that keeps what is written.
 *
 * QEMU hw/misc/pc-testdev.c's interface, which test suites for processors and monitors are written for.
 */
#include "frame.h"

#define KEPT   0xe0
#define FLUSH  0xe4
#define BYTES  0xe8
#define LINES  0x2000
#define MMIO   0xff000000ull
#define VECTOR 0x95

static volatile unsigned count;

static void on_pic(struct regs *r)
{
    count++;
    outb(LINES + 5, 0);
    pic_eoi(5);
}

static void on_ioapic(struct regs *r)
{
    count++;
    apic_eoi();
}

static void allow(void)
{
    sti();
    delay_us(2000);
    cli();
}

static void check_ports(void)
{
    outl(KEPT, 0x12345678);
    CHECK_EQ(inl(KEPT), 0x12345678);
    CHECK_EQ(inw(KEPT + 2), 0x1234);
    CHECK_EQ(inb(KEPT + 1), 0x56);
    outb(KEPT + 3, 0xab);
    outw(KEPT, 0xcdef);
    CHECK_EQ(inl(KEPT), 0xab34cdef);
    /* The same bytes, one by one. */
    CHECK_EQ(inl(BYTES), 0xab34cdef);
    outl(BYTES, 0x01020304);
    CHECK_EQ(inl(KEPT), 0x01020304);
    CHECK_EQ(inb(BYTES + 2), 0x02);
}

/* A page that the monitor is told to forget is still what it was. */
static void check_flush(void)
{
    uint8_t *page = page_alloc();
    page[7] = 0x77;
    outl(FLUSH, (uint32_t)(uint64_t)page);
    CHECK_EQ(page[7], 0x77);
    page[8] = 0x88;
    CHECK_EQ(page[8], 0x88);
}

static void check_lines(void)
{
    unsigned pin = ioapic_isa_gsi(5);

    trap_set_handler(PIC_BASE + 5, on_pic);
    pic_mask(5, false);
    outb(LINES + 5, 1);
    allow();
    CHECK_EQ(count, 1);
    CHECK_EQ(pic_irr() & BIT(5), 0);
    pic_mask(5, true);

    /* An edge for each rise. */
    trap_set_handler(VECTOR, on_ioapic);
    ioapic_set_entry(pin, (uint64_t)apic_id() << 56 | VECTOR);
    count = 0;
    outb(LINES + 5, 0xff);
    allow();
    CHECK_EQ(count, 1);
    outb(LINES + 5, 0);
    outb(LINES + 5, 1);
    allow();
    CHECK_EQ(count, 2);
    outb(LINES + 5, 0);
    ioapic_set_entry(pin, IOAPIC_MASKED);
}

static void check_memory(void)
{
    volatile uint32_t *m = (volatile uint32_t *)MMIO;
    m[0] = 0x11223344;
    CHECK_EQ(m[0], 0x11223344);
    CHECK_EQ(*(volatile uint8_t *)(MMIO + 1), 0x33);
    *(volatile uint16_t *)(MMIO + 2) = 0xbeef;
    CHECK_EQ(m[0], 0xbeef3344);
    *(volatile uint64_t *)(MMIO + 8) = 0x0102030405060708;
    CHECK_EQ(m[2], 0x05060708);
    CHECK_EQ(*(volatile uint64_t *)(MMIO + 8), 0x0102030405060708);
    m[0x3fff] = 0xdeadbeef; /* the last four bytes */
    CHECK_EQ(m[0x3fff], 0xdeadbeef);
    asm volatile("lock addl $1, (%0)" : : "r"(MMIO) : "memory");
    CHECK_EQ(m[0], 0xbeef3345);
}

int main(void)
{
    check_ports();
    check_flush();
    check_lines();
    check_memory();
    return 0;
}
