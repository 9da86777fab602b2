/*
 * segment-expand-down.c: in an expand-down segment what lies above the limit may be used, up to 64 KiB or 4
 * GiB by the B flag; limits, read-only and execute-only segments are checked on every access.
 *
 * SDM 3A 5.3, 5.5, 3.4.5.1; APM 2 4.7.3, 4.12.
 */
#include "frame32.h"

#define SEL_D SEL_FREE

static struct trap load(uint32_t offset, bool byte)
{
    uint32_t v;
    if (byte)
        return TRY("movb %%fs:(%1), %b0", : "=&a"(v) : "r"(offset) : "memory");
    return TRY("movl %%fs:(%1), %0", : "=&a"(v) : "r"(offset) : "memory");
}
static void segment(uint64_t d)
{
    GDT(SEL_D) = d;
    asm volatile("mov %0, %%fs" : : "r"(SEL_D) : "memory");
}

int main(void)
{
    segment(desc(0x200000, 0xfff, D_DATA | D_DOWN, 0)); /* 0x1000 to 0xffff */
    CHECK_FAULT(load(0xfff, true), GP, 0);
    CHECK_FAULT(load(0xffd, false), GP, 0);
    CHECK_FAULT(load(0xfff, false), GP, 0);
    CHECK_NO_TRAP(load(0x1000, false));
    CHECK_NO_TRAP(load(0xfffc, false));
    CHECK_FAULT(load(0xfffd, false), GP, 0);
    CHECK_FAULT(load(0x10000, true), GP, 0);
    segment(desc(0x200000, 0xfff, D_DATA | D_DOWN, D_32)); /* to the end */
    CHECK_NO_TRAP(load(0x10000, false));
    CHECK_FAULT(load(0xfff, true), GP, 0);
    segment(desc(0x200000, 1, D_DATA | D_DOWN, D_32 | D_G)); /* above 0x1fff */
    CHECK_FAULT(load(0x1fff, true), GP, 0);
    CHECK_NO_TRAP(load(0x2000, false));

    segment(desc(0x200000, 0xfff, D_DATA, D_32));
    CHECK_NO_TRAP(load(0xffc, false));
    CHECK_FAULT(load(0xffd, false), GP, 0);
    CHECK_NO_TRAP(load(0xfff, true));
    segment(desc(0x200000, 1, D_DATA, D_32 | D_G));
    CHECK_NO_TRAP(load(0x1ffc, false));
    CHECK_FAULT(load(0x1ffd, false), GP, 0);

    segment(desc(0x200000, 0xfff, 0x90, D_32)); /* read-only */
    CHECK_NO_TRAP(load(0, false));
    CHECK_FAULT(TRY("movb $1, %%fs:0", : : : "memory"), GP, 0);
    CHECK_FAULT(TRY("movb $1, %%cs:0x300000", : : : "memory"), GP, 0); /* code is never written */
    asm volatile("mov %0, %%fs" : : "r"(0) : "memory");
    CHECK_FAULT(load(0, false), GP, 0); /* null */

    /* By EBP in the stack segment: #SS. */
    GDT(SEL_D) = desc(0, 0xfff, D_DATA | D_DOWN, D_32);
    uint32_t v;
    asm volatile("mov %0, %%ss" : : "r"(SEL_D) : "memory");
    CHECK_FAULT(TRY("movl %%ss:(%1), %0", : "=&a"(v) : "r"(0xfff) : "memory"), SS, 0);
    CHECK_EQ(GDT(SEL_D) >> 40 & 1, 1);
    return 0;
}
