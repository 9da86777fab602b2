/*
 * boot/e820.h: the memory map that the guest is told (ACPI 6.0 section 15, INT 15h E820h).
 */
#ifndef BOOT_E820_H
#define BOOT_E820_H

#include "boot/layout.h"

/* ACPI 6.0 table 15-312. */
enum e820_type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4 };

/* The map's entry as it lies in memory: 20 bytes, packed. */
struct e820_entry {
    uint64_t addr;
    uint64_t size;
    uint32_t type;
} __attribute__((packed));

#define E820_MAX 16

struct e820_map {
    struct e820_entry entry[E820_MAX];
    unsigned count;
};

/* What a kernel that is started without firmware is told. Ascending, no overlap, no empty entry. */
void e820_build(struct e820_map *map, const struct layout *l);
/* What firmware is told, which places its own tables: the RAM that the board has, as if it had no hole at 640
 * KiB. */
void e820_build_for_firmware(struct e820_map *map, const struct layout *l);

#endif
