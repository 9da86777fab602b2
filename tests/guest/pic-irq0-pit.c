/*
 * pic-irq0-pit.c: the 8254's channel 0 interrupts by IRQ 0 through the 8259s and the local APIC's LINT0.
 *
 * Intel 8254 data sheet (modes 0, 2, 3), 8259A data sheet (initialisation, EOI, OCW3), SDM 3A 10.5.1
 * (ExtINT). Kernels calibrate their first clock by it.
 */
#include "frame.h"

static volatile unsigned ticks, other;
static bool eoi = true;

static void irq0(struct regs *r)
{
    ticks++;
    if (eoi)
        pic_eoi(0);
}

static void irq_other(struct regs *r)
{
    unsigned irq = (unsigned)r->vector - PIC_BASE;
    if (irq == 7 && !(pic_isr() & BIT(7)))
        return; /* spurious: mode 2's OUT fell while the processor acknowledged */
    other++;
    pic_eoi(irq);
}

/* Interrupts until `n` came, or too long. */
static bool wait_ticks(unsigned n)
{
    sti();
    bool ok = WAIT_FOR(ticks >= n, 10000);
    cli();
    return ok;
}

/* Nothing is on its way, and nothing comes until the next pit_start and pic_mask. */
static void quiet(void)
{
    pic_mask(0, true);
    pit_stop(0);
    delay_us(20000); /* QEMU's chip goes on to the end of the period */
    pic_init();
}

int main(void)
{
    trap_set_handler(PIC_BASE, irq0);
    for (unsigned i = 1; i < 16; i++)
        trap_set_handler(PIC_BASE + i, irq_other);

    /* Mode 2 goes on and on; mode 3 as well; mode 0 comes once. */
    pit_start(0, 2, 1193);
    pic_mask(0, false);
    CHECK(wait_ticks(20));
    pit_start(0, 3, 1193);
    ticks = 0;
    CHECK(wait_ticks(20));
    quiet();
    ticks = 0;
    pic_mask(0, false);
    pit_start(0, 0, 1193);
    CHECK(wait_ticks(1));
    sti();
    delay_us(10000);
    cli();
    CHECK_EQ(ticks, 1);

    /* Masked: it waits in IRR, and comes when unmasked. An edge is remembered once. */
    pic_mask(0, true);
    ticks = 0;
    pit_start(0, 2, 1193);
    sti();
    CHECK(WAIT_FOR(pic_irr() & 1, 10000));
    CHECK_EQ(ticks, 0);
    cli();
    quiet();
    CHECK_EQ(pic_irr() & 1, 0);
    pit_start(0, 0, 1193); /* one edge */
    CHECK(WAIT_FOR(pic_irr() & 1, 10000));
    pic_mask(0, false);
    CHECK(wait_ticks(1));
    sti();
    delay_us(10000);
    cli();
    CHECK_EQ(ticks, 1);

    /* Without EOI it is in service, and nothing of its priority or below comes. */
    eoi = false;
    ticks = 0;
    pit_start(0, 2, 1193);
    CHECK(wait_ticks(1));
    CHECK_EQ(pic_isr() & 1, 1);
    sti();
    CHECK(WAIT_FOR(pic_irr() & 1, 10000));
    delay_us(1000);
    cli();
    CHECK_EQ(ticks, 1);
    eoi = true;
    pic_eoi(0);
    CHECK_EQ(pic_isr() & 1, 0);
    CHECK(wait_ticks(3));

    /* LINT0 masked in the local APIC: nothing arrives. */
    pic_mask(0, true); /* QEMU delivers what waits while LINT0 is being masked as vector -1 */
    apic_write(APIC_LVT_LINT0, APIC_EXTINT | APIC_LVT_MASKED);
    pic_mask(0, false);
    ticks = 0;
    sti();
    delay_us(5000);
    cli();
    CHECK_EQ(ticks, 0);
    apic_write(APIC_LVT_LINT0, APIC_EXTINT);
    CHECK(wait_ticks(3));
    CHECK_EQ(other, 0);
    return 0;
}
