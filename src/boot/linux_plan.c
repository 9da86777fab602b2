/*
 * linux_plan.c: decides where kernel, initrd and command line go, and says what to change when they do not
 * fit.
 */
#include "boot/boot.h"

static unsigned long long kib(uint64_t bytes)
{
    return (bytes + 1023) >> 10;
}

static bool plan_kernel(struct boot_plan *p, const struct layout *l, const struct boot_linux *b,
                        struct err *e)
{
    const struct bzimage *k = b->kernel;
    uint64_t end;
    if (!add_u64(k->load, k->run_size, &end) || layout_memory_for(end) > LAYOUT_HOLE >> 20)
        return err_config(
            e,
            "kernel '%s' asks for %llu KiB at 0x%llx, where a PC has no memory: give another kernel, "
            "or copy the file again",
            b->kernel_path, kib(k->run_size), (unsigned long long)k->load);
    if (end > l->acpi_tables)
        return err_config(
            e,
            "kernel '%s' needs %llu KiB of memory from 0x%llx on, more than the %llu MiB given: give "
            "--memory %lluM or more",
            b->kernel_path, kib(k->run_size), (unsigned long long)k->load,
            (unsigned long long)(l->memory >> 20), (unsigned long long)layout_memory_for(end));
    p->kernel = k->load;
    p->kernel_run_size = k->run_size;
    return true;
}

/* The highest page-aligned place for `size` bytes in [from, to). */
static bool highest(uint64_t from, uint64_t to, uint64_t size, gpa_t *at)
{
    if (from > to || size > to - from)
        return false;
    *at = align_down(to - size, PAGE_SIZE);
    return *at >= from;
}

/* Megabytes of memory with which an initrd of `size` bytes would have found a place; 0 when none would do. */
static unsigned long long memory_for_initrd(const struct bzimage *k, uint64_t kernel_end, uint64_t size)
{
    uint64_t rounded = align_up(size, PAGE_SIZE), end = kernel_end + rounded;
    if (rounded < size || end < rounded || (!k->initrd_above_4g && end > k->initrd_max + 1))
        return 0;
    if (layout_memory_for(end) <= LAYOUT_HOLE >> 20)
        return layout_memory_for(end);
    return k->initrd_above_4g ? (LAYOUT_HOLE + rounded + MIB(1) - 1) >> 20 : 0;
}

static bool plan_initrd(struct boot_plan *p, const struct layout *l, const struct boot_linux *b,
                        struct err *e)
{
    const struct bzimage *k = b->kernel;
    p->initrd_size = b->initrd ? b->initrd->size : 0;
    if (p->initrd_size == 0)
        return true;

    uint64_t kernel_end = align_up(p->kernel + p->kernel_run_size, PAGE_SIZE);
    uint64_t limit = MIN(l->acpi_tables, k->initrd_max + 1);
    if (highest(kernel_end, limit, p->initrd_size, &p->initrd) ||
        highest(LAYOUT_HIGH_START, MIN(p->kernel, limit), p->initrd_size, &p->initrd))
        return true;
    if (k->initrd_above_4g && (highest(kernel_end, l->acpi_tables, p->initrd_size, &p->initrd) ||
                               highest(LAYOUT_ABOVE_4G, l->high_end, p->initrd_size, &p->initrd)))
        return true;

    unsigned long long enough = memory_for_initrd(k, kernel_end, p->initrd_size);
    if (enough == 0)
        return err_config(
            e,
            "initrd '%s' (%llu KiB) is larger than kernel '%s' can take with any memory: give a smaller "
            "initrd",
            b->initrd_path, kib(p->initrd_size), b->kernel_path);
    return err_config(
        e,
        "initrd '%s' (%llu KiB) does not fit beside the kernel in %llu MiB of memory: give --memory "
        "%lluM or more, or a smaller initrd",
        b->initrd_path, kib(p->initrd_size), (unsigned long long)(l->memory >> 20), enough);
}

bool boot_linux_plan(struct boot_plan *p, const struct layout *l, const struct boot_linux *b, struct err *e)
{
    *p = (struct boot_plan){.cmdline_len = b->cmdline ? strlen(b->cmdline) : 0};
    if (p->cmdline_len > b->kernel->cmdline_max)
        return err_config(e, "--append has %zu characters; kernel '%s' takes %u: shorten it", p->cmdline_len,
                          b->kernel_path, b->kernel->cmdline_max);
    return plan_kernel(p, l, b, e) && plan_initrd(p, l, b, e);
}
