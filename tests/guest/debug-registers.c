/*
 * debug-registers.c: breakpoints on execution are faults before, on data traps after, and DR6 says
 * which.
 *
 * SDM 3A 17.2 and 17.3.1, APM 2 13.1. gdb's hardware breakpoints and watchpoints, and the kernel's, are
 * these.
 */
#include "frame.h"

#define L(n)       BIT((n)*2)
#define G(n)       BIT((n)*2 + 1)
#define RW(n, v)   ((uint64_t)(v) << (16 + 4 * (n)))
#define LEN(n, v)  ((uint64_t)(v) << (18 + 4 * (n)))
#define DR6_CLEAR  0xffff0ff0
#define DR7_ALWAYS 0x400

static uint64_t word[4] __attribute__((aligned(32)));
static volatile unsigned hits;
static volatile uint64_t hit_rip, hit_dr6, hit_flags;

static void hit(struct regs *r)
{
    hits++;
    hit_rip = r->rip;
    hit_dr6 = read_dr6();
    hit_flags = r->rflags;
    write_dr6(DR6_CLEAR);
    if (!(hit_dr6 & 0xe) && hit_dr6 & 1 && (read_dr7() >> 16 & 3) == 0)
        r->rflags |= FLAG_RF; /* go on over the instruction */
}

static unsigned store(unsigned size, uint64_t at)
{
    hits = 0;
    switch (size) {
    case 1: asm volatile("movb $1, (%0)" ::"r"(at) : "memory"); break;
    case 2: asm volatile("movw $1, (%0)" ::"r"(at) : "memory"); break;
    case 4: asm volatile("movl $1, (%0)" ::"r"(at) : "memory"); break;
    default: asm volatile("movq $1, (%0)" ::"r"(at) : "memory"); break;
    }
    return hits;
}

static unsigned load(uint64_t at)
{
    hits = 0;
    asm volatile("movb (%0), %%al" ::"r"(at) : "rax", "memory");
    return hits;
}

static __attribute__((noinline, noclone)) uint64_t count_here(void)
{
    uint64_t n;
    asm volatile("xor %%eax, %%eax; .globl here; here: inc %%rax; nop" : "=a"(n));
    return n;
}

int main(void)
{
    uint64_t at = (uint64_t)word;
    extern const char here[], behind_store[];

    trap_set_handler(DB, hit);

    /* Registers: fixed bits read as they must (17.2.3, 17.2.4). */
    write_dr6(0);
    CHECK_EQ(read_dr6() & 0xffff1ff0 & ~BIT(12) & ~BIT(11) & ~BIT(16), 0xfffe07f0);
    write_dr6(DR6_CLEAR);
    write_dr7(0);
    CHECK_EQ(read_dr7(), DR7_ALWAYS);
    CHECK_FAULT(TRY("mov %0, %%dr7", : : "r"(BIT(32)) : "memory"), GP, 0);
    CHECK_FAULT(TRY("mov %0, %%dr6", : : "r"(BIT(32)) : "memory"), GP, 0);

    /* Execution: before the instruction; RF lets it pass once; RAX shows that it ran once. */
    write_dr0((uint64_t)here);
    write_dr7(DR7_ALWAYS | L(0));
    for (unsigned i = 0; i < 5; i++) {
        hits = 0;
        uint64_t n = count_here();
        CHECK_EQ(n, 1);
        CHECK_EQ(hits, 1);
        CHECK_EQ(hit_rip, (uint64_t)here);
        CHECK_EQ(hit_dr6 & 0xe00f, 1);
        CHECK_EQ(hit_flags & FLAG_RF, 0); /* the one fault whose image has no RF (17.3.1.1) */
    }
    /* The G bit does the same; neither, nothing. */
    write_dr7(DR7_ALWAYS | G(0));
    load((uint64_t)here); /* reading is not executing */
    CHECK_EQ(hits, 0);

    /* Data writes: behind, for every overlap, and only that. */
    write_dr1(at + 8);
    write_dr7(DR7_ALWAYS | L(1) | RW(1, 1) | LEN(1, 3)); /* 4 bytes */
    hits = 0;
    asm volatile("movl $5, (%0); .globl behind_store; behind_store: nop" ::"r"(at + 8) : "memory");
    CHECK_EQ(hits, 1);
    CHECK_EQ(hit_rip, (uint64_t)behind_store);
    CHECK_EQ(hit_dr6 & 0xe00f, 2);
    CHECK_EQ(*(uint32_t *)(at + 8), 5); /* a trap: it has been done */
    CHECK_EQ(store(1, at + 7), 0);
    CHECK_EQ(store(1, at + 8), 1);
    CHECK_EQ(store(1, at + 11), 1);
    CHECK_EQ(store(1, at + 12), 0);
    CHECK_EQ(store(2, at + 7), 1);
    CHECK_EQ(store(8, at + 4), 1);
    CHECK_EQ(store(8, at + 1), 1);
    CHECK_EQ(load(at + 8), 0);

    /* Reads and writes; 8 bytes. */
    write_dr7(DR7_ALWAYS | L(1) | RW(1, 3) | LEN(1, 2));
    CHECK_EQ(load(at + 15), 1);
    CHECK_EQ(load(at + 16), 0);
    CHECK_EQ(store(1, at + 9), 1);

    /* A string store stops behind the element. */
    write_dr2(at + 17);
    write_dr7(DR7_ALWAYS | L(2) | RW(2, 1));
    uint64_t di = at, n = 32;
    hits = 0;
    asm volatile("rep stosb" : "+D"(di), "+c"(n) : "a"(0) : "memory");
    CHECK_EQ(hits, 1);
    CHECK_EQ(hit_dr6 & 0xe00f, 4);
    CHECK_EQ(n, 0);

    write_dr7(DR7_ALWAYS);

    /* DR4 and DR5 are DR6 and DR7 without CR4.DE, invalid with it. */
    uint64_t v;
    asm volatile("mov %%dr5, %0" : "=r"(v));
    CHECK_EQ(v, DR7_ALWAYS);
    write_cr4(read_cr4() | CR4_DE);
    CHECK_FAULT(TRY("mov %%dr5, %%rax", : : : "rax", "memory"), UD, 0);

    trap_set_handler(DB, hit);
    CHECK_EQ(store(8, at), 0);
    return 0;
}
