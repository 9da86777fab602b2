/*
 * multiboot.c: checks a multiboot kernel, and puts it with its boot information into guest memory.
 *
 * Section numbers are those of the Multiboot Specification, version 0.6.96.
 */
#include "boot/multiboot.h"
#include "boot/e820.h"
#include "boot/elf.h"
#include "boot/put.h"

/* 3.1: the header, in the first 8192 bytes of the file, at a multiple of 4. */
enum {
    SEARCH_SIZE = 8192,
    HEADER_SIZE = 12,
    HEADER_SIZE_ADDRESSES = 32,
    HEADER_MAGIC = 0x1badb002,
    H_FLAGS = 4,
    H_HEADER_ADDR = 12,
    H_LOAD_ADDR = 16,
    H_LOAD_END_ADDR = 20,
    H_BSS_END_ADDR = 24,
    H_ENTRY_ADDR = 28,
};
/* Flags 0 to 15 are demands, those above are offers, which may be ignored (3.1.2). */
enum {
    DEMAND_PAGE_ALIGN = 1 << 0, /* always so */
    DEMAND_MEMORY = 1 << 1,     /* always told */
    DEMAND_VIDEO = 1 << 2,
    DEMANDS = 0xffff,
    OFFER_ADDRESSES = 1 << 16,
};

/* 3.3: the boot information; u32 each. */
enum {
    ENTRY_MAGIC = 0x2badb002, /* 3.2 */
    I_FLAGS = 0,
    I_MEM_LOWER = 4,
    I_MEM_UPPER = 8,
    I_CMDLINE = 16,
    I_MODS_COUNT = 20,
    I_MODS_ADDR = 24,
    I_MMAP_LENGTH = 44,
    I_MMAP_ADDR = 48,
    I_BOOT_LOADER_NAME = 64,
    INFO_SIZE = 128,
    HAS_MEMORY = 1 << 0,
    HAS_CMDLINE = 1 << 2,
    HAS_MODULES = 1 << 3,
    HAS_MMAP = 1 << 6,
    HAS_LOADER_NAME = 1 << 9,
};

struct module_entry {
    uint32_t start, end, string, reserved;
};
struct mmap_entry {
    uint32_t size; /* of what follows */
    struct e820_entry e820;
} __attribute__((packed));

/* What lies in the page at LAYOUT_BOOT_INFO. */
struct info_page {
    uint8_t info[INFO_SIZE];
    struct mmap_entry mmap[E820_MAX];
    struct module_entry module[BOOT_MODULES_MAX];
    char loader_name[16];
};
_Static_assert(sizeof(struct info_page) <= PAGE_SIZE, "the boot information has one page");

/* ---- the file ---- */

/* The header's place in the file, or UINT64_MAX. */
static uint64_t find_header(const struct host_file *f)
{
    for (uint64_t at = 0; at + HEADER_SIZE <= MIN(f->size, SEARCH_SIZE); at += 4) {
        const uint8_t *p = f->data + at;
        if (load_le(p, 4) == HEADER_MAGIC &&
            (uint32_t)(load_le(p, 4) + load_le(p + 4, 4) + load_le(p + 8, 4)) == 0)
            return at;
    }
    return UINT64_MAX;
}

bool multiboot_is(const struct host_file *f)
{
    return find_header(f) != UINT64_MAX;
}

/* 3.1.3: one piece of the file, described by addresses in the header. */
static bool parse_addresses(struct multiboot *k, const struct host_file *f, uint64_t header, const char *path,
                            struct err *e)
{
    if (header + HEADER_SIZE_ADDRESSES > f->size)
        return err_config(e, "kernel '%s' is cut off inside its multiboot header: copy the file again", path);
    const uint8_t *p = f->data + header;
    uint64_t header_addr = load_le(p + H_HEADER_ADDR, 4), load = load_le(p + H_LOAD_ADDR, 4);
    uint64_t load_end = load_le(p + H_LOAD_END_ADDR, 4), bss_end = load_le(p + H_BSS_END_ADDR, 4);

    if (load > header_addr || header_addr - load > header)
        return err_config(e,
                          "kernel '%s' has a damaged multiboot header: it is linked to lie at 0x%llx in what "
                          "is loaded at 0x%llx, and lies elsewhere in the file",
                          path, (unsigned long long)header_addr, (unsigned long long)load);
    uint64_t from = header - (header_addr - load);
    uint64_t size = load_end ? load_end - load : f->size - from;
    if ((load_end && load_end < load) || !range_within(from, size, f->size))
        return err_config(e,
                          "kernel '%s' is cut off, or has a damaged multiboot header (load_end_addr 0x%llx): "
                          "copy the file again",
                          path, (unsigned long long)load_end);
    if (bss_end && bss_end < load + size)
        return err_config(e,
                          "kernel '%s' has a damaged multiboot header (bss_end_addr 0x%llx lies inside what "
                          "is loaded): build it again",
                          path, (unsigned long long)bss_end);
    uint64_t in_memory = bss_end ? bss_end - load : size;
    if (in_memory == 0)
        return err_config(e, "kernel '%s' has a multiboot header that loads nothing: build it again", path);
    k->segments.segment[0] = (struct boot_segment){load, in_memory, f->data + from, size};
    k->segments.count = 1;
    k->entry = load_le(p + H_ENTRY_ADDR, 4);
    return true;
}

static bool parse_elf(struct multiboot *k, const struct host_file *f, const char *path, struct err *e)
{
    struct elf_image elf;
    if (!elf_is(f))
        return err_config(e,
                          "kernel '%s' has a multiboot header without address fields (bit 16), and is no ELF "
                          "file: build it as one of the two",
                          path);
    if (!elf_parse(&elf, f, path, e) || !elf_check_fixed(&elf, path, e))
        return false;
    k->segments = elf.segments;
    k->entry = elf.entry;
    return true;
}

bool multiboot_parse(struct multiboot *k, const struct host_file *f, const char *path, struct err *e)
{
    uint64_t header = find_header(f);
    assert(header != UINT64_MAX);
    uint32_t flags = (uint32_t)load_le(f->data + header + H_FLAGS, 4);
    uint32_t unknown = flags & DEMANDS & ~(DEMAND_PAGE_ALIGN | DEMAND_MEMORY | DEMAND_VIDEO);

    if (flags & DEMAND_VIDEO)
        return err_config(
            e,
            "kernel '%s' demands a video mode (bit 2 of its multiboot header), and this machine "
            "has no display: build it without",
            path);
    if (unknown)
        return err_config(e,
                          "kernel '%s' demands feature bit %d of the multiboot header, which no version of "
                          "the specification defines: build it without",
                          path, __builtin_ctz(unknown));
    *k = (struct multiboot){.address_fields = flags & OFFER_ADDRESSES};
    if (!(k->address_fields ? parse_addresses(k, f, header, path, e) : parse_elf(k, f, path, e)))
        return false;
    if (!segments_hold(&k->segments, k->entry))
        return err_config(e, "kernel '%s' is entered at 0x%llx, where it has nothing: build it again", path,
                          (unsigned long long)k->entry);
    return true;
}

/* ---- memory ---- */

bool multiboot_check_strings(const struct multiboot_start *b, struct err *e)
{
    size_t all = strlen(b->path) + strlen(b->cmdline) + 2;
    for (unsigned i = 0; i < b->modules; i++)
        all += strlen(b->module[i].words) + 1;
    if (all > LAYOUT_CMDLINE_SIZE)
        return err_config(e,
                          "--append and the words of the modules have %zu characters; there is room for %u: "
                          "shorten them",
                          all, LAYOUT_CMDLINE_SIZE);
    return true;
}

/* Strings lie one behind the other from LAYOUT_CMDLINE on. */
static uint32_t put_string(struct mem *m, gpa_t *next, const char *s)
{
    gpa_t at = *next;
    size_t size = strlen(s) + 1;
    boot_put(m, at, s, size);
    *next = at + size;
    return (uint32_t)at;
}

/* The kernel's name, a space, and what the user wrote. */
static uint32_t put_cmdline(struct mem *m, gpa_t *next, const struct multiboot_start *b)
{
    gpa_t at = *next;
    put_string(m, next, b->path);
    if (b->cmdline[0]) {
        boot_put(m, *next - 1, " ", 1);
        put_string(m, next, b->cmdline);
    }
    return (uint32_t)at;
}

static uint32_t in_page(size_t offset)
{
    return LAYOUT_BOOT_INFO + (uint32_t)offset;
}

void multiboot_load(struct mem *m, const struct layout *l, const struct multiboot_start *b,
                    const gpa_t *module_at, struct boot_entry *entry)
{
    struct info_page page = {.loader_name = "Trapeze"};
    struct e820_map map;
    gpa_t next = LAYOUT_CMDLINE;

    e820_build(&map, l);
    for (unsigned i = 0; i < map.count; i++)
        page.mmap[i] = (struct mmap_entry){sizeof(map.entry[i]), map.entry[i]};
    uint32_t cmdline = put_cmdline(m, &next, b);
    for (unsigned i = 0; i < b->modules; i++)
        page.module[i] = (struct module_entry){
            .start = (uint32_t)module_at[i],
            .end = (uint32_t)(module_at[i] + b->module[i].file->size),
            .string = put_string(m, &next, b->module[i].words),
        };

    const struct {
        unsigned offset;
        uint32_t value;
    } fields[] = {
        {I_FLAGS, HAS_MEMORY | HAS_CMDLINE | HAS_MODULES | HAS_MMAP | HAS_LOADER_NAME},
        {I_MEM_LOWER, LAYOUT_EBDA >> 10},
        {I_MEM_UPPER, (uint32_t)((l->acpi_tables - LAYOUT_HIGH_START) >> 10)},
        {I_CMDLINE, cmdline},
        {I_MODS_COUNT, b->modules},
        {I_MODS_ADDR, in_page(offsetof(struct info_page, module))},
        {I_MMAP_LENGTH, map.count * (uint32_t)sizeof(page.mmap[0])},
        {I_MMAP_ADDR, in_page(offsetof(struct info_page, mmap))},
        {I_BOOT_LOADER_NAME, in_page(offsetof(struct info_page, loader_name))},
    };
    for (unsigned i = 0; i < ARRAY_LEN(fields); i++)
        store_le(page.info + fields[i].offset, fields[i].value, 4);

    boot_bios_data(m);
    segments_load(m, &b->kernel->segments);
    modules_load(m, module_at, b->module, b->modules);
    boot_put(m, LAYOUT_BOOT_INFO, &page, sizeof(page));
    boot_protected_mode(m, entry);
    entry->rip = b->kernel->entry;
    entry->rax = ENTRY_MAGIC;
    entry->rbx = LAYOUT_BOOT_INFO;
}
