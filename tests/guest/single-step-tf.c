/*
 * single-step-tf.c: with TF set, #DB comes behind each instruction, with DR6.BS, and not behind some.
 *
 * SDM 3A 17.3.1.4, 6.8.3, APM 2 13.1.4. Debuggers step by it; ptrace shows each step.
 */
#include "frame.h"

static uint64_t rips[64];
static volatile unsigned steps;
static uint64_t dr6_seen;

static void stepped(struct regs *r)
{
    if (steps < 64)
        rips[steps] = r->rip;
    steps++;
    dr6_seen = read_dr6();
    write_dr6(0xffff0ff0);
    CHECK_EQ(read_flags() & FLAG_TF, 0); /* delivery clears TF */
}

static void passed(struct regs *r)
{
    CHECK_EQ(r->rflags & FLAG_TF, FLAG_TF); /* the image of a software interrupt still has TF */
}

#define STEP(code, ...)                                                   \
    ({                                                                    \
        steps = 0;                                                        \
        asm volatile("pushf; orq $0x100, (%%rsp); popf\n" code            \
                     "\npushf; andq $~0x100, (%%rsp); popf" __VA_ARGS__); \
        steps - 3; /* PUSHF, AND, POPF */                                 \
    })

static USER_CODE uint64_t user_stepped(uint64_t arg)
{
    asm volatile("nop; nop");
    return arg;
}

struct {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed)) idtr_copy;

int main(void)
{
    asm volatile("sidt %0" : "=m"(idtr_copy));
    uint8_t from[32], to[32];
    void *si = from, *di = to;
    uint64_t n = 10, a, d, c;

    trap_set_handler(DB, stepped);
    trap_set_handler(0x98, passed);

    /* POPF that sets TF lets one more go by: the first #DB is behind the first NOP. */
    CHECK_EQ(STEP(".globl step1; step1: nop; nop; nop", : : : "memory"), 3);
    extern const char step1[];
    CHECK_EQ(rips[0], (uint64_t)step1 + 1);
    CHECK_EQ(rips[1], (uint64_t)step1 + 2);
    CHECK_EQ(dr6_seen & 0xe00f, BIT(14));

    /* A taken jump is one step, and lands at its target. */
    CHECK_EQ(STEP(".globl step2; step2: jmp 1f; nop; nop; 1: nop", : : : "memory"), 2);
    extern const char step2[];
    CHECK_EQ(rips[0], (uint64_t)step2 + 4);

    /* Each element of a repeated string instruction is a step; RIP stays until the last. */
    CHECK_EQ(STEP(".globl step3; step3: rep movsb", : "+S"(si), "+D"(di), "+c"(n) : : "memory"), 10);
    extern const char step3[];
    CHECK_EQ(rips[0], (uint64_t)step3);
    CHECK_EQ(rips[8], (uint64_t)step3);
    CHECK_EQ(rips[9], (uint64_t)step3 + 2);

    /* MOV SS lets the next instruction go by with it. */
    CHECK_EQ(STEP(".globl step4; step4: mov %0, %%ss; nop; nop", : : "a"(SEL_KDATA) : "memory"), 2);
    extern const char step4[];
    CHECK_EQ(rips[0], (uint64_t)step4 + 3);

    /* INT n runs its handler without, and the step is behind the first instruction after its IRET. */
    CHECK_EQ(STEP(".globl step5; step5: int $0x98; nop; nop", : : : "memory"), 2);
    extern const char step5[];
    CHECK_EQ(rips[0], (uint64_t)step5 + 3);

    /* Instructions an engine may do by a helper. */
    a = 0;
    CHECK_EQ(STEP("cpuid; rdtsc; mov %%cr0, %%rbx; in $0x61, %%al; lidt idtr_copy",
                  : "+a"(a), "=d"(d), "=c"(c)
                  :
                  : "rbx", "memory"),
             5);

    /* PUSHF pushes TF as it is. */
    STEP("pushf; pop %0", : "=r"(a) : : "memory");
    CHECK_EQ(a & FLAG_TF, FLAG_TF);

    /* User code by IRET: the first #DB is behind the first instruction there. */
    struct user_state u = user_state_for(user_stepped, 7);
    u.rflags |= FLAG_TF;
    steps = 0;
    user_run(&u, &a, NULL);
    CHECK_EQ(a, 7);
    CHECK(steps >= 3);
    CHECK(rips[0] > (uint64_t)user_stepped && rips[0] <= (uint64_t)user_stepped + 15);
    return 0;
}
