/*
 * bzimage.c: checks a Linux kernel image and reads what it asks for.
 *
 * A bzImage is a boot sector, `setup_sects` sectors of real-mode code with the setup header across the border
 * of the first two, and the protected-mode part, which alone is loaded here: its entries need no real-mode
 * code. A signature may follow at the end.
 *
 * The header has grown with the versions of the protocol. A field that this header's version has not is never
 * read; it has the value that boot.rst names for that case.
 */
#include "boot/bzimage.h"
#include "boot/layout.h"
#include "boot/linux_params.h"

static uint64_t field(const struct bzimage *k, unsigned offset, unsigned size)
{
    return load_le(k->setup + offset, size);
}

/* A field that came with `version` of the protocol, or what its absence means. */
static uint64_t field_since(const struct bzimage *k, unsigned version, unsigned offset, unsigned size,
                            uint64_t absent)
{
    bool there = field(k, HDR_VERSION, 2) >= version && offset + size <= k->header_end;
    return there ? field(k, offset, size) : absent;
}

bool bzimage_is(const struct host_file *f)
{
    return f->size >= HDR_MAGIC + 4 && load_le(f->data + HDR_BOOT_FLAG, 2) == HDR_BOOT_FLAG_VALUE &&
           load_le(f->data + HDR_MAGIC, 4) == HDR_MAGIC_VALUE;
}

/* What a header of that version holds at least: each version that we read fields of. */
static unsigned header_end_min(unsigned version)
{
    return version >= HDR_VERSION_64BIT ? HDR_END_2_12 : HDR_END_2_04;
}

/* Is this a Linux image at all, with a header that lies wholly in the file? */
static bool check_header(struct bzimage *k, const struct host_file *f, const char *path, struct err *e)
{
    if (f->size == 0)
        return err_config(e, "kernel '%s' is empty: give a Linux bzImage (vmlinuz)", path);
    if (!bzimage_is(f))
        return err_config(e,
                          "kernel '%s' is of no kind that can be started: %s; --kernel takes a Linux bzImage "
                          "(vmlinuz), a multiboot kernel, or "
                          "an ELF file with a PVH entry",
                          path, bzimage_guess(f->data, f->size));
    if (f->size < HDR_END_MAX)
        return err_config(e,
                          "kernel '%s' is cut off inside its setup header (%llu bytes): copy the file again",
                          path, (unsigned long long)f->size);

    unsigned version = (unsigned)field(k, HDR_VERSION, 2);
    if (version < HDR_VERSION_MIN)
        return err_config(
            e, "kernel '%s' has boot protocol %u.%u; 2.4 is needed: give a kernel of Linux 2.6.14 or later",
            path, version >> 8, version & 0xff);

    /* The header ends where the jump at 0x200 goes (boot.rst, "the kernel header"). */
    k->header_end = HDR_MAGIC + (unsigned)field(k, HDR_JUMP + 1, 1);
    if (k->header_end < header_end_min(version) || k->header_end > HDR_END_MAX)
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
    k->setup_size = (uint32_t)setup_size;
    return true;
}

/*
 * Where to load it. A preferred address below 1 MiB means none: then the first place of the right alignment.
 * There is nothing to gain from other places when it does not fit: RAM is in one piece from 1 MiB to the
 * hole, and a kernel that finds itself below its preferred address moves up to it.
 */
static bool place(struct bzimage *k, const char *path, struct err *e)
{
    k->load = field_since(k, 0x20a, HDR_PREF_ADDRESS, 8, 0);
    if (k->load < LAYOUT_HIGH_START) {
        uint64_t align = field_since(k, 0x205, HDR_KERNEL_ALIGNMENT, 4, LAYOUT_HIGH_START);
        if (align == 0 || (align & (align - 1)))
            return err_config(
                e,
                "kernel '%s' has a damaged setup header (alignment 0x%llx is no power of two): copy the "
                "file again",
                path, (unsigned long long)align);
        /* What cannot be moved lies where all kernels once lay. */
        bool movable = field_since(k, 0x205, HDR_RELOCATABLE, 1, 0);
        k->load = movable ? align_up(LAYOUT_HIGH_START, align) : LAYOUT_HIGH_START;
    }
    k->run_size = MAX(field_since(k, 0x20a, HDR_INIT_SIZE, 4, 0), k->kernel_size);
    return true;
}

bool bzimage_parse(struct bzimage *k, const struct host_file *f, const char *path, struct err *e)
{
    *k = (struct bzimage){.setup = f->data};
    if (!check_header(k, f, path, e))
        return false;

    if (!(field(k, HDR_LOADFLAGS, 1) & LOADFLAG_LOADED_HIGH))
        return err_config(e, "kernel '%s' is a zImage, which loads below 1 MiB: build a bzImage of it", path);
    if (!check_size(k, f, path, e) || !place(k, path, e))
        return false;

    unsigned xloadflags = (unsigned)field_since(k, HDR_VERSION_64BIT, HDR_XLOADFLAGS, 2, 0);
    k->entry64 = xloadflags & XLF_KERNEL_64;
    k->initrd_above_4g = k->entry64 && xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G;
    k->initrd_max = field(k, HDR_INITRD_ADDR_MAX, 4);
    k->cmdline_max = (uint32_t)MIN(field_since(k, 0x206, HDR_CMDLINE_SIZE, 4, 255), LAYOUT_CMDLINE_SIZE - 1);
    return true;
}
