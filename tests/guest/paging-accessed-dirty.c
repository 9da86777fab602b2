/*
 * paging-accessed-dirty.c: A is set at every level by any access, D in the last entry by writes only, at the
 * time of the write, and neither by an access that faults.
 *
 * SDM 3A 4.8, APM 2 5.4.2. A kernel whose dirty bits get lost throws away modified pages; one whose accessed
 * bits stay clear swaps out what is in use.
 */
#include "frame.h"

#define AD (PTE_A | PTE_D)

static uint64_t va = TEST_VA + 0x9000;

static void clear_all(void)
{
    for (unsigned level = 1; level <= 4; level++)
        *page_entry(va, level) &= ~AD;
    write_cr3(read_cr3());
}

/* D of upper levels is ignored by the processor: must stay as it was. */
static void check_all(uint64_t leaf)
{
    CHECK_EQ(*page_entry(va, 1) & AD, leaf);
    for (unsigned level = 2; level <= 4; level++)
        CHECK_EQ(*page_entry(va, level) & AD, PTE_A);
}

static USER_CODE uint64_t user_write(uint64_t at)
{
    *(volatile uint8_t *)at = 1;
    return 0;
}

int main(void)
{
    volatile uint8_t *p = page_map_new(va, PTE_P | PTE_W | PTE_U);

    for (unsigned level = 1; level <= 3; level++)
        CHECK_EQ(*page_entry(va, level) & PTE_D, 0);
    clear_all();
    read8(va);
    check_all(PTE_A);
    write8(va, 1); /* behind a read that has filled the TLB */
    check_all(AD);

    clear_all();
    write8(va, 1);
    check_all(AD);
    /* Cleared by software and flushed: set again by the next access. */
    *page_entry(va, 1) &= ~AD;
    invlpg(va);
    read8(va);
    CHECK_EQ(*page_entry(va, 1) & AD, PTE_A);
    *page_entry(va, 1) &= ~PTE_A;
    invlpg(va);
    asm volatile("lock; addl $0, (%0)" ::"r"(va) : "memory");
    CHECK_EQ(*page_entry(va, 1) & AD, AD);

    /* A compare and exchange that fails writes back all the same (SDM 2A "CMPXCHG"). */
    clear_all();
    asm volatile("lock; cmpxchgb %%cl, (%0)" ::"r"(va), "a"(0x77), "c"(0) : "memory", "cc");
    check_all(AD);

    clear_all();
    p[0] = 0xc3;
    asm volatile("call *%0" ::"r"(va) : "memory");
    check_all(PTE_A);

    clear_all();
    user_call(user_write, va);
    check_all(AD);

    /* A write that is refused leaves D clear. */
    clear_all();
    *page_entry(va, 1) &= ~PTE_W;
    CHECK_EQ(TRY("movb $1, (%0)", : : "r"(va) : "memory").vector, PF);
    CHECK_EQ(*page_entry(va, 1) & PTE_D, 0);
    *page_entry(va, 1) &= ~PTE_P;
    *page_entry(va, 1) &= ~AD;
    invlpg(va);
    CHECK_EQ(TRY("movb $1, (%0)", : : "r"(va) : "memory").vector, PF);
    CHECK_EQ(*page_entry(va, 1) & AD, 0);

    /* A store over a page boundary whose second page is missing changes nothing in the first. */
    *page_entry(va, 1) |= PTE_P | PTE_W;
    page_map(va + PAGE, 0, 1, 0);
    p[PAGE - 1] = 0x11;
    CHECK_PF(TRY("movw $0x2222, (%0)", : : "r"(va + PAGE - 1) : "memory"), PF_W, va + PAGE);
    CHECK_EQ(p[PAGE - 1], 0x11);

    /* 2 MiB: the bits are in the level 2 entry. */
    uint64_t large = TEST_VA + PAGE_1G;
    page_map(large, 0x800000, 2, PTE_P | PTE_W);
    read8(large + 0x12340);
    CHECK_EQ(*page_entry(large, 2) & AD, PTE_A);
    write8(large + 0x1ff000, 1);
    CHECK_EQ(*page_entry(large, 2) & AD, AD);
    return 0;
}
