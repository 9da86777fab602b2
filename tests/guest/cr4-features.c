/*
 * cr4-features.c: a CR4 bit can be set where CPUID tells of its feature.
 *
 * SDM 3A 2.5 and 2B "MOV to Control Registers", APM 2 3.1.7. A kernel sets what CPUID shows, and dies of a
 * #GP.
 */
#include "frame.h"

static void check_feature(bool has, uint64_t bit)
{
    if (!has)
        return;
    CHECK_NO_TRAP(TRY("mov %0, %%cr4", : : "r"(read_cr4() | bit) : "memory"));
    CHECK_EQ(read_cr4() & bit, bit);
    write_cr4(read_cr4() & ~bit);
    CHECK_EQ(read_cr4() & bit, 0);
}

int main(void)
{
    check_feature(true, CR4_TSD);
    check_feature(true, CR4_DE);
    check_feature(true, CR4_PGE);
    check_feature(cpu_has_umip(), CR4_UMIP);
    check_feature(cpu_has_fsgsbase(), CR4_FSGSBASE);
    check_feature(cpu_has_pcid(), CR4_PCIDE);
    check_feature(cpu_has_xsave(), CR4_OSXSAVE);
    check_feature(cpu_has_smep(), CR4_SMEP);
    check_feature(cpu_has_smap(), CR4_SMAP);
    return 0;
}
