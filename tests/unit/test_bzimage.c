/*
 * test_bzimage.c: kernel images, good and broken, and what a boot of one leaves in memory (Linux
 * Documentation/arch/x86/boot.rst).
 */
#include "boot/boot.h"
#include "boot/e820.h"
#include "boot/linux_params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    SETUP_SECTS = 3,
    SETUP_SIZE = (SETUP_SECTS + 1) * 512,
    KERNEL_SIZE = 0x2000,
    IMAGE_SIZE = SETUP_SIZE + KERNEL_SIZE,
    SIGNATURE_SIZE = 0x40,
};

/* A small kernel that asks for 16 MiB + 48 MiB, as Debian's do. */
struct image {
    uint8_t bytes[IMAGE_SIZE + SIGNATURE_SIZE];
    struct host_file file;
};

static void make(struct image *i)
{
    static const struct {
        unsigned offset, size;
        uint64_t value;
    } fields[] = {
        {HDR_SETUP_SECTS, 1, SETUP_SECTS},
        {HDR_SYSSIZE, 4, KERNEL_SIZE / 16},
        {HDR_BOOT_FLAG, 2, 0xaa55},
        {HDR_JUMP, 2, 0x6aeb},
        {HDR_MAGIC, 4, 0x53726448},
        {HDR_VERSION, 2, 0x020f},
        {HDR_LOADFLAGS, 1, 1},
        {HDR_CODE32_START, 4, 0x100000},
        {HDR_INITRD_ADDR_MAX, 4, 0x7fffffff},
        {HDR_KERNEL_ALIGNMENT, 4, 0x200000},
        {HDR_RELOCATABLE, 1, 1},
        {HDR_XLOADFLAGS, 2, 0x7f},
        {HDR_CMDLINE_SIZE, 4, 2047},
        {HDR_PREF_ADDRESS, 8, 0x1000000},
        {HDR_INIT_SIZE, 4, 0x3000000},
    };
    memset(i->bytes, 0, sizeof(i->bytes));
    for (unsigned k = 0; k < ARRAY_LEN(fields); k++)
        store_le(i->bytes + fields[k].offset, fields[k].value, fields[k].size);
    for (unsigned k = 0; k < KERNEL_SIZE; k++)
        i->bytes[SETUP_SIZE + k] = (uint8_t)(k * 7 + 1);
    i->bytes[0] = 'M';
    i->bytes[1] = 'Z';
    i->file = (struct host_file){i->bytes, sizeof(i->bytes)};
}

static void good_image_is_understood(void **state)
{
    struct image i;
    struct bzimage k;
    struct err e = {0};
    make(&i);
    assert_true(bzimage_parse(&k, &i.file, "vmlinuz", &e));
    assert_int_equal(k.header_end, 0x26c);
    assert_ptr_equal(k.kernel, i.bytes + SETUP_SIZE);
    assert_int_equal(k.kernel_size, KERNEL_SIZE);
    assert_int_equal(k.load, 0x1000000);
    assert_int_equal(k.run_size, 0x3000000);
    assert_int_equal(k.initrd_max, 0x7fffffff);
    assert_true(k.initrd_above_4g);
    assert_true(k.entry64);
    assert_int_equal(k.setup_size, SETUP_SIZE);
    assert_int_equal(k.cmdline_max, 2047);
}

static void smaller_choices_are_followed(void **state)
{
    struct image i;
    struct bzimage k;
    make(&i);
    store_le(i.bytes + HDR_PREF_ADDRESS, 0, 8);           /* none: first aligned place from 1 MiB */
    store_le(i.bytes + HDR_INIT_SIZE, 16, 4);             /* less than what is loaded */
    store_le(i.bytes + HDR_XLOADFLAGS, XLF_KERNEL_64, 2); /* nothing above 4 GiB */
    store_le(i.bytes + HDR_CMDLINE_SIZE, UINT32_MAX, 4);
    assert_true(bzimage_parse(&k, &i.file, "vmlinuz", NULL));
    assert_int_equal(k.load, 0x200000);
    assert_int_equal(k.run_size, KERNEL_SIZE);
    assert_false(k.initrd_above_4g);
    assert_int_equal(k.cmdline_max, LAYOUT_CMDLINE_SIZE - 1);

    /* setup_sects 0 means 4 */
    i.bytes[HDR_SETUP_SECTS] = 0;
    store_le(i.bytes + HDR_SYSSIZE, (KERNEL_SIZE - 512) / 16, 4);
    assert_true(bzimage_parse(&k, &i.file, "vmlinuz", NULL));
    assert_ptr_equal(k.kernel, i.bytes + 5 * 512);
}

/* A header that ends before a field, or is older than it, has the field's value of old (boot.rst). */
static void old_headers_mean_what_they_meant(void **state)
{
    struct image i;
    struct bzimage k;
    make(&i);
    store_le(i.bytes + HDR_VERSION, 0x0204, 2);
    store_le(i.bytes + HDR_JUMP, 0x2eeb, 2); /* the header ends at 0x230 */
    memset(i.bytes + 0x230, 0xff, 0x60);     /* code, not header */
    assert_true(bzimage_parse(&k, &i.file, "vmlinuz", NULL));
    assert_int_equal(k.header_end, 0x230);
    assert_false(k.entry64);
    assert_int_equal(k.load, 0x100000);
    assert_int_equal(k.run_size, KERNEL_SIZE);
    assert_int_equal(k.initrd_max, 0x7fffffff);
    assert_false(k.initrd_above_4g);
    assert_int_equal(k.cmdline_max, 255);

    /* Long enough, but older than what lies there. */
    store_le(i.bytes + HDR_JUMP, 0x66eb, 2);
    assert_true(bzimage_parse(&k, &i.file, "vmlinuz", NULL));
    assert_int_equal(k.load, 0x100000);
    assert_int_equal(k.cmdline_max, 255);

    /* Young enough, but too short. */
    make(&i);
    store_le(i.bytes + HDR_VERSION, 0x020a, 2);
    store_le(i.bytes + HDR_JUMP, 0x36eb, 2); /* ends at 0x238 */
    assert_true(bzimage_parse(&k, &i.file, "vmlinuz", NULL));
    assert_int_equal(k.load, 0x200000); /* relocatable, aligned */
    assert_int_equal(k.run_size, KERNEL_SIZE);
    assert_int_equal(k.cmdline_max, 255);
    assert_false(k.entry64);
}

/* One field changed, or the file cut: each is refused with its reason. */
static void malformed_images_are_refused_with_reason_and_path(void **state)
{
    static const struct {
        const char *says;
        uint64_t size; /* 0: whole */
        unsigned offset, bytes;
        uint64_t value;
    } rows[] = {
        {"EFI program", 0x1f2},
        {"EFI program", 0x205},
        {"cut off inside its setup header", 0x206},
        {"cut off inside its setup header", 0x28f},
        {"cut off: 656 bytes of 10240", 0x290},
        {"cut off: 2048 bytes of 10240", SETUP_SIZE},
        {"cut off: 10239 bytes of 10240", IMAGE_SIZE - 1},
        {"EFI program", 0, HDR_BOOT_FLAG, 2, 0x55aa},
        {"EFI program", 0, HDR_MAGIC, 1, 'h'},
        {"protocol 2.3", 0, HDR_VERSION, 2, 0x0203},
        {"zImage", 0, HDR_LOADFLAGS, 1, 0},
        {"damaged setup header", 0, HDR_JUMP + 1, 1, 0x65},
        {"damaged setup header", 0, HDR_JUMP + 1, 1, 0x8f},
        {"damaged setup header", 0, HDR_SYSSIZE, 4, 0},
        {"damaged setup header", 0, HDR_SYSSIZE, 4, 0x20},
        {"cut off", 0, HDR_SYSSIZE, 4, UINT32_MAX},
        {"cut off", 0, HDR_SETUP_SECTS, 1, 255},
    };
    for (unsigned r = 0; r < ARRAY_LEN(rows); r++) {
        struct image i;
        struct bzimage k;
        struct err e = {0};
        make(&i);
        store_le(i.bytes + rows[r].offset, rows[r].bytes ? rows[r].value : load_le(i.bytes, 0),
                 rows[r].bytes);
        uint64_t size = rows[r].size ? rows[r].size : sizeof(i.bytes);
        uint8_t *exact = malloc(size); /* so that a sanitizer sees a read beyond the end */
        assert_non_null(exact);
        memcpy(exact, i.bytes, size);
        const struct host_file f = {exact, size};
        assert_false(bzimage_parse(&k, &f, "/some/vmlinuz", &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!strstr(e.text, rows[r].says) || !strstr(e.text, "'/some/vmlinuz'"))
            fail_msg("row %u says: %s", r, e.text);
        free(exact);
    }
}

static void alignment_matters_when_no_address_is_preferred(void **state)
{
    static const uint32_t bad[] = {0, 3, 0x300000};
    for (unsigned r = 0; r < ARRAY_LEN(bad); r++) {
        struct image i;
        struct bzimage k;
        struct err e = {0};
        make(&i);
        store_le(i.bytes + HDR_KERNEL_ALIGNMENT, bad[r], 4);
        assert_true(bzimage_parse(&k, &i.file, "vmlinuz", &e));
        store_le(i.bytes + HDR_PREF_ADDRESS, 0, 8);
        assert_false(bzimage_parse(&k, &i.file, "vmlinuz", &e));
        assert_non_null(strstr(e.text, "alignment"));
    }
}

static void other_files_are_named(void **state)
{
    static const struct {
        const char *bytes;
        unsigned len;
        const char *says;
    } rows[] = {
        {"", 0, "empty"},
        {"\177ELF\2\1\1", 7, "ELF"},
        {"\x1f\x8b\x08", 3, "gzip"},
        {"\xfd"
         "7zXZ",
         5, "xz"},
        {"\x28\xb5\x2f\xfd", 4, "zstd"},
        {"BZh9", 4, "bzip2"},
        {"\x02\x21\x4c\x18", 4, "lz4"},
        {"070701", 6, "--initrd"},
        {"QFI\xfb", 4, "qcow2 disk image: give the Linux bzImage"},
        {"!<arch>\ndebian-binary", 21, "Debian package"},
        {"MZ\x90", 3, "EFI"},
        {"#!/bin/sh\n", 10, "script"},
        {"hello, world\n", 13, "text"},
        {"\0\1\2\3", 4, "no header"},
        {"\177EL", 3, "no header"},
    };
    for (unsigned r = 0; r < ARRAY_LEN(rows); r++) {
        struct bzimage k;
        struct err e = {0};
        uint8_t *exact = malloc(rows[r].len + !rows[r].len);
        assert_non_null(exact);
        memcpy(exact, rows[r].bytes, rows[r].len);
        const struct host_file f = {exact, rows[r].len};
        assert_false(bzimage_parse(&k, &f, "file", &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!strstr(e.text, rows[r].says) || !strstr(e.text, "'file'"))
            fail_msg("row %u says: %s", r, e.text);
        free(exact);
    }
    uint8_t sector[1024] = {[1] = 1, [510] = 0x55, [511] = 0xaa};
    assert_non_null(strstr(bzimage_guess(sector, sizeof(sector)), "boot sector"));
    uint8_t arm[64] = {[56] = 'A', 'R', 'M', 0x64};
    assert_non_null(strstr(bzimage_guess(arm, sizeof(arm)), "arm64"));
}

/* ---- placing ---- */

static const uint64_t acpi = LAYOUT_ACPI_SIZE + LAYOUT_ACPI_NVS;

static void initrd_goes_high_page_aligned_and_clear_of_others(void **state)
{
    static const uint64_t low = 0x7fffffff, any = UINT32_MAX;
    static const struct {
        uint64_t memory, initrd, initrd_max;
        bool above_4g;
        uint64_t at;
    } rows[] = {
        {MIB(512), 1, low, true, MIB(512) - acpi - PAGE_SIZE},
        {MIB(512), PAGE_SIZE, low, true, MIB(512) - acpi - PAGE_SIZE},
        {MIB(512), PAGE_SIZE + 1, low, true, MIB(512) - acpi - 2 * PAGE_SIZE},
        {MIB(512), MIB(448) - acpi, low, true, MIB(64)},  /* just fits above the kernel */
        {GIB(3), MIB(100), low, true, GIB(2) - MIB(100)}, /* below initrd_addr_max */
        {GIB(3), MIB(100), any, true, GIB(3) - acpi - MIB(100)},
        {GIB(3), MIB(2000), low, true, GIB(3) - acpi - MIB(2000)}, /* above it, allowed */
        {GIB(8), MIB(3008), low, true, GIB(9) - MIB(3008)},        /* above 4 GiB when needed */
        {MIB(65), MIB(15), low, true, MIB(1)},                     /* below the kernel */
        {MIB(65), MIB(4), low, true, MIB(12)},
    };
    for (unsigned r = 0; r < ARRAY_LEN(rows); r++) {
        struct bzimage k = {
            .load = MIB(16),
            .run_size = MIB(48),
            .initrd_max = rows[r].initrd_max,
            .initrd_above_4g = rows[r].above_4g,
        };
        const struct host_file initrd = {NULL, rows[r].initrd};
        struct boot_linux b = {.kernel = &k, .kernel_path = "k", .initrd = &initrd, .initrd_path = "i"};
        struct layout l;
        struct boot_plan p;
        struct err e = {0};
        assert_true(layout_init(&l, rows[r].memory, 39, &e));
        if (!boot_linux_plan(&p, &l, &b, &e))
            fail_msg("row %u: %s", r, e.text);
        assert_int_equal(p.kernel, MIB(16));
        assert_int_equal(p.initrd_size, rows[r].initrd);
        if (p.initrd != rows[r].at)
            fail_msg("row %u: initrd at 0x%llx", r, (unsigned long long)p.initrd);
    }
}

/* The mend that a message names does help: with that much memory it fits, with 1 MiB less it does not. */
static void too_little_memory_names_what_would_do(void **state)
{
    static const struct {
        uint64_t memory, load, run, initrd, initrd_max;
        bool above_4g;
        const char *says; /* NULL: "--memory NM" */
    } rows[] = {
        {MIB(32), MIB(16), MIB(48), 0, 0x7fffffff, true, NULL},
        {MIB(64), MIB(16), MIB(48), 0, 0x7fffffff, true, NULL},
        {MIB(2), MIB(16), 0x2000, 0, 0x7fffffff, true, NULL},
        {MIB(128), MIB(16), MIB(48), MIB(64), 0x7fffffff, true, NULL},
        {MIB(512), MIB(16), MIB(48), MIB(600), 0x7fffffff, false, NULL},
        {MIB(512), MIB(16), MIB(48), MIB(600) + 1, 0x7fffffff, false, NULL},
        {GIB(4), MIB(16), MIB(48), GIB(3), 0x7fffffff, true, NULL},
        {MIB(512), MIB(16), MIB(48), MIB(2000), 0x7fffffff, false, "any memory"},
        {GIB(8), MIB(16), MIB(48), MIB(2000), 0x7fffffff, false, "any memory"},
        {GIB(8), MIB(16), MIB(48), UINT64_MAX - 10, 0x7fffffff, true, "any memory"},
        {GIB(8), GIB(3), MIB(48), 0, 0x7fffffff, true, "where a PC has no memory"},
        {GIB(8), UINT64_MAX, MIB(48), 0, 0x7fffffff, true, "where a PC has no memory"},
        {GIB(8), GIB(5), MIB(48), 0, 0x7fffffff, true, "where a PC has no memory"},
    };
    for (unsigned r = 0; r < ARRAY_LEN(rows); r++) {
        const struct bzimage k = {
            .load = rows[r].load,
            .run_size = rows[r].run,
            .initrd_max = rows[r].initrd_max,
            .initrd_above_4g = rows[r].above_4g,
        };
        const struct host_file initrd = {NULL, rows[r].initrd};
        const struct boot_linux b = {.kernel = &k, .kernel_path = "k", .initrd = &initrd, .initrd_path = "i"};
        struct layout l;
        struct boot_plan p;
        struct err e = {0};
        assert_true(layout_init(&l, rows[r].memory, 39, NULL));
        assert_false(boot_linux_plan(&p, &l, &b, &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        if (rows[r].says) {
            if (!strstr(e.text, rows[r].says))
                fail_msg("row %u says: %s", r, e.text);
            continue;
        }
        const char *mend = strstr(e.text, "--memory ");
        assert_non_null(mend);
        uint64_t enough = MIB(strtoull(mend + strlen("--memory "), NULL, 10));
        assert_true(enough > rows[r].memory);
        assert_true(layout_init(&l, enough, 39, NULL));
        if (!boot_linux_plan(&p, &l, &b, NULL))
            fail_msg("row %u: not enough after all: %s", r, e.text);
        assert_true(layout_init(&l, enough - MIB(1), 39, NULL));
        assert_false(boot_linux_plan(&p, &l, &b, NULL));
    }
}

static void overlong_command_line_is_refused(void **state)
{
    const struct bzimage k = {.load = MIB(16), .run_size = MIB(1), .cmdline_max = 8};
    struct boot_linux b = {.kernel = &k, .kernel_path = "k", .cmdline = "12345678"};
    struct layout l;
    struct boot_plan p;
    struct err e = {0};
    assert_true(layout_init(&l, MIB(64), 39, NULL));
    assert_true(boot_linux_plan(&p, &l, &b, &e));
    b.cmdline = "123456789";
    assert_false(boot_linux_plan(&p, &l, &b, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_string_equal(e.text, "--append has 9 characters; kernel 'k' takes 8: shorten it");
}

/* ---- loading ---- */

struct booted {
    struct image image;
    struct bzimage kernel;
    struct layout layout;
    struct boot_plan plan;
    struct boot_entry entry;
    struct mem *mem;
    uint8_t initrd[5000];
};

static void boot_xloadflags(struct booted *t, uint16_t xloadflags)
{
    struct err e = {0};
    make(&t->image);
    store_le(t->image.bytes + HDR_XLOADFLAGS, xloadflags, 2);
    memset(t->initrd, 0x5a, sizeof(t->initrd));
    assert_true(bzimage_parse(&t->kernel, &t->image.file, "k", &e));
    assert_true(layout_init(&t->layout, MIB(80), 39, &e));
    t->mem = mem_new();
    struct layout_range r[LAYOUT_MAX_RANGES];
    unsigned n = layout_ranges(&t->layout, r);
    for (unsigned i = 0; i < n; i++)
        assert_true((r[i].rom ? mem_add_rom : mem_add_ram)(t->mem, r[i].gpa, r[i].size, &e));
    const struct host_file initrd = {t->initrd, sizeof(t->initrd)};
    const struct boot_linux b = {&t->kernel, "k", &initrd, "i", "console=ttyS0"};
    assert_true(boot_linux_plan(&t->plan, &t->layout, &b, &e));
    boot_linux_load(t->mem, &t->layout, &b, &t->plan, 0xf0000, &t->entry);
}

static void boot(struct booted *t)
{
    boot_xloadflags(t, 0x7f);
}

static uint64_t peek(const struct booted *t, gpa_t at, unsigned n)
{
    uint64_t v = 0;
    assert_true(mem_read(t->mem, at, &v, n));
    return v;
}

/* boot.rst, "64-bit boot protocol"; zero-page.rst. */
static void zero_page_says_where_everything_is(void **state)
{
    struct booted t;
    boot(&t);
    const uint64_t zp = t.entry.rsi;
    const struct {
        unsigned offset, size;
        uint64_t value;
    } rows[] = {
        {HDR_TYPE_OF_LOADER, 1, 0xff},
        {HDR_LOADFLAGS, 1, 1},
        {HDR_VERSION, 2, 0x020f},
        {HDR_CMD_LINE_PTR, 4, LAYOUT_CMDLINE},
        {BP_EXT_CMD_LINE_PTR, 4, 0},
        {HDR_RAMDISK_IMAGE, 4, t.plan.initrd},
        {BP_EXT_RAMDISK_IMAGE, 4, 0},
        {HDR_RAMDISK_SIZE, 4, sizeof(t.initrd)},
        {BP_EXT_RAMDISK_SIZE, 4, 0},
        {HDR_SETUP_DATA, 8, 0},
        {HDR_PREF_ADDRESS, 8, 0x1000000},
        {BP_ACPI_RSDP_ADDR, 8, 0xf0000},
        {0x1ef, 1, 0}, /* sentinel: a cleared page */
        {0, 8, 0},
        {HDR_END_MAX, 8, 0},
    };
    for (unsigned r = 0; r < ARRAY_LEN(rows); r++)
        if (peek(&t, zp + rows[r].offset, rows[r].size) != rows[r].value)
            fail_msg("offset 0x%x: 0x%llx", rows[r].offset,
                     (unsigned long long)peek(&t, zp + rows[r].offset, rows[r].size));
    struct e820_map map;
    e820_build(&map, &t.layout);
    assert_int_equal(peek(&t, zp + BP_E820_ENTRIES, 1), map.count);
    const void *table = mem_ptr(t.mem, zp + BP_E820_TABLE, map.count * 20);
    assert_memory_equal(table, map.entry, map.count * 20);
    mem_free(t.mem);
}

static void parts_are_in_memory_where_planned(void **state)
{
    struct booted t;
    boot(&t);
    assert_memory_equal(mem_ptr(t.mem, t.plan.kernel, KERNEL_SIZE), t.image.bytes + SETUP_SIZE, KERNEL_SIZE);
    assert_int_equal(peek(&t, t.plan.kernel + KERNEL_SIZE, 8), 0); /* the signature is not loaded */
    assert_memory_equal(mem_ptr(t.mem, t.plan.initrd, sizeof(t.initrd)), t.initrd, sizeof(t.initrd));
    assert_string_equal(mem_ptr(t.mem, LAYOUT_CMDLINE, 64), "console=ttyS0");
    assert_int_equal(t.entry.rip, t.plan.kernel + 0x200);
    assert_int_equal(peek(&t, 0x40e, 2), LAYOUT_EBDA >> 4);
    assert_int_equal(peek(&t, 0x413, 2), 639);
    mem_free(t.mem);
}

/* SDM 3A 4.5: the tables lead every address below 4 GiB to itself, writable. */
static void page_tables_map_4g_to_itself(void **state)
{
    struct booted t;
    boot(&t);
    for (uint64_t va = 0x1234; va < GIB(6); va += MIB(2)) {
        uint64_t entry = t.entry.cr3;
        unsigned level;
        for (level = 3; level > 0; level--) {
            entry = peek(&t, (entry & 0x000ffffffffff000ull) + 8 * bits(va, 12 + 9 * level, 9), 8);
            if (!(entry & PTE_P) || (entry & PTE_PS))
                break;
        }
        if (va >= GIB(4)) {
            assert_false(entry & PTE_P);
            continue;
        }
        assert_int_equal(level, 1);
        assert_int_equal(entry & (PTE_P | PTE_W | PTE_PS | PTE_NX), PTE_P | PTE_W | PTE_PS);
        assert_true((entry & ~(MIB(2) - 1) & ~PTE_NX) == align_down(va, MIB(2)));
    }
    mem_free(t.mem);
}

/* boot.rst: paging on, CS 0x10 and DS, ES, SS 0x18 flat, interrupts off, RSI the zero page. */
static void entry_state_is_64_bit_flat_without_interrupts(void **state)
{
    struct booted t;
    boot(&t);
    struct x86_state s;
    memset(&s, 0, sizeof(s));
    x86_reset(&s, false, 0x806f8, true);
    boot_set_state(&t.entry, &s);
    assert_true(x86_64bit(&s));
    assert_true((s.cr0 & (CR0_PE | CR0_PG | CR0_CD | CR0_NW)) == (CR0_PE | CR0_PG));
    assert_int_equal(s.cr4, CR4_PAE);
    assert_int_equal(s.efer, EFER_LME | EFER_LMA);
    assert_int_equal(s.cr3, LAYOUT_PAGE_TABLES);
    assert_int_equal(x86_rflags(&s), FL_ONE);
    assert_int_equal(s.rip, MIB(16) + 0x200);
    assert_int_equal(s.gpr[RSI], LAYOUT_ZERO_PAGE);
    assert_int_equal(s.gpr[RSP], LAYOUT_STACK_TOP);

    /* Every segment register holds what its selector's descriptor in the GDT says (SDM 3A figure 3-8). */
    for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
        assert_int_equal(s.seg[i].sel, i == SEG_CS ? 0x10 : 0x18);
        assert_true(s.seg[i].sel + 7u <= s.gdtr.limit);
        uint64_t d = peek(&t, s.gdtr.base + s.seg[i].sel, 8);
        assert_int_equal(s.seg[i].attr, d >> 40 & 0xf0ff);
        assert_int_equal(bits(d, 16, 24) | bits(d, 56, 8) << 24, s.seg[i].base);
        assert_int_equal((bits(d, 0, 16) | bits(d, 48, 4) << 16) << 12 | 0xfff, s.seg[i].limit);
    }
    assert_int_equal(s.seg[SEG_CS].attr & (SEG_L | SEG_DB | SEG_T_CODE), SEG_L | SEG_T_CODE);
    mem_free(t.mem);
}

/* boot.rst, "32-bit boot protocol": flat 4 GiB segments, 0x10 for CS, paging off, EBP, EDI, EBX zero. */
static void kernel_without_64_bit_entry_is_entered_in_32_bit_mode(void **state)
{
    struct booted t;
    boot_xloadflags(&t, XLF_CAN_BE_LOADED_ABOVE_4G); /* which means nothing to it */
    assert_false(t.kernel.entry64);
    assert_false(t.kernel.initrd_above_4g);
    struct x86_state s;
    memset(&s, 0, sizeof(s));
    x86_reset(&s, false, 0x806f8, true);
    boot_set_state(&t.entry, &s);
    assert_true(s.cr0 == (CR0_PE | CR0_ET));
    assert_int_equal(s.cr4, 0);
    assert_int_equal(s.efer, 0);
    assert_int_equal(x86_rflags(&s), FL_ONE);
    assert_int_equal(s.rip, MIB(16));
    assert_int_equal(s.gpr[RSI], LAYOUT_ZERO_PAGE);
    assert_int_equal(s.gpr[RBP] | s.gpr[RDI] | s.gpr[RBX], 0);
    for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
        assert_int_equal(s.seg[i].sel, i == SEG_CS ? 0x10 : 0x18);
        assert_true(s.seg[i].sel + 7u <= s.gdtr.limit);
        uint64_t d = peek(&t, s.gdtr.base + s.seg[i].sel, 8);
        assert_int_equal(s.seg[i].attr, d >> 40 & 0xf0ff);
        assert_int_equal(bits(d, 16, 24) | bits(d, 56, 8) << 24, s.seg[i].base);
        assert_int_equal((bits(d, 0, 16) | bits(d, 48, 4) << 16) << 12 | 0xfff, s.seg[i].limit);
    }
    assert_int_equal(s.seg[SEG_CS].attr & (SEG_L | SEG_DB | SEG_T_CODE), SEG_DB | SEG_T_CODE);
    mem_free(t.mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_image_is_understood),
        cmocka_unit_test(smaller_choices_are_followed),
        cmocka_unit_test(old_headers_mean_what_they_meant),
        cmocka_unit_test(malformed_images_are_refused_with_reason_and_path),
        cmocka_unit_test(alignment_matters_when_no_address_is_preferred),
        cmocka_unit_test(other_files_are_named),
        cmocka_unit_test(initrd_goes_high_page_aligned_and_clear_of_others),
        cmocka_unit_test(too_little_memory_names_what_would_do),
        cmocka_unit_test(overlong_command_line_is_refused),
        cmocka_unit_test(zero_page_says_where_everything_is),
        cmocka_unit_test(parts_are_in_memory_where_planned),
        cmocka_unit_test(page_tables_map_4g_to_itself),
        cmocka_unit_test(entry_state_is_64_bit_flat_without_interrupts),
        cmocka_unit_test(kernel_without_64_bit_entry_is_entered_in_32_bit_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
