/*
 * sysret-noncanonical.c: SYSRET to an address that is not canonical ends in #GP, where the vendor takes it.
 *
 * SDM 2B "SYSRET": Intel checks RCX first, #GP(0) at CPL 0 with the user's RSP; APM 3 "SYSRET": AMD goes to
 * CPL 3 and faults there. Linux guards itself against the former; a monitor that has neither fetches from
 * anywhere.
 */
#include "frame.h"

extern const char sysret_insn[];

int main(void)
{
    uint64_t bad = 0x0000800000000000;

    wrmsr(MSR_STAR, (uint64_t)SEL_KCODE << 32 | (uint64_t)SEL_UCODE32 << 48);
    tss.rsp[0] = (uint64_t)pages_alloc(2) + 2 * PAGE;
    struct trap t = TRY("xor %%r11d, %%r11d; .globl sysret_insn; sysret_insn: sysretq",
                        :
                        : "c"(bad)
                        : "r11", "memory");
    CHECK_EQ(t.vector, GP);
    CHECK_EQ(t.error, 0);
    if (cpu_is_amd()) {
        CHECK_EQ(t.regs.cs, SEL_UCODE);
        CHECK_EQ(t.regs.rip, bad);
    } else {
        CHECK_EQ(t.regs.cs, SEL_KCODE);
        CHECK_EQ(t.regs.rip, (uint64_t)sysret_insn);
    }
    return 0;
}
