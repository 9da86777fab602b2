/*
 * smm-la57-absent.c: outside system-management mode RSM is #UD; what CPUID does not offer cannot be switched
 * on: CR4.LA57, and #UD for instructions of VMX and SVM where they are not enabled.
 *
 * SDM 2B "RSM", 3A 2.5; APM 3 "RSM", APM 2 10.3.3.
 */
#include "frame.h"

#define CR4_LA57 BIT(12)

int main(void)
{
    CHECK_FAULT(TRY("rsm", : : : "memory"), UD, 0);
    if (!(cpuid(7, 0).ecx & BIT(16)))
        CHECK_FAULT(TRY("mov %0, %%cr4", : : "r"(read_cr4() | CR4_LA57) : "memory"), GP, 0);
    CHECK_FAULT(TRY("vmcall", : : : "memory"), UD, 0);
    CHECK_FAULT(TRY("vmxoff", : : : "memory"), UD, 0);
    CHECK_FAULT(TRY("vmrun", : : "a"(0) : "memory"), UD, 0);
    CHECK_FAULT(TRY("clgi", : : : "memory"), UD, 0);
    return 0;
}
