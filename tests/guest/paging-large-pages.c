/*
 * paging-large-pages.c: 2 MiB and 1 GiB pages map what they say, to their last byte, and can be split and
 * joined.
 *
 * SDM 3A 4.5.2, APM 2 5.3.4. Otherwise the direct map of every kernel is wrong.
 */
#include "frame.h"

static void check_same(uint64_t va, uint64_t pa)
{
    static uint64_t n = 0x1234567;
    n = n * 6364136223846793005 + 1;
    write8(va, n);
    CHECK_EQ(read8(pa), n);
    write8(pa, ~n);
    CHECK_EQ(read8(va), ~n);
}

int main(void)
{
    uint64_t rw = PTE_P | PTE_W, va = TEST_VA, pa = 0x1000000;

    page_map(va, pa, 2, rw);
    page_map(va + PAGE_2M, pa + 2 * PAGE_2M, 2, rw); /* neighbours are not contiguous */
    for (uint64_t off = 0; off < PAGE_2M; off += 0x7ff8)
        check_same(va + off, pa + off);
    check_same(va + PAGE_2M - 8, pa + PAGE_2M - 8);
    check_same(va + PAGE_2M, pa + 2 * PAGE_2M);
    CHECK_PF(TRY("movb (%0), %%al", : : "r"(va + 2 * PAGE_2M) : "rax", "memory"), 0, va + 2 * PAGE_2M);

    /* An access over the boundary of the two. */
    write8(va + PAGE_2M - 4, 0x1122334455667788);
    CHECK_EQ(*(volatile uint32_t *)(pa + PAGE_2M - 4), 0x55667788);
    CHECK_EQ(*(volatile uint32_t *)(pa + 2 * PAGE_2M), 0x11223344);
    CHECK_EQ(read8(va + PAGE_2M - 4), 0x1122334455667788);

    /* Bit 12 of a large entry is PAT, not an address bit. */
    *page_entry(va, 2) |= BIT(12);
    invlpg(va);
    check_same(va + 0x2000, pa + 0x2000);
    *page_entry(va, 2) &= ~BIT(12);

    /* Split: one 4 KiB page of it goes elsewhere, the others stay. INVLPG of one address drops the whole
     * large page. */
    check_same(va + 0x5000, pa + 0x5000);
    void *other = page_alloc();
    page_map(va + 0x5000, (uint64_t)other, 1, rw);
    invlpg(va + 0x1ff000);
    check_same(va + 0x5000, (uint64_t)other);
    check_same(va + 0x4ff8, pa + 0x4ff8);
    check_same(va + 0x6000, pa + 0x6000);

    /* Joined again. */
    *page_entry(va, 2) = pa | rw | PTE_PS;
    invlpg(va + 0x5000);
    write_cr3(read_cr3());
    check_same(va + 0x5000, pa + 0x5000);

    if (!cpu_has_1g_pages()) {
        print("no 1 GiB pages in CPUID\n");
        return 0;
    }
    va = TEST_VA + 4 * PAGE_1G;
    page_map(va, 0, 3, rw);
    check_same(va + pa + 0x123458, pa + 0x123458);
    check_same(va + 0x2000000, 0x2000000);
    check_same(va + 0x3fffff8, 0x3fffff8);
    CHECK_EQ(*page_entry(va, 3) & (PTE_A | PTE_D), PTE_A | PTE_D);
    *page_entry(va, 3) &= ~PTE_W;
    invlpg(va + 0x3fffff8);
    CHECK_PF(TRY("movb $0, (%0)", : : "r"(va + 0x2000000) : "memory"), PF_P | PF_W, va + 0x2000000);
    return 0;
}
