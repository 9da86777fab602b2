/*
 * firmware.c: puts a ROM image where the reset vector finds it.
 */
#include "boot/firmware.h"
#include "boot/put.h"

bool firmware_plan(struct layout *l, const struct host_file *f, const char *path, struct err *e)
{
    if (f->size & ~PAGE_MASK)
        return err_config(
            e,
            "firmware '%s' has %llu bytes, which is no multiple of 4096: a ROM image ends with the "
            "16 bytes of the reset vector; pad it in front",
            path, (unsigned long long)f->size);
    if (f->size > LAYOUT_ROM_MAX)
        return err_config(e, "firmware '%s' has %llu KiB; a ROM has at most %llu: give a smaller image", path,
                          (unsigned long long)(f->size >> 10), LAYOUT_ROM_MAX >> 10);
    l->rom_size = f->size;
    return true;
}

void firmware_load(struct mem *m, const struct layout *l, const struct host_file *f)
{
    uint64_t low = MIN(l->rom_size, LAYOUT_ROM_LOW_MAX);
    boot_put(m, LAYOUT_ABOVE_4G - l->rom_size, f->data, l->rom_size);
    boot_put(m, LAYOUT_HIGH_START - low, f->data + (l->rom_size - low), low);
}
