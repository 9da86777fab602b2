/*
 * msr-refused-values.c: an MSR refuses what it cannot hold: addresses that are not canonical, reserved bits,
 * bad types.
 *
 * SDM 2B "WRMSR", 3A 11.12.4 (PAT), 2.2.1 (EFER), 10.4.4 (APIC base), APM 2 3.1.7, 5.9.1. The upper halves of
 * RAX, RDX and RCX do not count.
 */
#include "frame.h"

static void check_refused(uint32_t msr, uint64_t v)
{
    uint64_t old = rdmsr(msr);
    CHECK_FAULT(TRY("wrmsr", : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory"), GP, 0);
    CHECK_EQ(rdmsr(msr), old);
}

static USER_CODE uint64_t user_rdmsr(uint64_t msr)
{
    asm volatile("rdmsr" ::"c"(msr) : "rax", "rdx");
    return 0;
}

int main(void)
{
    static const uint32_t addresses[] = {MSR_LSTAR,   MSR_CSTAR,          MSR_FS_BASE,
                                         MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_SYSENTER_CS + 1};
    for (unsigned i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
        if (addresses[i] == MSR_SYSENTER_CS + 1 && cpu_is_amd())
            continue; /* APM: 32 bits wide there in some processors */
        check_refused(addresses[i], 0x0000800000000000);
        check_refused(addresses[i], 0xffff000000000000);
        uint64_t old = rdmsr(addresses[i]);
        wrmsr(addresses[i], 0xffff800012345678);
        CHECK_EQ(rdmsr(addresses[i]), 0xffff800012345678);
        wrmsr(addresses[i], old);
    }
    check_refused(MSR_PAT, 0x0007040600070402); /* type 2 is reserved */
    check_refused(MSR_PAT, 0x0007040600070403);
    check_refused(MSR_PAT, 0x0807040600070406);
    wrmsr(MSR_PAT, 0x0007010600070106);
    CHECK_EQ(rdmsr(MSR_PAT), 0x0007010600070106);
    check_refused(MSR_EFER, rdmsr(MSR_EFER) | BIT(1));
    check_refused(MSR_EFER, rdmsr(MSR_EFER) | BIT(40));
    check_refused(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | BIT(0));
    check_refused(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | BIT(63));

    struct trap t = TRY("wrmsr",
                        :
                        : "c"(0xabcd00000000ull | MSR_LSTAR), "a"(0xff00000000001234), "d"(0x7700000000001111)
                        : "memory");
    CHECK_NO_TRAP(t);
    CHECK_EQ(rdmsr(MSR_LSTAR), 0x0000111100001234);
    uint64_t rax = ~0ull, rdx = ~0ull;
    asm volatile("rdmsr" : "+a"(rax), "+d"(rdx) : "c"(MSR_LSTAR)); /* clears the upper halves */
    CHECK_EQ(rax, 0x1234);
    CHECK_EQ(rdx, 0x1111);

    t = user_try(user_rdmsr, MSR_LSTAR);
    CHECK_EQ(t.vector, GP);
    return 0;
}
