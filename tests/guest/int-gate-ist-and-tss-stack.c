/*
 * int-gate-ist-and-tss-stack.c: delivery takes the stack the gate and the TSS say, aligns it, and pushes five
 * words.
 *
 * SDM 3A 6.14.2 to 6.14.5, APM 2 8.9. An NMI or #DF that lands on the wrong stack destroys what runs there;
 * IF is cleared by interrupt gates only.
 */
#include "frame.h"

static struct regs seen;
static uint64_t seen_at, seen_flags;

static void handler(struct regs *r)
{
    seen = *r;
    seen_at = (uint64_t)r;
    seen_flags = read_flags();
}

/* RSP behind the five words pushed: struct regs ends there. */
static uint64_t stack_used(void)
{
    return seen_at + sizeof(struct regs);
}

static USER_CODE uint64_t user_int(uint64_t arg)
{
    asm volatile("int $0x91" ::: "memory");
    return 5;
}

int main(void)
{
    uint64_t rsp, stack = (uint64_t)page_alloc() + PAGE;

    trap_set_handler(0x91, handler);
    trap_set_gate(0x91, 0, 3, false);

    /* From CPL 0 without IST: the same stack, aligned down to 16 whatever RSP is; SS:RSP are pushed all the
     * same. */
    for (unsigned off = 0; off < 16; off++) {
        asm volatile("mov %%rsp, %%rbx; sub %1, %%rsp; mov %%rsp, %0; int $0x91; mov %%rbx, %%rsp"
                     : "=&r"(rsp)
                     : "r"(64ull + off)
                     : "rbx", "memory");
        CHECK_EQ(seen.rsp, rsp);
        CHECK_EQ(seen.ss, SEL_KDATA);
        CHECK_EQ(seen.cs, SEL_KCODE);
        CHECK_EQ(stack_used(), rsp & ~15ull);
    }

    /* IST: that stack, although the privilege does not change; each time from its top. */
    for (unsigned ist = 1; ist <= 7; ist++) {
        uint64_t old = tss.ist[ist];
        tss.ist[ist] = stack - 256 - ist; /* aligned by the processor */
        trap_set_gate(0x91, ist, 3, false);
        for (unsigned i = 0; i < 2; i++) {
            asm volatile("mov %%rsp, %0; int $0x91" : "=r"(rsp)::"memory");
            CHECK_EQ(seen.rsp, rsp);
            CHECK_EQ(stack_used(), (stack - 256 - ist) & ~15ull);
        }
        CHECK_EQ(user_call(user_int, 0), 5);
        CHECK_EQ(stack_used(), (stack - 256 - ist) & ~15ull);
        tss.ist[ist] = old;
    }

    /* From CPL 3 without IST: RSP0; SS becomes null with RPL 0 (6.14.4), the old pair is on the stack. */
    trap_set_gate(0x91, 0, 3, false);
    CHECK_EQ(user_call(user_int, 0), 5);
    CHECK_EQ(stack_used(), tss.rsp[0] & ~15ull);
    CHECK_EQ(seen.cs, SEL_UCODE);
    CHECK_EQ(seen.ss, SEL_UDATA);
    CHECK(seen.rsp > (uint64_t)user_stack && seen.rsp < (uint64_t)user_stack + USER_STACK_SIZE);

    /* Interrupt gates clear IF, trap gates keep it; both clear TF, NT, RF and keep AC and the arithmetic
     * flags. */
    for (unsigned i = 0; i < 2; i++) {
        trap_set_gate(0x91, 0, 0, i == 1);
        write_flags(FLAG_IF | FLAG_AC | FLAG_NT | FLAGS_ALWAYS);
        asm volatile("int $0x91" ::: "memory");
        cli();
        write_flags(FLAGS_ALWAYS);
        CHECK_EQ(seen_flags & (FLAG_IF | FLAG_NT | FLAG_TF | FLAG_RF), i ? FLAG_IF : 0);
        CHECK_EQ(seen_flags & FLAG_AC, FLAG_AC);
        CHECK_EQ(seen.rflags & (FLAG_IF | FLAG_AC | FLAG_NT), FLAG_IF | FLAG_AC | FLAG_NT);
    }
    return 0;
}
