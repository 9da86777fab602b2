/*
 * paging-nx-needs-nxe.c: without EFER.NXE, bit 63 of a paging entry is reserved, for data as well as for
 * code.
 *
 * SDM 3A 4.5 and 4.7, APM 2 5.6.3. A processor that skips the bit runs code where the kernel believes it
 * cannot; one that obeys it regardless of NXE hides a kernel's mistake that silicon shows.
 */
#include "frame.h"

int main(void)
{
    if (!cpu_has_nx())
        exit_skip("no NX in CPUID");
    uint64_t va = TEST_VA + 0x7000;
    volatile uint8_t *p = page_map_new(va, PTE_P | PTE_W | PTE_NX);
    p[0] = 0xc3;

    wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_NXE);
    write_cr3(read_cr3());
    CHECK_PF(TRY("movb (%0), %%al", : : "r"(va) : "rax", "memory"), PF_P | PF_RSVD, va);
    CHECK_PF(TRY("movb $0, (%0)", : : "r"(va) : "memory"), PF_P | PF_RSVD | PF_W, va);
    /* No I in the error code of a fetch: it is there only with NXE or SMEP. */
    CHECK_TRAP_AT(TRY("call *%0", : : "r"(va) : "memory"), PF, PF_P | PF_RSVD, va);
    *page_entry(va, 1) &= ~PTE_NX;
    invlpg(va);
    CHECK_NO_TRAP(TRY("call *%0", : : "r"(va) : "memory"));

    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
    *page_entry(va, 1) |= PTE_NX;
    write_cr3(read_cr3());
    CHECK_NO_TRAP(TRY("movb (%0), %%al", : : "r"(va) : "rax", "memory"));
    CHECK_TRAP_AT(TRY("call *%0", : : "r"(va) : "memory"), PF, PF_P | PF_I, va);
    return 0;
}
