/*
 * rflags-popf-iopl.c: POPF, CLI and STI at CPL 3 change IF only as far as IOPL allows, and IOPL never.
 *
 * SDM 2B "POPF/POPFD/POPFQ" (table 4-16), 2A "CLI", 2B "STI", 1 3.4.3, APM 3 the same. Otherwise a user
 * program switches interrupts off for good.
 */
#include "frame.h"

#define STATUS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

static USER_CODE uint64_t user_popf(uint64_t v)
{
    asm volatile("push %1; popf; pushf; pop %0" : "=r"(v) : "r"(v) : "cc", "memory");
    return v;
}

static USER_CODE uint64_t user_popf16(uint64_t v)
{
    asm volatile("push %w1; popfw; pushf; pop %0" : "=r"(v) : "r"(v) : "cc", "memory");
    return v;
}

static USER_CODE uint64_t user_cli(uint64_t arg)
{
    uint64_t v;
    asm volatile("cli; pushf; pop %0; sti" : "=r"(v)::"memory");
    return v;
}

static uint64_t at_iopl(unsigned iopl, uint64_t (*fn)(uint64_t), uint64_t arg, uint64_t flags)
{
    struct user_state u = user_state_for(fn, arg);
    uint64_t rax;
    u.rflags = flags | FLAG_IOPL(iopl) | FLAGS_ALWAYS;
    user_run(&u, &rax, NULL);
    return rax;
}

int main(void)
{
    uint64_t v, all = STATUS | FLAG_DF | FLAG_AC | FLAG_ID | FLAG_NT;

    /* CPL 0: all but VM and RF and what is reserved. */
    write_flags(all | FLAG_IOPL(3) | BIT(3) | BIT(5) | BIT(15) | BIT(22) | FLAG_RF);
    v = read_flags();
    write_flags(FLAGS_ALWAYS);
    CHECK_EQ(v, all | FLAG_IOPL(3) | FLAGS_ALWAYS);
    /* 16 bits leave the upper half. */
    write_flags(FLAG_AC | FLAG_ID | FLAGS_ALWAYS);
    asm volatile("pushw $0x41; popfw; pushf; pop %0" : "=r"(v)::"cc", "memory");
    write_flags(FLAGS_ALWAYS);
    CHECK_EQ(v, FLAG_AC | FLAG_ID | FLAG_CF | FLAG_ZF | FLAGS_ALWAYS);

    for (unsigned iopl = 0; iopl <= 3; iopl++) {
        for (unsigned on = 0; on < 2; on++) {
            uint64_t flag = on ? FLAG_IF : 0, kept = FLAG_IOPL(iopl) | FLAGS_ALWAYS;
            /* The other IF and IOPL are asked for. */
            uint64_t asked = all | (on ? 0 : FLAG_IF) | FLAG_IOPL(3 - iopl);
            uint64_t expected = all | kept | (iopl == 3 ? asked & FLAG_IF : flag);
            CHECK_EQ(at_iopl(iopl, user_popf, asked, flag), expected);
            CHECK_EQ(at_iopl(iopl, user_popf16, asked, flag), (expected & 0xffff));
        }
        struct user_state u = user_state_for(user_cli, 0);
        struct trap t;
        u.rflags = FLAG_IF | FLAG_IOPL(iopl) | FLAGS_ALWAYS;
        user_run(&u, &v, &t);
        if (iopl == 3) {
            CHECK_NO_TRAP(t);
            CHECK_EQ(v & FLAG_IF, 0);
        } else {
            CHECK_EQ(t.vector, GP);
            CHECK_EQ(t.error, 0);
            CHECK_EQ(t.regs.rflags & FLAG_IF, FLAG_IF);
        }
        cli();
    }
    return 0;
}
