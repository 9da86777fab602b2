/*
 * paging-invlpg-stale-then-fresh.c: what INVLPG, a write of CR3, and a page fault make fresh is fresh.
 *
 * SDM 3A 4.10.4 and 4.10.2.3, APM 2 5.5.2: before the invalidation either translation may be used, behind it
 * only the new one; absent entries are never cached; a fault on a page drops its translation, so that a
 * handler that finds the entry right may just return. Otherwise programs see each other's old pages.
 */
#include "frame.h"

static uint64_t rw = PTE_P | PTE_W;
static volatile uint64_t *a, *b;

static void point(uint64_t va, volatile uint64_t *p)
{
    *page_entry(va, 1) = (uint64_t)p | rw;
}

int main(void)
{
    uint64_t va = TEST_VA + 0xd000;

    a = page_map_new(va, rw);
    b = page_alloc();
    *a = 1;
    *b = 2;
    CHECK_EQ(read8(va), 1);
    for (unsigned i = 0; i < 20; i++) {
        point(va, i & 1 ? a : b);
        uint64_t v = read8(va);
        CHECK(v == 1 || v == 2);
        if (i < 10)
            invlpg(va + 0x123);
        else
            write_cr3(read_cr3());
        CHECK_EQ(read8(va), i & 1 ? 1 : 2);
        write8(va, i & 1 ? 1 : 2);
        CHECK_EQ(*a, 1);
        CHECK_EQ(*b, 2);
    }

    /* The same for code. */
    *(volatile uint16_t *)a = 0xc3f9; /* STC; RET */
    *(volatile uint16_t *)b = 0xc3f8; /* CLC; RET */
    for (unsigned i = 0; i < 20; i++) {
        uint8_t carry;
        point(va, i & 1 ? a : b);
        invlpg(va);
        asm volatile("call *%1; setc %0" : "=r"(carry) : "r"(va) : "memory", "cc");
        CHECK_EQ(carry, i & 1);
    }

    /* Absent is not cached: present at once, without a flush. */
    *page_entry(va, 1) = 0;
    invlpg(va);
    CHECK_PF(TRY("movb (%0), %%al", : : "r"(va) : "rax", "memory"), 0, va);
    *a = 11;
    point(va, a);
    CHECK_EQ(read8(va), 11);

    /* Taken away, then flushed. */
    *page_entry(va, 1) = 0;
    invlpg(va);
    CHECK_PF(TRY("movb (%0), %%al", : : "r"(va) : "rax", "memory"), 0, va);

    /* Rights added: one spurious fault may come; behind it the new rights hold. */
    *page_entry(va, 1) = (uint64_t)a | PTE_P;
    CHECK_EQ(read8(va), 11);
    point(va, a);
    struct trap t = TRY("movb $3, (%0)", : : "r"(va) : "memory");
    if (t.vector != NO_TRAP)
        CHECK_PF(t, PF_P | PF_W, va);
    CHECK_NO_TRAP(TRY("movb $3, (%0)", : : "r"(va) : "memory"));

    /* An upper entry: INVLPG drops the cached way there as well (4.10.4.1). */
    uint64_t *table = page_alloc();
    table[va >> 12 & 511] = (uint64_t)b | rw;
    *b = 22;
    *a = 11;
    CHECK_EQ(read8(va), 11);
    *page_entry(va, 2) = (uint64_t)table | rw;
    invlpg(va);
    CHECK_EQ(read8(va), 22);

    /* A whole other tree by CR3. */
    uint64_t *tree = page_alloc();
    memcpy(tree, pml4, PAGE);
    tree[va >> 39 & 511] = 0;
    write_cr3((uint64_t)tree);
    CHECK_PF(TRY("movb (%0), %%al", : : "r"(va) : "rax", "memory"), 0, va);
    write_cr3((uint64_t)pml4);
    CHECK_EQ(read8(va), 22);

    CHECK_NO_TRAP(TRY("invlpg (%0)",
                      :
                      : "r"(0x8000000000000000)
                      : "memory")); /* non-canonical: nothing happens */
    CHECK_NO_TRAP(TRY("invlpg (%0)", : : "r"(TEST_VA + PAGE_1G) : "memory"));
    return 0;
}
