/*
 * paging-pae-pdpte.c: loading CR3, or setting CR0.PG, with a page-directory pointer that has reserved bits
 * set is #GP(0), and nothing is loaded; a pointer has no accessed bit.
 *
 * SDM 3A 4.4.1 (bits 2, 1, 8 to 5, and above the address width), 2B "MOV CR"; APM 2 5.2.3, APM 3 "MOV CRn".
 */
#include "frame32.h"

static uint64_t good[4] __attribute__((aligned(32))), bad[4] __attribute__((aligned(32)));
static uint64_t pd[4][512] __attribute__((aligned(4096)));

static struct trap set_cr0(uint32_t v)
{
    return TRY("mov %0, %%cr0", : : "r"(v) : "memory");
}
static struct trap set_cr3(const uint64_t *p)
{
    return TRY("mov %0, %%cr3", : : "r"(p) : "memory");
}

int main(void)
{
    const uint64_t reserved[] = {BIT(1), BIT(2), BIT(5), BIT(6), BIT(7), BIT(8), BIT(51), BIT(62), BIT(63)};
    for (unsigned g = 0; g < 4; g++) {
        good[g] = (uint32_t)pd[g] | 1;
        for (unsigned i = 0; i < 512; i++)
            pd[g][i] = ((uint64_t)g << 30 | i << 21) | 0x87;
    }
    uint32_t off = (uint32_t)read_cr0(), on = (uint32_t)(off | CR0_PG);
    write_cr4(CR4_PAE);
    for (unsigned i = 0; i < sizeof(reserved) / sizeof(*reserved); i++) {
        memcpy(bad, good, sizeof(bad));
        bad[i & 3] |= reserved[i];
        write_cr3((uint32_t)bad);
        CHECK_FAULT(set_cr0(on), GP, 0);
        CHECK_EQ(read_cr0(), off);
        write_cr3((uint32_t)good);
        CHECK_NO_TRAP(set_cr0(on));
        CHECK_FAULT(set_cr3(bad), GP, 0);
        CHECK_EQ(read_cr3(), (uint32_t)good);
        bad[i & 3] &= ~BIT(0); /* not present: nothing is reserved */
        if ((i & 3) != 0)
            CHECK_NO_TRAP(set_cr3(bad));
        write_cr3((uint32_t)good);
        CHECK_EQ(good[0] & 0x60, 0); /* walks mark no pointer accessed */
        CHECK_NO_TRAP(set_cr0(off));
    }
    return 0;
}
