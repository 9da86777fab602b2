/*
 * aml.c: the ACPI Machine Language emitter.
 *
 * A package length has one to four bytes and counts itself (ACPI 6.0 section 20.2.4), so the contents are
 * written first and moved up by what the length turns out to need.
 */
#include "boot/acpi/aml.h"

/* ACPI 6.0 section 20.3. */
enum {
    OP_ZERO = 0x00,
    OP_ONE = 0x01,
    OP_NAME = 0x08,
    OP_BYTE = 0x0a,
    OP_WORD = 0x0b,
    OP_DWORD = 0x0c,
    OP_STRING = 0x0d,
    OP_QWORD = 0x0e,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_DUAL_NAME = 0x2e,
    OP_MULTI_NAME = 0x2f,
    OP_EXT = 0x5b,
    OP_EXT_DEVICE = 0x82,
};

void aml_init(struct aml *a, uint8_t *buf, size_t size)
{
    *a = (struct aml){.buf = buf, .size = size};
}

/* Make room for `n` bytes at `at`; NULL when there is none. */
static uint8_t *insert(struct aml *a, size_t at, size_t n)
{
    if (a->full || n > a->size - a->len) {
        a->full = true;
        return NULL;
    }
    memmove(a->buf + at + n, a->buf + at, a->len - at);
    a->len += n;
    return a->buf + at;
}

static void put(struct aml *a, uint64_t value, unsigned n)
{
    uint8_t *p = insert(a, a->len, n);
    if (p)
        store_le(p, value, n);
}

static void put_bytes(struct aml *a, const void *bytes, size_t n)
{
    uint8_t *p = insert(a, a->len, n);
    if (p)
        memcpy(p, bytes, n);
}

/* ---- names (section 20.2.2) ---- */

static void put_path(struct aml *a, const char *path)
{
    if (*path == '\\')
        put(a, (uint8_t)*path++, 1);

    unsigned segments = *path ? 1 : 0;
    for (const char *p = path; *p; p++)
        segments += *p == '.';
    if (segments == 0) {
        put(a, OP_ZERO, 1);
    } else if (segments == 2) {
        put(a, OP_DUAL_NAME, 1);
    } else if (segments > 2) {
        put(a, OP_MULTI_NAME, 1);
        put(a, segments, 1);
    }
    while (*path) {
        char name[4] = {'_', '_', '_', '_'};
        size_t n = strcspn(path, ".");
        assert(n >= 1 && n <= sizeof(name));
        memcpy(name, path, n);
        put_bytes(a, name, sizeof(name));
        path += n + (path[n] == '.');
    }
}

/* ---- objects with contents ---- */

static void open_object(struct aml *a, bool resources)
{
    assert(a->depth < AML_DEPTH);
    a->open[a->depth].start = a->len;
    a->open[a->depth].resources = resources;
    a->depth++;
}

void aml_scope(struct aml *a, const char *path)
{
    put(a, OP_SCOPE, 1);
    open_object(a, false);
    put_path(a, path);
}

void aml_device(struct aml *a, const char *path)
{
    put(a, OP_EXT, 1);
    put(a, OP_EXT_DEVICE, 1);
    open_object(a, false);
    put_path(a, path);
}

void aml_package(struct aml *a, uint8_t count)
{
    put(a, OP_PACKAGE, 1);
    open_object(a, false);
    put(a, count, 1);
}

void aml_resources(struct aml *a)
{
    put(a, OP_BUFFER, 1);
    open_object(a, true);
}

static unsigned integer_encoding(uint64_t value, uint8_t out[9])
{
    static const struct {
        uint8_t op, bytes;
    } forms[] = {{OP_BYTE, 1}, {OP_WORD, 2}, {OP_DWORD, 4}, {OP_QWORD, 8}};
    if (value <= 1) {
        out[0] = value ? OP_ONE : OP_ZERO;
        return 1;
    }
    unsigned i = 0;
    while (value & ~mask_bytes(forms[i].bytes))
        i++;
    out[0] = forms[i].op;
    store_le(out + 1, value, forms[i].bytes);
    return 1u + forms[i].bytes;
}

static unsigned length_encoding(size_t contents, uint8_t out[4])
{
    /* One byte carries 6 bits; with n more, the low 4 bits are in the first and 8 in each of the others. */
    if (contents + 1 < 64) {
        out[0] = (uint8_t)(contents + 1);
        return 1;
    }
    unsigned more = 1;
    while (more < 3 && contents + 1 + more >= (size_t)1 << (4 + 8 * more))
        more++;
    size_t length = contents + 1 + more;
    assert(length < (size_t)1 << 28);
    out[0] = (uint8_t)(more << 6 | (length & 0xf));
    store_le(out + 1, length >> 4, more);
    return 1 + more;
}

void aml_end(struct aml *a)
{
    assert(a->depth > 0);
    a->depth--;
    size_t start = a->open[a->depth].start;
    uint8_t code[9], *p;

    if (a->open[a->depth].resources) {
        /* End tag; a checksum of 0 counts as right (section 6.4.2.9). */
        put(a, 0x0079, 2);
        unsigned n = integer_encoding(a->len - start, code);
        p = insert(a, start, n);
        if (p)
            memcpy(p, code, n);
    }
    unsigned n = length_encoding(a->len - start, code);
    p = insert(a, start, n);
    if (p)
        memcpy(p, code, n);
}

/* ---- named objects and data ---- */

void aml_name(struct aml *a, const char *path)
{
    put(a, OP_NAME, 1);
    put_path(a, path);
}

void aml_integer(struct aml *a, uint64_t value)
{
    uint8_t code[9];
    put_bytes(a, code, integer_encoding(value, code));
}

void aml_string(struct aml *a, const char *s)
{
    put(a, OP_STRING, 1);
    put_bytes(a, s, strlen(s) + 1);
}

void aml_eisaid(struct aml *a, const char *id)
{
    assert(strlen(id) == 7);
    uint32_t value = 0;
    for (unsigned i = 0; i < 3; i++)
        value = value << 5 | (uint32_t)(id[i] - '@');
    for (unsigned i = 3; i < 7; i++)
        value = value << 4 | (uint32_t)(id[i] <= '9' ? id[i] - '0' : id[i] - 'A' + 10);
    aml_integer(a, __builtin_bswap32(value));
}

/* ---- resource descriptors ---- */

void aml_res_io(struct aml *a, uint16_t base, uint8_t count)
{
    put(a, 0x47, 1); /* section 6.4.2.5 */
    put(a, 1, 1);    /* 16-bit decode */
    put(a, base, 2);
    put(a, base, 2);
    put(a, 1, 1); /* alignment */
    put(a, count, 1);
}

void aml_res_irq(struct aml *a, unsigned irq)
{
    assert(irq < 16);
    put(a, 0x22, 1); /* section 6.4.2.1, the form without flags */
    put(a, BIT(irq), 2);
}

void aml_res_memory32_fixed(struct aml *a, uint32_t base, uint32_t size)
{
    put(a, 0x86, 1); /* section 6.4.3.4 */
    put(a, 9, 2);
    put(a, 1, 1); /* writable */
    put(a, base, 4);
    put(a, size, 4);
}

/* Address space descriptors (section 6.4.3.5): the tag gives the width of the five address fields. */
static void address_space(struct aml *a, uint8_t tag, unsigned width, uint8_t type, uint8_t type_flags,
                          uint64_t first, uint64_t last)
{
    assert(first <= last);
    put(a, tag, 1);
    put(a, 3 + 5 * width, 2);
    put(a, type, 1);
    put(a, 0x0c, 1); /* producer, minimum and maximum fixed, positive decode */
    put(a, type_flags, 1);
    put(a, 0, width); /* granularity */
    put(a, first, width);
    put(a, last, width);
    put(a, 0, width); /* translation */
    put(a, last - first + 1, width);
}

void aml_res_bus_window(struct aml *a, uint16_t first, uint16_t last)
{
    address_space(a, 0x88, 2, 2, 0, first, last);
}

void aml_res_io_window(struct aml *a, uint16_t first, uint16_t last)
{
    address_space(a, 0x88, 2, 1, 0x03, first, last); /* the entire range is passed on */
}

void aml_res_memory_window32(struct aml *a, uint32_t first, uint32_t last)
{
    address_space(a, 0x87, 4, 0, 0x01, first, last); /* writable, not cacheable */
}

void aml_res_memory_window64(struct aml *a, uint64_t first, uint64_t last)
{
    address_space(a, 0x8a, 8, 0, 0x01, first, last);
}
