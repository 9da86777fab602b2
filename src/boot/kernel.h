/*
 * boot/kernel.h: a kernel of any kind that can be started without firmware. Which kind a file is, is found
 * out from its content: a Linux image (bzImage), a multiboot kernel, or an ELF file with a PVH entry, looked
 * for in this order.
 *
 * Order as in boot/boot.h: kernel_parse; kernel_plan; for each start of the machine, with zeroed memory:
 * acpi_install, kernel_load, boot_set_state. No function here keeps a pointer after it returns, but pointers
 * of `k` are into the file's memory.
 */
#ifndef BOOT_KERNEL_H
#define BOOT_KERNEL_H

#include "boot/multiboot.h"
#include "boot/pvh.h"

enum kernel_kind { KERNEL_LINUX, KERNEL_MULTIBOOT, KERNEL_PVH };

struct kernel {
    enum kernel_kind kind;
    const char *path;
    union {
        struct bzimage linux_image;
        struct multiboot multiboot;
        struct elf_image elf; /* KERNEL_PVH */
    };
};

/* ERR_CONFIG naming `path`, and for a file of no such kind what is accepted. */
bool kernel_parse(struct kernel *k, const struct host_file *f, const char *path, struct err *e);
/* The kind and how it is entered, in words. */
const char *kernel_words(const struct kernel *k);

/* Where a kernel that is no Linux image is entered. */
gpa_t kernel_entry(const struct kernel *k);

/* What to start. */
struct kernel_start {
    const struct kernel *kernel;
    const char *cmdline;              /* NULL: empty */
    const struct boot_module *module; /* the initrd; only KERNEL_MULTIBOOT takes more than one */
    unsigned modules;
};

/* Where its parts go. */
struct kernel_plan {
    struct boot_plan linux_plan;       /* KERNEL_LINUX */
    gpa_t module_at[BOOT_MODULES_MAX]; /* others */
};

/* ERR_CONFIG when something does not fit; see boot_linux_plan. */
bool kernel_plan(struct kernel_plan *p, const struct layout *l, const struct kernel_start *b, struct err *e);
/* `p` is kernel_plan's for the same arguments; `rsdp` is told to the kernel where its protocol has a place
 * for it. */
void kernel_load(struct mem *m, const struct layout *l, const struct kernel_start *b,
                 const struct kernel_plan *p, gpa_t rsdp, struct boot_entry *entry);

#endif
