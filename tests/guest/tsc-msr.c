/*
 * tsc-msr.c: IA32_TIME_STAMP_COUNTER reads what RDTSC reads, and a write of it moves both; CR4.TSD keeps
 * users out.
 *
 * SDM 3A 17.17, 2B "RDTSC", APM 2 13.2.4.
 */
#include "frame.h"

static USER_CODE uint64_t user_rdtsc(uint64_t arg)
{
    uint32_t lo, hi;
    asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

int main(void)
{
    uint64_t a = rdtsc(), b = rdmsr(MSR_TSC), c = rdtsc();
    CHECK(a <= b && b <= c);

    wrmsr(MSR_TSC, 0x100000000000);
    a = rdtsc();
    CHECK(a >= 0x100000000000 && a < 0x110000000000);
    b = rdmsr(MSR_TSC);
    CHECK(b >= a && b < 0x110000000000);

    a = rdtsc();
    b = user_call(user_rdtsc, 0);
    CHECK(b >= a);
    write_cr4(read_cr4() | CR4_TSD);
    CHECK_EQ(user_try(user_rdtsc, 0).vector, GP);
    CHECK_NO_TRAP(TRY("rdtsc", : : : "rax", "rdx", "memory"));
    return 0;
}
