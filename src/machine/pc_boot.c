/*
 * pc_boot.c: what a PC starts with: its kernel, from the file into memory and the first vCPU.
 *
 * The files stay open, so that a reset finds what the machine was started with, whatever has become of the
 * names.
 */
#include "machine/pc_impl.h"
#include <sys/mman.h>

bool pc_boot_open(struct pc *pc, struct err *e)
{
    const struct pc_config *cfg = &pc->cfg;
    struct pc_boot *b = &pc->boot;

    if (!host_file_open(&b->kernel_file, cfg->kernel, "kernel", e) ||
        !bzimage_parse(&b->kernel, &b->kernel_file, cfg->kernel, e))
        return false;
    if (cfg->initrd && !host_file_open(&b->initrd_file, cfg->initrd, "initrd", e))
        return false;
    b->linux_boot = (struct boot_linux){
        .kernel = &b->kernel,
        .kernel_path = cfg->kernel,
        .initrd = cfg->initrd ? &b->initrd_file : NULL,
        .initrd_path = cfg->initrd,
        .cmdline = cfg->append,
    };
    return boot_linux_plan(&b->plan, &pc->layout, &b->linux_boot, e);
}

void pc_boot_close(struct pc *pc)
{
    host_file_close(&pc->boot.initrd_file);
    host_file_close(&pc->boot.kernel_file);
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

    if (!acpi_install(pc->mem, &b->acpi, &pc->layout, &rsdp, e))
        return false;
    boot_linux_load(pc->mem, &pc->layout, &b->linux_boot, &b->plan, rsdp, &entry);
    release_pages(&b->kernel_file);
    release_pages(&b->initrd_file);
    vcpu_call(pc->vcpu[0], set_entry, &entry);
    return true;
}
