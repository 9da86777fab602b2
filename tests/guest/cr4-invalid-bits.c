/*
 * cr4-invalid-bits.c: MOV to CR4 refuses bits the processor does not have, and a change of paging depth.
 *
 * SDM 3A 2.5 and 2B "MOV to Control Registers", APM 2 3.1.7. Kernels probe features by it; what is accepted
 * is believed.
 */
#include "frame.h"

static void check_refused(uint64_t v)
{
    uint64_t old = read_cr4();
    CHECK_FAULT(TRY("mov %0, %%cr4", : : "r"(v) : "memory"), GP, 0);
    CHECK_EQ(read_cr4(), old);
}

int main(void)
{
    for (unsigned bit = 33; bit < 64; bit++)
        check_refused(read_cr4() | BIT(bit));
    check_refused(read_cr4() | BIT(15));
    check_refused(read_cr4() | BIT(19) | BIT(31));
    check_refused(read_cr4() | BIT(12)); /* LA57 cannot be changed in long mode */
    static const uint64_t bits[] = {CR4_UMIP, CR4_FSGSBASE, CR4_PCIDE, CR4_OSXSAVE, CR4_SMEP, CR4_SMAP};
    bool has[] = {cpu_has_umip(),  cpu_has_fsgsbase(), cpu_has_pcid(),
                  cpu_has_xsave(), cpu_has_smep(),     cpu_has_smap()};
    for (unsigned i = 0; i < sizeof(bits) / sizeof(*bits); i++)
        if (!has[i])
            check_refused(read_cr4() | bits[i]);
    return 0;
}
