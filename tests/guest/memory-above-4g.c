/*
 * memory-above-4g.c: RAM that does not fit below the hole for devices is above 4 GiB, and is not the RAM
 * below.
 *
 * Linux zero-page.rst (E820), SDM 3A 4.5. A monitor that cuts addresses at 32 bits lets the upper part
 * overwrite the lower. Run with 5 GiB.
 */
#include "frame.h"

int main(void)
{
    const struct e820_entry *high = NULL;
    uint64_t va = TEST_VA, total = 0;

    for (unsigned i = 0; i < e820_count(); i++) {
        const struct e820_entry *r = e820_get(i);
        if (r->type != E820_RAM)
            continue;
        total += r->size;
        if (r->start >= 4 * PAGE_1G)
            high = r;
        else
            CHECK(r->start + r->size <= 0xfec00000); /* chips are there */
    }
    CHECK(high != NULL);
    CHECK_EQ(high->start, 4 * PAGE_1G);
    CHECK(total > 5 * PAGE_1G - PAGE_2M && total <= 5 * PAGE_1G);

    uint64_t end = high->start + high->size;
    for (uint64_t a = high->start; a < end; a += PAGE_2M)
        page_map(va + a, a, 2, PTE_P | PTE_W);
    for (uint64_t a = high->start + 12 * PAGE_2M; a + PAGE_2M <= end; a += 37 * PAGE_2M) {
        write8(a - 4 * PAGE_1G, 0); /* what it would be with 32 bits; the start keeps off the image */
        write8(va + a, ~a);
        CHECK_EQ(read8(a - 4 * PAGE_1G), 0);
    }
    for (uint64_t a = high->start + 12 * PAGE_2M; a + PAGE_2M <= end; a += 37 * PAGE_2M)
        CHECK_EQ(read8(va + a), ~a);
    write8(va + end - 8, 0x55aa);
    CHECK_EQ(read8(va + end - 8), 0x55aa);

    /* A page table and code up there. */
    uint64_t *table = (uint64_t *)(va + high->start + PAGE);
    memset(table, 0, PAGE);
    uint64_t probe = va + 64 * PAGE_1G;
    page_map(probe, 0, 1, 0);
    table[0] = high->start + 2 * PAGE + (PTE_P | PTE_W);
    *page_entry(probe, 2) = (high->start + PAGE) | PTE_P | PTE_W;
    write_cr3(read_cr3());
    *(volatile uint8_t *)probe = 0xc3;
    CHECK_EQ(*(volatile uint8_t *)(va + high->start + 2 * PAGE), 0xc3);
    CHECK_NO_TRAP(TRY("call *%0", : : "r"(probe) : "memory"));
    CHECK_EQ(table[0] & (PTE_A | PTE_D), PTE_A | PTE_D);
    return 0;
}
