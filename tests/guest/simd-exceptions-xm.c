/*
 * simd-exceptions-xm.c: an unmasked SSE exception is #XM before the destination changes; without OSXMMEXCPT
 * it is #UD.
 *
 * SDM 1 11.5, 3A 6.15 (#XM), APM 2 8.2.17. SIGFPE of every program that asks for it.
 */
#include "frame.h"

static float one = 1, zero = 0;

int main(void)
{
    uint64_t cr4 = read_cr4();
    uint32_t mxcsr = 0x1f80 & ~(1u << 9); /* division by zero unmasked */
    asm volatile("ldmxcsr %0" ::"m"(mxcsr));
    asm volatile("movss %0, %%xmm0; movss %1, %%xmm1" ::"m"(one), "m"(zero));
    CHECK_FAULT(TRY("divss %%xmm1, %%xmm0", : : : "memory"), XM, 0);
    asm volatile("stmxcsr %0" : "=m"(mxcsr));
    CHECK_EQ(mxcsr & 0x3f, 4); /* ZE */
    uint32_t bits;
    asm volatile("movd %%xmm0, %0" : "=r"(bits));
    CHECK_EQ(bits, 0x3f800000); /* the destination is as it was */
    write_cr4(cr4 & ~CR4_OSXMMEXCPT);
    CHECK_FAULT(TRY("divss %%xmm1, %%xmm0", : : : "memory"), UD, 0);
    write_cr4(cr4);
    mxcsr = 0x1f80;
    asm volatile("ldmxcsr %0" ::"m"(mxcsr));
    CHECK_NO_TRAP(TRY("divss %%xmm1, %%xmm0", : : : "memory"));
    asm volatile("movd %%xmm0, %0" : "=r"(bits));
    CHECK_EQ(bits, 0x7f800000); /* infinity */
    return 0;
}
