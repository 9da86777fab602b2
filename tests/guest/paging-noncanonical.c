/*
 * paging-noncanonical.c: data addresses that are not canonical give #GP(0), never #PF, and leave CR2 alone.
 *
 * SDM 1 3.3.7.1, APM 2 5.3.1. A kernel tells a wild pointer of a program from a missing page by it.
 */
#include "frame.h"

static void check_gp(uint64_t a)
{
    uint64_t cr2 = 0x1234567000;

    write_cr2(cr2);
    CHECK_FAULT(TRY("movb (%0), %%al", : : "b"(a) : "rax", "memory"), GP, 0);
    CHECK_FAULT(TRY("movb $0, (%0)", : : "b"(a) : "memory"), GP, 0);
    CHECK_FAULT(TRY("lock; incb (%0)", : : "b"(a) : "memory"), GP, 0);
    CHECK_FAULT(TRY("lodsb", : : "S"(a) : "rax", "memory"), GP, 0);
    CHECK_FAULT(TRY("stosb", : : "D"(a) : "rax", "memory"), GP, 0);
    CHECK_FAULT(TRY("pushq (%0)", : : "b"(a) : "memory"), GP, 0); /* the source, by DS */
    CHECK_FAULT(TRY(".byte 0x36; movb (%0), %%al", : : "b"(a) : "rax", "memory"), GP, 0); /* SS: is ignored */
    CHECK_EQ(read_cr2(), cr2);
}

int main(void)
{
    static const uint64_t bad[] = {0x0000800000000000, 0xffff7fffffffffff, 0x8000000000000000,
                                   0x0123456789abcdef};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        check_gp(bad[i]);

    /* Over the edge: the last canonical bytes are there, the operand reaches beyond them. */
    uint64_t edge = 0x0000800000000000;
    page_map_new(edge - PAGE, PTE_P | PTE_W);
    CHECK_NO_TRAP(TRY("movq (%0), %%rax", : : "b"(edge - 8) : "rax", "memory"));
    CHECK_FAULT(TRY("movq (%0), %%rax", : : "b"(edge - 7) : "rax", "memory"), GP, 0);
    CHECK_FAULT(TRY("movq %%rax, (%0)", : : "b"(edge - 1) : "memory"), GP, 0);

    /* FS and GS: the sum counts. */
    wrmsr(MSR_FS_BASE, 0x00007ffffffff000);
    CHECK_FAULT(TRY("movb %%fs:(%0), %%al", : : "b"(0x1000) : "rax", "memory"), GP, 0);
    wrmsr(MSR_FS_BASE, 0);
    return 0;
}
