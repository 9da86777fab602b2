/*
 * boot/boot.h: puts a kernel into memory and gives the processor's state at its entry. What there is to know
 * of a kind of kernel lies in its own header; boot/kernel.h is the way in for whoever takes any kind.
 *
 * Here: Linux (Linux Documentation/arch/x86/boot.rst, "64-bit boot protocol" where the kernel has that entry,
 * else "32-bit boot protocol").
 *
 * Order: layout_init; bzimage_parse; boot_linux_plan, which needs no memory and finds every error of the
 * configuration; then, for each start of the machine (a reset is one), with zeroed memory of that
 * layout: boot_linux_load, acpi_install (boot/acpi/acpi.h), and boot_set_state on the first vCPU.
 *
 * No function here keeps a pointer after it returns. Any thread, while no vCPU runs.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "boot/bzimage.h"
#include "boot/layout.h"
#include "mem/mem.h"
#include "x86/x86.h"

/* What to start. */
struct boot_linux {
    const struct bzimage *kernel;
    const char *kernel_path;
    const struct host_file *initrd; /* NULL: none */
    const char *initrd_path;
    const char *cmdline; /* NULL: empty */
};

/* Where its parts go. */
struct boot_plan {
    gpa_t kernel;
    uint64_t kernel_run_size; /* RAM the kernel occupies until it manages memory itself */
    gpa_t initrd;
    uint64_t initrd_size; /* 0: none */
    size_t cmdline_len;   /* without its NUL */
};

/*
 * Place kernel and initrd: the kernel where it prefers to be, the initrd as high as it may lie, page-aligned,
 * clear of kernel and ACPI tables. ERR_CONFIG when one does not fit (names sizes and the memory that would
 * do) or the command line is longer than this kernel takes.
 */
bool boot_linux_plan(struct boot_plan *p, const struct layout *l, const struct boot_linux *b, struct err *e);

/* The first vCPU's state at the kernel's entry; what is not here is as after power-on. */
struct boot_entry {
    uint64_t rip, rsp, rax, rbx, rsi;
    uint64_t cr0, cr3, cr4, efer;
    uint64_t gdt_base;
    uint16_t gdt_limit;
};

/*
 * Write kernel, initrd, command line, zero page, page tables and GDT to memory. `m` has the ranges of
 * layout_ranges; `p` is boot_linux_plan's for the same arguments; `rsdp` is told to the kernel, 0: none.
 */
void boot_linux_load(struct mem *m, const struct layout *l, const struct boot_linux *b,
                     const struct boot_plan *p, gpa_t rsdp, struct boot_entry *entry);

/* Put the entry state over a vCPU's power-on state (x86_reset). */
void boot_set_state(const struct boot_entry *entry, struct x86_state *s);

/*
 * The two modes that a kernel is entered in: GDT at LAYOUT_GDT with flat segments, 0x10 for CS and 0x18 for
 * all others, interrupts off. Fill all of `entry` but rip and the general registers other than rsp.
 */
/* 64-bit mode, page tables at LAYOUT_PAGE_TABLES that map the first 4 GiB to themselves. */
void boot_long_mode(struct mem *m, struct boot_entry *entry);
/* 32-bit protected mode, paging off. */
void boot_protected_mode(struct mem *m, struct boot_entry *entry);

#endif
