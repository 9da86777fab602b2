/*
 * smep-smap.c: SMEP keeps the supervisor from executing user pages, SMAP from touching them but with
 * RFLAGS.AC set.
 *
 * SDM 3A 4.6.1, APM 2 5.6.5 and 5.6.6. A kernel believes that it cannot be led into user memory; and that
 * STAC opens it.
 */
#include "frame.h"

static struct trap call(uint64_t va)
{
    return TRY("call *%0", : : "r"(va) : "memory");
}

static struct trap load(uint64_t va)
{
    return TRY("movb (%0), %%al", : : "r"(va) : "rax", "memory");
}

static struct trap store(uint64_t va)
{
    return TRY("movb %%al, 1(%0)", : : "r"(va) : "memory");
}

static USER_CODE uint64_t user_touch(uint64_t va)
{
    return ++*(volatile uint8_t *)va;
}

extern const char behind_clac[];

int main(void)
{
    if (!cpu_has_smep() || !cpu_has_smap())
        exit_skip("no SMEP or no SMAP in CPUID");
    uint64_t va = TEST_VA + 0x14000;
    volatile uint8_t *p = page_map_new(va, PTE_P | PTE_W | PTE_U);
    p[0] = 0xc3;

    CHECK_NO_TRAP(call(va));
    write_cr4(read_cr4() | CR4_SMEP);
    struct trap t = call(va); /* no flush: the change of CR4 is enough */
    CHECK_TRAP_AT(t, PF, PF_P | PF_I, va);
    CHECK_EQ(t.cr2, va);
    CHECK_NO_TRAP(load(va));
    for (unsigned level = 1; level <= 4; level++) { /* a supervisor page by any level */
        *page_entry(va, level) &= ~PTE_U;
        invlpg(va);
        CHECK_NO_TRAP(call(va));
        *page_entry(va, level) |= PTE_U;
        invlpg(va);
    }
    write_cr4(read_cr4() & ~CR4_SMEP);
    CHECK_NO_TRAP(call(va));

    asm volatile("clac");
    CHECK_NO_TRAP(load(va));
    write_cr4(read_cr4() | CR4_SMAP);
    CHECK_PF(load(va), PF_P, va);
    CHECK_PF(store(va), PF_P | PF_W, va + 1);
    CHECK_NO_TRAP(call(va)); /* fetches are not SMAP's affair */
    CHECK_TRAP_AT(TRY("stac; movb (%0), %%al; clac; .globl behind_clac; behind_clac: movb (%0), %%al",
                      :
                      : "r"(va)
                      : "rax", "memory", "cc"),
                  PF, PF_P, behind_clac);
    asm volatile("stac");
    CHECK_NO_TRAP(TRY("movb (%0), %%al; movb %%al, 1(%0)", : : "r"(va) : "rax", "memory"));
    asm volatile("clac");
    asm volatile("stac; pushf; popf; clac" ::: "memory");
    write_flags(read_flags() | FLAG_AC); /* AC by POPF is the same */
    CHECK_NO_TRAP(TRY("movb (%0), %%al", : : "r"(va) : "rax", "memory"));
    write_flags(read_flags() & ~FLAG_AC);
    CHECK_PF(load(va), PF_P, va);

    /* User code is not concerned. */
    write_cr4(read_cr4() | CR4_SMEP);
    CHECK_EQ(user_call(user_touch, va), 0xc4);
    write_cr4(read_cr4() & ~(CR4_SMAP | CR4_SMEP));
    CHECK_NO_TRAP(load(va));
    return 0;
}
