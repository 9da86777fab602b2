/*
 * tlb-survives-cr3.c: a load of CR3 keeps global translations, and with PCIDs those of the others and, with
 * bit 63, its own: counted in TLB misses, which images.json bounds for Trapeze.
 *
 * SDM 3A 4.10.2.4, 4.10.4.1; APM 2 5.5.1, 5.5.2. Elsewhere it only checks that all reads give the right page.
 */
#include "frame.h"

#define PAGES    16
#define ROUNDS   2000
#define SPACES   12
#define NO_FLUSH BIT(63)
static uint64_t rw = PTE_P | PTE_W;

static void touch(uint64_t base, uint64_t want)
{
    for (unsigned i = 0; i < PAGES; i++)
        CHECK_EQ(read8(base + i * PAGE), want + i);
}

int main(void)
{
    uint64_t global = TEST_VA + 0x40000, local = TEST_VA + 0x80000;
    for (unsigned i = 0; i < PAGES; i++) {
        uint64_t *g = page_map_new(global + i * PAGE, rw | PTE_G), *l = page_map_new(local + i * PAGE, rw);
        *g = 100 + i;
        *l = 200 + i;
    }
    write_cr4(read_cr4() | CR4_PGE);
    for (unsigned r = 0; r < ROUNDS; r++) {
        write_cr3(read_cr3());
        touch(global, 100);
    }
    if (!cpu_has_pcid())
        return 0;
    /* Two address spaces with PCIDs 1 and 2, and the first again: each keeps what it has. */
    uint64_t *other = page_alloc();
    memcpy(other, pml4, PAGE);
    write_cr4(read_cr4() | CR4_PCIDE);
    write_cr3((uint64_t)pml4 | 1);
    write_cr3((uint64_t)other | 2);
    for (unsigned r = 0; r < ROUNDS; r++) {
        write_cr3((uint64_t)pml4 | 1 | NO_FLUSH);
        touch(local, 200);
        touch(global, 100);
        write_cr3((uint64_t)other | 2 | NO_FLUSH);
        touch(local, 200);
        write_cr3((uint64_t)other | 2 | NO_FLUSH);
        touch(local, 200);
    }
    /* More PCIDs than any processor need keep: each finds its own all the same. */
    uint64_t *tree[SPACES], va = TEST_VA + (1ull << 39);
    write_cr3((uint64_t)pml4 | 1);
    for (unsigned i = 0; i < SPACES; i++) {
        page_map_new(va, rw); /* a new PML4 entry: copied, then made anew for the next */
        write8(va, 300 + i);
        tree[i] = page_alloc();
        memcpy(tree[i], pml4, PAGE);
        pml4[va >> 39 & 511] = 0;
        invlpg(va);
    }
    for (unsigned r = 0; r < 40; r++)
        for (unsigned i = 0; i < SPACES; i++) {
            write_cr3((uint64_t)tree[i] | (i + 3) | NO_FLUSH);
            CHECK_EQ(read8(va), 300 + i);
        }
    write_cr3((uint64_t)pml4);
    write_cr4(read_cr4() & ~CR4_PCIDE);
    return 0;
}
