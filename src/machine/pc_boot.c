/*
 * pc_boot.c: what a PC starts with: its kernel, from the file into memory and the first vCPU, or its
 * firmware.
 *
 * The files stay open, so that a reset finds what the machine was started with, whatever has become of the
 * names.
 */
#include "machine/pc_impl.h"
#include <stdlib.h>
#include <sys/mman.h>

static bool add_module(struct pc_boot *b, const char *path, const char *words, struct err *e)
{
    if (b->start.modules == BOOT_MODULES_MAX)
        return err_config(e, "--initrd names more than %u modules: give fewer", BOOT_MODULES_MAX);
    unsigned i = b->start.modules;
    if (!host_file_open(&b->module_file[i], path, "initrd", e))
        return false;
    b->module[i] = (struct boot_module){.file = &b->module_file[i], .path = path, .words = words};
    b->start.modules++;
    return true;
}

/* "FILE WORDS,FILE WORDS": a module's string is its file with the words, as QEMU has it. */
static bool open_modules(struct pc_boot *b, const char *text, struct err *e)
{
    char *next = b->module_text = malloc(2 * (strlen(text) + 1));
    if (!next)
        return err_host(e, "no memory for a machine: free some on the host");
    while (*text) {
        size_t all = strcspn(text, ","), name = strcspn(text, " ,");
        char *words = next, *path = next + all + 1;
        memcpy(words, text, all);
        words[all] = '\0';
        memcpy(path, text, name);
        path[name] = '\0';
        next = path + name + 1;
        if (!add_module(b, path, words, e))
            return false;
        text += all + (text[all] == ',');
    }
    return true;
}

static bool open_kernel(struct pc *pc, struct err *e)
{
    const struct pc_config *cfg = &pc->cfg;
    struct pc_boot *b = &pc->boot;

    if (!host_file_open(&b->kernel_file, cfg->kernel, "kernel", e) ||
        !kernel_parse(&b->kernel, &b->kernel_file, cfg->kernel, e))
        return false;
    b->start = (struct kernel_start){.kernel = &b->kernel, .cmdline = cfg->append, .module = b->module};
    if (cfg->initrd && !(b->kernel.kind == KERNEL_MULTIBOOT ? open_modules(b, cfg->initrd, e)
                                                            : add_module(b, cfg->initrd, cfg->initrd, e)))
        return false;
    return kernel_plan(&b->plan, &pc->layout, &b->start, e);
}

bool pc_boot_open(struct pc *pc, struct err *e)
{
    struct pc_boot *b = &pc->boot;
    if (pc->cfg.kernel && !open_kernel(pc, e))
        return false;
    return !pc->cfg.firmware || (host_file_open(&b->firmware_file, pc->cfg.firmware, "firmware", e) &&
                                 firmware_plan(&pc->layout, &b->firmware_file, pc->cfg.firmware, e));
}

void pc_boot_close(struct pc *pc)
{
    struct pc_boot *b = &pc->boot;
    for (unsigned i = 0; i < b->start.modules; i++)
        host_file_close(&b->module_file[i]);
    free(b->module_text);
    host_file_close(&b->kernel_file);
    host_file_close(&b->firmware_file);
}

const char *pc_start_words(const struct pc *pc)
{
    const struct kernel *k = &pc->boot.kernel;
    if (pc->cfg.firmware)
        return "offered to the firmware";
    return k->kind == KERNEL_LINUX && k->linux_image.entry64 ? NULL : kernel_words(k);
}

static void set_entry(const struct engine_ops *ops, struct engine_vcpu *ev, void *opaque)
{
    struct x86_state s = {0};
    ops->pull(ev, GROUP_ALL, &s);
    boot_set_state(opaque, &s);
    ops->push(ev, GROUP_ALL, &s);
}

/* The copy in guest memory is what counts from now on; the file's pages need not stay resident beside it. */
static void release_pages(const struct host_file *f)
{
    if (f->size)
        madvise((void *)f->data, f->size, MADV_DONTNEED);
}

bool pc_boot_load(struct pc *pc, struct err *e)
{
    struct pc_boot *b = &pc->boot;
    struct boot_entry entry;
    gpa_t rsdp;

    /* A processor after power-on starts at the reset vector by itself; tables are the firmware's affair. */
    if (pc->cfg.firmware) {
        firmware_load(pc->mem, &pc->layout, &b->firmware_file);
        return true;
    }
    if (!acpi_install(pc->mem, &b->acpi, &pc->layout, &rsdp, e))
        return false;
    kernel_load(pc->mem, &pc->layout, &b->start, &b->plan, rsdp, &entry);
    release_pages(&b->kernel_file);
    for (unsigned i = 0; i < b->start.modules; i++)
        release_pages(&b->module_file[i]);
    vcpu_call(pc->vcpu[0], set_entry, &entry);
    return true;
}
