/*
 * cr4-tsd-pce.c: CR4.TSD makes RDTSC and RDTSCP #GP(0) outside CPL 0; RDPMC there asks for CR4.PCE.
 *
 * SDM 3A 2.5, 2B "RDTSC", "RDPMC"; APM 3 "RDTSC", "RDPMC".
 */
#include "frame.h"

static USER_CODE uint64_t do_rdtsc(uint64_t arg)
{
    asm volatile("rdtsc" : : : "rax", "rdx", "memory");
    return arg;
}
static USER_CODE uint64_t do_rdtscp(uint64_t arg)
{
    asm volatile("rdtscp" : : : "rax", "rcx", "rdx", "memory");
    return arg;
}
static USER_CODE uint64_t do_rdpmc(uint64_t arg)
{
    asm volatile("rdpmc" : : "c"(0) : "rax", "rdx", "memory");
    return arg;
}

int main(void)
{
    CHECK_EQ(user_call(do_rdtsc, 3), 3);
    write_cr4(read_cr4() | CR4_TSD);
    struct trap t = user_try(do_rdtsc, 3);
    CHECK_EQ(t.vector, GP);
    CHECK_EQ(t.error, 0);
    CHECK_NO_TRAP(TRY("rdtsc", : : : "rax", "rdx", "memory"));
    if (cpu_has_rdtscp()) {
        t = user_try(do_rdtscp, 3);
        CHECK_EQ(t.vector, GP);
        write_cr4(read_cr4() & ~CR4_TSD);
        CHECK_EQ(user_call(do_rdtscp, 3), 3);
    }
    t = user_try(do_rdpmc, 3);
    CHECK_EQ(t.vector, GP);
    CHECK_EQ(t.error, 0);
    return 0;
}
