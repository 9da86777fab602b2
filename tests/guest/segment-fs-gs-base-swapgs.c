/*
 * segment-fs-gs-base-swapgs.c: FS and GS bases live in MSRs, are 64 bits wide, and SWAPGS exchanges two of
 * them.
 *
 * SDM 3A 3.4.4, 2B "SWAPGS", "RDFSBASE", APM 2 4.5.3. Thread-local storage and every kernel's per-CPU data.
 */
#include "frame.h"

static uint64_t here = 0x11, there = 0x22;

static uint64_t gs_load(uint64_t off)
{
    uint64_t v;
    asm volatile("mov %%gs:(%1), %0" : "=r"(v) : "r"(off) : "memory");
    return v;
}

static uint64_t fs_load(uint64_t off)
{
    uint64_t v;
    asm volatile("mov %%fs:(%1), %0" : "=r"(v) : "r"(off) : "memory");
    return v;
}

static USER_CODE uint64_t user_swapgs(uint64_t arg)
{
    asm volatile("swapgs");
    return 0;
}

static USER_CODE uint64_t user_fs(uint64_t off)
{
    uint64_t v;
    asm volatile("mov %%fs:(%1), %0" : "=r"(v) : "r"(off) : "memory");
    return v;
}

static uint64_t user_word USER_DATA = 0x33;

int main(void)
{
    wrmsr(MSR_GS_BASE, (uint64_t)&here);
    wrmsr(MSR_KERNEL_GS_BASE, (uint64_t)&there);
    CHECK_EQ(gs_load(0), 0x11);
    asm volatile("swapgs" ::: "memory");
    CHECK_EQ(gs_load(0), 0x22);
    CHECK_EQ(rdmsr(MSR_GS_BASE), (uint64_t)&there);
    CHECK_EQ(rdmsr(MSR_KERNEL_GS_BASE), (uint64_t)&here);
    asm volatile("swapgs" ::: "memory");
    CHECK_EQ(gs_load(0), 0x11);

    /* 64 bits, and the sum wraps. */
    uint64_t va = 0xffff900000000000;
    uint64_t *p = page_map_new(va, PTE_P | PTE_W);
    p[1] = 0x44;
    wrmsr(MSR_FS_BASE, va);
    CHECK_EQ(fs_load(8), 0x44);
    wrmsr(MSR_FS_BASE, (uint64_t)&here + 0x1000);
    CHECK_EQ(fs_load(-0x1000ull), 0x11);

    /* LEA knows no base; other prefixes have none either. */
    uint64_t lea;
    asm volatile(".byte 0x64; lea 5, %0" : "=r"(lea));
    CHECK_EQ(lea, 5);

    /* Loading a selector loads the descriptor's 32-bit base; a null one leaves or clears it by vendor. */
    uint64_t low = (uint64_t)&there;
    gdt[SEL_FREE >> 3] =
        (gdt[SEL_KDATA >> 3] & ~0xff0000ffffff0000ull) | (low & 0xffffff) << 16 | (low >> 24 & 0xff) << 56;
    barrier();
    wrmsr(MSR_FS_BASE, va);
    asm volatile("mov %0, %%fs" ::"r"(SEL_FREE) : "memory");
    CHECK_EQ(rdmsr(MSR_FS_BASE), low);
    CHECK_EQ(fs_load(0), 0x22);
    wrmsr(MSR_FS_BASE, va);
    asm volatile("mov %0, %%fs" ::"r"(0) : "memory");
    uint64_t base = rdmsr(MSR_FS_BASE);
    bool may_stay = cpu_is_amd() && !(cpuid_has_leaf(0x80000021) && cpuid(0x80000021, 0).eax & BIT(6));
    CHECK(base == 0 || (may_stay && base == va)); /* NullSelectorClearsBase */

    /* DS, ES and SS bases do not count in 64-bit mode. */
    asm volatile("mov %0, %%ds" ::"r"(SEL_FREE) : "memory");
    CHECK_EQ(read8((uint64_t)&here), 0x11);
    asm volatile("mov %0, %%ds" ::"r"(SEL_KDATA) : "memory");

    /* At CPL 3: the base that was set, and no SWAPGS. */
    wrmsr(MSR_FS_BASE, (uint64_t)&user_word - 0x100);
    CHECK_EQ(user_call(user_fs, 0x100), 0x33);
    CHECK_EQ(user_try(user_swapgs, 0).vector, GP);

    if (cpu_has_fsgsbase()) {
        uint64_t v;
        CHECK_FAULT(TRY("rdfsbase %%rax", : : : "rax", "memory"), UD, 0);
        write_cr4(read_cr4() | CR4_FSGSBASE);
        asm volatile("wrgsbase %1; rdgsbase %0" : "=r"(v) : "r"(va));
        CHECK_EQ(v, va);
        CHECK_EQ(rdmsr(MSR_GS_BASE), va);
        asm volatile("wrfsbase %k1; rdfsbase %0" : "=r"(v) : "r"(0xffffffff12345678));
        CHECK_EQ(v, 0x12345678);
    }
    return 0;
}
