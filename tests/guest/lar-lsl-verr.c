/*
 * lar-lsl-verr.c: LAR, LSL, VERR, VERW tell what a selector is good for at this privilege, by ZF, and fault
 * for no selector; ARPL raises an RPL.
 *
 * SDM 3A 5.10, 2A "LAR", "LSL", 2B "VERR/VERW", 2A "ARPL"; APM 2 4.13.
 */
#include "frame32.h"

#define X(n) (SEL_FREE + 8 * (n))

static bool lar(unsigned sel, uint32_t *v)
{
    bool zf;
    asm volatile("lar %2, %0" : "+r"(*v), "=@ccz"(zf) : "r"(sel));
    return zf;
}
static bool lsl(unsigned sel, uint32_t *v)
{
    bool zf;
    asm volatile("lsl %2, %0" : "+r"(*v), "=@ccz"(zf) : "r"(sel));
    return zf;
}
static bool verr(unsigned sel)
{
    bool zf;
    asm volatile("verr %w1" : "=@ccz"(zf) : "r"(sel));
    return zf;
}
static bool verw(unsigned sel)
{
    bool zf;
    asm volatile("verw %w1" : "=@ccz"(zf) : "r"(sel));
    return zf;
}

int main(void)
{
    uint32_t v = 0x55;
    GDT(X(0)) = desc(0x1000, 0x12345, D_DATA, D_32);
    GDT(X(1)) = desc(0, 0x00012, D_CODE, D_32 | D_G);
    GDT(X(2)) = desc(0, 0xff, 0x98, 0);                     /* execute-only */
    GDT(X(3)) = desc(0, 0xff, 0x90, 0);                     /* read-only data */
    GDT(X(4)) = gate(D_INT32, SEL_KCODE, 0, 0);             /* not for LAR */
    GDT(X(5)) = gate(D_CALL32 | D_DPL(3), SEL_KCODE, 0, 0); /* LAR yes, LSL no */
    GDT(X(6)) = desc(0, 0x67, D_TSS32, 0);
    GDT(X(7)) = desc(0, 0xfff, D_DATA | D_DPL(2), D_32);

    CHECK(lar(X(0), &v));
    CHECK_EQ(v & 0x00f0ff00, 0x00409200);
    CHECK(lsl(X(0), &v));
    CHECK_EQ(v, 0x12345);
    CHECK(lsl(X(1), &v));
    CHECK_EQ(v, 0x12fff);
    CHECK(lar(X(5), &v));
    CHECK_EQ(v & 0xff00, 0xec00);
    CHECK(lsl(X(6), &v));
    CHECK_EQ(v, 0x67);
    v = 0x55;
    CHECK(!lar(X(4), &v));
    CHECK(!lsl(X(5), &v));
    CHECK(!lar(0, &v));
    CHECK(!lsl(0xfff8, &v));
    CHECK(!lar(12, &v));       /* no LDT */
    CHECK(!lar(X(0) | 3, &v)); /* RPL above the DPL */
    CHECK_EQ(v, 0x55);
    CHECK(lar(X(7) | 2, &v));

    CHECK(verr(X(0)) && verw(X(0)));
    CHECK(verr(X(1)) && !verw(X(1)));
    CHECK(!verr(X(2)) && !verw(X(2)));
    CHECK(verr(X(3)) && !verw(X(3)));
    CHECK(!verr(X(6)) && !verr(0) && !verr(X(0) | 1));

    uint16_t a = 0x40, b = 3;
    bool zf;
    asm volatile("arpl %2, %0" : "+r"(a), "=@ccz"(zf) : "r"(b));
    CHECK(zf);
    CHECK_EQ(a, 0x43);
    asm volatile("arpl %2, %0" : "+r"(a), "=@ccz"(zf) : "r"((uint16_t)1));
    CHECK(!zf);
    CHECK_EQ(a, 0x43);
    return 0;
}
