/*
 * descriptor-table-limits.c: a selector beyond the GDT or the LDT is #GP with it, a vector beyond the IDT #GP
 * with IDT; the last byte has to be inside.
 *
 * SDM 3A 3.5.1, 6.10, 6.13, 2A "INT n"; APM 2 4.6, 8.4.
 */
#include "frame32.h"

#define SEL_L SEL_FREE
#define SEL_X (SEL_FREE + 8)
static uint64_t ldt[4];

static struct trap load(unsigned sel)
{
    return TRY("mov %0, %%fs", : : "r"(sel) : "memory");
}

int main(void)
{
    GDT(SEL_X) = desc(0, 0xfffff, D_DATA, D_32 | D_G);
    gdt_load(SEL_X + 7);
    CHECK_NO_TRAP(load(SEL_X));
    gdt_load(SEL_X + 6);
    CHECK_FAULT(load(SEL_X), GP, SEL_X);
    CHECK_FAULT(load(SEL_X | 3), GP, SEL_X); /* the error code has no RPL */
    gdt_load(SEL_X + 7);

    CHECK_FAULT(load(8 | 4), GP, 8 | 4); /* no LDT */
    ldt[1] = ldt[2] = GDT(SEL_X);
    GDT(SEL_L) = desc((uint32_t)ldt, 0x17, D_LDT, 0);
    asm volatile("lldt %0" : : "r"((uint16_t)SEL_L));
    CHECK_NO_TRAP(load(0x10 | 4));
    CHECK_FAULT(load(0x18 | 4), GP, 0x18 | 4);
    GDT(SEL_L) = desc((uint32_t)ldt, 0x16, D_LDT, 0);
    CHECK_NO_TRAP(load(0x10 | 4)); /* the register has the old limit */
    asm volatile("lldt %0" : : "r"((uint16_t)SEL_L));
    CHECK_FAULT(load(0x10 | 4), GP, 0x10 | 4);
    GDT(SEL_L) = desc((uint32_t)ldt, 0x17, D_LDT | D_ABSENT, 0);
    CHECK_FAULT(TRY("lldt %0", : : "r"((uint16_t)SEL_L) : "memory"), NP, SEL_L);
    CHECK_FAULT(TRY("lldt %0", : : "r"((uint16_t)SEL_X) : "memory"), GP, SEL_X);
    CHECK_FAULT(TRY("ltr %0", : : "r"((uint16_t)SEL_TSS) : "memory"), GP, SEL_TSS); /* busy */

    idt_load((uint32_t)idt, 0x90 * 8 + 7);
    CHECK_EQ(TRY("int $0x90", : : : "memory").vector, 0x90);
    struct trap t = TRY("int $0x91", : : : "memory");
    CHECK_FAULT(t, GP, 0x91 * 8 + 2);
    idt_load((uint32_t)idt, 0x90 * 8 + 6);
    CHECK_FAULT(TRY("int $0x90", : : : "memory"), GP, 0x90 * 8 + 2);
    return 0;
}
