/*
 * cr0-invalid-combinations.c: MOV to CR0 refuses what makes no sense, as MOV to CR4, CR8 and EFER do, and
 * changes nothing then.
 *
 * SDM 2B "MOV to Control Registers", 3A 2.5, APM 2 3.1.1. Paging off in 64-bit mode would leave a processor
 * in a state that no manual describes.
 */
#include "frame.h"

static void check_refused(uint64_t v)
{
    uint64_t old = read_cr0();
    CHECK_FAULT(TRY("mov %0, %%cr0", : : "r"(v) : "memory"), GP, 0);
    CHECK_EQ(read_cr0(), old);
}

int main(void)
{
    uint64_t cr0 = read_cr0();

    check_refused(cr0 | CR0_NW); /* NW without CD */
    check_refused(cr0 | BIT(32));
    check_refused(cr0 | BIT(63));
    check_refused(cr0 & ~CR0_PE); /* PG without PE */
    check_refused(cr0 & ~CR0_PG); /* in 64-bit mode */
    check_refused(cr0 & ~(CR0_PG | CR0_PE));
    CHECK_NO_TRAP(TRY("mov %0, %%cr0", : : "r"(cr0 & ~CR0_ET) : "memory"));
    CHECK_EQ(read_cr0(), cr0);
    CHECK_NO_TRAP(TRY("mov %0, %%cr0", : : "r"(cr0 | CR0_CD) : "memory"));
    CHECK_EQ(read_cr0(), cr0 | CR0_CD);
    write_cr0(cr0);
    CHECK_FAULT(TRY("mov %0, %%cr4",
                    :
                    : "r"(read_cr4() & ~CR4_PAE)
                    : "memory"),
                GP, 0);                                                  /* long mode needs PAE */
    CHECK_FAULT(TRY("mov %0, %%cr8", : : "r"(16ull) : "memory"), GP, 0); /* four bits */
    CHECK_FAULT(TRY("wrmsr",
                    :
                    : "c"(MSR_EFER), "a"((uint32_t)rdmsr(MSR_EFER) & ~(uint32_t)EFER_LME), "d"(0)
                    : "memory"),
                GP, 0); /* nor EFER.LME under paging */
    return 0;
}
