/*
 * ltr-null-gp.c: LTR of a null selector is #GP(0) and leaves TR as it was.
 *
 * SDM 2A "LTR", APM 3 "LTR". Only LLDT takes null; a processor without a task has no stack for its
 * interrupts.
 */
#include "frame.h"

int main(void)
{
    uint16_t sel;

    CHECK_FAULT(TRY("ltr %0", : : "r"((uint16_t)0) : "memory"), GP, 0);
    CHECK_FAULT(TRY("ltr %0", : : "r"((uint16_t)3) : "memory"), GP, 0);
    asm volatile("str %0" : "=r"(sel));
    CHECK_EQ(sel, SEL_TSS);
    return 0;
}
