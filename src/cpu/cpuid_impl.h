/*
 * cpu/cpuid_impl.h: what the cpuid files share and nobody else sees: the table of features, and building of
 * leaves.
 */
#ifndef CPU_CPUID_IMPL_H
#define CPU_CPUID_IMPL_H

#include "cpu/cpuid.h"

#define HYPERVISOR_LEAF     0x40000000u
#define HYPERVISOR_MAX_LEAF 0x40000010u

enum cpuid_reg { R_EAX, R_EBX, R_ECX, R_EDX };

/* Where a feature comes from. */
enum cpuid_source {
    FROM_HOST,     /* the instruction runs on the host's unit, or kvm needs it: only where the host has it */
    FROM_US,       /* the monitor provides it whatever the host is */
    FROM_IMMUNITY, /* says that a speculation bug is not there: unless the configuration asks for caution */
    FROM_ZEN3,     /* a fact about AMD's family 19h and later, which hypervisors of the host like to hide */
};
enum cpuid_needs { NEEDS_NOTHING, NEEDS_XSAVE, NEEDS_AVX };
enum cpuid_vendors { ANY_VENDOR, ONLY_INTEL, ONLY_AMD };

struct cpuid_feature {
    const char *name; /* Linux's, as /proc/cpuinfo prints it */
    uint32_t leaf;
    uint8_t sub, reg, bit;
    uint8_t source, vendors, needs;
    bool offered; /* the engines carry it */
};
extern const struct cpuid_feature cpuid_features[];
extern const unsigned cpuid_feature_count;

/* The leaf, made when it is not there. */
struct cpuid_leaf *cpuid_leaf_at(struct cpuid_model *m, uint32_t leaf, uint32_t sub, bool has_sub);
/* NULL when there is none. */
const struct cpuid_leaf *cpuid_find(const struct cpuid_model *m, uint32_t leaf, uint32_t sub);
uint32_t *cpuid_reg_of(struct cpuid_leaf *l, enum cpuid_reg reg);

/* cpuid_topology.c: leaves of topology and caches: one package, one thread a core. */
void cpuid_add_topology(struct cpuid_model *m, const struct cpuid_config *cfg, const struct cpuid_host *host);

#endif
