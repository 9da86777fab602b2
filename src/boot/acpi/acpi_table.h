/*
 * boot/acpi/acpi_table.h: between the files that build the tables: a buffer that tables are appended to, and
 * the tables.
 */
#ifndef BOOT_ACPI_ACPI_TABLE_H
#define BOOT_ACPI_ACPI_TABLE_H

#include "boot/acpi/acpi.h"

#define ACPI_HEADER_SIZE 36u /* of every table but RSDP and FACS (ACPI 6.0 section 5.2.6) */

/* Tables one after the other, each aligned to 16 bytes; `full` once one did not fit. */
struct acpi_buf {
    uint8_t *buf;
    size_t len, size;
    gpa_t base; /* where buf[0] will lie */
    bool full;
};

/* Room for `n` zero bytes at the end, or NULL. */
uint8_t *acpi_append(struct acpi_buf *b, size_t n);

/* Start a table: `size` bytes, header included, all else zero. Returns its offset; when full the offset is
 * unusable. */
size_t acpi_begin(struct acpi_buf *b, const char signature[4], uint8_t revision, size_t size);
/* It ends where the buffer ends now: fill in length and checksum. Returns its guest physical address. */
gpa_t acpi_finish(struct acpi_buf *b, size_t table);

/* The byte that makes the sum of all `n` bytes 0 modulo 256, given that it is 0 now. */
uint8_t acpi_checksum(const uint8_t *p, size_t n);

gpa_t acpi_add_dsdt(struct acpi_buf *b, const struct acpi_config *cfg);
gpa_t acpi_add_fadt(struct acpi_buf *b, const struct acpi_config *cfg, gpa_t facs, gpa_t dsdt);
gpa_t acpi_add_madt(struct acpi_buf *b, const struct acpi_config *cfg);
gpa_t acpi_add_mcfg(struct acpi_buf *b);

#endif
