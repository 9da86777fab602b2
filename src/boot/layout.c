/*
 * layout.c: how an amount of memory is spread over the guest physical address space.
 */
#include "boot/layout.h"

bool layout_init(struct layout *l, uint64_t memory, unsigned phys_bits, struct err *e)
{
    if (memory & ~PAGE_MASK)
        return err_config(e, "--memory of %llu bytes is not a multiple of 4096: give whole megabytes (512M)",
                          (unsigned long long)memory);
    if (memory < LAYOUT_MEMORY_MIN)
        return err_config(e, "--memory of %llu KiB is less than the 2 MiB that a PC needs: give more",
                          (unsigned long long)(memory >> 10));

    uint64_t low = MIN(memory, LAYOUT_HOLE), end;
    if (!add_u64(LAYOUT_ABOVE_4G, memory - low, &end) || (phys_bits < 64 && end > BIT(phys_bits)))
        return err_config(
            e,
            "--memory of %llu MiB does not fit in the %u bits of physical address that the guest's "
            "processor has: give less",
            (unsigned long long)(memory >> 20), phys_bits);
    *l = (struct layout){
        .memory = memory,
        .low_end = low,
        .high_end = end,
        .acpi_tables = low - LAYOUT_ACPI_NVS - LAYOUT_ACPI_SIZE,
        .acpi_nvs = low - LAYOUT_ACPI_NVS,
    };
    return true;
}

uint64_t layout_memory_for(uint64_t end)
{
    uint64_t all;
    return add_u64(end, LAYOUT_ACPI_SIZE + LAYOUT_ACPI_NVS + MIB(1) - 1, &all) ? all >> 20 : UINT64_MAX;
}

unsigned layout_ranges(const struct layout *l, struct layout_range out[LAYOUT_MAX_RANGES])
{
    unsigned n = 0;
    out[n++] = (struct layout_range){0, LAYOUT_BASE_END, false};
    uint64_t bios =
        l->rom_size ? MIN(l->rom_size, LAYOUT_ROM_LOW_MAX) : LAYOUT_HIGH_START - LAYOUT_ADAPTER_ROMS;
    out[n++] = (struct layout_range){LAYOUT_HIGH_START - bios, bios, true};
    out[n++] = (struct layout_range){LAYOUT_HIGH_START, l->low_end - LAYOUT_HIGH_START, false};
    if (l->rom_size)
        out[n++] = (struct layout_range){LAYOUT_ABOVE_4G - l->rom_size, l->rom_size, true};
    if (l->high_end > LAYOUT_ABOVE_4G)
        out[n++] = (struct layout_range){LAYOUT_ABOVE_4G, l->high_end - LAYOUT_ABOVE_4G, false};
    return n;
}
