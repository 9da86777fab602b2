/*
 * pvh.h: the note that makes an image a PVH kernel, and what its loader leaves (Xen public/elfnote.h and
 * public/arch-x86/hvm/start_info.h).
 */
#ifndef GUEST_PVH_H
#define GUEST_PVH_H

#include "frame.h"

/* XEN_ELFNOTE_PHYS32_ENTRY. One an image, at file scope. */
#define PVH_NOTE                             \
    asm(".section .note.Xen, \"a\", @note\n" \
        ".balign 4\n"                        \
        ".long 4, 4, 18\n"                   \
        ".asciz \"Xen\"\n"                   \
        ".long entry_loader\n"               \
        ".text")

#define PVH_MAGIC 0x336ec578

struct pvh_start_info {
    uint32_t magic, version, flags, modules;
    uint64_t module_list, cmdline, rsdp, memory_map;
    uint32_t memory_map_entries, reserved;
};
struct pvh_module {
    uint64_t at, size, cmdline, reserved;
};
struct pvh_memory {
    uint64_t addr, size;
    uint32_t type, reserved;
};

#endif
