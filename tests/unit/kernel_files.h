/*
 * kernel_files.h: small kernels of every kind in memory, to be spoiled; and a machine's memory to load them
 * into.
 */
#ifndef KERNEL_FILES_H
#define KERNEL_FILES_H

#include "boot/kernel.h"
#include "boot/linux_params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* An ELF kernel: file header, program headers, a note, text for 1 MiB with 0x1000 bytes of nothing behind it.
 */
enum {
    ELF_NOTE = 0x100,
    ELF_NOTE_SIZE = 20,
    ELF_TEXT = 0x200,
    ELF_TEXT_SIZE = 0x300,
    ELF_SIZE = ELF_TEXT + ELF_TEXT_SIZE,
    ELF_LOAD = 0x100000,
    ELF_PVH_ENTRY = ELF_LOAD + 0x10,
    ELF_ENTRY = ELF_LOAD + 0x20,
};

static inline void elf_program(uint8_t *p, bool is64, uint32_t type, uint64_t offset, uint64_t va,
                               uint64_t pa, uint64_t filesz, uint64_t memsz)
{
    store_le(p, type, 4);
    store_le(p + (is64 ? 4 : 24), 5, 4); /* readable, executable */
    unsigned w = is64 ? 8 : 4;
    uint8_t *f = p + (is64 ? 8 : 4);
    const uint64_t values[] = {offset, va, pa, filesz, memsz};
    for (unsigned i = 0; i < 5; i++)
        store_le(f + i * w, values[i], w);
    store_le(p + (is64 ? 48 : 28), 4, w);
}

static inline uint8_t *elf_phdr(uint8_t *file, bool is64, unsigned i)
{
    return file + (is64 ? 64 + i * 56 : 52 + i * 32);
}

/* ELF_SIZE bytes; virtual addresses are 0xc0000000 higher than physical ones. */
static inline void make_elf(uint8_t *f, bool is64)
{
    memset(f, 0, ELF_SIZE);
    memcpy(f, "\177ELF", 4);
    f[4] = is64 ? 2 : 1;
    f[5] = f[6] = 1;
    store_le(f + 16, 2, 2);
    store_le(f + 18, is64 ? 62 : 3, 2);
    store_le(f + 20, 1, 4);
    store_le(f + 24, ELF_ENTRY + 0xc0000000ull, is64 ? 8 : 4);
    store_le(f + (is64 ? 32 : 28), is64 ? 64 : 52, is64 ? 8 : 4);
    store_le(f + (is64 ? 54 : 42), is64 ? 56 : 32, 2);
    store_le(f + (is64 ? 56 : 44), 2, 2);
    elf_program(elf_phdr(f, is64, 0), is64, 1, ELF_TEXT, ELF_LOAD + 0xc0000000ull, ELF_LOAD, ELF_TEXT_SIZE,
                ELF_TEXT_SIZE + 0x1000);
    elf_program(elf_phdr(f, is64, 1), is64, 4, ELF_NOTE, 0, 0, ELF_NOTE_SIZE, ELF_NOTE_SIZE);
    store_le(f + ELF_NOTE, 4, 4);
    store_le(f + ELF_NOTE + 4, 4, 4);
    store_le(f + ELF_NOTE + 8, 18, 4);
    memcpy(f + ELF_NOTE + 12, "Xen", 4);
    store_le(f + ELF_NOTE + 16, ELF_PVH_ENTRY, 4);
    for (unsigned i = 0; i < ELF_TEXT_SIZE; i++)
        f[ELF_TEXT + i] = (uint8_t)(i * 5 + 1);
}

static inline void put_multiboot_header(uint8_t *at, uint32_t flags)
{
    store_le(at, 0x1badb002, 4);
    store_le(at + 4, flags, 4);
    store_le(at + 8, (uint32_t) - (0x1badb002 + flags), 4);
}

/* A flat multiboot kernel: header at 0x40 of the file, loaded at 1 MiB, 0x800 bytes of nothing behind it. */
enum { FLAT_HEADER = 0x40, FLAT_SIZE = 0x400, FLAT_ENTRY = 0x100080 };

static inline void make_flat(uint8_t *f)
{
    for (unsigned i = 0; i < FLAT_SIZE; i++)
        f[i] = (uint8_t)(i * 3 + 1);
    put_multiboot_header(f + FLAT_HEADER, 0x10003);
    const uint32_t fields[] = {0x100000 + FLAT_HEADER, 0x100000, 0x100000 + FLAT_SIZE,
                               0x100000 + FLAT_SIZE + 0x800, FLAT_ENTRY};
    for (unsigned i = 0; i < 5; i++)
        store_le(f + FLAT_HEADER + 12 + 4 * i, fields[i], 4);
}

/* A copy of exactly that size, so that a sanitizer sees a read beyond the end; free `data`. */
static inline struct host_file exact_file(const uint8_t *bytes, uint64_t size)
{
    uint8_t *copy = malloc(size + !size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    return (struct host_file){copy, size};
}
static inline void free_file(struct host_file *f)
{
    free((void *)f->data);
}

static inline struct mem *memory_of(const struct layout *l)
{
    struct layout_range r[LAYOUT_MAX_RANGES];
    struct mem *m = mem_new();
    assert_non_null(m);
    unsigned n = layout_ranges(l, r);
    for (unsigned i = 0; i < n; i++)
        assert_true((r[i].rom ? mem_add_rom : mem_add_ram)(m, r[i].gpa, r[i].size, NULL));
    return m;
}

static inline uint64_t peek(const struct mem *m, gpa_t at, unsigned n)
{
    uint64_t v = 0;
    assert_true(mem_read(m, at, &v, n));
    return v;
}

/* A row of a table of spoiled files: cut to `size` (0: whole), or a field changed. */
struct spoiled {
    const char *says;
    uint64_t size;
    unsigned offset, bytes;
    uint64_t value;
};

/* Each is refused by kernel_parse or kernel_plan with its reason and the path. */
static inline void expect_refusals(const uint8_t *good, uint64_t good_size, const struct spoiled *row,
                                   unsigned rows)
{
    struct layout l;
    assert_true(layout_init(&l, MIB(4), 39, NULL));
    for (unsigned i = 0; i < rows; i++) {
        struct host_file f = exact_file(good, row[i].size ? row[i].size : good_size);
        struct kernel k;
        struct kernel_plan p;
        struct err e = {0};
        if (row[i].bytes)
            store_le((uint8_t *)f.data + row[i].offset, row[i].value, row[i].bytes);
        const struct kernel_start b = {.kernel = &k};
        if (kernel_parse(&k, &f, "/some/kernel", &e) && kernel_plan(&p, &l, &b, &e))
            fail_msg("row %u (%s) is taken", i, row[i].says);
        if (e.kind != ERR_CONFIG || !strstr(e.text, row[i].says) || !strstr(e.text, "'/some/kernel'"))
            fail_msg("row %u (%s) says: %s", i, row[i].says, e.text);
        free_file(&f);
    }
}

/*
 * Whatever a file holds, it is refused or it loads: the file cut at every length, and with bytes of its
 * headers changed at random. Gives how many loaded.
 */
static inline unsigned load_spoiled_files(const uint8_t *good, uint64_t good_size, uint64_t header_size,
                                          unsigned rounds, struct layout *l)
{
    uint64_t seed = 0x123456789abcdefull;
    unsigned loaded = 0;
    struct mem *m = memory_of(l);
    for (uint64_t n = 0; n < good_size + rounds; n++) {
        struct host_file f = exact_file(good, n < good_size ? n : good_size);
        for (unsigned i = 0; n >= good_size && i < 1 + n % 4; i++) {
            static const uint8_t likely[] = {0, 1, 0x7f, 0x80, 0xff, 0x10, 0xf0, 4};
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            uint8_t value = (uint8_t)(seed >> 56);
            ((uint8_t *)f.data)[(seed >> 20) % header_size] = seed & 0x10000 ? likely[value % 8] : value;
        }
        struct kernel k;
        struct kernel_plan p;
        struct boot_entry entry;
        struct err e;
        const struct kernel_start b = {.kernel = &k, .cmdline = "x"};
        if (kernel_parse(&k, &f, "k", &e) && kernel_plan(&p, l, &b, &e)) {
            kernel_load(m, l, &b, &p, 0xf0000, &entry);
            loaded++;
        } else {
            assert_int_equal(e.kind, ERR_CONFIG);
        }
        free_file(&f);
    }
    mem_free(m);
    return loaded;
}

#endif
