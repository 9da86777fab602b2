/*
 * bzimage.c: checks a Linux kernel image and reads what it asks for.
 *
 * A bzImage is a boot sector, `setup_sects` sectors of real-mode code with the setup header across the border
 * of the first two, and the protected-mode part, which alone is loaded here: the 64-bit entry needs no
 * real-mode code. A signature may follow at the end.
 */
#include "boot/bzimage.h"
#include "boot/layout.h"
#include "boot/linux_params.h"

static uint64_t field(const struct bzimage *k, unsigned offset, unsigned size)
{
    return load_le(k->setup + offset, size);
}

/* Is this a Linux image at all, with a header that lies wholly in the file? */
static bool check_header(struct bzimage *k, const struct host_file *f, const char *path, struct err *e)
{
    if (f->size == 0)
        return err_config(e, "kernel '%s' is empty: give a Linux bzImage (vmlinuz)", path);
    if (f->size < HDR_MAGIC + 4 || field(k, HDR_BOOT_FLAG, 2) != HDR_BOOT_FLAG_VALUE ||
        field(k, HDR_MAGIC, 4) != HDR_MAGIC_VALUE)
        return err_config(e, "kernel '%s' is not a Linux bzImage: %s", path, bzimage_guess(f->data, f->size));
    if (f->size < HDR_END_MAX)
        return err_config(e,
                          "kernel '%s' is cut off inside its setup header (%llu bytes): copy the file again",
                          path, (unsigned long long)f->size);

    unsigned version = (unsigned)field(k, HDR_VERSION, 2);
    if (version < HDR_VERSION_MIN)
        return err_config(
            e, "kernel '%s' has boot protocol %u.%u; 2.12 is needed: give a kernel of Linux 3.8 or later",
            path, version >> 8, version & 0xff);

    /* The header ends where the jump at 0x200 goes (boot.rst, "the kernel header"). */
    k->header_end = HDR_MAGIC + (unsigned)field(k, HDR_JUMP + 1, 1);
    if (k->header_end < HDR_END_2_12 || k->header_end > HDR_END_MAX)
        return err_config(e, "kernel '%s' has a damaged setup header (it ends at 0x%x): copy the file again",
                          path, k->header_end);
    return true;
}

/* Find the protected-mode part; all of it must be there. */
static bool check_size(struct bzimage *k, const struct host_file *f, const char *path, struct err *e)
{
    uint64_t sects = field(k, HDR_SETUP_SECTS, 1);
    uint64_t setup_size = ((sects ? sects : BOOT_SETUP_DEFAULT) + 1) * BOOT_SECTOR;
    k->kernel_size = field(k, HDR_SYSSIZE, 4) * 16;
    if (k->kernel_size <= BOOT_ENTRY64_OFFSET)
        return err_config(
            e, "kernel '%s' has a damaged setup header (syssize names %llu bytes): copy the file again", path,
            (unsigned long long)k->kernel_size);
    if (!range_within(setup_size, k->kernel_size, f->size))
        return err_config(e, "kernel '%s' is cut off: %llu bytes of %llu: copy the file again", path,
                          (unsigned long long)f->size, (unsigned long long)(setup_size + k->kernel_size));
    k->kernel = f->data + setup_size;
    return true;
}

/*
 * Where to load it. A preferred address below 1 MiB means none: then the first place of the right alignment.
 * There is nothing to gain from other places when it does not fit: RAM is in one piece from 1 MiB to the
 * hole, and a 64-bit kernel that finds itself below its preferred address moves up to it.
 */
static bool place(struct bzimage *k, const char *path, struct err *e)
{
    k->load = field(k, HDR_PREF_ADDRESS, 8);
    if (k->load < LAYOUT_HIGH_START) {
        uint64_t align = field(k, HDR_KERNEL_ALIGNMENT, 4);
        if (align == 0 || (align & (align - 1)))
            return err_config(
                e,
                "kernel '%s' has a damaged setup header (alignment 0x%llx is no power of two): copy the "
                "file again",
                path, (unsigned long long)align);
        k->load = align_up(LAYOUT_HIGH_START, align);
    }
    k->run_size = MAX(field(k, HDR_INIT_SIZE, 4), k->kernel_size);
    return true;
}

bool bzimage_parse(struct bzimage *k, const struct host_file *f, const char *path, struct err *e)
{
    *k = (struct bzimage){.setup = f->data};
    if (!check_header(k, f, path, e))
        return false;

    unsigned xloadflags = (unsigned)field(k, HDR_XLOADFLAGS, 2);
    if (!(xloadflags & XLF_KERNEL_64))
        return err_config(e, "kernel '%s' is a 32-bit kernel: give one for x86-64 (amd64)", path);
    if (!(field(k, HDR_LOADFLAGS, 1) & LOADFLAG_LOADED_HIGH))
        return err_config(e, "kernel '%s' is a zImage, which loads below 1 MiB: build a bzImage of it", path);
    if (!check_size(k, f, path, e) || !place(k, path, e))
        return false;

    k->initrd_max = field(k, HDR_INITRD_ADDR_MAX, 4);
    k->initrd_above_4g = xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G;
    k->cmdline_max = (uint32_t)MIN(field(k, HDR_CMDLINE_SIZE, 4), LAYOUT_CMDLINE_SIZE - 1);
    return true;
}
