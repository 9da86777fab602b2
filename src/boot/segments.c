/*
 * segments.c: checks where the pieces of a kernel's file want to lie, and puts them and the modules there.
 */
#include "boot/segments.h"
#include "boot/put.h"

/* What the machine writes below 1 MiB for a kernel that is entered in 32-bit mode. */
static const struct {
    gpa_t at;
    uint64_t size;
    const char *what;
} ours[] = {
    {0, 0x500, "the BIOS data area"},
    {LAYOUT_GDT, PAGE_SIZE, "the boot GDT"},
    {LAYOUT_BOOT_INFO, PAGE_SIZE, "the boot information"},
    {LAYOUT_CMDLINE, LAYOUT_CMDLINE_SIZE, "the command line"},
};

static bool check_place(const struct boot_segment *s, const struct layout *l, const char *path, struct err *e)
{
    unsigned long long from = s->at;
    uint64_t end;
    if (!add_u64(s->at, s->size, &end) || layout_memory_for(end) > LAYOUT_HOLE >> 20)
        return err_config(e,
                          "kernel '%s' wants %llu bytes at 0x%llx, where a PC has no memory: link it lower",
                          path, (unsigned long long)s->size, from);
    unsigned long long last = end - 1;
    if (s->at < LAYOUT_HIGH_START) {
        for (unsigned i = 0; i < ARRAY_LEN(ours); i++)
            if (ranges_overlap(s->at, s->size, ours[i].at, ours[i].size))
                return err_config(
                    e, "kernel '%s' wants 0x%llx to 0x%llx, where %s lies: link it at 1 MiB or higher", path,
                    from, last, ours[i].what);
        if (end > LAYOUT_EBDA)
            return err_config(
                e, "kernel '%s' wants 0x%llx to 0x%llx, which is not all memory: link it at 1 MiB or higher",
                path, from, last);
        return true;
    }
    if (end > l->acpi_tables)
        return err_config(
            e,
            "kernel '%s' wants 0x%llx to 0x%llx, more than the %llu MiB given: give --memory %lluM or more",
            path, from, last, (unsigned long long)(l->memory >> 20),
            (unsigned long long)layout_memory_for(end));
    return true;
}

bool segments_check(const struct boot_segments *s, const struct layout *l, const char *path, struct err *e)
{
    for (unsigned i = 0; i < s->count; i++)
        if (!check_place(&s->segment[i], l, path, e))
            return false;
    for (unsigned i = 1; i < s->count; i++)
        for (unsigned k = 0; k < i; k++)
            if (ranges_overlap(s->segment[i].at, s->segment[i].size, s->segment[k].at, s->segment[k].size))
                return err_config(e, "kernel '%s' has two segments for address 0x%llx: link it again", path,
                                  (unsigned long long)MAX(s->segment[i].at, s->segment[k].at));
    return true;
}

bool segments_hold(const struct boot_segments *s, gpa_t at)
{
    for (unsigned i = 0; i < s->count; i++)
        if (at - s->segment[i].at < s->segment[i].size)
            return true;
    return false;
}

gpa_t segments_end(const struct boot_segments *s)
{
    gpa_t end = LAYOUT_HIGH_START;
    for (unsigned i = 0; i < s->count; i++)
        end = MAX(end, s->segment[i].at + s->segment[i].size);
    return end;
}

void segments_load(struct mem *m, const struct boot_segments *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->segment[i].data_size)
            boot_put(m, s->segment[i].at, s->segment[i].data, s->segment[i].data_size);
}

bool modules_place(gpa_t at[], const struct boot_module *module, unsigned n, gpa_t from, bool high,
                   const struct layout *l, struct err *e)
{
    uint64_t next = align_up(from, PAGE_SIZE), all = 0, end = next;
    for (unsigned i = 0; i < n; i++) {
        uint64_t rounded = align_up(module[i].file->size, PAGE_SIZE);
        if (rounded < module[i].file->size || !add_u64(all, rounded, &all) || !add_u64(next, all, &end) ||
            layout_memory_for(end) > LAYOUT_HOLE >> 20)
            return err_config(e, "initrd '%s' is larger than any memory below 3 GiB has room for: give less",
                              module[i].path);
    }
    if (n && end > l->acpi_tables)
        return err_config(
            e,
            "initrd '%s' (%llu KiB%s) does not fit beside the kernel in %llu MiB of memory: give "
            "--memory %lluM or more",
            module[0].path, (unsigned long long)(all >> 10), n > 1 ? " with its fellows" : "",
            (unsigned long long)(l->memory >> 20), (unsigned long long)layout_memory_for(end));
    if (high)
        next = l->acpi_tables - all;
    for (unsigned i = 0; i < n; i++) {
        at[i] = next;
        next += align_up(module[i].file->size, PAGE_SIZE);
    }
    return true;
}

void modules_load(struct mem *m, const gpa_t at[], const struct boot_module *module, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        boot_put(m, at[i], module[i].file->data, module[i].file->size);
}
