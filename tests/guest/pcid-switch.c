/*
 * pcid-switch.c: translations carry the PCID they were made under; CR3's bit 63 and INVPCID drop what they
 * name.
 *
 * SDM 3A 4.10.1, 4.10.4.1, 2A "INVPCID", APM 2 5.5.1. Linux gives each process a PCID and loads CR3 with bit
 * 63: a translation of another one that is used, or one that survives its flush, is another process's memory.
 */
#include "frame.h"

#define NO_FLUSH BIT(63)

static uint64_t rw = PTE_P | PTE_W;
static uint64_t *tree[4];
static uint64_t *leaf[4];          /* the entry of va in each tree */
static volatile uint64_t *data[4]; /* a page each that holds its number */
static const uint64_t va = 0x0000500000000000;

static void load(unsigned i, uint64_t flags)
{
    write_cr3((uint64_t)tree[i] | (i + 1) | flags);
}

static struct trap invpcid(uint64_t type, uint64_t pcid, uint64_t address)
{
    struct {
        uint64_t pcid, address;
    } d = {pcid, address};
    return TRY("invpcid %0, %1", : : "m"(d), "r"(type) : "memory");
}

static void make_trees(void)
{
    for (unsigned i = 0; i < 4; i++) {
        uint64_t *t3 = page_alloc(), *t2 = page_alloc(), *t1 = page_alloc();
        tree[i] = page_alloc();
        data[i] = page_alloc();
        data[i][0] = i;
        memcpy(tree[i], pml4, PAGE);
        tree[i][va >> 39 & 511] = (uint64_t)t3 | rw;
        t3[0] = (uint64_t)t2 | rw;
        t2[0] = (uint64_t)t1 | rw;
        leaf[i] = &t1[0];
        *leaf[i] = (uint64_t)data[i] | rw;
    }
}

int main(void)
{
    if (!cpu_has_pcid())
        exit_skip("no PCID in CPUID");
    make_trees();

    /* SDM 3A 4.10.1: PCIDE can be set only with CR3[11:0] = 0, and bit 63 is reserved without it. */
    CHECK_FAULT(TRY("mov %0, %%cr3", : : "r"(read_cr3() | NO_FLUSH) : "memory"), GP, 0);
    write_cr3((uint64_t)pml4 | 0x18); /* PCD and PWT */
    CHECK_FAULT(TRY("mov %0, %%cr4", : : "r"(read_cr4() | CR4_PCIDE) : "memory"), GP, 0);
    write_cr3((uint64_t)pml4);
    write_cr4(read_cr4() | CR4_PCIDE | CR4_PGE);
    CHECK_EQ(read_cr3(), (uint64_t)pml4);
    load(2, NO_FLUSH);
    CHECK_EQ(read_cr3(), (uint64_t)tree[2] | 3); /* bit 63 is not kept */
    load(2, 0);

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 4; i++) {
            load(i, NO_FLUSH);
            CHECK_EQ(read8(va), i);
            write8(va + 8, i + round);
        }
    }
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(data[i][1], i + 2);

    /* A load without bit 63 drops that PCID's. */
    load(0, NO_FLUSH);
    CHECK_EQ(read8(va), 0);
    *leaf[0] = (uint64_t)data[1] | rw;
    load(1, NO_FLUSH);
    CHECK_EQ(read8(va), 1);
    load(0, 0);
    CHECK_EQ(read8(va), 1);
    *leaf[0] = (uint64_t)data[0] | rw;
    /* INVLPG drops the current PCID's. */
    invlpg(va);
    CHECK_EQ(read8(va), 0);

    /* A global translation is used under every PCID; INVLPG drops it from any. */
    for (unsigned i = 0; i < 4; i++)
        *leaf[i] |= PTE_G;
    write_cr4(read_cr4() & ~CR4_PGE);
    write_cr4(read_cr4() | CR4_PGE);
    load(3, 0);
    CHECK_EQ(read8(va), 3);
    load(0, NO_FLUSH);
    invlpg(va);
    CHECK_EQ(read8(va), 0);
    for (unsigned i = 0; i < 4; i++)
        *leaf[i] &= ~PTE_G;
    write_cr4(read_cr4() & ~CR4_PGE); /* drops all, of all */
    for (unsigned i = 0; i < 4; i++) {
        load(i, NO_FLUSH);
        CHECK_EQ(read8(va), i);
    }

    if (cpu_has_invpcid()) {
        for (unsigned type = 0; type < 4; type++) {
            /* Under tree 3: change tree 1's entry, drop it by name, look. */
            load(1, NO_FLUSH);
            uint64_t old = read8(va);
            *leaf[1] = (uint64_t)data[old == 1 ? 2 : 1] | rw;
            load(3, NO_FLUSH);
            CHECK_NO_TRAP(invpcid(type, type < 2 ? 2 : 0, type == 0 ? va : 0));
            CHECK_EQ(read8(va), 3);
            load(1, NO_FLUSH);
            CHECK_EQ(read8(va), old == 1 ? 2 : 1);
        }
        CHECK_FAULT(invpcid(4, 0, 0), GP, 0);
        CHECK_FAULT(invpcid(0, 0x1000, 0), GP, 0);             /* bits above 11 of the descriptor */
        CHECK_FAULT(invpcid(0, 2, 0x8000000000000000), GP, 0); /* non-canonical, type 0 */
    } else {
        print("no INVPCID in CPUID\n");
    }

    /* Clearing PCIDE drops all. */
    load(1, NO_FLUSH);
    read8(va);
    *leaf[1] = (uint64_t)data[3] | rw;
    write_cr4(read_cr4() & ~CR4_PCIDE);
    CHECK_EQ(read8(va), 3);
    write_cr3((uint64_t)pml4);
    return 0;
}
