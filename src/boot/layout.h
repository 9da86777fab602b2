/*
 * boot/layout.h: the guest physical address space of the PC, in one place.
 *
 *   0x00000000  RAM, 640 KiB: BIOS data area, boot structures (below), from 0x9fc00 the EBDA
 *   0x000a0000  nothing (a display's window)
 *   0x000c0000  192 KiB of zeros, read only, where adapters would have ROMs: kernels look for those
 *   0x000f0000  64 KiB that the guest only reads, the BIOS area: RSDP
 *   0x00100000  RAM up to 3 GiB or the end of memory; its last 256 KiB hold the ACPI tables
 *   0xc0000000  512 MiB window for the BARs of PCI functions
 *   0xe0000000  256 MiB PCI configuration space (ECAM)
 *   0xfec00000  I/O APIC;  0xfed00000  kept free for an HPET;  0xfee00000  local APICs, MSIs
 *   up to 4 GiB  with firmware its ROM, whose end is seen below 1 MiB too, instead of the BIOS area
 *  0x100000000  the rest of RAM
 *
 * What a PC has of "memory" counts the 384 KiB below 1 MiB that no RAM answers to.
 */
#ifndef BOOT_LAYOUT_H
#define BOOT_LAYOUT_H

#include "base/base.h"
#include "mem/mem.h"

/* ---- below 1 MiB ---- */
#define LAYOUT_BDA          0x400u   /* BIOS data area: EBDA segment and base memory are filled in */
#define LAYOUT_GDT          0x1000u  /* boot GDT, one page */
#define LAYOUT_ZERO_PAGE    0x7000u  /* Linux: struct boot_params, one page */
#define LAYOUT_BOOT_INFO    0x7000u  /* others: multiboot information or PVH start info, one page */
#define LAYOUT_STACK_TOP    0x7000u  /* initial RSP, grows down to LAYOUT_GDT's page */
#define LAYOUT_PAGE_TABLES  0x9000u  /* six pages: PML4, PDPT, four page directories */
#define LAYOUT_CMDLINE      0x20000u /* kernel command line */
#define LAYOUT_CMDLINE_SIZE 0x10000u
#define LAYOUT_EBDA         0x9fc00u
#define LAYOUT_BASE_END     0xa0000u /* end of the first RAM range */
#define LAYOUT_ADAPTER_ROMS 0xc0000u
#define LAYOUT_BIOS         0xf0000u
#define LAYOUT_RSDP         0xf0000u /* where the legacy search finds it (ACPI 6.0 section 5.2.5.1) */
#define LAYOUT_HIGH_START   0x100000u

/* ---- the hole below 4 GiB ---- */
#define LAYOUT_HOLE            0xc0000000ull /* RAM below 4 GiB ends here at the latest */
#define LAYOUT_PCI_WINDOW      0xc0000000ull
#define LAYOUT_PCI_WINDOW_SIZE 0x20000000ull
#define LAYOUT_ECAM            0xe0000000ull
#define LAYOUT_ECAM_SIZE       0x10000000ull
#define LAYOUT_IOAPIC          0xfec00000ull
#define LAYOUT_HPET            0xfed00000ull
#define LAYOUT_LAPIC           0xfee00000ull
#define LAYOUT_ABOVE_4G        0x100000000ull
#define LAYOUT_ROM_MAX         0x800000ull /* 8 MiB: clear of the test device at 0xff000000 */
#define LAYOUT_ROM_LOW_MAX     0x20000ull  /* of it, below 1 MiB */

/* ---- at the end of the RAM below the hole ---- */
#define LAYOUT_ACPI_SIZE  0x3f000u /* tables: the system may take the memory back after reading them */
#define LAYOUT_ACPI_NVS   0x1000u  /* FACS: the system writes it, and keeps it */
#define LAYOUT_MEMORY_MIN 0x200000u

struct layout {
    uint64_t memory;   /* bytes asked for */
    gpa_t low_end;     /* end of RAM below the hole */
    gpa_t high_end;    /* end of RAM above 4 GiB; LAYOUT_ABOVE_4G when there is none */
    gpa_t acpi_tables; /* LAYOUT_ACPI_SIZE bytes */
    gpa_t acpi_nvs;    /* LAYOUT_ACPI_NVS bytes */
    uint64_t rom_size; /* 0: no firmware (boot/firmware.h sets it) */
};

/*
 * Lay out `memory` bytes for a guest whose processor has `phys_bits` physical address bits. ERR_CONFIG when
 * memory is no multiple of the page size, below 2 MiB, or beyond what phys_bits can address.
 */
bool layout_init(struct layout *l, uint64_t memory, unsigned phys_bits, struct err *e);

/* Megabytes of memory with which everything up to `end` and the ACPI tables would fit below the hole; more
 * than the hole's start has where none would do. */
uint64_t layout_memory_for(uint64_t end);

/* The ranges of memory that the machine adds, ascending: mem_add_rom for `rom`, mem_add_ram for others. */
struct layout_range {
    gpa_t gpa;
    uint64_t size;
    bool rom;
};
#define LAYOUT_MAX_RANGES 5
unsigned layout_ranges(const struct layout *l, struct layout_range out[LAYOUT_MAX_RANGES]);

#endif
