/*
 * test_multiboot.c: multiboot kernels, good and broken, and what a boot of one leaves in memory (Multiboot
 * Specification 0.6.96).
 */
#include "boot/e820.h"
#include "kernel_files.h"

#include <stdio.h>

enum { INFO_FLAGS = 0, INFO_CMDLINE = 16, INFO_MODS = 20, INFO_MMAP = 44, INFO_NAME = 64 };

static void flat_kernel_is_understood(void **state)
{
    uint8_t file[FLAT_SIZE];
    struct kernel k;
    make_flat(file);
    const struct host_file f = {file, sizeof(file)};
    assert_true(kernel_parse(&k, &f, "k", NULL));
    assert_int_equal(k.kind, KERNEL_MULTIBOOT);
    assert_string_equal(kernel_words(&k), "multiboot, address fields");
    assert_int_equal(k.multiboot.segments.count, 1);
    const struct boot_segment *s = &k.multiboot.segments.segment[0];
    assert_int_equal(s->at, 0x100000);
    assert_int_equal(s->data_size, FLAT_SIZE);
    assert_int_equal(s->size, FLAT_SIZE + 0x800);
    assert_ptr_equal(s->data, file);
    assert_int_equal(k.multiboot.entry, FLAT_ENTRY);

    /* No load_end_addr: the whole file. No bss_end_addr: nothing behind it. */
    store_le(file + FLAT_HEADER + 20, 0, 4);
    store_le(file + FLAT_HEADER + 24, 0, 4);
    assert_true(kernel_parse(&k, &f, "k", NULL));
    assert_int_equal(s->data_size, FLAT_SIZE);
    assert_int_equal(s->size, FLAT_SIZE);

    /* Loaded from the middle of the file: the header is the first thing in memory. */
    store_le(file + FLAT_HEADER + 12, 0x100000, 4);
    store_le(file + FLAT_HEADER + 28, 0x100020, 4);
    assert_true(kernel_parse(&k, &f, "k", NULL));
    assert_ptr_equal(s->data, file + FLAT_HEADER);
    assert_int_equal(s->data_size, FLAT_SIZE - FLAT_HEADER);
}

static void elf_kernel_is_entered_at_a_physical_address(void **state)
{
    for (unsigned is64 = 0; is64 < 2; is64++) {
        uint8_t file[ELF_SIZE];
        struct kernel k;
        make_elf(file, is64);
        put_multiboot_header(file + ELF_TEXT, 3);
        const struct host_file f = {file, sizeof(file)};
        assert_true(kernel_parse(&k, &f, "k", NULL));
        assert_int_equal(k.kind, KERNEL_MULTIBOOT); /* although it has a PVH entry */
        assert_string_equal(kernel_words(&k), "multiboot, ELF");
        assert_int_equal(k.multiboot.entry, ELF_ENTRY);
        assert_int_equal(k.multiboot.segments.segment[0].at, ELF_LOAD);
    }
}

/* Section 3.1: within the first 8192 bytes, at a multiple of 4, with the right sum. */
static void header_is_found_where_it_may_be(void **state)
{
    static const struct {
        unsigned at;
        bool found;
    } rows[] = {{0, true}, {4, true}, {8180, true}, {2, false}, {8184, false}, {8192, false}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t file[16384] = {0};
        put_multiboot_header(file + rows[i].at, 0);
        const struct host_file f = {file, sizeof(file)};
        assert_true(multiboot_is(&f) == rows[i].found);
        file[rows[i].at + 8]++;
        assert_false(multiboot_is(&f));
    }
}

static void demands_that_cannot_be_met_are_named(void **state)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        uint8_t file[FLAT_SIZE];
        struct kernel k;
        struct err e = {0};
        char number[24];
        make_flat(file);
        put_multiboot_header(file + FLAT_HEADER, 0x10000 | 1u << bit);
        const struct host_file f = {file, sizeof(file)};
        bool taken = kernel_parse(&k, &f, "/some/kernel", &e);
        assert_true(taken == (bit < 2 || bit >= 16));
        snprintf(number, sizeof(number), "bit %u of", bit);
        if (!taken && (e.kind != ERR_CONFIG || !strstr(e.text, bit == 2 ? "video mode (bit 2" : number) ||
                       !strstr(e.text, "'/some/kernel'")))
            fail_msg("bit %u says: %s", bit, e.text);
    }
}

static void broken_files_are_refused_with_reason_and_path(void **state)
{
    enum { H = FLAT_HEADER };
    static const struct spoiled rows[] = {
        {"cut off inside its multiboot header", H + 12},
        {"cut off inside its multiboot header", H + 31},
        {"cut off", H + 32},
        {"cut off", FLAT_SIZE - 1},
        {"lies elsewhere", 0, H + 12, 4, 0xfffff}, /* header_addr below load_addr */
        {"lies elsewhere", 0, H + 16, 4, 0xfffff}, /* more in front of the header than there is */
        {"load_end_addr", 0, H + 20, 4, 0xfffff},  /* ends before it begins */
        {"load_end_addr", 0, H + 20, 4, 0x100000 + FLAT_SIZE + 1}, /* more than the file */
        {"load_end_addr", 0, H + 20, 4, UINT32_MAX},
        {"bss_end_addr", 0, H + 24, 4, 0x100000 + FLAT_SIZE - 1},
        {"entered at", 0, H + 28, 4, 0xfffff},
        {"entered at", 0, H + 28, 4, 0x100000 + FLAT_SIZE + 0x800},
        {"--memory", 0, H + 24, 4, 0x500000}, /* larger than 4 MiB have room for */
        {"where a PC has no memory", 0, H + 24, 4, 0xd0000000},
        {"where a PC has no memory", 0, H + 24, 4, UINT32_MAX},
    };
    uint8_t file[FLAT_SIZE];
    make_flat(file);
    expect_refusals(file, sizeof(file), rows, ARRAY_LEN(rows));

    /* Neither address fields nor ELF. */
    static const struct spoiled none[] = {{"no ELF file", 0, 0, 1, 0}};
    put_multiboot_header(file + FLAT_HEADER, 3);
    expect_refusals(file, sizeof(file), none, 1);
}

/* Low memory is free for a kernel but where the machine itself puts something. */
static void low_memory_is_free_but_for_what_is_there(void **state)
{
    static const struct {
        uint32_t at;
        const char *says; /* NULL: taken */
    } rows[] = {
        {0x2000, NULL},
        {0x10000, NULL},
        {0x30000, NULL},
        {LAYOUT_EBDA - FLAT_SIZE - 0x800, NULL},
        {LAYOUT_EBDA - FLAT_SIZE - 0x7ff, "not all memory"},
        {0xa0000, "not all memory"},
        {0xff000, "not all memory"},
        {0x400, "BIOS data area"},
        {LAYOUT_GDT - 0x100, "boot GDT"},
        {LAYOUT_BOOT_INFO + 0x800, "boot information"},
        {LAYOUT_CMDLINE, "command line"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t file[FLAT_SIZE];
        make_flat(file);
        for (unsigned field = 0; field < 5; field++) {
            uint8_t *p = file + FLAT_HEADER + 12 + 4 * field;
            store_le(p, load_le(p, 4) - 0x100000 + rows[i].at, 4);
        }
        const struct host_file f = {file, sizeof(file)};
        struct kernel k;
        struct kernel_plan p;
        struct layout l;
        struct err e = {0};
        const struct kernel_start b = {.kernel = &k};
        assert_true(layout_init(&l, MIB(4), 39, NULL));
        assert_true(kernel_parse(&k, &f, "k", &e));
        bool taken = kernel_plan(&p, &l, &b, &e);
        if (taken != !rows[i].says || (!taken && !strstr(e.text, rows[i].says)))
            fail_msg("0x%x: %s", rows[i].at, e.text);
    }
}

static void modules_lie_behind_the_kernel_page_by_page(void **state)
{
    uint8_t file[FLAT_SIZE], content[5000];
    struct kernel k;
    struct kernel_plan p;
    struct layout l;
    struct err e = {0};
    struct boot_entry entry;
    make_flat(file);
    memset(content, 0x77, sizeof(content));
    const struct host_file f = {file, sizeof(file)}, one = {content, 5000}, two = {content, 10};
    const struct boot_module module[] = {{&one, "/m/one", "/m/one a b"}, {&two, "/m/two", "/m/two"}};
    const struct kernel_start b = {&k, "root=x", module, 2};
    assert_true(layout_init(&l, MIB(4), 39, NULL));
    assert_true(kernel_parse(&k, &f, "/k/kernel", &e));
    assert_true(kernel_plan(&p, &l, &b, &e));
    assert_int_equal(p.module_at[0], 0x101000);
    assert_int_equal(p.module_at[1], 0x103000);
    struct mem *m = memory_of(&l);
    kernel_load(m, &l, &b, &p, 0, &entry);

    assert_int_equal(entry.rax, 0x2badb002);
    assert_int_equal(entry.rip, FLAT_ENTRY);
    const gpa_t info = entry.rbx;
    assert_int_equal(peek(m, info + INFO_FLAGS, 4), 0x24d);
    assert_int_equal(peek(m, info + 4, 4), 639);
    assert_int_equal(peek(m, info + 8, 4), (l.acpi_tables - MIB(1)) >> 10);
    assert_string_equal(mem_ptr(m, peek(m, info + INFO_CMDLINE, 4), 32), "/k/kernel root=x");
    assert_int_equal(peek(m, info + INFO_MODS, 4), 2);
    gpa_t mods = peek(m, info + INFO_MODS + 4, 4);
    assert_int_equal(peek(m, mods, 4), 0x101000);
    assert_int_equal(peek(m, mods + 4, 4), 0x101000 + 5000);
    assert_string_equal(mem_ptr(m, peek(m, mods + 8, 4), 32), "/m/one a b");
    assert_int_equal(peek(m, mods + 16, 4), 0x103000);
    assert_int_equal(peek(m, mods + 20, 4), 0x103000 + 10);
    assert_string_equal(mem_ptr(m, peek(m, mods + 24, 4), 32), "/m/two");
    assert_memory_equal(mem_ptr(m, 0x101000, 5000), content, 5000);
    assert_int_equal(peek(m, 0x103000 + 9, 2), 0x77);
    assert_memory_equal(mem_ptr(m, 0x100000, FLAT_SIZE), file, FLAT_SIZE);

    struct e820_map map;
    e820_build(&map, &l);
    assert_int_equal(peek(m, info + INFO_MMAP, 4), map.count * 24);
    gpa_t mmap = peek(m, info + INFO_MMAP + 4, 4);
    for (unsigned i = 0; i < map.count; i++) {
        assert_int_equal(peek(m, mmap + i * 24, 4), 20);
        assert_memory_equal(mem_ptr(m, mmap + i * 24 + 4, 20), &map.entry[i], 20);
    }
    assert_string_equal(mem_ptr(m, peek(m, info + INFO_NAME, 4), 16), "Trapeze");
    mem_free(m);
}

static void too_much_beside_the_kernel_names_what_would_do(void **state)
{
    uint8_t file[FLAT_SIZE];
    struct kernel k;
    struct kernel_plan p;
    struct layout l;
    struct err e = {0};
    static char words[LAYOUT_CMDLINE_SIZE];
    make_flat(file);
    const struct host_file f = {file, sizeof(file)};
    assert_true(kernel_parse(&k, &f, "k", &e));
    assert_true(layout_init(&l, MIB(4), 39, NULL));

    const struct host_file large = {NULL, MIB(3)}, huge = {NULL, UINT64_MAX - 4};
    struct boot_module module[] = {{&large, "/m/large", "x"}, {&large, "/m/large", "x"}};
    struct kernel_start b = {&k, NULL, module, 2};
    assert_false(kernel_plan(&p, &l, &b, &e));
    const char *mend = strstr(e.text, "--memory ");
    assert_non_null(mend);
    assert_int_equal(e.kind, ERR_CONFIG);
    uint64_t enough = MIB(strtoull(mend + strlen("--memory "), NULL, 10));
    assert_true(layout_init(&l, enough, 39, NULL));
    assert_true(kernel_plan(&p, &l, &b, &e));
    assert_true(layout_init(&l, enough - MIB(1), 39, NULL));
    assert_false(kernel_plan(&p, &l, &b, &e));

    module[1].file = &huge;
    assert_false(kernel_plan(&p, &l, &b, &e));
    assert_non_null(strstr(e.text, "any memory"));

    b.modules = 0;
    memset(words, 'w', sizeof(words) - 1);
    b.cmdline = words;
    assert_false(kernel_plan(&p, &l, &b, &e));
    assert_non_null(strstr(e.text, "--append"));
    b.cmdline = words + 3; /* "k", a space, an end */
    assert_true(kernel_plan(&p, &l, &b, &e));
}

static void no_file_breaks_the_loader(void **state)
{
    uint8_t flat[FLAT_SIZE], elf[ELF_SIZE];
    struct layout l;
    assert_true(layout_init(&l, MIB(4), 39, NULL));
    make_flat(flat);
    make_elf(elf, false);
    put_multiboot_header(elf + ELF_TEXT, 3);
    assert_true(load_spoiled_files(flat, sizeof(flat), FLAT_HEADER + 32, 100000, &l) > 1000);
    assert_true(load_spoiled_files(elf, sizeof(elf), ELF_NOTE + ELF_NOTE_SIZE, 100000, &l) > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flat_kernel_is_understood),
        cmocka_unit_test(elf_kernel_is_entered_at_a_physical_address),
        cmocka_unit_test(header_is_found_where_it_may_be),
        cmocka_unit_test(demands_that_cannot_be_met_are_named),
        cmocka_unit_test(broken_files_are_refused_with_reason_and_path),
        cmocka_unit_test(low_memory_is_free_but_for_what_is_there),
        cmocka_unit_test(modules_lie_behind_the_kernel_page_by_page),
        cmocka_unit_test(too_much_beside_the_kernel_names_what_would_do),
        cmocka_unit_test(no_file_breaks_the_loader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
