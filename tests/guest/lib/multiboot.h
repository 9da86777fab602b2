/*
 * multiboot.h: what a multiboot loader reads in an image, and what it leaves (Multiboot Specification
 * 0.6.96).
 */
#ifndef GUEST_MULTIBOOT_H
#define GUEST_MULTIBOOT_H

#include "frame.h"

/* A header that demands page-aligned modules and memory information. One an image, at file scope. */
#define MULTIBOOT_HEADER                         \
    asm(".section .multiboot, \"a\"\n"           \
        ".balign 4\n"                            \
        ".long 0x1badb002, 3, -(0x1badb002+3)\n" \
        ".text")
/* The same with address fields, and an offer (bit 31) that a loader ignores. */
#define MULTIBOOT_HEADER_ADDRESSES                                                   \
    asm(".section .multiboot, \"a\"\n"                                               \
        ".balign 4\n"                                                                \
        "multiboot_header: .long 0x1badb002, 0x80010003, -(0x1badb002+0x80010003)\n" \
        ".long multiboot_header, image_start, image_end, memory_end, entry_loader\n" \
        ".text")

#define MULTIBOOT_EAX 0x2badb002

struct multiboot_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr;
    uint32_t drives_length, drives_addr, config_table, boot_loader_name;
};
struct multiboot_module {
    uint32_t start, end, string, reserved;
};
struct multiboot_mmap {
    uint32_t size;
    uint64_t addr, len;
    uint32_t type;
} __attribute__((packed));

#endif
