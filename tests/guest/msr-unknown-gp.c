/*
 * msr-unknown-gp.c: reading or writing an MSR that is not there is #GP(0), with nothing changed.
 *
 * SDM 2B "RDMSR", "WRMSR", APM 3 the same. Linux probes MSRs by it (rdmsrl_safe) and believes what it reads.
 */
#include "frame.h"

int main(void)
{
    /* Reserved by both vendors, or of no processor. */
    static const uint32_t unknown[] = {0x7fffffff, 0x12345678, 0xbfffffff,
                                       0xc0010fff, 0x000000b0, 0x4b564d7f};

    for (unsigned i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
        struct trap t = TRY("rdmsr", : : "c"(unknown[i]), "a"(0x1111), "d"(0x2222) : "memory");
        CHECK_FAULT(t, GP, 0);
        CHECK_EQ(t.regs.rax, 0x1111);
        CHECK_EQ(t.regs.rdx, 0x2222);
        CHECK_FAULT(TRY("wrmsr", : : "c"(unknown[i]), "a"(0), "d"(0) : "memory"), GP, 0);
    }
    return 0;
}
