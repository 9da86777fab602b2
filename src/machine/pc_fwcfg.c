/*
 * pc_fwcfg.c: tells fw_cfg what machine this is, and hands it the files that the machine was started with.
 *
 * Of a Linux image the two parts are separate items, as a boot loader wants them; any other kernel is one
 * item, the whole file. Addresses are where a kernel has been put; with firmware, which puts it itself, where
 * it may go.
 */
#include "machine/pc_impl.h"

#define SETUP_ADDR 0x10000u /* the real-mode part's place (boot.rst, "Memory layout") */

static void set_blob(struct fwcfg *f, enum fwcfg_key data_key, enum fwcfg_key size_key, const void *data,
                     uint64_t size)
{
    fwcfg_set(f, data_key, data, (uint32_t)size);
    fwcfg_set_number(f, size_key, size, 4);
}

static void fill_linux(struct fwcfg *f, const struct bzimage *k, const struct boot_plan *p)
{
    set_blob(f, FWCFG_SETUP_DATA, FWCFG_SETUP_SIZE, k->setup, k->setup_size);
    fwcfg_set_number(f, FWCFG_SETUP_ADDR, SETUP_ADDR, 4);
    set_blob(f, FWCFG_KERNEL_DATA, FWCFG_KERNEL_SIZE, k->kernel, k->kernel_size);
    fwcfg_set_number(f, FWCFG_KERNEL_ADDR, p->kernel, 4);
}

static void fill_kernel(struct pc *pc)
{
    struct fwcfg *f = &pc->fwcfg;
    const struct pc_boot *b = &pc->boot;
    const char *cmdline = b->start.cmdline ? b->start.cmdline : "";
    bool is_linux = b->kernel.kind == KERNEL_LINUX;

    if (is_linux) {
        fill_linux(f, &b->kernel.linux_image, &b->plan.linux_plan);
    } else {
        set_blob(f, FWCFG_KERNEL_DATA, FWCFG_KERNEL_SIZE, b->kernel_file.data, b->kernel_file.size);
        fwcfg_set_number(f, FWCFG_KERNEL_ENTRY, kernel_entry(&b->kernel), 4);
    }
    if (b->start.modules == 1) {
        set_blob(f, FWCFG_INITRD_DATA, FWCFG_INITRD_SIZE, b->module_file[0].data, b->module_file[0].size);
        fwcfg_set_number(f, FWCFG_INITRD_ADDR, is_linux ? b->plan.linux_plan.initrd : b->plan.module_at[0],
                         4);
    }
    set_blob(f, FWCFG_CMDLINE_DATA, FWCFG_CMDLINE_SIZE, cmdline, strlen(cmdline) + 1);
    fwcfg_set_number(f, FWCFG_CMDLINE_ADDR, LAYOUT_CMDLINE, 4);
}

void pc_fwcfg_fill(struct pc *pc)
{
    static const uint8_t no_uuid[16];
    /* What a guest without a kernel from outside must find: sizes of 0. */
    static const enum fwcfg_key sizes[] = {FWCFG_KERNEL_SIZE, FWCFG_INITRD_SIZE, FWCFG_CMDLINE_SIZE,
                                           FWCFG_SETUP_SIZE};
    struct fwcfg *f = &pc->fwcfg;
    struct e820_map *map = &pc->boot.firmware_map;

    fwcfg_set(f, FWCFG_UUID, no_uuid, sizeof(no_uuid));
    fwcfg_set_number(f, FWCFG_RAM_SIZE, pc->cfg.memory, 8);
    fwcfg_set_number(f, FWCFG_NOGRAPHIC, 1, 2);
    fwcfg_set_number(f, FWCFG_NB_CPUS, pc->cfg.cpus, 2);
    fwcfg_set_number(f, FWCFG_MAX_CPUS, pc->cfg.cpus, 2);
    fwcfg_set_number(f, FWCFG_BOOT_MENU, 0, 2);
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
        fwcfg_set_number(f, sizes[i], 0, 4);
    if (pc->cfg.kernel)
        fill_kernel(pc);
    e820_build_for_firmware(map, &pc->layout);
    fwcfg_add_file(f, "etc/e820", map->entry, map->count * (uint32_t)sizeof(map->entry[0]));
}
