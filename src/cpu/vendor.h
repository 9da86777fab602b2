/*
 * cpu/vendor.h: where Intel and AMD processors differ in what cpu/ does, one row a vendor. A guest sees its
 * host's vendor (cpuid.h), so a row has to agree with that vendor's silicon.
 */
#ifndef CPU_VENDOR_H
#define CPU_VENDOR_H

#include "cpu/cpu.h"
#include "cpu/cpuid.h"

struct vendor_rules {
    /* SYSCALL and SYSRET outside 64-bit mode too (APM 3 "SYSCALL"); else #UD (SDM 2B "SYSCALL"). */
    bool syscall_everywhere;
    /* SYSRET to a non-canonical RCX is #GP(0) at CPL 0 (SDM 2B); else the fetch at CPL 3 faults (APM 3). */
    bool sysret_checks_rip;
    /*
     * SYSRET loads a whole flat SS and forces its RPL to 3 (SDM 2B); else only the selector is replaced, RPL
     * as STAR says, and base, limit and attributes stay those of the kernel's SS (APM 3 "SYSRET").
     */
    bool sysret_loads_ss;
    /* SYSENTER and SYSEXIT work in long mode (SDM 2B); else #UD (APM 3). */
    bool sysenter_in_long_mode;
    /* Blocking of NMIs ends with an IRET even when that IRET faults (SDM 3A 6.7.1); else only when it
     * completes. */
    bool faulting_iret_unmasks_nmi;
    /* A #DB clears DR6.B0-B3 that do not belong to it (SDM 3B 17.2.3); else it only sets bits (APM
     * 2 13.1.1.3). */
    bool debug_clears_b0_b3;
    /* Entering long mode with a 16-bit TSS in TR is #GP (SDM 3A 9.8.5.4). */
    bool long_mode_wants_tss32;
    /* Bits of a PML4E that must be zero besides the address bits (SDM 3A table 4-15, APM 2 figure 5-20). */
    uint64_t pml4e_reserved;
};

extern const struct vendor_rules vendor_table[];

static inline const struct vendor_rules *vendor(const struct cpu *c)
{
    return &vendor_table[c->cpuid->vendor];
}

#endif
