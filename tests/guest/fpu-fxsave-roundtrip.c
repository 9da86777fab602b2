/*
 * fpu-fxsave-roundtrip.c: FXSAVE writes the layout of the manual and FXRSTOR brings every register back.
 *
 * SDM 1 10.5, 2A "FXSAVE", APM 2 11.4.4. Kernels switch programs by it; a lost register is a wrong result
 * somewhere.
 */
#include "frame.h"

struct fx {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16], xmm[16][16], rest[96];
} __attribute__((aligned(64)));

static struct fx a, b, c;

int main(void)
{
    CHECK_EQ(sizeof(struct fx), 512);
    asm volatile("fninit; fxsave64 %0" : "=m"(a));
    CHECK_EQ(a.fcw, 0x37f);
    CHECK_EQ(a.fsw, 0);
    CHECK_EQ(a.ftw, 0); /* abridged: 0 is empty */
    CHECK_EQ(a.mxcsr, 0x1f80);
    CHECK_EQ(a.mxcsr_mask & 0xffbf, 0xffbf);

    /* Two pushes: TOP is 6, the two registers are full, ST(0) is the last pushed. */
    asm volatile("fld1; fldpi; fxsave64 %0" : "=m"(a));
    CHECK_EQ(a.fsw >> 11 & 7, 6);
    CHECK_EQ(a.ftw, 0xc0);
    CHECK_EQ(*(uint64_t *)a.st[0], 0xc90fdaa22168c235); /* pi */
    CHECK_EQ(*(uint16_t *)(a.st[0] + 8), 0x4000);
    CHECK_EQ(*(uint64_t *)a.st[1], 0x8000000000000000);
    CHECK_EQ(*(uint16_t *)(a.st[1] + 8), 0x3fff);

    /* Every register its own pattern, there and back. */
    for (unsigned i = 0; i < 8; i++)
        for (unsigned j = 0; j < 10; j++)
            b.st[i][j] = (uint8_t)(i * 16 + j + 1);
    for (unsigned i = 0; i < 16; i++)
        for (unsigned j = 0; j < 16; j++)
            b.xmm[i][j] = (uint8_t)(0x80 + i * 16 + j * 3);
    b.fcw = 0x27f;
    b.fsw = 0x3800 | 0x4100; /* TOP 7, condition codes */
    b.ftw = 0xa5;
    b.mxcsr = 0x3fa0 & a.mxcsr_mask;
    asm volatile("fxrstor64 %0" ::"m"(b) : "memory");
    memset(&c, 0xee, sizeof(c));
    asm volatile("fxsave64 %0" : "=m"(c));
    CHECK_EQ(c.fcw, b.fcw);
    CHECK_EQ(c.fsw, b.fsw);
    CHECK_EQ(c.ftw, b.ftw);
    CHECK_EQ(c.mxcsr, b.mxcsr);
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQ(memcmp(b.st[i], c.st[i], 10), 0);
    CHECK_EQ(memcmp(b.xmm, c.xmm, sizeof(b.xmm)), 0);
    for (unsigned i = 48; i < 96; i++)
        CHECK_EQ(c.rest[i], 0xee); /* bytes 464 to 511 are the software's */

    /* Single registers agree with it. */
    uint64_t q;
    asm volatile("movq %%xmm7, %0" : "=r"(q));
    CHECK_EQ(q, *(uint64_t *)b.xmm[7]);
    asm volatile("movq %0, %%xmm12; fxsave64 %1" ::"r"(0x1122334455667788), "m"(c) : "memory");
    CHECK_EQ(*(uint64_t *)c.xmm[12], 0x1122334455667788);
    CHECK_EQ(*(uint64_t *)(c.xmm[12] + 8), 0);

    /* An address that is not on 16 bytes is refused. */
    CHECK_FAULT(TRY("fxsave64 8(%0)", : : "a"(&c) : "memory"), GP, 0);
    asm volatile("fninit");
    return 0;
}
