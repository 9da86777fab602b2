/*
 * paging-nx.c: code does not run from pages that have NX set at any level.
 *
 * SDM 3A 4.6.1, APM 2 5.6.3. Otherwise data is executed in every program that relies on it not being.
 */
#include "frame.h"

static struct trap call(uint64_t va)
{
    return TRY("call *%0", : : "r"(va) : "memory");
}

int main(void)
{
    if (!cpu_has_nx())
        exit_skip("no NX in CPUID");
    uint64_t va = TEST_VA + 0x7000;
    volatile uint8_t *p = page_map_new(va, PTE_P | PTE_W);
    p[0] = 0xc3; /* RET */

    CHECK_NO_TRAP(call(va));
    for (unsigned level = 1; level <= 4; level++) {
        *page_entry(va, level) |= PTE_NX;
        invlpg(va);
        struct trap t = call(va);
        CHECK_TRAP_AT(t, PF, PF_P | PF_I, va);
        CHECK_EQ(t.cr2, va);
        CHECK_NO_TRAP(TRY("incb 1(%0)", : : "r"(va) : "memory")); /* data is fine */
        *page_entry(va, level) &= ~PTE_NX;
        invlpg(va);
        CHECK_NO_TRAP(call(va));
    }

    /* An instruction that begins in an executable page and ends in one that is not: CR2 is the first refused
     * byte. */
    volatile uint8_t *q = page_map_new(va + PAGE, PTE_P | PTE_W | PTE_NX);
    p[PAGE - 1] = 0x90;
    q[0] = 0xc3;
    struct trap t = call(va + PAGE - 1);
    CHECK_TRAP_AT(t, PF, PF_P | PF_I, va + PAGE);
    CHECK_EQ(t.cr2, va + PAGE);
    p[PAGE - 1] = 0x66; /* 66 C3 would run over the boundary */
    t = call(va + PAGE - 1);
    CHECK_TRAP_AT(t, PF, PF_P | PF_I, va + PAGE - 1);
    CHECK_EQ(t.cr2, va + PAGE);

    /* A large page. */
    page_map(TEST_VA + PAGE_1G, (uint64_t)p & ~(PAGE_2M - 1), 2, PTE_P | PTE_W | PTE_NX);
    uint64_t large = TEST_VA + PAGE_1G + ((uint64_t)p & (PAGE_2M - 1));
    CHECK_TRAP_AT(call(large), PF, PF_P | PF_I, large);
    return 0;
}
