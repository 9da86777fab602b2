/*
 * x87-exceptions-mf.c: an unmasked x87 exception waits for the next x87 instruction that waits, and is #MF
 * there.
 *
 * SDM 1 8.7, 3A 6.15 (#MF), APM 2 8.2.15. CR0.NE is set; without it the PC's IRQ 13 would come.
 */
#include "frame.h"

int main(void)
{
    uint16_t fcw = 0x37f & ~4, fsw; /* division by zero unmasked */

    CHECK_NO_TRAP(TRY("fninit; fldcw %0; fldz; fld1; fdiv %%st(1), %%st", : : "m"(fcw) : "memory"));
    CHECK_FAULT(TRY("fwait", : : : "memory"), MF, 0);
    CHECK_FAULT(TRY("fld1", : : : "memory"), MF, 0);
    CHECK_NO_TRAP(TRY("fnstsw %0", : "=m"(fsw) : : "memory")); /* does not wait */
    CHECK_EQ(fsw & 0x84, 0x84);                                /* ES, ZE */
    CHECK_EQ(fsw >> 11 & 7, 6);                                /* nothing was pushed */
    CHECK_NO_TRAP(TRY("fnclex", : : : "memory"));
    CHECK_NO_TRAP(TRY("fwait", : : : "memory"));
    CHECK_NO_TRAP(TRY("fld1", : : : "memory"));
    asm volatile("fninit");
    return 0;
}
