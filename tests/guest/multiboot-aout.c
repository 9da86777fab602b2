/*
 * multiboot-aout.c: a multiboot kernel that is no ELF file is loaded where its header's address fields say,
 * with zeros up to bss_end_addr, and gets what an ELF kernel gets.
 *
 * Multiboot Specification 0.6.96, section 3.1.3.
 */
#include "multiboot_checks.h"

MULTIBOOT_HEADER_ADDRESSES;

static const char in_rodata[] = "near the end of what is loaded";
static uint64_t in_bss[1024];

int main(void)
{
    check_multiboot();
    CHECK_EQ(in_rodata[0], 'n');
    for (unsigned i = 0; i < 1024; i++)
        CHECK_EQ(*(volatile uint64_t *)&in_bss[i], 0);
    return 0;
}
