/*
 * interrupt-shadow-sti-movss.c: STI and a load of SS hold interrupts off for exactly one instruction.
 *
 * SDM 2B "STI", 2A "MOV", 3A 6.8.3, APM 3 "STI", APM 2 8.5.6. STI; HLT must not lose the interrupt in
 * between, and MOV SS; MOV RSP must not be torn apart.
 */
#include "frame.h"

static volatile uint64_t seen_rip, seen_count;

static void handler(struct regs *r)
{
    seen_rip = r->rip;
    seen_count++;
    r->rflags &= ~FLAG_IF;
    apic_eoi();
}

/* With an interrupt pending, execute; gives how many bytes behind the label `from` it was taken. */
#define TAKEN_AT(code)                                         \
    ({                                                         \
        uint64_t from_;                                        \
        cli();                                                 \
        seen_rip = 0;                                          \
        apic_self_ipi(0x92);                                   \
        asm volatile("lea 661f(%%rip), %0\n661: " code "\ncli" \
                     : "=&r"(from_)                            \
                     : "a"(SEL_KDATA)                          \
                     : "rcx", "memory");                       \
        seen_rip - from_;                                      \
    })

int main(void)
{
    trap_set_handler(0x92, handler);

    CHECK_EQ(TAKEN_AT("sti; nop; nop; nop"), 2); /* behind the first NOP */
    CHECK_EQ(TAKEN_AT("sti; nop; cli; nop; sti; nop; nop"), 2);
    CHECK_EQ(TAKEN_AT("sti; cli; nop; nop; sti; nop; nop"), 6); /* STI; CLI lets nothing in */
    CHECK_EQ(TAKEN_AT("sti; sti; nop; nop"), 2);                /* a second STI makes no new shadow */
    uint64_t at =
        TAKEN_AT("sti; mov %%eax, %%ss; nop; nop"); /* the second of two may or may not shadow (2B "STI") */
    CHECK(at == 3 || at == 4);
    CHECK_EQ(TAKEN_AT("pushf; orq $0x200, (%%rsp); popf; nop; nop"), 10); /* POPF has none: 1 + 8 + 1 */
    CHECK_EQ(TAKEN_AT("sti; hlt; nop"), 2);
    CHECK_EQ(TAKEN_AT("sti; jmp 1f; 1: nop; nop"), 3);
    CHECK_EQ(seen_count, 8);

    /* An interrupt arrives at once, not at the end of a block, when nothing holds it off. */
    for (unsigned i = 0; i < 100; i++) {
        uint64_t before = seen_count;
        sti();
        apic_self_ipi(0x92);
        asm volatile("nop; nop");
        cli();
        CHECK_EQ(seen_count, before + 1);
    }

    /* A fault in the shadow is taken in it. */
    struct trap t = TRY("mov %0, %%ss; .globl in_shadow; in_shadow: ud2", : : "r"(SEL_KDATA) : "memory");
    extern const char in_shadow[];
    CHECK_TRAP_AT(t, UD, 0, in_shadow);
    return 0;
}
