/*
 * code-accessed-bit.c: whatever loads CS or a data segment sets the accessed bit of its descriptor: far
 * jumps, gates, returns.
 *
 * SDM 3A 3.4.5.1; APM 2 4.7.2. Kernels keep descriptors in read-only memory once the bit is set, and some
 * look at it.
 */
#include "frame32.h"

extern const char jump[], there[], ret_to[];
asm(TEXT_BEGIN "jump: ljmp $0x40, $there\n there: int $0x81\n ret_to: push $0x48\n push $there\n lret\n");

static bool accessed(unsigned sel)
{
    return GDT(sel) >> 40 & 1;
}

int main(void)
{
    for (unsigned i = 0; i < 4; i++)
        GDT(SEL_FREE + 8 * i) = desc(0, 0xfffff, i == 3 ? D_DATA : D_CODE, D_32 | D_G);
    struct regs r = regs_kernel(jump);
    CHECK(!accessed(SEL_FREE));
    CHECK_RETURN(run(&r));
    CHECK(accessed(SEL_FREE));
    r.eip = (uint32_t)ret_to;
    CHECK_RETURN(run(&r));
    CHECK(accessed(SEL_FREE + 8));
    idt[0x40] = gate(D_INT32, SEL_FREE + 16, (uint32_t)there, 0);
    CHECK_EQ(TRY("int $0x40", : : : "memory").vector, VEC_RETURN);
    CHECK(accessed(SEL_FREE + 16));
    CHECK(!accessed(SEL_FREE + 24));
    asm volatile("mov %0, %%fs" : : "r"(SEL_FREE + 24) : "memory");
    CHECK(accessed(SEL_FREE + 24));
    return 0;
}
