/*
 * branch-noncanonical.c: a branch to an address that is not canonical faults itself, #GP(0), before it goes
 * there.
 *
 * SDM 2A "JMP", "CALL", 2B "RET"; seen on AMD's processors as well. RIP in the frame is the branch's, RSP is
 * as before: else a kernel's report of a wild call does not show who called.
 */
#include "frame.h"

extern const char ret_insn[];

int main(void)
{
    static const uint64_t bad[] = {0x0000800000000000, 0xffff7fffffffffff, 0x8000000000000000};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        CHECK_FAULT(TRY("jmp *%0", : : "r"(bad[i]) : "memory"), GP, 0);
        CHECK_FAULT(TRY("jmp *%0", : : "m"(bad[i]) : "memory"), GP, 0);
        struct trap t = TRY("call *%0", : : "r"(bad[i]) : "memory");
        CHECK_FAULT(t, GP, 0);
        CHECK_EQ(t.regs.rsp, trap_try.rsp);
        t = TRY("push %0; .globl ret_insn; ret_insn: ret", : : "r"(bad[i]) : "memory");
        CHECK_TRAP_AT(t, GP, 0, ret_insn);
        CHECK_EQ(t.regs.rsp, trap_try.rsp - 8);
    }
    return 0;
}
