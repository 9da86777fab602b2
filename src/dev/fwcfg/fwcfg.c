/*
 * fwcfg.c: QEMU's firmware configuration interface.
 *
 * A DMA transfer is done within the access that starts it, on the vCPU's thread: the guest sees the
 * descriptor's control word change with its next instruction.
 */
#include "dev/fwcfg/fwcfg.h"

enum {
    DMA_ERROR = 1 << 0,
    DMA_READ = 1 << 1,
    DMA_SKIP = 1 << 2,
    DMA_SELECT = 1 << 3, /* the key is in bits 31:16 */
    DMA_WRITE = 1 << 4,
    DIRECTORY_ENTRY = 64,
    ID_PORTS = 1 << 0,
    ID_DMA = 1 << 1,
};

static const char dma_signature[] = "QEMU CFG";

/* ---- items ---- */

void fwcfg_set(struct fwcfg *f, enum fwcfg_key key, const void *data, uint32_t size)
{
    assert(key < FWCFG_FILE_FIRST);
    f->item[key] = (struct fwcfg_item){data, size};
}

void fwcfg_set_number(struct fwcfg *f, enum fwcfg_key key, uint64_t value, unsigned size)
{
    assert(key < FWCFG_FILE_FIRST && size <= sizeof(value));
    f->number[key] = value;
    fwcfg_set(f, key, &f->number[key], size);
}

static uint8_t *entry_of(struct fwcfg *f, unsigned i)
{
    return f->directory + 4 + i * DIRECTORY_ENTRY;
}

/* An entry: size and key, big-endian, two bytes of nothing, name. */
static void write_entry(uint8_t *entry, unsigned i, const char *name, uint32_t size)
{
    store_le(entry, __builtin_bswap32(size), 4);
    store_le(entry + 4, __builtin_bswap16((uint16_t)(FWCFG_FILE_FIRST + i)), 2);
    store_le(entry + 6, 0, 2);
    memset(entry + 8, 0, FWCFG_NAME_SIZE);
    memcpy(entry + 8, name, strlen(name));
}

void fwcfg_add_file(struct fwcfg *f, const char *name, const void *data, uint32_t size)
{
    assert(f->files < FWCFG_FILES_MAX && strlen(name) < FWCFG_NAME_SIZE);
    unsigned at = f->files;
    for (; at > 0 && strcmp((char *)entry_of(f, at - 1) + 8, name) > 0; at--) {
        struct fwcfg_item moved = f->item[FWCFG_FILE_FIRST + at - 1];
        write_entry(entry_of(f, at), at, (char *)entry_of(f, at - 1) + 8, moved.size);
        f->item[FWCFG_FILE_FIRST + at] = moved;
    }
    write_entry(entry_of(f, at), at, name, size);
    f->item[FWCFG_FILE_FIRST + at] = (struct fwcfg_item){data, size};
    f->files++;
    store_le(f->directory, __builtin_bswap32(f->files), 4);
    fwcfg_set(f, FWCFG_FILE_DIR, f->directory, 4 + f->files * DIRECTORY_ENTRY);
}

/* ---- the guest's side ---- */

static void select_item(struct fwcfg *f, uint16_t key)
{
    f->selected = key;
    f->offset = 0;
}

/* What of the selected item has not been read yet; a key without an item is one of no bytes. */
static struct fwcfg_item rest(const struct fwcfg *f)
{
    struct fwcfg_item i = {0};
    if (f->selected < ARRAY_LEN(f->item))
        i = f->item[f->selected];
    if (f->offset >= i.size)
        return (struct fwcfg_item){0};
    return (struct fwcfg_item){(const uint8_t *)i.data + f->offset, i.size - f->offset};
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    struct fwcfg *f = opaque;
    struct fwcfg_item r = rest(f);
    if (r.size == 0)
        return 0;
    f->offset++;
    return *(const uint8_t *)r.data;
}

/* The selector takes 2 bytes at once; a byte is a write to the data port, where nothing can be written. */
static void port_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    if (offset == 0 && size == 2)
        select_item(opaque, (uint16_t)value);
}

/* ---- DMA ---- */

/* `data` NULL: zeros. Page by page, since memory is in pieces. */
static bool to_guest(struct fwcfg *f, uint64_t at, const uint8_t *data, uint64_t size)
{
    static const uint8_t zeros[PAGE_SIZE];
    for (uint64_t n; size; at += n, size -= n) {
        n = MIN(size, PAGE_SIZE - (at & ~PAGE_MASK));
        if (!mem_write(f->mem, at, data ? data : zeros, n))
            return false;
        data = data ? data + n : NULL;
    }
    return true;
}

static bool transfer(struct fwcfg *f, uint32_t control, uint32_t length, uint64_t address)
{
    if (control & DMA_SELECT)
        select_item(f, (uint16_t)(control >> 16));
    struct fwcfg_item r = rest(f);
    uint32_t there = MIN(r.size, length);
    if (control & DMA_READ) {
        if (!to_guest(f, address, r.data, there) || !to_guest(f, address + there, NULL, length - there))
            return false;
    } else if (control & DMA_WRITE) {
        return length == 0;
    } else if (!(control & DMA_SKIP)) {
        return true;
    }
    f->offset += there;
    return true;
}

/* The descriptor: control, length, address, big-endian. Its control word becomes 0, or DMA_ERROR. */
static void run_dma(struct fwcfg *f, uint64_t at)
{
    uint8_t d[16];
    uint32_t result = DMA_ERROR;
    bool readable = mem_read(f->mem, at, d, sizeof(d));
    if (readable &&
        transfer(f, __builtin_bswap32((uint32_t)load_le(d, 4)),
                 __builtin_bswap32((uint32_t)load_le(d + 4, 4)), __builtin_bswap64(load_le(d + 8, 8))))
        result = 0;
    else
        log_guest(&f->dma_refused, "fw_cfg: DMA descriptor at 0x%llx: %s", (unsigned long long)at,
                  readable ? "asks for what cannot be done" : "no memory there");
    result = __builtin_bswap32(result);
    mem_write(f->mem, at, &result, sizeof(result));
}

static uint64_t dma_read(void *opaque, uint64_t offset, unsigned size)
{
    return load_le(dma_signature + offset, size);
}

static void dma_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct fwcfg *f = opaque;
    uint32_t half = __builtin_bswap32((uint32_t)value);
    if (size != 4)
        return;
    if (offset == 0) {
        f->dma_high = half;
    } else if (offset == 4) {
        uint64_t at = (uint64_t)f->dma_high << 32 | half;
        f->dma_high = 0;
        run_dma(f, at);
    }
}

/* ---- life ---- */

static const struct bus_desc port_desc = {
    .name = "fw-cfg",
    .read = port_read,
    .write = port_write,
    .min_size = 1,
    .max_size = 2,
};
static const struct bus_desc dma_desc = {
    .name = "fw-cfg-dma",
    .read = dma_read,
    .write = dma_write,
    .min_size = 1,
    .max_size = 4,
};

void fwcfg_init(struct fwcfg *f, struct mem *mem)
{
    *f = (struct fwcfg){.mem = mem};
    pthread_mutex_init(&f->lock, NULL);
    fwcfg_set(f, FWCFG_SIGNATURE, "QEMU", 4);
    fwcfg_set_number(f, FWCFG_ID, ID_PORTS | ID_DMA, 4);
    fwcfg_set(f, FWCFG_FILE_DIR, f->directory, 4);
}

void fwcfg_reset(struct fwcfg *f)
{
    pthread_mutex_lock(&f->lock);
    select_item(f, 0);
    f->dma_high = 0;
    pthread_mutex_unlock(&f->lock);
}

void fwcfg_destroy(struct fwcfg *f)
{
    pthread_mutex_destroy(&f->lock);
}

void fwcfg_attach(struct fwcfg *f, struct bus *b)
{
    bus_add_pio(b, FWCFG_PORT, FWCFG_PORTS, &port_desc, f, &f->lock);
    bus_add_pio(b, FWCFG_DMA_PORT, FWCFG_DMA_PORTS, &dma_desc, f, &f->lock);
}
