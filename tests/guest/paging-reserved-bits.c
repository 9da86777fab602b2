/*
 * paging-reserved-bits.c: a set reserved bit in a present entry faults with RSVD, and nothing is reserved in
 * an absent one.
 *
 * SDM 3A 4.5 (tables 4-14 to 4-20) and 4.7, APM 2 5.3. Kernels mark such entries on purpose (KVM's MMIO
 * entries, the inverted swap entries against L1TF): without the fault they reach memory they must not.
 */
#include "frame.h"

static struct trap load(uint64_t va)
{
    return TRY("movb (%0), %%al", : : "r"(va) : "rax", "memory");
}

static void check_bit(uint64_t va, unsigned level, unsigned bit)
{
    uint64_t *e = page_entry(va, level), old = *e;

    *e = old | BIT(bit);
    write_cr3(read_cr3());
    struct trap t = load(va);
    if (t.vector != PF || t.error != (PF_P | PF_RSVD))
        print("level %u bit %u\n", level, bit);
    CHECK_PF(t, PF_P | PF_RSVD, va);
    CHECK_PF(TRY("movb $0, (%0)", : : "r"(va) : "memory"), PF_P | PF_RSVD | PF_W, va);
    *e = (old | BIT(bit)) & ~PTE_P;
    write_cr3(read_cr3());
    CHECK_PF(load(va), 0, va);
    *e = old;
    write_cr3(read_cr3());
    CHECK_NO_TRAP(load(va));
}

int main(void)
{
    unsigned phys_bits = cpuid(0x80000008, 0).eax & 0xff;
    uint64_t va = TEST_VA + 0xb000, va_2m = TEST_VA + PAGE_1G, va_1g = TEST_VA + 2 * PAGE_1G;

    page_map_new(va, PTE_P | PTE_W);
    page_map(va_2m, 0x800000, 2, PTE_P | PTE_W);
    for (unsigned level = 1; level <= 4; level++)
        for (unsigned bit = phys_bits; bit < 52; bit++)
            check_bit(va, level, bit);
    check_bit(va, 4, 7); /* PS in a PML4 entry */
    for (unsigned bit = 13; bit < 21; bit++)
        check_bit(va_2m, 2, bit);
    if (cpu_has_1g_pages()) {
        page_map(va_1g, 0, 3, PTE_P | PTE_W);
        for (unsigned bit = 13; bit < 30; bit++)
            check_bit(va_1g, 3, bit);
    } else {
        page_map(va_1g, 0, 2, PTE_P | PTE_W);
        check_bit(va_1g, 3, 7);
    }
    /* Bits 52 to 58 and 9 to 11 are the software's. */
    *page_entry(va, 1) |= 0x7full << 52 | 7ull << 9;
    *page_entry(va, 2) |= 0x7full << 52 | 7ull << 9;
    write_cr3(read_cr3());
    CHECK_NO_TRAP(load(va));
    CHECK_EQ(*page_entry(va, 1) >> 52 & 0x7f, 0x7f);
    return 0;
}
