/*
 * ioapic-edge-level.c: the IOAPIC sends an edge once and a level until it is gone, with remote IRR in
 * between.
 *
 * Intel 82093AA data sheet, 3.2.4 (redirection table), SDM 3A 10.8.4. Source: the serial port's transmitter
 * interrupt (IRQ 4), which is a level in the chip and stays until IIR is read (16550 data sheet, 8.6.3).
 */
#include "frame.h"

#define COM1   0x3f8
#define IER    (COM1 + 1)
#define IIR    (COM1 + 2)
#define LSR    (COM1 + 5)
#define TEMT   BIT(6)
#define VECTOR 0x95

static volatile unsigned count;
static volatile bool silence; /* the handler takes the reason away */

static void handler(struct regs *r)
{
    count++;
    if (silence || count > 20)
        outb(IER, 0);
    apic_eoi();
}

static void allow(void)
{
    sti();
    delay_us(2000);
    cli();
}

/* Masked by the transmitter-empty interrupt's enable bit: off and on gives an edge. */
static void line(bool on)
{
    outb(IER, on ? 2 : 0);
}

int main(void)
{
    unsigned pin = ioapic_isa_gsi(4);
    uint64_t to_me = (uint64_t)apic_id() << 56 | VECTOR;

    CHECK(ioapic_pins() >= 24);
    trap_set_handler(VECTOR, handler);
    outb(COM1 + 4, 0x0b);                    /* OUT2 lets the interrupt out */
    CHECK(WAIT_FOR(inb(LSR) & TEMT, 10000)); /* the last character has gone */

    /* Registers: the entry holds what is written, but delivery status and remote IRR, which are the chip's.
     */
    ioapic_set_entry(pin, to_me | IOAPIC_MASKED | IOAPIC_RIRR | BIT(12));
    CHECK_EQ(ioapic_entry(pin), to_me | IOAPIC_MASKED);
    /* The ID register has four bits at 24. */
    ioapic_write(0, 0xffffffff);
    CHECK_EQ(ioapic_read(0), 0x0f000000);
    ioapic_write(0, 0);

    /* Edge: once, although the line stays up; again for a new edge. */
    ioapic_set_entry(pin, to_me);
    line(true);
    allow();
    CHECK_EQ(count, 1);
    allow();
    CHECK_EQ(count, 1);
    line(false);
    line(true);
    allow();
    CHECK_EQ(count, 2);
    line(false);

    /* Level: as long as the line is up it comes again after each EOI. */
    count = 0;
    ioapic_set_entry(pin, to_me | IOAPIC_LEVEL);
    line(true);
    sti();
    CHECK(WAIT_FOR(count > 20, 10000));
    cli();
    line(false);
    silence = true;
    count = 0;
    line(true);
    allow();
    CHECK_EQ(count, 1);

    /* In service: remote IRR, and TMR in the local APIC. */
    count = 0;
    line(true);
    CHECK(WAIT_FOR(apic_vector_bit(APIC_IRR, VECTOR), 10000));
    CHECK_EQ(ioapic_entry(pin) & IOAPIC_RIRR, IOAPIC_RIRR);
    CHECK(apic_vector_bit(APIC_TMR, VECTOR));
    allow();
    CHECK_EQ(count, 1);
    CHECK_EQ(ioapic_entry(pin) & IOAPIC_RIRR, 0);

    /* Masked: nothing; a level that is up when unmasked comes then. */
    count = 0;
    ioapic_set_entry(pin, to_me | IOAPIC_LEVEL | IOAPIC_MASKED);
    line(true);
    allow();
    CHECK_EQ(count, 0);
    ioapic_set_entry(pin, to_me | IOAPIC_LEVEL);
    allow();
    CHECK_EQ(count, 1);

    /* Logical destination, flat model (SDM 3A 10.6.2.2). */
    apic_write(APIC_DFR, 0xffffffff);
    apic_write(APIC_LDR, 0x40u << 24);
    count = 0;
    ioapic_set_entry(pin, 0x40ull << 56 | BIT(11) | VECTOR);
    line(true);
    allow();
    CHECK_EQ(count, 1);
    line(false);
    ioapic_set_entry(pin, 0x20ull << 56 | BIT(11) | VECTOR); /* somebody else */
    line(true);
    allow();
    CHECK_EQ(count, 1);
    line(false);
    return 0;
}
