/*
 * paging-wp-supervisor.c: CR0.WP decides whether the supervisor may write to read-only pages.
 *
 * SDM 3A 4.6.1, APM 2 5.6.2. A write protection that is not kept breaks copy-on-write in every kernel (the
 * write lands in a page shared by all); one that is kept with WP clear breaks kernels that patch themselves.
 */
#include "frame.h"

static struct trap write_byte(uint64_t va)
{
    return TRY("movb $0x5a, (%0)", : : "r"(va) : "memory");
}

static USER_CODE uint64_t user_write(uint64_t va)
{
    *(volatile uint8_t *)va = 1;
    return 0;
}

int main(void)
{
    uint64_t va = TEST_VA + 0x3000;
    volatile uint8_t *p = page_map_new(va, PTE_P | PTE_U);

    CHECK_PF(write_byte(va), PF_P | PF_W, va);
    CHECK_EQ(p[0], 0);
    CHECK_EQ(*page_entry(va, 1) & PTE_D, 0);

    write_cr0(read_cr0() & ~CR0_WP);
    CHECK_NO_TRAP(write_byte(va));
    CHECK_EQ(p[0], 0x5a);
    CHECK_EQ(*page_entry(va, 1) & PTE_D, PTE_D);
    struct trap t = user_try(user_write, va); /* WP is the supervisor's affair only */
    CHECK_EQ(t.vector, PF);
    CHECK_EQ(t.error, PF_P | PF_W | PF_U);
    CHECK_EQ(t.cr2, va);

    /* Back: the translation just used for a write must not be used for one any more, without any flush. */
    write_cr0(read_cr0() | CR0_WP);
    p[0] = 0;
    CHECK_PF(write_byte(va), PF_P | PF_W, va);
    CHECK_EQ(p[0], 0);

    /* Read-only at a higher level alone is read-only. */
    *page_entry(va, 1) |= PTE_W;
    for (unsigned level = 2; level <= 4; level++) {
        *page_entry(va, level) &= ~PTE_W;
        invlpg(va);
        CHECK_PF(write_byte(va), PF_P | PF_W, va);
        *page_entry(va, level) |= PTE_W;
        invlpg(va);
        CHECK_NO_TRAP(write_byte(va));
    }

    /* Read-modify-write and push are writes; their reads alone do not count. */
    *page_entry(va, 1) &= ~PTE_W;
    invlpg(va);
    CHECK_PF(TRY("incl (%0)", : : "r"(va) : "memory"), PF_P | PF_W, va);
    CHECK_PF(TRY("lock; addl $0, (%0)", : : "r"(va) : "memory"), PF_P | PF_W, va);
    CHECK_PF(TRY("lock; cmpxchgl %%ecx, (%0)", : : "r"(va), "a"(~0) : "memory"), PF_P | PF_W, va);
    CHECK_NO_TRAP(TRY("cmpl $0, (%0)", : : "r"(va) : "memory"));
    return 0;
}
