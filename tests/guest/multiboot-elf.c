/*
 * multiboot-elf.c: a multiboot kernel in an ELF file gets the registers, the memory map, the command line and
 * the modules that the specification promises.
 *
 * Multiboot Specification 0.6.96, sections 3.1 to 3.3. Small kernels find their memory and their files this
 * way.
 */
#include "multiboot_checks.h"

MULTIBOOT_HEADER;

int main(void)
{
    check_multiboot();
    return 0;
}
