/*
 * test_acpi.c: the ACPI tables: encodings, checksums, structure, and what iasl makes of them (ACPI 6.0).
 */
#include "boot/acpi/acpi.h"
#include "boot/acpi/aml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct acpi_config config = {
    .cpus = 4,
    .pm1_event = 0x600,
    .pm1_control = 0x604,
    .pm_timer = 0x608,
    .gpe0 = 0x620,
    .gpe0_size = 4,
    .smi_command = 0xb2,
    .acpi_enable = 2,
    .acpi_disable = 3,
    .sci = 9,
    .s5_type = 5,
    .reset_port = 0xcf9,
    .reset_value = 6,
    .com = {{0x3f8, 4}, {0x2f8, 3}},
    .coms = 2,
    .keyboard = true,
    .mouse = true,
    .rtc_century = 0x32,
    .fwcfg = 0x510,
    .pci_window64 = GIB(64),
    .pci_window64_size = GIB(32),
};

struct built {
    struct acpi_image image;
    struct layout layout;
};

static struct built *build(const struct acpi_config *cfg)
{
    struct built *t = test_malloc(sizeof(*t));
    struct err e = {0};
    assert_true(layout_init(&t->layout, MIB(512), 39, &e));
    assert_true(acpi_build(&t->image, cfg, &t->layout, &e));
    return t;
}

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t s = 0;
    while (n--)
        s += *p++;
    return s;
}

/* The table at `gpa`, which must lie whole within the image. */
static const uint8_t *at(const struct built *t, uint64_t gpa, uint32_t *len)
{
    uint64_t offset = gpa - t->layout.acpi_tables;
    assert_true(range_within(offset, 36, t->image.size));
    const uint8_t *p = t->image.tables + offset;
    *len = (uint32_t)load_le(p + 4, 4);
    assert_true(range_within(offset, *len, t->image.size));
    return p;
}

/* Through RSDP and XSDT, as a system finds it; the DSDT through the FADT. */
static const uint8_t *find(const struct built *t, const char *signature, uint32_t *len)
{
    uint32_t n;
    const uint8_t *xsdt = at(t, load_le(t->image.rsdp + 24, 8), &n);
    assert_memory_equal(xsdt, "XSDT", 4);
    for (unsigned i = 36; i + 8 <= n; i += 8) {
        const uint8_t *p = at(t, load_le(xsdt + i, 8), len);
        if (memcmp(p, "FACP", 4) == 0 && strcmp(signature, "DSDT") == 0)
            p = at(t, load_le(p + 140, 8), len);
        if (memcmp(p, signature, 4) == 0)
            return p;
    }
    fail_msg("no %s", signature);
    return NULL;
}

/* ---- AML encodings ---- */

/* Section 20.2.3: the shortest form of each constant. */
static void integers_take_their_shortest_form(void **state)
{
    static const struct {
        uint64_t value;
        uint8_t bytes[9], n;
    } rows[] = {
        {0, {0x00}, 1},
        {1, {0x01}, 1},
        {2, {0x0a, 2}, 2},
        {0xff, {0x0a, 0xff}, 2},
        {0x100, {0x0b, 0, 1}, 3},
        {0xffff, {0x0b, 0xff, 0xff}, 3},
        {0x10000, {0x0c, 0, 0, 1, 0}, 5},
        {0xffffffff, {0x0c, 0xff, 0xff, 0xff, 0xff}, 5},
        {0x100000000, {0x0e, 0, 0, 0, 0, 1, 0, 0, 0}, 9},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t buf[16];
        struct aml a;
        aml_init(&a, buf, sizeof(buf));
        aml_integer(&a, rows[i].value);
        assert_int_equal(a.len, rows[i].n);
        assert_memory_equal(buf, rows[i].bytes, rows[i].n);
    }
}

/* Section 20.2.2: root prefix, dual and multi name paths, padding. */
static void names_are_encoded(void **state)
{
    static const struct {
        const char *path, *bytes;
        unsigned n;
    } rows[] = {
        {"_HID", "\x08_HID", 5},
        {"RTC", "\x08RTC_", 5},
        {"\\_S5", "\x08\\_S5_", 6},
        {"\\", "\x08\\\0", 3},
        {"_SB.PCI0", "\x08\x2e_SB_PCI0", 10},
        {"\\A.B.C",
         "\x08\\\x2f\x03"
         "A___B___C___",
         16},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t buf[32];
        struct aml a;
        aml_init(&a, buf, sizeof(buf));
        aml_name(&a, rows[i].path);
        assert_int_equal(a.len, rows[i].n);
        assert_memory_equal(buf, rows[i].bytes, rows[i].n);
    }
}

/* Section 19.3.4: the well-known compressed ids. */
static void eisa_ids_are_compressed(void **state)
{
    static const struct {
        const char *id;
        uint32_t value;
    } rows[] = {
        {"PNP0A03", 0x030ad041}, {"PNP0501", 0x0105d041}, {"PNP0C02", 0x020cd041}, {"ABCF09A", 0x9af04304}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t buf[8];
        struct aml a;
        aml_init(&a, buf, sizeof(buf));
        aml_eisaid(&a, rows[i].id);
        assert_int_equal(a.len, 5);
        assert_int_equal(buf[0], 0x0c);
        assert_int_equal(load_le(buf + 1, 4), rows[i].value);
    }
}

/* Section 20.2.4: decode what was encoded, around each change of the length of the length. */
static void package_lengths_count_themselves(void **state)
{
    static const unsigned contents[] = {6,    62,   63,      64,      4092,    4093,
                                        4094, 4095, 0xffffb, 0xffffc, 0xffffd, 0x100000};
    for (unsigned i = 0; i < ARRAY_LEN(contents); i++) {
        uint8_t *buf = test_malloc(contents[i] + 16);
        struct aml a;
        aml_init(&a, buf, contents[i] + 16);
        aml_scope(&a, "ABCD");
        for (unsigned n = 4; n < contents[i]; n++)
            aml_integer(&a, 1);
        aml_end(&a);
        assert_false(a.full);

        unsigned more = buf[1] >> 6;
        size_t length = buf[1] & (more ? 0x0f : 0x3f);
        for (unsigned k = 0; k < more; k++)
            length |= (size_t)buf[2 + k] << (4 + 8 * k);
        assert_int_equal(length, a.len - 1);
        assert_int_equal(length, contents[i] + 1 + more);
        assert_memory_equal(buf + 2 + more, "ABCD\1", 5);
        if (more > 0) /* one byte less would not have done */
            assert_true(contents[i] + more >= (more == 1 ? 64u : 1u << (4 + 8 * (more - 1))));
        test_free(buf);
    }
}

static void full_buffer_is_reported_and_not_overrun(void **state)
{
    for (size_t size = 0; size < 12; size++) {
        uint8_t *buf = malloc(size ? size : 1);
        struct aml a;
        aml_init(&a, buf, size);
        aml_device(&a, "ABCD");
        aml_resources(&a);
        aml_res_irq(&a, 4);
        aml_end(&a);
        aml_end(&a);
        assert_true(a.full);
        assert_true(a.len <= size);
        free(buf);
    }
}

/* ---- tables ---- */

static void checksums_are_right(void **state)
{
    struct built *t = build(&config);
    static const char *const names[] = {"FACP", "DSDT", "APIC", "MCFG"};
    uint32_t len;
    const uint8_t *xsdt = at(t, load_le(t->image.rsdp + 24, 8), &len);
    assert_int_equal(sum(xsdt, len), 0);
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        const uint8_t *p = find(t, names[i], &len);
        assert_int_equal(sum(p, len), 0);
        assert_int_equal((uintptr_t)(p - t->image.tables) % 16, 0);
        assert_memory_equal(p + 10, "TRAPEZTRAPEZE ", 14);
    }
    assert_memory_equal(t->image.rsdp, "RSD PTR ", 8);
    assert_int_equal(sum(t->image.rsdp, 20), 0);
    assert_int_equal(sum(t->image.rsdp, 36), 0);
    assert_int_equal(t->image.rsdp[15], 2);
    test_free(t);
}

/* Section 5.2.9, table 5-34, and 4.8: the fixed hardware is where the chip is. */
static void fadt_describes_the_fixed_hardware(void **state)
{
    struct built *t = build(&config);
    uint32_t len;
    const uint8_t *p = find(t, "FACP", &len);
    const struct {
        unsigned offset, size;
        uint64_t value;
    } rows[] = {
        {8, 1, 6},
        {36, 4, t->layout.acpi_nvs},
        {46, 2, 9},
        {48, 4, 0xb2},
        {52, 1, 2},
        {53, 1, 3},
        {56, 4, 0x600},
        {64, 4, 0x604},
        {76, 4, 0x608},
        {80, 4, 0x620},
        {88, 1, 4},
        {89, 1, 2},
        {91, 1, 4},
        {92, 1, 4},
        {108, 1, 0x32},
        {109, 2, 0x7},   /* legacy devices, 8042, no VGA */
        {112, 4, 0x525}, /* WBINVD, C1, no sleep button, 32-bit timer, reset */
        {116, 4, 0x01000801},
        {120, 8, 0xcf9},
        {128, 1, 6},
        {132, 8, 0},
        {148, 4, 0x02002001},
        {152, 8, 0x600},
        {172, 4, 0x02001001},
        {176, 8, 0x604},
        {208, 4, 0x03002001},
        {212, 8, 0x608},
        {220, 4, 0x01002001},
        {224, 8, 0x620},
    };
    assert_int_equal(len, 276);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        if (load_le(p + rows[i].offset, rows[i].size) != rows[i].value)
            fail_msg("offset %u: 0x%llx", rows[i].offset,
                     (unsigned long long)load_le(p + rows[i].offset, rows[i].size));
    assert_int_equal(load_le(p + 40, 4), load_le(p + 140, 8));
    assert_int_equal(t->layout.acpi_nvs % 64, 0);
    assert_memory_equal(t->image.facs, "FACS\x40\0\0\0", 8);
    test_free(t);
}

/* Section 5.2.12: entry counts by type; x2APIC entries for ids from 255 on. */
static void madt_lists_processors_and_overrides(void **state)
{
    static const struct {
        unsigned cpus, lapic, x2apic, x2_nmi;
    } rows[] = {{1, 1, 0, 0}, {4, 4, 0, 0}, {255, 255, 0, 0}, {256, 255, 1, 1}, {300, 255, 45, 1}};
    for (unsigned r = 0; r < ARRAY_LEN(rows); r++) {
        struct acpi_config cfg = config;
        cfg.cpus = rows[r].cpus;
        struct built *t = build(&cfg);
        uint32_t len;
        const uint8_t *p = find(t, "APIC", &len);
        assert_int_equal(load_le(p + 36, 4), 0xfee00000);
        assert_int_equal(load_le(p + 40, 4), 1);
        unsigned n[16] = {0}, o = 44;
        for (; o < len; o += p[o + 1]) {
            const uint8_t *s = p + o;
            assert_true(s[0] < ARRAY_LEN(n) && s[1] >= 2 && o + s[1] <= len);
            if (s[0] == 0) {
                assert_int_equal(s[1], 8);
                assert_int_equal(s[2], n[0]);
                assert_int_equal(s[3], n[0]);
                assert_int_equal(load_le(s + 4, 4), 1);
            } else if (s[0] == 1) {
                assert_int_equal(load_le(s + 4, 4), 0xfec00000);
                assert_int_equal(load_le(s + 8, 4), 0);
            } else if (s[0] == 2) {
                assert_memory_equal(s + 2, n[2] ? "\0\x09\x09\0\0\0\x0d\0" : "\0\0\x02\0\0\0\0\0", 8);
            } else if (s[0] == 4) {
                assert_memory_equal(s + 2, "\xff\0\0\1", 4);
            } else if (s[0] == 9) {
                assert_int_equal(s[1], 16);
                assert_int_equal(load_le(s + 4, 4), 255 + n[9]);
                assert_int_equal(load_le(s + 8, 4), 1);
                assert_int_equal(load_le(s + 12, 4), 255 + n[9]);
            }
            n[s[0]]++;
        }
        assert_int_equal(o, len);
        assert_int_equal(n[0], rows[r].lapic);
        assert_int_equal(n[1], 1);
        assert_int_equal(n[2], 2);
        assert_int_equal(n[4], 1);
        assert_int_equal(n[9], rows[r].x2apic);
        assert_int_equal(n[10], rows[r].x2_nmi);
        test_free(t);
    }
}

/* One bus, in a range that is reserved for 256. */
static void mcfg_names_the_bus(void **state)
{
    struct built *t = build(&config);
    uint32_t len;
    const uint8_t *p = find(t, "MCFG", &len);
    assert_int_equal(len, 60);
    assert_int_equal(load_le(p + 44, 8), LAYOUT_ECAM);
    assert_int_equal(load_le(p + 52, 8), 0);
    test_free(t);
}

static void processor_count_is_bounded(void **state)
{
    struct acpi_config cfg = config;
    cfg.cpus = ACPI_CPUS_MAX;
    struct built *t = build(&cfg);
    struct err e = {0};
    cfg.cpus++;
    assert_false(acpi_build(&t->image, &cfg, &t->layout, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, "--cpus 4097"));
    test_free(t);
}

static void tables_are_installed_where_they_point(void **state)
{
    struct layout l;
    struct err e = {0};
    struct mem *m = mem_new();
    struct layout_range r[LAYOUT_MAX_RANGES];
    assert_true(layout_init(&l, MIB(512), 39, &e));
    unsigned n = layout_ranges(&l, r);
    for (unsigned i = 0; i < n; i++)
        assert_true((r[i].rom ? mem_add_rom : mem_add_ram)(m, r[i].gpa, r[i].size, &e));
    gpa_t rsdp;
    assert_true(acpi_install(m, &config, &l, &rsdp, &e));
    const uint8_t *p = mem_ptr(m, rsdp, 36);
    assert_memory_equal(p, "RSD PTR ", 8);
    const uint8_t *xsdt = mem_ptr(m, load_le(p + 24, 8), 60);
    assert_memory_equal(xsdt, "XSDT", 4);
    const uint8_t *fadt = mem_ptr(m, load_le(xsdt + 36, 8), 276);
    assert_memory_equal(fadt, "FACP", 4);
    assert_memory_equal(mem_ptr(m, load_le(fadt + 36, 4), 64), "FACS", 4);
    assert_memory_equal(mem_ptr(m, load_le(fadt + 40, 4), 36), "DSDT", 4);
    mem_free(m);
}

/* ---- the referee ---- */

struct text {
    char bytes[1 << 18];
    size_t len;
};

/* What a command prints, standard error included; its exit status. */
static int run(const char *command, struct text *out)
{
    FILE *f = popen(command, "r");
    assert_non_null(f);
    out->len = fread(out->bytes, 1, sizeof(out->bytes) - 1, f);
    out->bytes[out->len] = 0;
    return pclose(f);
}

static void save(const char *dir, const char *name, const uint8_t *p, size_t n)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s.dat", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void must_contain(const struct text *t, const char *const *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!strstr(t->bytes, words[i]))
            fail_msg("no '%s' in:\n%s", words[i], t->bytes);
}

/* iasl takes every table apart without complaint, and what it read compiles to the same without complaint. */
static void iasl_finds_no_fault(void **state)
{
    struct text *out = test_malloc(sizeof(*out));
    if (run("command -v iasl", out) != 0) {
        print_message("iasl (Debian: acpica-tools) is not installed: the tables are not disassembled\n");
        test_free(out);
        skip();
    }
    char dir[] = "/tmp/trapeze-acpi-XXXXXX", command[512];
    assert_non_null(mkdtemp(dir));
    struct built *t = build(&config);
    static const char *const names[] = {"FACP", "APIC", "MCFG", "DSDT"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        uint32_t len;
        const uint8_t *p = find(t, names[i], &len);
        save(dir, names[i], p, len);
        snprintf(command, sizeof(command), "cd %s && iasl -d %s.dat 2>&1", dir, names[i]);
        assert_int_equal(run(command, out), 0);
        static const char *const complaints[] = {"Error", "Warning", "rror:", "nvalid", "ncorrect", "nknown"};
        for (unsigned k = 0; k < ARRAY_LEN(complaints); k++)
            if (strstr(out->bytes, complaints[k]))
                fail_msg("iasl -d %s says: %s", names[i], out->bytes);
        snprintf(command, sizeof(command), "cd %s && iasl -p again %s.dsl 2>&1", dir, names[i]);
        int status = run(command, out);
        if (status != 0 || (i == 3 && !strstr(out->bytes, "0 Errors, 0 Warnings")))
            fail_msg("iasl %s.dsl says: %s", names[i], out->bytes);
    }
    snprintf(command, sizeof(command), "cat %s/DSDT.dsl", dir);
    assert_int_equal(run(command, out), 0);
    static const char *const dsdt[] = {
        "Name (\\_S5, Package (0x04)",
        "Device (C003)",
        "\"ACPI0007\"",
        "PNP0A08",
        "PNP0A03",
        "Device (COM2)",
        "0x03F8",
        "PNP0B00",
        "PNP0303",
        "PNP0F13",
        "PNP0C02",
        "0xE0000000",
        "_PRT",
        "Package (0x80)",
        "0x001FFFFF",
        "WordBusNumber",
        "0x0CF7",
        "0x0D00",
        "DWordMemory",
        "QWordMemory",
        "0x0000001000000000",
        "Device (FWCF)",
        "\"QEMU0002\"",
        "0x0510",
    };
    must_contain(out, dsdt, ARRAY_LEN(dsdt));
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(run(command, out), 0);
    test_free(t);
    test_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_take_their_shortest_form),
        cmocka_unit_test(names_are_encoded),
        cmocka_unit_test(eisa_ids_are_compressed),
        cmocka_unit_test(package_lengths_count_themselves),
        cmocka_unit_test(full_buffer_is_reported_and_not_overrun),
        cmocka_unit_test(checksums_are_right),
        cmocka_unit_test(fadt_describes_the_fixed_hardware),
        cmocka_unit_test(madt_lists_processors_and_overrides),
        cmocka_unit_test(mcfg_names_the_bus),
        cmocka_unit_test(processor_count_is_bounded),
        cmocka_unit_test(tables_are_installed_where_they_point),
        cmocka_unit_test(iasl_finds_no_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
