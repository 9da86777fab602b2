/*
 * fault-priority.c: where an instruction has several reasons to fault, the one found first counts:
 * breakpoint, fetch, decoding, privilege, then operands.
 *
 * SDM 3A 6.9 table 6-2; APM 2 8.5 table 8-8.
 */
#include "frame.h"

#define NOWHERE  TEST_VA
#define NONCANON 0x8000000000000000ull

static USER_CODE uint64_t user_lgdt(uint64_t a)
{
    asm volatile("lgdt (%0)" : : "r"(a) : "memory");
    return 0;
}
static USER_CODE uint64_t user_invlpg(uint64_t a)
{
    asm volatile("invlpg (%0)" : : "r"(a) : "memory");
    return 0;
}
static USER_CODE uint64_t user_lmsw(uint64_t a)
{
    asm volatile("lmsw (%0)" : : "r"(a) : "memory");
    return 0;
}
static USER_CODE uint64_t user_ins(uint64_t a)
{
    asm volatile("insb" : "+D"(a) : "d"(0x80) : "memory");
    return 0;
}
static USER_CODE uint64_t user_jump(uint64_t a)
{
    asm volatile("jmp *%0" : : "r"(a));
    return 0;
}

int main(void)
{
    /* Privilege before the operand. */
    uint64_t (*const user[])(uint64_t) = {user_lgdt, user_invlpg, user_lmsw, user_ins};
    for (unsigned i = 0; i < 4; i++) {
        struct trap t = user_try(user[i], NOWHERE);
        CHECK_EQ(t.vector, GP);
        CHECK_EQ(t.error, 0);
    }
    /* The operand's page before its value. */
    uint64_t a = 1, d = 0;
    CHECK_PF(TRY("divq (%2)", : "+a"(a), "+d"(d) : "r"(NOWHERE) : "memory", "cc"), 0, NOWHERE);
    CHECK_PF(TRY("mov (%0), %%ds", : : "r"(NOWHERE) : "memory"), 0, NOWHERE);
    /* #UD of decoding before #GP of the address and #NM of the unit. */
    write_cr0(read_cr0() | CR0_TS);
    CHECK_FAULT(TRY("ud1 (%0), %%eax", : : "r"(NONCANON) : "memory"), UD, 0);
    CHECK_FAULT(TRY("fldl (%0)", : : "r"(NOWHERE) : "memory"), NM, 0);
    CHECK_FAULT(TRY("movaps (%0), %%xmm0", : : "r"(NOWHERE + 1) : "memory"), NM, 0);
    write_cr0(read_cr0() & ~CR0_TS);
    /* Alignment of MOVAPS before the page. */
    CHECK_FAULT(TRY("movaps (%0), %%xmm0", : : "r"(NOWHERE + 1) : "memory"), GP, 0);
    /* The page of the push before nothing else: its RSP stays. */
    uint64_t rsp = 0;
    struct trap t = TRY("mov %%rsp, %%rbx; mov %1, %%rsp; mov $7, %0; 773: push (%2); mov %%rbx, %%rsp",
                        : "=&r"(rsp)
                        : "r"(NOWHERE), "r"(NOWHERE + 0x4000)
                        : "rbx", "memory");
    CHECK_EQ(t.vector, DF); /* the frame of the #PF cannot be pushed either */
    CHECK_EQ(t.regs.rsp, NOWHERE);
    /* An instruction breakpoint before the page fault of the fetch. */
    write_dr0(NOWHERE + 0x10);
    write_dr7(0x402);
    write_dr6(0xffff0ff0);
    t = user_try(user_jump, NOWHERE + 0x10);
    CHECK_EQ(t.vector, DB);
    CHECK_EQ(t.dr6 & 0xf, 1);
    CHECK_EQ(t.regs.rip, NOWHERE + 0x10);
    write_dr7(0x400);
    t = user_try(user_jump, NOWHERE + 0x10);
    CHECK_EQ(t.vector, PF);
    return 0;
}
