/*
 * cr3-reserved-bits.c: in long mode a bit of CR3 above the processor's physical address width is #GP(0), and
 * CR3 stays; PWT, PCD and the bits that are ignored do not fault.
 *
 * SDM 2B "MOV to Control Registers", 3A table 4-12; APM 2 3.1.2, 5.3.2, APM 3 "MOV CRn".
 */
#include "frame.h"

int main(void)
{
    unsigned width = cpuid_has_leaf(0x80000008) ? cpuid(0x80000008, 0).eax & 0xff : 36;
    uint64_t cr3 = read_cr3();
    for (unsigned bit = width; bit < 64; bit++) {
        if (bit == 61 || bit == 62) /* LAM's, where there is LAM */
            continue;
        CHECK_FAULT(TRY("mov %0, %%cr3", : : "r"(cr3 | BIT(bit)) : "memory"), GP, 0);
        CHECK_EQ(read_cr3(), cr3);
    }
    CHECK_NO_TRAP(TRY("mov %0, %%cr3", : : "r"(cr3 | 0x18) : "memory"));
    CHECK_EQ(read_cr3(), cr3 | 0x18);
    write_cr3(cr3);
    return 0;
}
