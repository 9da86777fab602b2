/*
 * descriptor-loads.c: LTR, LLDT and the loads of segment registers take the types they need, and mark what
 * they take.
 *
 * SDM 3A 3.4.5, 5.5, 7.2.4, 2A "LLDT", "LTR", "LAR", "LSL", APM 2 4.7. A call into a data segment, or a task
 * register without a task, breaks isolation at its root.
 */
#include "frame.h"

#define SEL_A SEL_FREE

static uint64_t ldt[4] __attribute__((aligned(8)));

static uint64_t system_descriptor(const void *base, uint32_t limit, unsigned type)
{
    uint64_t b = (uint64_t)base;
    return limit | (b & 0xffffff) << 16 | (uint64_t)(0x80 | type) << 40 | (b >> 24 & 0xff) << 56;
}

static struct trap ltr(uint16_t sel)
{
    return TRY("ltr %0", : : "r"(sel) : "memory");
}

static struct trap lldt(uint16_t sel)
{
    return TRY("lldt %0", : : "r"(sel) : "memory");
}

int main(void)
{
    uint16_t sel;

    /* LTR. */
    CHECK_FAULT(ltr(SEL_TSS), GP, SEL_TSS); /* busy */
    CHECK_FAULT(ltr(SEL_KDATA), GP, SEL_KDATA);
    CHECK_FAULT(ltr(GDT_ENTRIES * 8 - 8), GP, GDT_ENTRIES * 8 - 8); /* its second half is beyond the limit */
    asm volatile("str %0" : "=r"(sel));
    CHECK_EQ(sel, SEL_TSS);
    gdt[SEL_A >> 3] = system_descriptor(&tss, sizeof(tss) - 1, 9) & ~BIT(47);
    gdt[(SEL_A >> 3) + 1] = 0;
    CHECK_FAULT(ltr(SEL_A), NP, SEL_A);
    gdt[SEL_A >> 3] |= BIT(47);
    CHECK_NO_TRAP(ltr(SEL_A));
    CHECK_EQ(gdt[SEL_A >> 3] >> 40 & 15, 11); /* marked busy */
    gdt[SEL_TSS >> 3] &= ~BIT(41);
    CHECK_NO_TRAP(ltr(SEL_TSS));

    /* LLDT; null is fine and makes every use of TI fault. */
    gdt[SEL_A >> 3] = system_descriptor(ldt, sizeof(ldt) - 1, 2);
    CHECK_FAULT(lldt(SEL_KDATA), GP, SEL_KDATA);
    CHECK_FAULT(lldt(4), GP, 4);
    CHECK_NO_TRAP(lldt(SEL_A));
    ldt[1] = gdt[SEL_KDATA >> 3] & ~BIT(40);
    ldt[2] = gdt[SEL_KCODE >> 3] & ~BIT(41); /* execute only */
    CHECK_NO_TRAP(TRY("mov %0, %%es", : : "r"(8 | 4) : "memory"));
    CHECK_EQ(ldt[1] & BIT(40), BIT(40)); /* accessed */
    CHECK_FAULT(TRY("mov %0, %%es", : : "r"(16 | 4) : "memory"), GP, 16 | 4);
    CHECK_FAULT(TRY("mov %0, %%es", : : "r"(32 | 4) : "memory"), GP, 32 | 4);
    CHECK_NO_TRAP(lldt(0));
    CHECK_FAULT(TRY("mov %0, %%es", : : "r"(8 | 4) : "memory"), GP, 8 | 4);
    CHECK_FAULT(TRY("mov %0, %%es", : : "r"(SEL_TSS) : "memory"), GP, SEL_TSS); /* a system segment */

    /* LAR, LSL, VERR, VERW tell without loading. */
    uint64_t v = 0x1111;
    uint8_t zf;
    asm volatile("lar %2, %0; setz %1" : "+r"(v), "=q"(zf) : "r"((uint64_t)SEL_KDATA) : "cc");
    CHECK_EQ(zf, 1);
    CHECK_EQ(v & 0xf0ff00, 0xc09300);
    asm volatile("lsl %2, %k0; setz %1" : "+r"(v), "=q"(zf) : "r"(SEL_KDATA) : "cc");
    CHECK_EQ(zf, 1);
    CHECK_EQ(v, 0xffffffff);
    v = 0x1111;
    asm volatile("lsl %2, %k0; setz %1" : "+r"(v), "=q"(zf) : "r"(GDT_ENTRIES * 8) : "cc");
    CHECK_EQ(zf, 0);
    CHECK_EQ(v, 0x1111);
    asm volatile("verw %w1; setz %0" : "=q"(zf) : "r"(SEL_KDATA) : "cc");
    CHECK_EQ(zf, 1);
    asm volatile("verw %w1; setz %0" : "=q"(zf) : "r"(SEL_KCODE) : "cc");
    CHECK_EQ(zf, 0);
    asm volatile("verr %w1; setz %0" : "=q"(zf) : "r"(SEL_KCODE) : "cc");
    CHECK_EQ(zf, 1);
    asm volatile("verr %w1; setz %0" : "=q"(zf) : "r"(0) : "cc");
    CHECK_EQ(zf, 0);
    asm volatile("mov %0, %%es" ::"r"(SEL_KDATA));
    return 0;
}
