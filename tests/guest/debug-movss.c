/*
 * debug-movss.c: a load of SS holds debug events off: no single step behind it, no instruction breakpoint on
 * the next, and its own data breakpoint comes one instruction later.
 *
 * SDM 3A 6.8.3; APM 2 13.1.4 ("single-stepping ... MOV SS"), 8.5.6. A debugger must not take over between the
 * two halves of a new stack.
 */
#include "frame.h"

static volatile uint64_t rips[8];
static volatile unsigned hits;
static volatile uint64_t dr6[8];
static uint16_t selector = SEL_KDATA;

static void debug(struct regs *r)
{
    if (hits < 8) {
        rips[hits] = r->rip;
        dr6[hits] = read_dr6();
    }
    hits++;
    write_dr6(0xffff0ff0);
    r->rflags |= FLAG_RF;
}

static void passed(struct regs *r)
{
}

extern const char int_behind[];
/* Were the step only put off, it would come at the handler's first instruction. */
static void step_over_int(void)
{
    hits = 0;
    asm volatile(
        "pushf; orq $0x100, (%%rsp); popf\n"
        ".globl int_behind\n"
        "movw selector(%%rip), %%ss\nint $0x98\nnop\nint_behind: nop\n"
        "pushf; andq $~0x100, (%%rsp); popf"
        :
        :
        : "memory", "cc");
    CHECK_EQ(rips[0], (uint64_t)int_behind);
}

extern const char movss_at[], movss_next[], movss_third[];

static void go(uint64_t flags)
{
    hits = 0;
    asm volatile(
        "pushf; orq %0, (%%rsp); popf\n"
        ".globl movss_at, movss_next, movss_third\n"
        "movss_at: movw selector(%%rip), %%ss\nmovss_next: nop\nmovss_third: nop\n"
        "pushf; andq $~0x100, (%%rsp); popf"
        :
        : "r"(flags)
        : "memory", "cc");
}

int main(void)
{
    asm volatile("" : : "m"(selector));
    trap_set_handler(DB, debug);
    trap_set_handler(0x98, passed);
    step_over_int();
    go(FLAG_TF);
    CHECK_EQ(rips[0], (uint64_t)movss_third); /* nothing between the two */
    CHECK_EQ(dr6[0] & 0xf00f, BIT(14));

    write_dr0((uint64_t)movss_next); /* an instruction breakpoint there is passed over */
    write_dr7(0x402);
    go(0);
    CHECK_EQ(hits, 0);
    write_dr0((uint64_t)movss_third);
    go(0);
    CHECK_EQ(hits, 1);

    write_dr0((uint64_t)&selector); /* data: held until the next one is through */
    write_dr7(0x402 | 7u << 16);
    go(0);
    CHECK_EQ(hits, 1);
    CHECK_EQ(rips[0], (uint64_t)movss_third);
    CHECK_EQ(dr6[0] & 0xf00f, 1);
    write_dr7(0x400);
    return 0;
}
