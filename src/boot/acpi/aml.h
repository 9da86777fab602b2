/*
 * boot/acpi/aml.h: emits ACPI Machine Language, the byte code of the DSDT (ACPI 6.0 chapter 20).
 *
 * Objects that contain others are opened and closed (aml_scope ... aml_end); the length that stands in front
 * of their contents is written when they are closed. Paths are dot-separated names of up to four characters,
 * padded with '_' here; a leading '\' starts at the root.
 *
 * The buffer is the caller's. When it is full, `full` is set and nothing more is written; look at it once at
 * the end. Nesting deeper than AML_DEPTH, or closing what is not open, is a bug of the caller.
 */
#ifndef BOOT_ACPI_AML_H
#define BOOT_ACPI_AML_H

#include "base/base.h"

#define AML_DEPTH 8

struct aml {
    uint8_t *buf;
    size_t len, size;
    bool full;
    unsigned depth;
    struct {
        size_t start;   /* where the package length goes */
        bool resources; /* a resource template: its buffer size goes there too */
    } open[AML_DEPTH];
};

void aml_init(struct aml *a, uint8_t *buf, size_t size);

/* ---- objects with contents; each is closed by aml_end ---- */

void aml_scope(struct aml *a, const char *path);
void aml_device(struct aml *a, const char *path);
/* Followed by exactly `count` data objects. */
void aml_package(struct aml *a, uint8_t count);
/* ResourceTemplate; only the aml_res_* calls below inside. */
void aml_resources(struct aml *a);
void aml_end(struct aml *a);

/* ---- named objects and data ---- */

/* Name (path, <the next data object>). */
void aml_name(struct aml *a, const char *path);
void aml_integer(struct aml *a, uint64_t value);
void aml_string(struct aml *a, const char *s);
/* EISAID ("PNP0A03"): three letters and four hexadecimal digits (ACPI 6.0 section 19.3.4). */
void aml_eisaid(struct aml *a, const char *id);

/* ---- resource descriptors (ACPI 6.0 section 6.4) ---- */

/* Ports [base, base+count), fixed, 16-bit decode. */
void aml_res_io(struct aml *a, uint16_t base, uint8_t count);
/* An ISA interrupt 0 to 15: edge, active high, exclusive. */
void aml_res_irq(struct aml *a, unsigned irq);
void aml_res_memory32_fixed(struct aml *a, uint32_t base, uint32_t size);
/* What a host bridge passes on, [first, last] inclusive. */
void aml_res_bus_window(struct aml *a, uint16_t first, uint16_t last);
void aml_res_io_window(struct aml *a, uint16_t first, uint16_t last);
void aml_res_memory_window32(struct aml *a, uint32_t first, uint32_t last);
void aml_res_memory_window64(struct aml *a, uint64_t first, uint64_t last);

#endif
