/*
 * paging-pse36-reserved.c: bit 21 of the entry of a 4 MiB page is reserved: a page fault with P and RSVD.
 *
 * SDM 3A 4.3 table 4-4, 4.7; APM 2 5.2.2, 8.4.2.
 */
#include "frame32.h"

#define VA 0x40000000u
static uint32_t dir[1024] __attribute__((aligned(4096)));

int main(void)
{
    for (unsigned i = 0; i < 1024; i++)
        dir[i] = i << 22 | 0x83;
    dir[VA >> 22] |= 1u << 21;
    write_cr4(CR4_PSE);
    write_cr3((uint32_t)dir);
    write_cr0(read_cr0() | CR0_PG | CR0_WP);
    CHECK_PF(TRY("movl $0, (%0)", : : "r"(VA) : "memory"), PF_P | PF_RSVD | PF_W, VA);
    CHECK_EQ(dir[VA >> 22] & 0x60, 0);
    dir[VA >> 22] &= ~(1u << 21);
    CHECK_NO_TRAP(TRY("cmpl $0, (%0)", : : "r"(VA) : "memory", "cc"));
    return 0;
}
