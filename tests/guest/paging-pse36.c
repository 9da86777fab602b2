/*
 * paging-pse36.c: bits 20 to 13 of the entry of a 4 MiB page are bits 39 to 32 of its address; what the
 * processor's address width does not reach, and bit 21, must be zero.
 *
 * SDM 3A 4.3 table 4-4; APM 2 5.2.2 ("4-Mbyte Page Translation").
 */
#include "frame32.h"

#define VA 0x40000000u
static uint32_t dir[1024] __attribute__((aligned(4096)));
static uint64_t pdpt[4] __attribute__((aligned(32))), pd[4][512] __attribute__((aligned(4096)));

int main(void)
{
    if (!cpu_has_pse36())
        exit_skip("no PSE-36 in CPUID");
    volatile uint32_t *p = (volatile uint32_t *)VA;
    for (unsigned i = 0; i < 1024; i++)
        dir[i] = i << 22 | 0x83;
    dir[VA >> 22] = 0x83 | 1u << 13; /* 4 GiB */
    write_cr4(CR4_PSE);
    write_cr3((uint32_t)dir);
    write_cr0(read_cr0() | CR0_PG | CR0_WP);
    p[0] = 0x36363636;
    p[0x3ffffc / 4] = 0x22222222;
    write_cr0(read_cr0() & ~CR0_PG);
    volatile uint32_t *low = NULL;
    asm("" : "+r"(low));
    CHECK(*low != 0x36363636); /* not at its low 32 bits */

    /* The same place seen with PAE, whose entries have the whole address. */
    for (unsigned g = 0; g < 4; g++) {
        pdpt[g] = (uint32_t)pd[g] | 1;
        for (unsigned i = 0; i < 512; i++)
            pd[g][i] = ((uint64_t)g << 30 | i << 21) | 0x83;
    }
    pd[1][0] = BIT(32) | 0x83;
    pd[1][1] = (BIT(32) + (2u << 20)) | 0x83;
    write_cr4(CR4_PAE);
    write_cr3((uint32_t)pdpt);
    write_cr0(read_cr0() | CR0_PG);
    CHECK_EQ(p[0], 0x36363636);
    CHECK_EQ(p[0x3ffffc / 4], 0x22222222);
    write_cr0(read_cr0() & ~CR0_PG);
    return 0;
}
