/*
 * mxcsr-reserved-gp.c: what sets a reserved bit of MXCSR is #GP(0), and MXCSR stays.
 *
 * SDM 1 11.6.6, 2A "LDMXCSR", "FXRSTOR", APM 1 4.2.2. A signal frame with a bad MXCSR must come back as an
 * error.
 */
#include "frame.h"

static struct {
    uint8_t head[24];
    uint32_t mxcsr, mask;
    uint8_t rest[480];
} area __attribute__((aligned(64)));

int main(void)
{
    uint32_t bad = 0x10000, now;

    asm volatile("fxsave64 %0" : "=m"(area));
    CHECK_FAULT(TRY("ldmxcsr %0", : : "m"(bad) : "memory"), GP, 0);
    area.mxcsr = 0x80001f80;
    CHECK_FAULT(TRY("fxrstor64 %0", : : "m"(area) : "memory"), GP, 0);
    asm volatile("stmxcsr %0" : "=m"(now));
    CHECK_EQ(now, 0x1f80);
    bad = area.mask & 0xffff;
    CHECK_NO_TRAP(TRY("ldmxcsr %0", : : "m"(bad) : "memory"));
    asm volatile("stmxcsr %0" : "=m"(now));
    CHECK_EQ(now, bad);
    return 0;
}
