/*
 * firmware.h: what the loader and the firmware tell: boot_params (Linux zero-page.rst) and ACPI tables
 * (ACPI 6.4, 5.2).
 */
#ifndef GUEST_FIRMWARE_H
#define GUEST_FIRMWARE_H

#include "cpu.h"

struct e820_entry {
    uint64_t start, size;
    uint32_t type;
} __attribute__((packed));
#define E820_RAM 1

/* The byte in boot_params at this offset. */
const uint8_t *boot_params_at(unsigned offset);
unsigned e820_count(void);
const struct e820_entry *e820_get(unsigned i);
/* The command line, "" where there is none. */
const char *boot_cmdline(void);

struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

struct acpi_fadt {
    struct acpi_header h;
    uint32_t facs, dsdt;
    uint8_t model, profile;
    uint16_t sci_int;
    uint32_t smi_cmd;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate;
    uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
    uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len;
    uint8_t rest[16];
    uint16_t iapc_boot_arch;
    uint8_t reserved;
    uint32_t flags;
    uint8_t reset_register[12];
    uint8_t reset_value;
} __attribute__((packed));

struct madt_ioapic {
    uint8_t type, length, id, reserved;
    uint32_t address, gsi_base;
} __attribute__((packed));
struct madt_override {
    uint8_t type, length, bus, source;
    uint32_t gsi;
    uint16_t flags;
} __attribute__((packed));

/* The table with this signature, its checksum found right; NULL: none. "DSDT" by way of the FADT. */
const void *acpi_table(const char *signature);
/* The n-th MADT entry of this type, NULL: no more. */
const void *acpi_madt_entry(uint8_t type, unsigned n);
/* The FADT; without one the image fails. */
const struct acpi_fadt *acpi_fadt(void);
/* The PM timer (24 or 32 bits at 3579545 Hz), its low 24 bits. */
#define PM_TIMER_HZ 3579545
uint32_t pm_timer(void);
/* SLP_TYPa and b of \_S5 in the DSDT's AML; false: there is none. */
bool acpi_s5_types(unsigned *a, unsigned *b);

#endif
