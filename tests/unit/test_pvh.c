/*
 * test_pvh.c: ELF kernels with a PVH entry, good and broken, and what a boot of one leaves in memory (Xen
 * docs/misc/pvh.pandoc, public/arch-x86/hvm/start_info.h).
 */
#include "boot/e820.h"
#include "kernel_files.h"

/* struct hvm_start_info */
enum {
    MAGIC = 0,
    VERSION = 4,
    MODULES = 12,
    MODULE_LIST = 16,
    CMDLINE = 24,
    RSDP = 32,
    MAP = 40,
    ENTRIES = 48
};

static void both_classes_are_understood(void **state)
{
    for (unsigned is64 = 0; is64 < 2; is64++) {
        uint8_t file[ELF_SIZE];
        struct kernel k;
        make_elf(file, is64);
        const struct host_file f = {file, sizeof(file)};
        assert_true(kernel_parse(&k, &f, "k", NULL));
        assert_int_equal(k.kind, KERNEL_PVH);
        assert_string_equal(kernel_words(&k), "PVH");
        assert_int_equal(kernel_entry(&k), ELF_PVH_ENTRY);
        assert_int_equal(k.elf.entry, ELF_ENTRY);
        assert_int_equal(k.elf.segments.count, 1);
        const struct boot_segment *s = &k.elf.segments.segment[0];
        assert_int_equal(s->at, ELF_LOAD);
        assert_int_equal(s->data_size, ELF_TEXT_SIZE);
        assert_int_equal(s->size, ELF_TEXT_SIZE + 0x1000);
        assert_ptr_equal(s->data, file + ELF_TEXT);
    }
}

/* Other notes in front, a descriptor of 8 bytes, and notes that are not it. */
static void note_is_found_among_others(void **state)
{
    static const struct {
        unsigned name_size;
        const char *name;
        unsigned desc_size, type;
        bool is;
    } rows[] = {
        {4, "Xen", 4, 18, true},  {4, "Xen", 8, 18, true},  {4, "Xen", 2, 18, false},
        {4, "Xen", 4, 17, false}, {4, "GNU", 4, 18, false}, {3, "Xen", 4, 18, false},
        {5, "Xen", 4, 18, false}, {0, "", 4, 18, false},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t file[ELF_SIZE], *n = file + ELF_NOTE;
        struct kernel k;
        make_elf(file, true);
        memset(n, 0, ELF_NOTE_SIZE);
        store_le(n, 4, 4); /* a note of another maker, 3 bytes */
        store_le(n + 4, 3, 4);
        store_le(n + 8, 18, 4);
        memcpy(n + 12, "GNU\0abc\0", 8);
        n += 20;
        store_le(n, rows[i].name_size, 4);
        store_le(n + 4, rows[i].desc_size, 4);
        store_le(n + 8, rows[i].type, 4);
        memcpy(n + 12, rows[i].name, strlen(rows[i].name));
        store_le(n + 16, ELF_PVH_ENTRY, 4);
        store_le(n + 20, 0, 4);
        store_le(elf_phdr(file, true, 1) + 32, 44, 8); /* p_filesz */
        const struct host_file f = {file, sizeof(file)};
        if (kernel_parse(&k, &f, "k", NULL) != rows[i].is)
            fail_msg("row %u", i);
    }
}

static void broken_files_are_refused_with_reason_and_path(void **state)
{
    enum { P0 = 64, P1 = 64 + 56 };
    static const struct spoiled rows[] = {
        {"cut off inside its ELF header", 4},
        {"cut off inside its ELF header", 51},
        {"cut off inside its ELF header", 63},
        {"program headers", 64},
        {"program headers", 64 + 2 * 56 - 1},
        {"lies beyond its end", ELF_NOTE},
        {"lies beyond its end", ELF_SIZE - 1},
        {"another kind of processor", 0, 4, 1, 3},
        {"another kind of processor", 0, 5, 1, 2}, /* big-endian */
        {"another kind of processor", 0, 18, 2, 183},
        {"fixed addresses", 0, 16, 2, 3},
        {"program headers", 0, 32, 8, UINT64_MAX},
        {"program headers", 0, 32, 8, UINT64_MAX - 111},
        {"program headers", 0, 54, 2, 32},
        {"program headers", 0, 56, 2, 0xffff},
        {"program headers", 0, 56, 2, 100},
        {"nothing to load", 0, 56, 2, 0},
        {"nothing to load", 0, P0, 4, 4},
        {"nothing to load", 0, P0, 4, 7},
        {"neither a multiboot header nor a PVH entry", 0, P1, 4, 7},
        {"neither a multiboot header nor a PVH entry", 0, ELF_NOTE, 4, 0xfffffff0},
        {"neither a multiboot header nor a PVH entry", 0, ELF_NOTE + 4, 4, 0xfffffff0},
        {"lies beyond its end", 0, P0 + 8, 8, UINT64_MAX},
        {"lies beyond its end", 0, P0 + 32, 8, UINT64_MAX},
        {"larger in the file", 0, P0 + 40, 8, ELF_TEXT_SIZE - 1},
        {"no memory", 0, P0 + 40, 8, UINT64_MAX}, /* wraps */
        {"no memory", 0, P0 + 40, 8, GIB(3)},
        {"--memory", 0, P0 + 40, 8, MIB(4)},
        {"no memory", 0, P0 + 24, 8, UINT64_MAX - ELF_TEXT_SIZE},
        {"PVH entry at 0x", 0, P0 + 24, 8, MIB(2)},
        {"PVH entry at 0x", 0, ELF_NOTE + 16, 4, ELF_LOAD + ELF_TEXT_SIZE + 0x1000},
    };
    uint8_t file[ELF_SIZE];
    make_elf(file, true);
    expect_refusals(file, sizeof(file), rows, ARRAY_LEN(rows));
}

static void segments_may_not_overlap(void **state)
{
    uint8_t file[ELF_SIZE];
    make_elf(file, true);
    elf_program(elf_phdr(file, true, 0), true, 1, ELF_TEXT, 0, ELF_LOAD, ELF_TEXT_SIZE, ELF_TEXT_SIZE);
    memcpy(file + ELF_NOTE + 0x40, file + ELF_NOTE, ELF_NOTE_SIZE); /* room for a third header */
    elf_program(elf_phdr(file, true, 1), true, 4, ELF_NOTE + 0x40, 0, 0, ELF_NOTE_SIZE, ELF_NOTE_SIZE);
    elf_program(elf_phdr(file, true, 2), true, 1, ELF_TEXT, 0, ELF_LOAD + ELF_TEXT_SIZE, 0x10, 0x10);
    store_le(file + 56, 3, 2);
    const struct host_file f = {file, sizeof(file)};
    struct kernel k;
    struct kernel_plan p;
    struct layout l;
    const struct kernel_start b = {.kernel = &k};
    assert_true(layout_init(&l, MIB(4), 39, NULL));
    assert_true(kernel_parse(&k, &f, "k", NULL));
    assert_true(kernel_plan(&p, &l, &b, NULL)); /* side by side */
    static const struct spoiled rows[] = {
        {"two segments", 0, 64 + 2 * 56 + 24, 8, ELF_LOAD + ELF_TEXT_SIZE - 1}};
    expect_refusals(file, sizeof(file), rows, 1);
}

static void more_segments_than_there_is_room_for_are_refused(void **state)
{
    static uint8_t file[64 + 40 * 56];
    make_elf(file, true);
    for (unsigned n = BOOT_SEGMENTS_MAX; n <= BOOT_SEGMENTS_MAX + 1; n++) {
        memset(file + 64, 0, sizeof(file) - 64);
        for (unsigned i = 0; i < n; i++)
            elf_program(elf_phdr(file, true, i), true, 1, 0, 0, ELF_LOAD + i * 16, 16, 16);
        store_le(file + 56, n, 2);
        const struct host_file f = {file, sizeof(file)};
        struct elf_image elf;
        struct err e = {0};
        assert_true(elf_parse(&elf, &f, "k", &e) == (n <= BOOT_SEGMENTS_MAX));
        assert_true(n <= BOOT_SEGMENTS_MAX || strstr(e.text, "more than 32"));
    }
}

static void start_info_says_where_everything_is(void **state)
{
    uint8_t file[ELF_SIZE], content[5000];
    struct kernel k;
    struct kernel_plan p;
    struct layout l;
    struct err e = {0};
    struct boot_entry entry;
    make_elf(file, true);
    memset(content, 0x77, sizeof(content));
    const struct host_file f = {file, sizeof(file)}, initrd = {content, sizeof(content)};
    const struct boot_module module = {&initrd, "/m/initrd", "/m/initrd"};
    const struct kernel_start b = {&k, "console=x", &module, 1};
    assert_true(layout_init(&l, MIB(4), 39, NULL));
    assert_true(kernel_parse(&k, &f, "k", &e));
    assert_true(kernel_plan(&p, &l, &b, &e));
    assert_int_equal(p.module_at[0], l.acpi_tables - 2 * PAGE_SIZE); /* as high as it can lie */
    struct mem *m = memory_of(&l);
    kernel_load(m, &l, &b, &p, 0xf0000, &entry);

    const gpa_t info = entry.rbx;
    assert_int_equal(peek(m, info + MAGIC, 4), 0x336ec578);
    assert_int_equal(peek(m, info + VERSION, 4), 1);
    assert_int_equal(peek(m, info + MODULES, 4), 1);
    gpa_t list = peek(m, info + MODULE_LIST, 8);
    assert_int_equal(peek(m, list, 8), p.module_at[0]);
    assert_int_equal(peek(m, list + 8, 8), sizeof(content));
    assert_int_equal(peek(m, list + 16, 8), 0);
    assert_memory_equal(mem_ptr(m, p.module_at[0], sizeof(content)), content, sizeof(content));
    assert_string_equal(mem_ptr(m, peek(m, info + CMDLINE, 8), 16), "console=x");
    assert_int_equal(peek(m, info + RSDP, 8), 0xf0000);
    struct e820_map map;
    e820_build(&map, &l);
    assert_int_equal(peek(m, info + ENTRIES, 4), map.count);
    gpa_t at = peek(m, info + MAP, 8);
    for (unsigned i = 0; i < map.count; i++) {
        assert_memory_equal(mem_ptr(m, at + 24 * i, 20), &map.entry[i], 20);
        assert_int_equal(peek(m, at + 24 * i + 20, 4), 0);
    }
    assert_memory_equal(mem_ptr(m, ELF_LOAD, ELF_TEXT_SIZE), file + ELF_TEXT, ELF_TEXT_SIZE);
    mem_free(m);

    /* pvh.pandoc: CR0.PE alone (and ET), CR4 0, flat segments, TR a 32-bit TSS with limit 0x67, no VM, IF,
     * TF. */
    struct x86_state s;
    memset(&s, 0, sizeof(s));
    x86_reset(&s, false, 0x806f8, true);
    boot_set_state(&entry, &s);
    assert_true((s.cr0 & ~CR0_ET) == CR0_PE);
    assert_int_equal(s.cr4, 0);
    assert_int_equal(s.rip, ELF_PVH_ENTRY);
    assert_int_equal(s.gpr[RBX], info);
    assert_int_equal(x86_rflags(&s), FL_ONE);
    assert_int_equal(s.seg[SEG_TR].limit, 0x67);
    assert_int_equal(s.seg[SEG_TR].attr & 0xf, SYS_TSS32_BUSY);
    for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
        assert_int_equal(s.seg[i].base, 0);
        assert_true(s.seg[i].limit == UINT32_MAX);
    }
}

static void overlong_command_line_is_refused(void **state)
{
    static char words[LAYOUT_CMDLINE_SIZE + 1];
    uint8_t file[ELF_SIZE];
    struct kernel k;
    struct kernel_plan p;
    struct layout l;
    struct err e = {0};
    make_elf(file, true);
    const struct host_file f = {file, sizeof(file)};
    struct kernel_start b = {.kernel = &k, .cmdline = words};
    assert_true(layout_init(&l, MIB(4), 39, NULL));
    assert_true(kernel_parse(&k, &f, "k", &e));
    memset(words, 'w', LAYOUT_CMDLINE_SIZE);
    assert_false(kernel_plan(&p, &l, &b, &e));
    assert_non_null(strstr(e.text, "--append"));
    words[LAYOUT_CMDLINE_SIZE - 1] = '\0';
    assert_true(kernel_plan(&p, &l, &b, &e));
}

static void no_file_breaks_the_loader(void **state)
{
    struct layout l;
    assert_true(layout_init(&l, MIB(4), 39, NULL));
    for (unsigned is64 = 0; is64 < 2; is64++) {
        uint8_t file[ELF_SIZE];
        make_elf(file, is64);
        assert_true(load_spoiled_files(file, sizeof(file), ELF_NOTE + ELF_NOTE_SIZE, 100000, &l) > 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_classes_are_understood),
        cmocka_unit_test(note_is_found_among_others),
        cmocka_unit_test(broken_files_are_refused_with_reason_and_path),
        cmocka_unit_test(segments_may_not_overlap),
        cmocka_unit_test(more_segments_than_there_is_room_for_are_refused),
        cmocka_unit_test(start_info_says_where_everything_is),
        cmocka_unit_test(overlong_command_line_is_refused),
        cmocka_unit_test(no_file_breaks_the_loader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
