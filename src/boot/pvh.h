/*
 * boot/pvh.h: kernels that are entered by the PVH boot protocol (Xen, docs/misc/pvh.pandoc and
 * public/arch-x86/hvm/start_info.h): an ELF file with the note XEN_ELFNOTE_PHYS32_ENTRY, entered there in
 * 32-bit protected mode with EBX at struct hvm_start_info. A Linux vmlinux is one.
 */
#ifndef BOOT_PVH_H
#define BOOT_PVH_H

#include "boot/boot.h"
#include "boot/elf.h"

struct pvh_start {
    const struct elf_image *kernel;
    const char *path, *cmdline;
    const struct boot_module *module;
    unsigned modules; /* 0 or 1 */
};

/* Is the entry inside what is loaded, the command line short enough? ERR_CONFIG. */
bool pvh_check(const struct pvh_start *b, struct err *e);
/* `module_at`: where modules_place put it; `rsdp` 0: none. */
void pvh_load(struct mem *m, const struct layout *l, const struct pvh_start *b, const gpa_t *module_at,
              gpa_t rsdp, struct boot_entry *entry);

#endif
