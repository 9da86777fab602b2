/*
 * debug-io-breakpoint.c: with CR4.DE a breakpoint may stand on a port; the trap comes after the access.
 *
 * SDM 3A 17.2.4, 17.3.1.3, APM 2 13.1.1.4.
 */
#include "frame.h"

#define DR6_CLEAR  0xffff0ff0
#define DR7_ALWAYS 0x400
#define ON_PORT    (BIT(0) | 2ull << 16) /* DR0, enabled, type 2 */

static volatile unsigned hits;
static volatile uint64_t hit_dr6;

static void hit(struct regs *r)
{
    hits++;
    hit_dr6 = read_dr6();
    write_dr6(DR6_CLEAR);
}

int main(void)
{
    trap_set_handler(DB, hit);
    write_cr4(read_cr4() | CR4_DE);
    write_dr0(0x61);
    write_dr7(DR7_ALWAYS | ON_PORT);
    inb(0x61);
    CHECK_EQ(hits, 1);
    CHECK_EQ(hit_dr6 & 0xe00f, 1);
    inb(0x71);
    CHECK_EQ(hits, 1);
    write_dr7(DR7_ALWAYS);
    inb(0x61);
    CHECK_EQ(hits, 1);
    return 0;
}
