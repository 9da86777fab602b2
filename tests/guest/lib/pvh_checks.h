/*
 * pvh_checks.h: what every PVH image checks: registers, start information. images.json gives the command line
 * "one \"two three\"" and an initrd.
 */
#ifndef GUEST_PVH_CHECKS_H
#define GUEST_PVH_CHECKS_H

#include "pvh.h"

#define COMMAND_LINE "one \"two three\""
#define INITRD       "the initial RAM disk"

static void check_registers(void)
{
    const struct entry_32_state *s = &loader_state;
    CHECK_EQ(s->cr0 & ~0x10u, CR0_PE); /* ET may be fixed */
    CHECK_EQ(s->cr4, 0);
    CHECK_EQ(s->eflags & (FLAG_IF | FLAG_VM | FLAG_TF), 0);
}

static void check_memory_map(const struct pvh_start_info *p)
{
    extern const char image_start[], memory_end[];
    const struct pvh_memory *map = (const struct pvh_memory *)p->memory_map;
    bool image_in_ram = false;
    uint64_t ram = 0;

    CHECK(p->memory_map_entries >= 2);
    for (unsigned i = 0; i < p->memory_map_entries; i++) {
        CHECK(map[i].size != 0);
        CHECK_EQ(map[i].reserved, 0);
        if (i)
            CHECK(map[i].addr >= map[i - 1].addr + map[i - 1].size);
        if (map[i].type != E820_RAM)
            continue;
        ram += map[i].size;
        if (map[i].addr <= (uint64_t)image_start && map[i].addr + map[i].size >= (uint64_t)memory_end)
            image_in_ram = true;
    }
    CHECK(image_in_ram);
    CHECK(ram > 120 << 20 && ram <= 128 << 20);
}

static void check_pvh(void)
{
    const struct pvh_start_info *p = (const struct pvh_start_info *)(uint64_t)loader_state.ebx;
    check_registers();
    CHECK_EQ(p->magic, PVH_MAGIC);
    CHECK_EQ(p->version, 1);
    CHECK_EQ(p->flags, 0);
    check_memory_map(p);
    CHECK(!memcmp((const char *)p->cmdline, COMMAND_LINE, sizeof(COMMAND_LINE)));
    CHECK_EQ(p->modules, 1);
    const struct pvh_module *m = (const struct pvh_module *)p->module_list;
    CHECK_EQ(m->size, sizeof(INITRD) - 1);
    CHECK(!memcmp((const char *)m->at, INITRD, sizeof(INITRD) - 1));
    CHECK(!memcmp((const char *)p->rsdp, "RSD PTR ", 8));
}

#endif
