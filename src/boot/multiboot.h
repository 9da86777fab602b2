/*
 * boot/multiboot.h: kernels of the Multiboot Specification, version 0.6.96: an ELF file, or any file whose
 * header has the address fields; entered in 32-bit protected mode with EAX = 0x2badb002 and EBX at the boot
 * information.
 */
#ifndef BOOT_MULTIBOOT_H
#define BOOT_MULTIBOOT_H

#include "boot/boot.h"
#include "boot/segments.h"

struct multiboot {
    struct boot_segments segments;
    gpa_t entry;
    bool address_fields; /* bit 16 of the header's flags: they count, not what ELF headers say */
};

/* Does the file have a multiboot header (section 3.1.1)? */
bool multiboot_is(const struct host_file *f);
/*
 * ERR_CONFIG naming `path`: addresses that contradict the file or each other, or a feature that the header
 * demands and this machine has not (section 3.1.2). Pointers of `k` are into the file's memory.
 */
bool multiboot_parse(struct multiboot *k, const struct host_file *f, const char *path, struct err *e);

/* What is told to the kernel: `cmdline` has the kernel's name in front, as section 3.3 wants it. */
struct multiboot_start {
    const struct multiboot *kernel;
    const char *path, *cmdline;
    const struct boot_module *module;
    unsigned modules;
};
/* Do all strings together find room? ERR_CONFIG. */
bool multiboot_check_strings(const struct multiboot_start *b, struct err *e);
/* `module_at`: where modules_place put them. */
void multiboot_load(struct mem *m, const struct layout *l, const struct multiboot_start *b,
                    const gpa_t *module_at, struct boot_entry *entry);

#endif
