/*
 * debug-registers-all-matches.c: an access that several breakpoints match sets a bit in DR6 for each, in one
 * #DB.
 *
 * SDM 3A 17.2.3 (B0 to B3), APM 2 13.1.1.3. A debugger with overlapping watchpoints is told of all of them.
 */
#include "frame.h"

static uint64_t word[2] __attribute__((aligned(16)));
static volatile unsigned hits;
static volatile uint64_t dr6;

static void hit(struct regs *r)
{
    hits++;
    dr6 = read_dr6();
    write_dr6(0xffff0ff0);
}

int main(void)
{
    trap_set_handler(DB, hit);
    write_dr2((uint64_t)word + 1);
    write_dr3((uint64_t)word);
    /* Both on writes of one byte: R/W = 1, LEN = 0. */
    write_dr7(0x400 | BIT(4) | BIT(6) | 1ull << 24 | 1ull << 28);
    *(volatile uint32_t *)word = 5;
    CHECK_EQ(hits, 1);
    CHECK_EQ(dr6 & 0xe00f, 0xc);
    *(volatile uint8_t *)word = 5;
    CHECK_EQ(hits, 2);
    CHECK_EQ(dr6 & 0xe00f, 8);
    write_dr7(0x400);
    return 0;
}
