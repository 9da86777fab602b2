/*
 * cpu/cpuid.h: the CPUID model of a machine: composed once by the machine from the host's identity and the
 * features that all engines carry (docs/contracts.md, "The guest's processor"); engines only look it up.
 */
#ifndef CPU_CPUID_H
#define CPU_CPUID_H

#include "x86/x86.h"

struct cpuid_leaf {
    uint32_t leaf, sub;
    bool has_sub; /* sub is significant */
    uint32_t eax, ebx, ecx, edx;
};

enum cpu_vendor { CPU_INTEL, CPU_AMD };

#define CPUID_MAX_LEAVES 64

struct cpuid_model {
    struct cpuid_leaf leaf[CPUID_MAX_LEAVES];
    unsigned count;
    enum cpu_vendor vendor;
    uint32_t signature; /* leaf 1 EAX */
    uint8_t phys_bits;  /* MAXPHYADDR */
    uint64_t xcr0_mask; /* components XSETBV may set */
    uint64_t cr4_mask;  /* bits that may be set */
    uint64_t efer_mask;
    uint32_t tsc_khz;
    uint64_t arch_capabilities; /* the MSR, where has_arch_capabilities */
    /* Features that instructions and MSRs depend on, taken from the leaves. */
    bool has_1g, has_nx, has_pcid, has_x2apic, has_tsc_deadline, has_rdtscp, has_smep, has_smap, has_umip,
        has_fsgsbase, has_avx, has_pge, has_rdpid, has_xsave, has_xsaves, has_tsc_adjust,
        has_arch_capabilities, has_spec_ctrl, has_syscall;
};

struct cpuid_config {
    unsigned cpus; /* 1 to 254 */
    uint32_t tsc_khz;
    bool mitigations; /* tell the guest to be cautious (--mitigations=on); else state immunity, see
                         threat-model.md */
};

void cpuid_compose(struct cpuid_model *m, const struct cpuid_config *cfg);
struct cpu;
/* The CPUID instruction: dynamic bits (APIC id, OSXSAVE, XSAVE size by XCR0) are filled in from c. */
void cpuid_lookup(const struct cpuid_model *m, struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4]);

/* The processor a model is made from: where a test puts another than the host's. */
struct cpuid_host {
    void (*cpuid)(const void *opaque, uint32_t leaf, uint32_t sub, uint32_t out[4]);
    const void *opaque;
    uint64_t xcr0; /* as its operating system has set it; 0: no XSAVE */
};
void cpuid_compose_from(struct cpuid_model *m, const struct cpuid_config *cfg, const struct cpuid_host *host);

#endif
