/*
 * cpuid_features.c: every feature that a guest may be offered: the one table.
 *
 * A feature is there when it is offered here, its source has it, the vendor fits and what it needs is there.
 * What is not in the table is never offered: SVM, VMX, AVX-512, PMU, MONITOR, TSX among others.
 */
#include "cpu/cpuid_impl.h"

#define L1   0x00000001u
#define L6   0x00000006u
#define L7   0x00000007u
#define LD   0x0000000du
#define LX1  0x80000001u
#define LX7  0x80000007u
#define LX8  0x80000008u
#define LX21 0x80000021u

const struct cpuid_feature cpuid_features[] = {
    /* name, leaf, sub, reg, bit, source, vendors, needs, offered */
    {"fpu", L1, 0, R_EDX, 0, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"vme", L1, 0, R_EDX, 1, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"de", L1, 0, R_EDX, 2, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"pse", L1, 0, R_EDX, 3, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"tsc", L1, 0, R_EDX, 4, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},
    {"msr", L1, 0, R_EDX, 5, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},
    {"pae", L1, 0, R_EDX, 6, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"mce", L1, 0, R_EDX, 7, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},
    {"cx8", L1, 0, R_EDX, 8, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"apic", L1, 0, R_EDX, 9, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},
    {"sep", L1, 0, R_EDX, 11, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"mtrr", L1, 0, R_EDX, 12, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},
    {"pge", L1, 0, R_EDX, 13, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"mca", L1, 0, R_EDX, 14, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},
    {"cmov", L1, 0, R_EDX, 15, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"pat", L1, 0, R_EDX, 16, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},
    {"pse36", L1, 0, R_EDX, 17, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"clflush", L1, 0, R_EDX, 19, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"mmx", L1, 0, R_EDX, 23, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"fxsr", L1, 0, R_EDX, 24, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"sse", L1, 0, R_EDX, 25, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"sse2", L1, 0, R_EDX, 26, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"pni", L1, 0, R_ECX, 0, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"pclmulqdq", L1, 0, R_ECX, 1, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"ssse3", L1, 0, R_ECX, 9, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"fma", L1, 0, R_ECX, 12, FROM_HOST, ANY_VENDOR, NEEDS_AVX, true},
    {"cx16", L1, 0, R_ECX, 13, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"pcid", L1, 0, R_ECX, 17, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"sse4_1", L1, 0, R_ECX, 19, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"sse4_2", L1, 0, R_ECX, 20, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"x2apic", L1, 0, R_ECX, 21, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},
    {"movbe", L1, 0, R_ECX, 22, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"popcnt", L1, 0, R_ECX, 23, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"tsc_deadline_timer", L1, 0, R_ECX, 24, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},
    {"aes", L1, 0, R_ECX, 25, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"xsave", L1, 0, R_ECX, 26, FROM_HOST, ANY_VENDOR, NEEDS_XSAVE, true},
    {"avx", L1, 0, R_ECX, 28, FROM_HOST, ANY_VENDOR, NEEDS_AVX, true},
    {"f16c", L1, 0, R_ECX, 29, FROM_HOST, ANY_VENDOR, NEEDS_AVX, true},
    {"rdrand", L1, 0, R_ECX, 30, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"hypervisor", L1, 0, R_ECX, 31, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},

    {"arat", L6, 0, R_EAX, 2, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},

    {"fsgsbase", L7, 0, R_EBX, 0, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"tsc_adjust", L7, 0, R_EBX, 1, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},
    {"bmi1", L7, 0, R_EBX, 3, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"avx2", L7, 0, R_EBX, 5, FROM_HOST, ANY_VENDOR, NEEDS_AVX, true},
    /* Not features but facts about the x87 unit, which is the host's. */
    {"fdp_excptn_only", L7, 0, R_EBX, 6, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"smep", L7, 0, R_EBX, 7, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"bmi2", L7, 0, R_EBX, 8, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"erms", L7, 0, R_EBX, 9, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"invpcid", L7, 0, R_EBX, 10, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"zero_fcs_fds", L7, 0, R_EBX, 13, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"rdseed", L7, 0, R_EBX, 18, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"adx", L7, 0, R_EBX, 19, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"smap", L7, 0, R_EBX, 20, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"clflushopt", L7, 0, R_EBX, 23, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"clwb", L7, 0, R_EBX, 24, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"sha_ni", L7, 0, R_EBX, 29, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"umip", L7, 0, R_ECX, 2, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"vaes", L7, 0, R_ECX, 9, FROM_HOST, ANY_VENDOR, NEEDS_AVX, true},
    {"vpclmulqdq", L7, 0, R_ECX, 10, FROM_HOST, ANY_VENDOR, NEEDS_AVX, true},
    {"rdpid", L7, 0, R_ECX, 22, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"fsrm", L7, 0, R_EDX, 4, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    /* Enhanced IBRS is switched on in SPEC_CTRL, so who states IBRS_ALL offers that MSR. */
    {"spec_ctrl", L7, 0, R_EDX, 26, FROM_IMMUNITY, ONLY_INTEL, NEEDS_NOTHING, true},
    {"arch_capabilities", L7, 0, R_EDX, 29, FROM_IMMUNITY, ONLY_INTEL, NEEDS_NOTHING, true},

    {"xsaveopt", LD, 1, R_EAX, 0, FROM_HOST, ANY_VENDOR, NEEDS_XSAVE, true},
    {"xsavec", LD, 1, R_EAX, 1, FROM_HOST, ANY_VENDOR, NEEDS_XSAVE, true},
    {"xgetbv1", LD, 1, R_EAX, 2, FROM_HOST, ANY_VENDOR, NEEDS_XSAVE, true},
    {"xsaves", LD, 1, R_EAX, 3, FROM_HOST, ANY_VENDOR, NEEDS_XSAVE, false},

    {"lahf_lm", LX1, 0, R_ECX, 0, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"cr8_legacy", LX1, 0, R_ECX, 4, FROM_HOST, ONLY_AMD, NEEDS_NOTHING, false},
    {"abm", LX1, 0, R_ECX, 5, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"sse4a", LX1, 0, R_ECX, 6, FROM_HOST, ONLY_AMD, NEEDS_NOTHING, true},
    {"misalignsse", LX1, 0, R_ECX, 7, FROM_HOST, ONLY_AMD, NEEDS_NOTHING, true},
    {"3dnowprefetch", LX1, 0, R_ECX, 8, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"topoext", LX1, 0, R_ECX, 22, FROM_US, ONLY_AMD, NEEDS_NOTHING, true},
    {"syscall", LX1, 0, R_EDX, 11, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"nx", LX1, 0, R_EDX, 20, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"mmxext", LX1, 0, R_EDX, 22, FROM_HOST, ONLY_AMD, NEEDS_NOTHING, true},
    {"fxsr_opt", LX1, 0, R_EDX, 25, FROM_HOST, ONLY_AMD, NEEDS_NOTHING, true},
    {"pdpe1gb", LX1, 0, R_EDX, 26, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"rdtscp", LX1, 0, R_EDX, 27, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"lm", LX1, 0, R_EDX, 29, FROM_HOST, ANY_VENDOR, NEEDS_NOTHING, true},
    {"3dnowext", LX1, 0, R_EDX, 30, FROM_HOST, ONLY_AMD, NEEDS_NOTHING, false},
    {"3dnow", LX1, 0, R_EDX, 31, FROM_HOST, ONLY_AMD, NEEDS_NOTHING, false},

    {"constant_tsc", LX7, 0, R_EDX, 8, FROM_US, ANY_VENDOR, NEEDS_NOTHING, true},

    {"xsaveerptr", LX8, 0, R_EBX, 2, FROM_HOST, ONLY_AMD, NEEDS_XSAVE, true},
    {"ssb_no", LX8, 0, R_EBX, 26, FROM_IMMUNITY, ONLY_AMD, NEEDS_NOTHING, true},
    {"btc_no", LX8, 0, R_EBX, 29, FROM_IMMUNITY, ONLY_AMD, NEEDS_NOTHING, true},

    /* LFENCE is the host's own, and every host kernel makes it serialize dispatch. */
    {"lfence_rdtsc", LX21, 0, R_EAX, 2, FROM_US, ONLY_AMD, NEEDS_NOTHING, true},
    {"null_sel_clr_base", LX21, 0, R_EAX, 6, FROM_ZEN3, ONLY_AMD, NEEDS_NOTHING, true},
    {"autoibrs", LX21, 0, R_EAX, 8, FROM_IMMUNITY, ONLY_AMD, NEEDS_NOTHING, true},
    {"no_smm_ctl_msr", LX21, 0, R_EAX, 9, FROM_US, ONLY_AMD, NEEDS_NOTHING, true},
    {"srso_no", LX21, 0, R_EAX, 29, FROM_IMMUNITY, ONLY_AMD, NEEDS_NOTHING, true},
    /* Without these Linux executes VERW on every return to user mode. */
    {"tsa_sq_no", LX21, 0, R_ECX, 1, FROM_IMMUNITY, ONLY_AMD, NEEDS_NOTHING, true},
    {"tsa_l1_no", LX21, 0, R_ECX, 2, FROM_IMMUNITY, ONLY_AMD, NEEDS_NOTHING, true},
};
const unsigned cpuid_feature_count = ARRAY_LEN(cpuid_features);
