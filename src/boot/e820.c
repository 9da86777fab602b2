/*
 * e820.c: the memory map of a layout.
 */
#include "boot/e820.h"

static void add(struct e820_map *map, gpa_t from, gpa_t to, enum e820_type type)
{
    assert(from <= to && map->count < E820_MAX);
    if (from < to)
        map->entry[map->count++] = (struct e820_entry){from, to - from, type};
}

void e820_build(struct e820_map *map, const struct layout *l)
{
    map->count = 0;
    add(map, 0, LAYOUT_EBDA, E820_RAM);
    add(map, LAYOUT_EBDA, LAYOUT_BASE_END, E820_RESERVED);
    add(map, LAYOUT_BIOS, LAYOUT_HIGH_START, E820_RESERVED);
    add(map, LAYOUT_HIGH_START, l->acpi_tables, E820_RAM);
    add(map, l->acpi_tables, l->acpi_nvs, E820_ACPI);
    add(map, l->acpi_nvs, l->low_end, E820_NVS);
    add(map, LAYOUT_ECAM, LAYOUT_ECAM + LAYOUT_ECAM_SIZE, E820_RESERVED);
    add(map, LAYOUT_ABOVE_4G, l->high_end, E820_RAM);
}

void e820_build_for_firmware(struct e820_map *map, const struct layout *l)
{
    map->count = 0;
    add(map, 0, l->low_end, E820_RAM);
    add(map, LAYOUT_ABOVE_4G, l->high_end, E820_RAM);
}
