/*
 * pvh-elf32.c: a PVH kernel in a 32-bit ELF file is started as one in a 64-bit file is.
 *
 * Xen docs/misc/pvh.pandoc; ELF's two classes have their fields at different places.
 */
#include "pvh_checks.h"

PVH_NOTE;

int main(void)
{
    check_pvh();
    return 0;
}
