/*
 * acpi_tables.c: builds and installs the ACPI tables; the RSDP, the XSDT, the FACS and the small tables
 * themselves.
 */
#include "boot/acpi/acpi_table.h"
#include "boot/put.h"
#include <stdlib.h>

#define OEM_ID       "TRAPEZ"
#define OEM_TABLE_ID "TRAPEZE "
#define CREATOR_ID   "TRPZ"

uint8_t acpi_checksum(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    while (n--)
        sum += *p++;
    return (uint8_t)-sum;
}

uint8_t *acpi_append(struct acpi_buf *b, size_t n)
{
    if (b->full || n > b->size - b->len) {
        b->full = true;
        return NULL;
    }
    uint8_t *p = b->buf + b->len;
    memset(p, 0, n);
    b->len += n;
    return p;
}

size_t acpi_begin(struct acpi_buf *b, const char signature[4], uint8_t revision, size_t size)
{
    acpi_append(b, align_up(b->len, 16) - b->len);
    size_t table = b->len;
    uint8_t *p = acpi_append(b, size);
    if (p) {
        memcpy(p, signature, 4);
        p[8] = revision;
        memcpy(p + 10, OEM_ID, 6);
        memcpy(p + 16, OEM_TABLE_ID, 8);
        store_le(p + 24, 1, 4); /* OEM revision */
        memcpy(p + 28, CREATOR_ID, 4);
        store_le(p + 32, 1, 4); /* creator revision */
    }
    return table;
}

gpa_t acpi_finish(struct acpi_buf *b, size_t table)
{
    if (b->full)
        return 0;
    uint8_t *p = b->buf + table;
    size_t length = b->len - table;
    store_le(p + 4, length, 4);
    p[9] = 0;
    p[9] = acpi_checksum(p, length);
    return b->base + table;
}

/* MADT, section 5.2.12: processors and interrupt controllers. */
enum {
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LAPIC_NMI = 4,
    MADT_X2APIC = 9,
    MADT_X2APIC_NMI = 10,
    MADT_PCAT_COMPAT = 1, /* there are two 8259s as well */
    MADT_ENABLED = 1,
    MPS_ACTIVE_HIGH_LEVEL = 0x000d,
    ALL_PROCESSORS = 0xff,
    ALL_PROCESSORS_X2 = 0xffffffff,
    FIRST_X2APIC_ID = 255, /* 255 is the xAPIC's broadcast */
};

static uint8_t *madt_entry(struct acpi_buf *b, uint8_t type, uint8_t length)
{
    uint8_t *p = acpi_append(b, length);
    if (p) {
        p[0] = type;
        p[1] = length;
    }
    return p;
}

static void madt_cpu(struct acpi_buf *b, uint32_t id)
{
    uint8_t *p;
    if (id < FIRST_X2APIC_ID) {
        if ((p = madt_entry(b, MADT_LAPIC, 8))) {
            p[2] = (uint8_t)id; /* processor UID: _UID in the DSDT */
            p[3] = (uint8_t)id;
            store_le(p + 4, MADT_ENABLED, 4);
        }
    } else if ((p = madt_entry(b, MADT_X2APIC, 16))) {
        store_le(p + 4, id, 4);
        store_le(p + 8, MADT_ENABLED, 4);
        store_le(p + 12, id, 4); /* processor UID */
    }
}

static void madt_override(struct acpi_buf *b, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    uint8_t *p = madt_entry(b, MADT_OVERRIDE, 10);
    if (p) {
        p[3] = irq; /* of bus 0, ISA */
        store_le(p + 4, gsi, 4);
        store_le(p + 8, flags, 2);
    }
}

gpa_t acpi_add_madt(struct acpi_buf *b, const struct acpi_config *cfg)
{
    size_t table = acpi_begin(b, "APIC", 4, ACPI_HEADER_SIZE + 8);
    uint8_t *p;
    if (!b->full) {
        store_le(b->buf + table + 36, LAYOUT_LAPIC, 4);
        store_le(b->buf + table + 40, MADT_PCAT_COMPAT, 4);
    }
    for (unsigned id = 0; id < cfg->cpus; id++)
        madt_cpu(b, id);
    if ((p = madt_entry(b, MADT_IOAPIC, 12)))
        store_le(p + 4, LAYOUT_IOAPIC, 4); /* id 0, first GSI 0 */
    madt_override(b, 0, 2, 0);
    madt_override(b, cfg->sci, cfg->sci, MPS_ACTIVE_HIGH_LEVEL);
    if ((p = madt_entry(b, MADT_LAPIC_NMI, 6))) {
        p[2] = ALL_PROCESSORS;
        p[5] = 1; /* LINT1 */
    }
    if (cfg->cpus > FIRST_X2APIC_ID && (p = madt_entry(b, MADT_X2APIC_NMI, 12))) {
        store_le(p + 4, ALL_PROCESSORS_X2, 4);
        p[8] = 1; /* LINT1 */
    }
    return acpi_finish(b, table);
}

/*
 * MCFG (PCI Firmware Specification 3.0 section 4.1.2): ECAM of segment 0, for the one bus that there is.
 * Linux looks for devices behind other root bridges on every bus that is named here, 16,000 accesses for 256
 * of them.
 */
gpa_t acpi_add_mcfg(struct acpi_buf *b)
{
    size_t table = acpi_begin(b, "MCFG", 1, ACPI_HEADER_SIZE + 8);
    uint8_t *p = acpi_append(b, 16);
    if (p) {
        store_le(p, LAYOUT_ECAM, 8);
        p[11] = 0; /* last bus */
    }
    return acpi_finish(b, table);
}

/* Section 5.2.5.3: the first checksum covers the 20 bytes of ACPI 1.0. */
static void build_rsdp(uint8_t p[ACPI_RSDP_SIZE], gpa_t xsdt)
{
    memset(p, 0, ACPI_RSDP_SIZE);
    memcpy(p, "RSD PTR ", 8);
    memcpy(p + 9, OEM_ID, 6);
    p[15] = 2;
    p[8] = acpi_checksum(p, 20);
    store_le(p + 20, ACPI_RSDP_SIZE, 4);
    store_le(p + 24, xsdt, 8);
    p[32] = acpi_checksum(p, ACPI_RSDP_SIZE);
}

/* Section 5.2.10: no global lock is taken, no wake vector is set, S4 is not supported. */
static void build_facs(uint8_t p[ACPI_FACS_SIZE])
{
    memset(p, 0, ACPI_FACS_SIZE);
    memcpy(p, "FACS", 4);
    store_le(p + 4, ACPI_FACS_SIZE, 4);
    p[32] = 2; /* version */
}

bool acpi_build(struct acpi_image *img, const struct acpi_config *cfg, const struct layout *l, struct err *e)
{
    enum { TABLES = 3 };
    struct acpi_buf b = {.buf = img->tables, .size = sizeof(img->tables), .base = l->acpi_tables};

    assert(cfg->pm1_event && cfg->pm1_control && cfg->pm_timer && cfg->smi_command && cfg->reset_port &&
           cfg->sci);
    if (cfg->cpus > ACPI_CPUS_MAX)
        return err_config(e, "--cpus %u: the ACPI tables have room for %u: give fewer", cfg->cpus,
                          ACPI_CPUS_MAX);
    size_t xsdt = acpi_begin(&b, "XSDT", 1, ACPI_HEADER_SIZE + 8 * TABLES);
    gpa_t xsdt_gpa = acpi_finish(&b, xsdt); /* the length is right from here on; the checksum follows below */
    size_t xsdt_len = b.len - xsdt;
    gpa_t dsdt = acpi_add_dsdt(&b, cfg);
    gpa_t table[TABLES] = {acpi_add_fadt(&b, cfg, l->acpi_nvs, dsdt), acpi_add_madt(&b, cfg),
                           acpi_add_mcfg(&b)};
    assert(!b.full);
    for (unsigned i = 0; i < TABLES; i++)
        store_le(b.buf + xsdt + ACPI_HEADER_SIZE + 8 * i, table[i], 8);
    b.buf[xsdt + 9] = 0;
    b.buf[xsdt + 9] = acpi_checksum(b.buf + xsdt, xsdt_len);
    img->size = b.len;
    build_facs(img->facs);
    build_rsdp(img->rsdp, xsdt_gpa);
    return true;
}

bool acpi_install(struct mem *m, const struct acpi_config *cfg, const struct layout *l, gpa_t *rsdp,
                  struct err *e)
{
    struct acpi_image *img = malloc(sizeof(*img));
    if (!img)
        return err_host(e, "no memory for the ACPI tables: free some");
    bool ok = acpi_build(img, cfg, l, e);
    if (ok) {
        boot_put(m, l->acpi_tables, img->tables, img->size);
        boot_put(m, l->acpi_nvs, img->facs, sizeof(img->facs));
        boot_put(m, LAYOUT_RSDP, img->rsdp, sizeof(img->rsdp));
        *rsdp = LAYOUT_RSDP;
    }
    free(img);
    return ok;
}
