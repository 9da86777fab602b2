/*
 * boot/elf.h: an ELF file as a kernel: which pieces go where, where it is entered (System V ABI, "Object
 * Files"; ELF-64 Object File Format 1.5).
 */
#ifndef BOOT_ELF_H
#define BOOT_ELF_H

#include "boot/segments.h"

struct elf_image {
    bool is64;  /* the file's class; says nothing about the mode it is entered in */
    bool fixed; /* an executable, whose addresses are final */
    /* Loadable segments at their physical addresses. */
    struct boot_segments segments;
    gpa_t entry; /* e_entry, as a physical address where a segment's two addresses differ */
    /* The entry of the note XEN_ELFNOTE_PHYS32_ENTRY (Xen, public/elfnote.h), the mark of a PVH kernel. */
    bool has_pvh_entry;
    uint64_t pvh_entry;
};

bool elf_is(const struct host_file *f);
/* ERR_CONFIG naming `path`: cut off, contradicts itself, not for x86, nothing to load.
 * Pointers of `elf` are into the file's memory. */
bool elf_parse(struct elf_image *elf, const struct host_file *f, const char *path, struct err *e);
/* ERR_CONFIG when the addresses are not final: it cannot be a kernel. */
bool elf_check_fixed(const struct elf_image *elf, const char *path, struct err *e);

#endif
