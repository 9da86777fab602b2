/*
 * pvh.c: puts a PVH kernel and its start information into guest memory.
 */
#include "boot/pvh.h"
#include "boot/e820.h"
#include "boot/put.h"

#define START_MAGIC   0x336ec578u /* "xEn3" with the top bit of the E set */
#define START_VERSION 1u          /* the first with a memory map */

struct start_info {
    uint32_t magic, version, flags, modules;
    uint64_t module_list, cmdline, rsdp, memory_map;
    uint32_t memory_map_entries, reserved;
};
struct module_entry {
    uint64_t at, size, cmdline, reserved;
};
struct memory_entry {
    uint64_t addr, size;
    uint32_t type, reserved; /* types are those of E820 */
};

/* What lies in the page at LAYOUT_BOOT_INFO. */
struct info_page {
    struct start_info start;
    struct module_entry module;
    struct memory_entry memory[E820_MAX];
};
_Static_assert(sizeof(struct start_info) == 56 && sizeof(struct module_entry) == 32 &&
                   sizeof(struct memory_entry) == 24,
               "as public/arch-x86/hvm/start_info.h lays them out");
_Static_assert(sizeof(struct info_page) <= PAGE_SIZE, "the start information has one page");

bool pvh_check(const struct pvh_start *b, struct err *e)
{
    if (!segments_hold(&b->kernel->segments, b->kernel->pvh_entry))
        return err_config(e, "kernel '%s' has its PVH entry at 0x%llx, where it has nothing: build it again",
                          b->path, (unsigned long long)b->kernel->pvh_entry);
    if (strlen(b->cmdline) >= LAYOUT_CMDLINE_SIZE)
        return err_config(e, "--append has %zu characters; there is room for %u: shorten it",
                          strlen(b->cmdline), LAYOUT_CMDLINE_SIZE - 1);
    return true;
}

void pvh_load(struct mem *m, const struct layout *l, const struct pvh_start *b, const gpa_t *module_at,
              gpa_t rsdp, struct boot_entry *entry)
{
    struct e820_map map;
    e820_build(&map, l);
    struct info_page page = {
        .start =
            {
                .magic = START_MAGIC,
                .version = START_VERSION,
                .modules = b->modules,
                .module_list = b->modules ? LAYOUT_BOOT_INFO + offsetof(struct info_page, module) : 0,
                .cmdline = LAYOUT_CMDLINE,
                .rsdp = rsdp,
                .memory_map = LAYOUT_BOOT_INFO + offsetof(struct info_page, memory),
                .memory_map_entries = map.count,
            },
    };
    if (b->modules)
        page.module = (struct module_entry){.at = module_at[0], .size = b->module[0].file->size};
    for (unsigned i = 0; i < map.count; i++)
        page.memory[i] = (struct memory_entry){map.entry[i].addr, map.entry[i].size, map.entry[i].type, 0};

    boot_bios_data(m);
    segments_load(m, &b->kernel->segments);
    modules_load(m, module_at, b->module, b->modules);
    boot_put(m, LAYOUT_CMDLINE, b->cmdline, strlen(b->cmdline) + 1);
    boot_put(m, LAYOUT_BOOT_INFO, &page, sizeof(page));
    boot_protected_mode(m, entry);
    entry->rip = b->kernel->pvh_entry;
    entry->rbx = LAYOUT_BOOT_INFO;
}
