/*
 * double-fault.c: a fault on the way to a handler is #DF with error code 0, on its IST stack; some pairs are
 * not.
 *
 * SDM 3A 6.15 (#DF, table 6-5), APM 2 8.2.9. A kernel reports a stack that ran over by it instead of dying in
 * silence.
 */
#include "frame.h"

static struct trap page_fault(void)
{
    return TRY("movb $0, (%0)", : : "r"(TEST_VA) : "memory");
}

int main(void)
{
    uint64_t df_stack = tss.ist[1];

    /* #PF, its gate absent: #NP while delivering #PF is #DF. */
    trap_clear_gate(PF);
    struct trap t = page_fault();
    CHECK_EQ(t.vector, DF);
    CHECK_EQ(t.error, 0);
    CHECK_EQ(t.regs.rip, t.tried); /* not promised by the manual, but so on every processor here */
    CHECK_EQ(t.cr2, TEST_VA);
    trap_set_gate(PF, 0, 0, false);

    /* #GP with its gate absent: contributory upon contributory. */
    trap_clear_gate(GP);
    t = TRY("mov %0, %%ds", : : "r"(SEL_UDATA + 0x400) : "memory");
    CHECK_EQ(t.vector, DF);
    CHECK_EQ(t.error, 0);
    trap_set_gate(GP, 0, 0, false);

    /* #UD is benign: a fault while delivering it is delivered itself: #NP. */
    trap_clear_gate(UD);
    t = TRY("ud2", : : : "memory");
    CHECK_EQ(t.vector, NP);
    trap_set_gate(UD, 0, 0, false);

    /* A push to a page that is gone: #PF, whose frame goes to the same stack: #PF upon #PF is #DF, and it has
     * its own. */
    uint64_t gone = TEST_VA + 0x100000;
    t = TRY("mov %0, %%rsp; .globl df_insn; df_insn: push %%rax", : : "r"(gone) : "memory");
    extern const char df_insn[];
    CHECK_TRAP_AT(t, DF, 0, df_insn);
    CHECK_EQ(t.regs.rsp, gone);
    /* CR2 is of the last #PF: the push, or the frame. */
    CHECK(t.cr2 < gone && t.cr2 >= gone - 64);

    /* #GP whose handler's stack faults with #PF: #PF it is, if #PF has a stack. */
    trap_set_gate(PF, 2, 0, false);
    t = TRY("mov %0, %%rsp; mov %1, %%ds", : : "r"(gone), "r"(SEL_UDATA + 0x400) : "memory");
    CHECK_EQ(t.vector, PF);
    CHECK_EQ(t.error, PF_W);
    trap_set_gate(PF, 0, 0, false);

    CHECK_EQ(tss.ist[1], df_stack);
    return 0;
}
