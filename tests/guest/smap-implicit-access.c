/*
 * smap-implicit-access.c: what the processor itself reads from a user page under SMAP faults even with
 * RFLAGS.AC set.
 *
 * SDM 3A 4.6.1 ("implicit supervisor-mode accesses"), APM 2 5.6.6. Descriptor tables must not be led into
 * user memory while the kernel copies from it.
 */
#include "frame.h"

#define SEL_LDT    SEL_FREE
#define SEL_IN_LDT (1 << 3 | 4)

int main(void)
{
    if (!cpu_has_smap())
        exit_skip("no SMAP in CPUID");
    uint64_t va = TEST_VA + 0x15000;
    uint64_t *ldt = page_map_new(va, PTE_P | PTE_W | PTE_U);
    ldt[1] = gdt[SEL_KDATA >> 3];
    gdt[SEL_LDT >> 3] = 0x0000820000000fff | (va & 0xffffff) << 16 | (va >> 24 & 0xff) << 56;
    gdt[(SEL_LDT >> 3) + 1] = va >> 32;
    asm volatile("lldt %0" ::"r"((uint16_t)SEL_LDT) : "memory");

    CHECK_NO_TRAP(TRY("mov %0, %%es", : : "r"(SEL_IN_LDT) : "memory"));
    write_cr4(read_cr4() | CR4_SMAP);
    CHECK_NO_TRAP(TRY("stac; movb (%0), %%al; clac", : : "r"(va) : "rax", "memory", "cc"));
    CHECK_PF(TRY("mov %0, %%es", : : "r"(SEL_IN_LDT) : "memory"), PF_P, va + 8);
    asm volatile("stac" ::: "memory");
    CHECK_PF(TRY("mov %0, %%es", : : "r"(SEL_IN_LDT) : "memory"), PF_P, va + 8);
    asm volatile("clac" ::: "memory");
    write_cr4(read_cr4() & ~CR4_SMAP);
    CHECK_NO_TRAP(TRY("mov %0, %%es", : : "r"(SEL_IN_LDT) : "memory"));
    return 0;
}
