/*
 * cr3-global-pages.c: with CR4.PGE, G protects a translation from a load of CR3 only; INVLPG and a change of
 * PGE drop it.
 *
 * SDM 3A 4.10.2.4 and 4.10.4.1, APM 2 5.5.2. Kernels change global mappings and rely on these two; without
 * PGE the bit means nothing.
 */
#include "frame.h"

static uint64_t rw = PTE_P | PTE_W;

int main(void)
{
    if (!(cpuid(1, 0).edx & BIT(13)))
        exit_skip("no PGE in CPUID");
    uint64_t va = TEST_VA + 0x11000, local = TEST_VA + 0x12000;
    volatile uint64_t *a = page_map_new(va, rw | PTE_G), *b = page_alloc();
    page_map(local, (uint64_t)a, 1, rw);
    *a = 1;
    *b = 2;

    for (unsigned i = 0; i < 8; i++) {
        /* Without PGE, a load of CR3 drops all. */
        write_cr4(read_cr4() & ~CR4_PGE);
        CHECK_EQ(read8(va), 1);
        *page_entry(va, 1) = (uint64_t)b | rw | PTE_G;
        write_cr3(read_cr3());
        CHECK_EQ(read8(va), 2);

        /* With it, what is not global goes all the same; what is global may stay. */
        write_cr4(read_cr4() | CR4_PGE);
        CHECK_EQ(read8(va), 2);
        CHECK_EQ(read8(local), 1);
        *page_entry(va, 1) = (uint64_t)a | rw | PTE_G;
        *page_entry(local, 1) = (uint64_t)b | rw;
        write_cr3(read_cr3());
        CHECK_EQ(read8(local), 2);
        uint64_t v = read8(va);
        CHECK(v == 1 || v == 2);
        if (i & 1) {
            invlpg(va);
        } else {
            write_cr4(read_cr4() & ~CR4_PGE);
            CHECK_EQ(read8(va), 1);
            write_cr4(read_cr4() | CR4_PGE);
        }
        CHECK_EQ(read8(va), 1);
        *page_entry(local, 1) = (uint64_t)a | rw;
        invlpg(local);
        CHECK_EQ(read8(local), 1);
    }
    return 0;
}
