/*
 * kernel.c: finds out what kind of kernel a file is, and hands it to who knows that kind.
 *
 * Multiboot comes before PVH, since a kernel that has both puts its header there on purpose, and QEMU decides
 * the same way.
 */
#include "boot/kernel.h"

bool kernel_parse(struct kernel *k, const struct host_file *f, const char *path, struct err *e)
{
    *k = (struct kernel){.path = path};
    if (!bzimage_is(f) && multiboot_is(f)) {
        k->kind = KERNEL_MULTIBOOT;
        return multiboot_parse(&k->multiboot, f, path, e);
    }
    if (elf_is(f)) {
        k->kind = KERNEL_PVH;
        if (!elf_parse(&k->elf, f, path, e))
            return false;
        if (k->elf.has_pvh_entry)
            return elf_check_fixed(&k->elf, path, e);
    }
    k->kind = KERNEL_LINUX;
    return bzimage_parse(&k->linux_image, f, path, e);
}

const char *kernel_words(const struct kernel *k)
{
    switch (k->kind) {
    case KERNEL_LINUX: return k->linux_image.entry64 ? "Linux, 64-bit entry" : "Linux, 32-bit entry";
    case KERNEL_MULTIBOOT:
        return k->multiboot.address_fields ? "multiboot, address fields" : "multiboot, ELF";
    case KERNEL_PVH: return "PVH";
    }
    return NULL;
}

gpa_t kernel_entry(const struct kernel *k)
{
    assert(k->kind != KERNEL_LINUX);
    return k->kind == KERNEL_MULTIBOOT ? k->multiboot.entry : k->elf.pvh_entry;
}

static const char *words_or_empty(const char *s)
{
    return s ? s : "";
}

static struct boot_linux as_linux(const struct kernel_start *b)
{
    return (struct boot_linux){
        .kernel = &b->kernel->linux_image,
        .kernel_path = b->kernel->path,
        .initrd = b->modules ? b->module[0].file : NULL,
        .initrd_path = b->modules ? b->module[0].path : NULL,
        .cmdline = b->cmdline,
    };
}

static struct multiboot_start as_multiboot(const struct kernel_start *b)
{
    return (struct multiboot_start){&b->kernel->multiboot, b->kernel->path, words_or_empty(b->cmdline),
                                    b->module, b->modules};
}

static struct pvh_start as_pvh(const struct kernel_start *b)
{
    return (struct pvh_start){&b->kernel->elf, b->kernel->path, words_or_empty(b->cmdline), b->module,
                              b->modules};
}

static bool plan_multiboot(struct kernel_plan *p, const struct layout *l, const struct kernel_start *b,
                           struct err *e)
{
    const struct multiboot_start s = as_multiboot(b);
    return multiboot_check_strings(&s, e) && segments_check(&s.kernel->segments, l, s.path, e) &&
           modules_place(p->module_at, b->module, b->modules, segments_end(&s.kernel->segments), false, l, e);
}

static bool plan_pvh(struct kernel_plan *p, const struct layout *l, const struct kernel_start *b,
                     struct err *e)
{
    const struct pvh_start s = as_pvh(b);
    return segments_check(&s.kernel->segments, l, s.path, e) && pvh_check(&s, e) &&
           modules_place(p->module_at, b->module, b->modules, segments_end(&s.kernel->segments), true, l, e);
}

bool kernel_plan(struct kernel_plan *p, const struct layout *l, const struct kernel_start *b, struct err *e)
{
    *p = (struct kernel_plan){0};
    switch (b->kernel->kind) {
    case KERNEL_LINUX: {
        const struct boot_linux s = as_linux(b);
        return boot_linux_plan(&p->linux_plan, l, &s, e);
    }
    case KERNEL_MULTIBOOT: return plan_multiboot(p, l, b, e);
    case KERNEL_PVH: return plan_pvh(p, l, b, e);
    }
    return false;
}

void kernel_load(struct mem *m, const struct layout *l, const struct kernel_start *b,
                 const struct kernel_plan *p, gpa_t rsdp, struct boot_entry *entry)
{
    switch (b->kernel->kind) {
    case KERNEL_LINUX: {
        const struct boot_linux s = as_linux(b);
        boot_linux_load(m, l, &s, &p->linux_plan, rsdp, entry);
        break;
    }
    case KERNEL_MULTIBOOT: {
        const struct multiboot_start s = as_multiboot(b);
        multiboot_load(m, l, &s, p->module_at, entry);
        break;
    }
    case KERNEL_PVH: {
        const struct pvh_start s = as_pvh(b);
        pvh_load(m, l, &s, p->module_at, rsdp, entry);
        break;
    }
    }
}
