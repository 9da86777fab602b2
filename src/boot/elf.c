/*
 * elf.c: reads an ELF file's headers, 32-bit or 64-bit, little-endian. Nothing of the file is believed: every
 * offset and size is checked against the file before it is used.
 */
#include "boot/elf.h"

enum {
    EI_CLASS = 4, /* 1: 32-bit, 2: 64-bit */
    EI_DATA = 5,  /* 1: little-endian */
    ET_EXEC = 2,
    EM_386 = 3,
    EM_X86_64 = 62,
    PT_LOAD = 1,
    PT_NOTE = 4,
    PF_X = 1,
    PN_XNUM = 0xffff, /* the count is elsewhere */
    NOTE_PHYS32_ENTRY = 18,
};

/* Where the fields are in the two classes. */
struct shape {
    unsigned header_size, program_size, word;
    unsigned entry, phoff, phentsize, phnum;                                  /* file header */
    unsigned p_flags, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align; /* program header */
};
static const struct shape shapes[] = {
    {52, 32, 4, 24, 28, 42, 44, 24, 4, 8, 12, 16, 20, 28},
    {64, 56, 8, 24, 32, 54, 56, 4, 8, 16, 24, 32, 40, 48},
};

struct program_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

bool elf_is(const struct host_file *f)
{
    return f->size >= 4 && memcmp(f->data, "\177ELF", 4) == 0;
}

static struct program_header read_program_header(const struct shape *s, const uint8_t *p)
{
    return (struct program_header){
        .type = (uint32_t)load_le(p, 4),
        .flags = (uint32_t)load_le(p + s->p_flags, 4),
        .offset = load_le(p + s->p_offset, s->word),
        .vaddr = load_le(p + s->p_vaddr, s->word),
        .paddr = load_le(p + s->p_paddr, s->word),
        .filesz = load_le(p + s->p_filesz, s->word),
        .memsz = load_le(p + s->p_memsz, s->word),
        .align = load_le(p + s->p_align, s->word),
    };
}

/* Notes: name size, descriptor size, type, then name and descriptor, each padded. */
static void read_notes(struct elf_image *elf, const uint8_t *p, uint64_t size, uint64_t align)
{
    while (size >= 12) {
        uint64_t name = load_le(p, 4), desc = load_le(p + 4, 4), type = load_le(p + 8, 4);
        uint64_t desc_at = align_up(12 + name, align);
        if (!range_within(desc_at, desc, size))
            return;
        if (type == NOTE_PHYS32_ENTRY && name == 4 && memcmp(p + 12, "Xen", 4) == 0 &&
            (desc == 4 || desc == 8)) {
            elf->has_pvh_entry = true;
            elf->pvh_entry = load_le(p + desc_at, (unsigned)desc);
        }
        uint64_t step = align_up(desc_at + desc, align);
        if (step > size)
            return;
        p += step;
        size -= step;
    }
}

static bool add_segment(struct elf_image *elf, const struct program_header *h, const struct host_file *f,
                        const char *path, struct err *e)
{
    struct boot_segments *s = &elf->segments;
    if (h->filesz > h->memsz)
        return err_config(e,
                          "kernel '%s' is a damaged ELF file (a segment is larger in the file than in "
                          "memory): build it again",
                          path);
    if (h->memsz == 0)
        return true;
    if (s->count == BOOT_SEGMENTS_MAX)
        return err_config(e, "kernel '%s' has more than %u loadable segments: link it with fewer", path,
                          BOOT_SEGMENTS_MAX);
    if ((h->flags & PF_X) && elf->entry - h->vaddr < h->memsz)
        elf->entry = elf->entry - h->vaddr + h->paddr;
    s->segment[s->count++] = (struct boot_segment){h->paddr, h->memsz, f->data + h->offset, h->filesz};
    return true;
}

static bool check_header(struct elf_image *elf, const struct host_file *f, const char *path, struct err *e)
{
    if (f->size < shapes[0].header_size)
        return err_config(e, "kernel '%s' is cut off inside its ELF header: copy the file again", path);
    unsigned class = f->data[EI_CLASS];
    uint64_t type = load_le(f->data + 16, 2), machine = load_le(f->data + 18, 2);
    if ((class != 1 && class != 2) || f->data[EI_DATA] != 1 || (machine != EM_386 && machine != EM_X86_64))
        return err_config(e, "kernel '%s' is an ELF file for another kind of processor: give one for x86",
                          path);
    elf->is64 = class == 2;
    if (f->size < shapes[elf->is64].header_size)
        return err_config(e, "kernel '%s' is cut off inside its ELF header: copy the file again", path);
    elf->fixed = type == ET_EXEC;
    return true;
}

bool elf_parse(struct elf_image *elf, const struct host_file *f, const char *path, struct err *e)
{
    *elf = (struct elf_image){0};
    if (!check_header(elf, f, path, e))
        return false;
    const struct shape *s = &shapes[elf->is64];
    uint64_t at = load_le(f->data + s->phoff, s->word), count = load_le(f->data + s->phnum, 2);
    uint64_t step = load_le(f->data + s->phentsize, 2);
    elf->entry = load_le(f->data + s->entry, s->word);
    if (count == PN_XNUM || (count && step != s->program_size) || !range_within(at, count * step, f->size))
        return err_config(e, "kernel '%s' is a damaged ELF file (program headers): copy the file again",
                          path);

    for (uint64_t i = 0; i < count; i++) {
        struct program_header h = read_program_header(s, f->data + at + i * step);
        if (h.type != PT_LOAD && h.type != PT_NOTE)
            continue;
        if (!range_within(h.offset, h.filesz, f->size))
            return err_config(e, "kernel '%s' is cut off: a segment lies beyond its end: copy the file again",
                              path);
        if (h.type == PT_NOTE)
            read_notes(elf, f->data + h.offset, h.filesz, h.align == 8 ? 8 : 4);
        else if (!add_segment(elf, &h, f, path, e))
            return false;
    }
    if (elf->segments.count == 0)
        return err_config(e, "kernel '%s' is an ELF file with nothing to load: give a linked kernel", path);
    return true;
}

bool elf_check_fixed(const struct elf_image *elf, const char *path, struct err *e)
{
    return elf->fixed ||
           err_config(e,
                      "kernel '%s' is an ELF file, but no executable with fixed addresses: link it "
                      "as one (-no-pie)",
                      path);
}
