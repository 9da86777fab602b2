/*
 * debug-rep-string.c: a breakpoint on a repeated string instruction comes once; a single step after each
 * iteration; a data breakpoint in the middle leaves registers between two iterations, and RF set.
 *
 * SDM 3B 17.3.1.1, 17.3.1.2, 17.3.1.4; APM 2 13.1.3, 13.1.4.
 */
#include "frame.h"

static volatile unsigned hits;
static volatile uint64_t rips[16], rcxs[16], flags[16];

static void debug(struct regs *r)
{
    if (hits < 16) {
        rips[hits] = r->rip;
        rcxs[hits] = r->rcx;
        flags[hits] = r->rflags;
    }
    hits++;
    write_dr6(0xffff0ff0);
    r->rflags |= FLAG_RF;
}

extern const char rep_at[], rep_next[];
static uint8_t from[16], to[16];

static void copy(void)
{
    void *s = from, *d = to;
    uint64_t n = 6;
    hits = 0;
    asm volatile(".globl rep_at, rep_next\nrep_at: rep movsb\nrep_next: nop"
                 : "+S"(s), "+D"(d), "+c"(n)
                 :
                 : "memory");
    CHECK_EQ(n, 0);
    CHECK_EQ(to[5], from[5]);
}

int main(void)
{
    for (unsigned i = 0; i < 16; i++)
        from[i] = (uint8_t)(i * 7 + 1);
    trap_set_handler(DB, debug);
    write_dr0((uint64_t)rep_at);
    write_dr7(0x402);
    copy();
    CHECK_EQ(hits, 1);
    CHECK_EQ(rips[0], (uint64_t)rep_at);
    CHECK_EQ(rcxs[0], 6);

    write_dr1((uint64_t)&to[2]); /* writes of one byte */
    write_dr7(0x402 | 2 << 2 | 1u << 20);
    copy();
    CHECK_EQ(hits, 2);
    CHECK_EQ(rips[1], (uint64_t)rep_at);
    CHECK_EQ(rcxs[1], 3);
    CHECK_EQ(flags[1] & FLAG_RF, FLAG_RF);

    write_dr7(0x400);
    return 0;
}
