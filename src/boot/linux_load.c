/*
 * linux_load.c: writes a planned Linux boot into guest memory: kernel, initrd, command line and zero page.
 */
#include "boot/boot.h"
#include "boot/e820.h"
#include "boot/linux_params.h"
#include "boot/put.h"

static void put_zero_page(struct mem *m, const struct layout *l, const struct boot_linux *b,
                          const struct boot_plan *p, gpa_t rsdp)
{
    uint8_t page[BOOT_PARAMS_SIZE] = {0};
    const struct bzimage *k = b->kernel;

    memcpy(page + HDR_SETUP_SECTS, k->setup + HDR_SETUP_SECTS, k->header_end - HDR_SETUP_SECTS);
    store_le(page + HDR_VID_MODE, HDR_VID_NORMAL, 2);
    page[HDR_TYPE_OF_LOADER] = HDR_LOADER_UNKNOWN;
    store_le(page + HDR_CODE32_START, p->kernel, 4);
    store_le(page + HDR_SETUP_DATA, 0, 8);
    store_le(page + HDR_CMD_LINE_PTR, LAYOUT_CMDLINE, 4);
    store_le(page + BP_EXT_CMD_LINE_PTR, 0, 4);
    store_le(page + HDR_RAMDISK_IMAGE, p->initrd, 4);
    store_le(page + BP_EXT_RAMDISK_IMAGE, p->initrd >> 32, 4);
    store_le(page + HDR_RAMDISK_SIZE, p->initrd_size, 4);
    store_le(page + BP_EXT_RAMDISK_SIZE, p->initrd_size >> 32, 4);
    store_le(page + BP_ACPI_RSDP_ADDR, rsdp, 8);

    struct e820_map map;
    e820_build(&map, l);
    _Static_assert(E820_MAX <= BOOT_E820_MAX, "the map fits the zero page");
    page[BP_E820_ENTRIES] = (uint8_t)map.count;
    memcpy(page + BP_E820_TABLE, map.entry, map.count * sizeof(map.entry[0]));

    boot_put(m, LAYOUT_ZERO_PAGE, page, sizeof(page));
}

void boot_linux_load(struct mem *m, const struct layout *l, const struct boot_linux *b,
                     const struct boot_plan *p, gpa_t rsdp, struct boot_entry *entry)
{
    boot_bios_data(m);
    boot_put(m, p->kernel, b->kernel->kernel, b->kernel->kernel_size);
    if (p->initrd_size)
        boot_put(m, p->initrd, b->initrd->data, p->initrd_size);
    boot_put(m, LAYOUT_CMDLINE, b->cmdline ? b->cmdline : "", p->cmdline_len + 1);
    put_zero_page(m, l, b, p, rsdp);
    if (b->kernel->entry64) {
        boot_long_mode(m, entry);
        entry->rip = p->kernel + BOOT_ENTRY64_OFFSET;
    } else {
        boot_protected_mode(m, entry);
        entry->rip = p->kernel;
    }
    entry->rsi = LAYOUT_ZERO_PAGE;
}
