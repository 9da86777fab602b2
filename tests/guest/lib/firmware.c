/*
 * firmware.c: boot_params, and the ACPI tables found from the RSDP.
 */
#include "firmware.h"
#include "frame.h"

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt, length;
    uint64_t xsdt;
} __attribute__((packed));

const uint8_t *boot_params_at(unsigned offset)
{
    return (const uint8_t *)entry_state.boot_params + offset;
}

unsigned e820_count(void)
{
    return *boot_params_at(BP_E820_ENTRIES);
}

const struct e820_entry *e820_get(unsigned i)
{
    return (const struct e820_entry *)boot_params_at(BP_E820_TABLE) + i;
}

const char *boot_cmdline(void)
{
    uint32_t low = *(const uint32_t *)boot_params_at(0x228);
    uint32_t high = *(const uint32_t *)boot_params_at(0x0c8); /* ext_cmd_line_ptr */
    uint64_t p = (uint64_t)high << 32 | low;
    return p ? (const char *)p : "";
}

static bool sums_to_zero(const void *p, uint32_t n)
{
    const uint8_t *b = p;
    uint8_t sum = 0;
    while (n--)
        sum = (uint8_t)(sum + *b++);
    return sum == 0;
}

static bool is_rsdp(const struct rsdp *r)
{
    return !memcmp(r->signature, "RSD PTR ", 8) && sums_to_zero(r, 20);
}

/* ACPI 6.4, 5.2.5.1: from the loader, else in the first KiB of the EBDA, else from 0xe0000. */
static const struct rsdp *find_rsdp(void)
{
    const struct rsdp *given = (const struct rsdp *)*(const uint64_t *)boot_params_at(BP_ACPI_RSDP);
    if (given && is_rsdp(given))
        return given;
    uint64_t ebda_segment_at = 0x40e;
    asm("" : "+r"(ebda_segment_at)); /* gcc takes low addresses for null pointers */
    uint64_t ebda = (uint64_t) * (const uint16_t *)ebda_segment_at << 4;
    for (uint64_t a = ebda; ebda && a < ebda + 1024; a += 16)
        if (is_rsdp((const struct rsdp *)a))
            return (const struct rsdp *)a;
    for (uint64_t a = 0xe0000; a < 0x100000; a += 16)
        if (is_rsdp((const struct rsdp *)a))
            return (const struct rsdp *)a;
    return NULL;
}

static bool table_is(const struct acpi_header *h, const char *signature)
{
    return h && !memcmp(h->signature, signature, 4) && sums_to_zero(h, h->length);
}

const void *acpi_table(const char *signature)
{
    if (!memcmp(signature, "DSDT", 4)) {
        const struct acpi_fadt *f = acpi_fadt();
        const struct acpi_header *h = (const struct acpi_header *)(uint64_t)f->dsdt;
        return table_is(h, "DSDT") ? h : NULL;
    }
    const struct rsdp *r = find_rsdp();
    if (!r)
        return NULL;
    bool wide = r->revision >= 2 && r->xsdt;
    const struct acpi_header *root = (const struct acpi_header *)(wide ? r->xsdt : r->rsdt);
    if (!table_is(root, wide ? "XSDT" : "RSDT"))
        return NULL;
    const uint8_t *list = (const uint8_t *)(root + 1);
    unsigned step = wide ? 8 : 4;
    for (unsigned i = 0; i < (root->length - sizeof(*root)) / step; i++) {
        const uint8_t *at = list + i * step;
        const struct acpi_header *h =
            (const struct acpi_header *)(wide ? *(const uint64_t *)at : *(const uint32_t *)at);
        if (table_is(h, signature))
            return h;
    }
    return NULL;
}

const void *acpi_madt_entry(uint8_t type, unsigned n)
{
    const struct acpi_header *h = acpi_table("APIC");
    if (!h)
        return NULL;
    const uint8_t *p = (const uint8_t *)(h + 1) + 8, *end = (const uint8_t *)h + h->length;
    for (; p + 2 <= end && p[1] >= 2; p += p[1])
        if (p[0] == type && n-- == 0)
            return p;
    return NULL;
}

const struct acpi_fadt *acpi_fadt(void)
{
    const struct acpi_fadt *f = acpi_table("FACP");
    if (!f) {
        print("no FADT, or its checksum is wrong\n");
        exit_fail(EXIT_CHECK);
    }
    return f;
}

uint32_t pm_timer(void)
{
    static uint16_t port;
    if (!port)
        port = (uint16_t)acpi_fadt()->pm_tmr;
    return inl(port) & 0xffffff;
}

/* An AML integer of _S5's package: ZeroOp, OneOp, BytePrefix or a bare small constant (ACPI 6.4, 20.2.3). */
static const uint8_t *aml_small(const uint8_t *p, unsigned *v)
{
    if (*p == 0x0a) {
        *v = p[1];
        return p + 2;
    }
    *v = *p;
    return p + 1;
}

bool acpi_s5_types(unsigned *a, unsigned *b)
{
    const struct acpi_header *h = acpi_table("DSDT");
    if (!h)
        return false;
    const uint8_t *p = (const uint8_t *)(h + 1), *end = (const uint8_t *)h + h->length;
    for (; p + 8 < end; p++) {
        if (memcmp(p, "_S5_", 4) || p[4] != 0x12) /* NameString, PackageOp */
            continue;
        p += 5;
        p += (*p >> 6) + 1; /* PkgLength */
        p = aml_small(p + 1, a);
        aml_small(p, b);
        return true;
    }
    return false;
}
