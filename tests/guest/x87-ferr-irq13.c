/*
 * x87-ferr-irq13.c: with CR0.NE clear an unmasked x87 exception is IRQ 13, before the next x87 instruction
 * that waits; a write to port 0xf0 lowers it and lets the handler use the unit.
 *
 * SDM 1 appendix D.2, 3A 2.5 (NE); PC/AT technical reference (port 0xf0). Old systems and programs that were
 * written for a coprocessor have it so.
 */
#include "frame.h"

static volatile unsigned irqs;
static volatile uint16_t seen;

static void irq13(struct regs *r)
{
    uint16_t fsw;
    irqs++;
    outb(0xf0, 0);
    /* FWAIT is one that waits: IGNNE# lets it pass. */
    asm volatile("fnstsw %0; fwait; fnclex" : "=m"(fsw) : : "memory");
    seen = fsw;
    pic_eoi(13);
}

int main(void)
{
    uint16_t fcw = 0x37f & ~4; /* division by zero unmasked */

    trap_set_handler(PIC_BASE + 13, irq13);
    pic_mask(2, false);
    pic_mask(13, false);
    write_cr0(read_cr0() & ~(uint64_t)CR0_NE);
    for (unsigned round = 1; round <= 2; round++) {
        cli();
        asm volatile("fninit; fldcw %0; fldz; fld1; fdiv %%st(1), %%st" : : "m"(fcw) : "memory");
        sti();
        CHECK_NO_TRAP(TRY("fwait", : : : "memory"));
        CHECK(WAIT_FOR(irqs == round, 10000));
        CHECK_EQ(seen & 0x84, 0x84); /* ES, ZE */
        CHECK_NO_TRAP(TRY("fld1", : : : "memory"));
        CHECK_EQ(irqs, round);
    }
    cli();
    asm volatile("fninit");
    return 0;
}
