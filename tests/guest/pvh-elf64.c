/*
 * pvh-elf64.c: a PVH kernel in a 64-bit ELF file is entered in 32-bit mode with the start information that
 * the protocol promises.
 *
 * Xen docs/misc/pvh.pandoc, public/arch-x86/hvm/start_info.h. A Linux vmlinux starts this way.
 */
#include "pvh_checks.h"

PVH_NOTE;

int main(void)
{
    check_pvh();
    return 0;
}
