/*
 * bus.c: finds who answers a port or an address, cuts the access to the sizes it takes, and calls it under
 * its lock.
 *
 * Ports are found by a table with one small index each, addresses by binary search in a sorted array. An
 * access that lies within one range is cut into pieces of at most max_size under one hold of the lock, so it
 * is whole for the device's other users. One that does not (two devices side by side, or nobody at one end)
 * is done byte by byte.
 */
#include "bus/bus.h"
#include <stdlib.h>

#define MAX_RANGES 255 /* of each kind; pio_index has 8 bits and 0 means nobody */
#define PORTS      0x10000u

struct range {
    uint64_t start, size;
    const struct bus_desc *desc;
    void *opaque;
    pthread_mutex_t *lock;
    unsigned min, max;
};

struct bus {
    unsigned pio_count, mmio_count;
    struct range pio[MAX_RANGES];
    struct range mmio[MAX_RANGES]; /* sorted by start */
    struct bus_counts counts;      /* atomic */
    void (*msi)(void *opaque, uint64_t addr, uint32_t data);
    void *msi_opaque;
    uint8_t pio_index[PORTS]; /* 1 + index into pio, or 0 */
};

typedef const struct range *find_fn(const struct bus *b, uint64_t at);

struct bus *bus_new(void)
{
    return calloc(1, sizeof(struct bus));
}

void bus_free(struct bus *b)
{
    free(b);
}

static struct range make_range(uint64_t start, uint64_t size, const struct bus_desc *d, void *opaque,
                               pthread_mutex_t *lock)
{
    struct range r = {.start = start, .size = size, .desc = d, .opaque = opaque, .lock = lock};
    r.min = d->min_size ? d->min_size : 1;
    r.max = d->max_size ? d->max_size : 4;
    assert(r.min <= r.max && r.max <= 8 && !(r.min & (r.min - 1)) && !(r.max & (r.max - 1)));
    return r;
}

void bus_add_pio(struct bus *b, uint16_t port, uint32_t count, const struct bus_desc *d, void *opaque,
                 pthread_mutex_t *lock)
{
    assert(count && port + count <= PORTS && b->pio_count < MAX_RANGES);
    for (uint32_t p = port; p < port + count; p++)
        assert(b->pio_index[p] == 0);
    b->pio[b->pio_count++] = make_range(port, count, d, opaque, lock);
    memset(b->pio_index + port, (int)b->pio_count, count);
}

bool bus_pio_taken(const struct bus *b, uint16_t port, uint32_t count)
{
    for (uint32_t p = port; p < PORTS && p < port + count; p++)
        if (b->pio_index[p])
            return true;
    return false;
}

void bus_add_mmio(struct bus *b, gpa_t gpa, uint64_t size, const struct bus_desc *d, void *opaque,
                  pthread_mutex_t *lock)
{
    assert(size && gpa + (size - 1) >= gpa && b->mmio_count < MAX_RANGES);
    for (unsigned k = 0; k < b->mmio_count; k++)
        assert(gpa - b->mmio[k].start >= b->mmio[k].size && b->mmio[k].start - gpa >= size);
    unsigned i = b->mmio_count++;
    for (; i > 0 && b->mmio[i - 1].start > gpa; i--)
        b->mmio[i] = b->mmio[i - 1];
    b->mmio[i] = make_range(gpa, size, d, opaque, lock);
}

static const struct range *find_pio(const struct bus *b, uint64_t at)
{
    unsigned i = at < PORTS ? b->pio_index[at] : 0;
    return i ? &b->pio[i - 1] : NULL;
}

static const struct range *find_mmio(const struct bus *b, uint64_t at)
{
    unsigned lo = 0, hi = b->mmio_count; /* the last range that starts at or below `at` is in [lo-1, hi-1] */
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (b->mmio[mid].start <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct range *r = lo ? &b->mmio[lo - 1] : NULL;
    return r && at - r->start < r->size ? r : NULL;
}

/* The largest size the device may be asked for at once: a power of two, at most `left` and at most max. */
static unsigned piece_of(const struct range *r, unsigned left)
{
    unsigned n = r->max;
    while (n > left)
        n /= 2;
    return n;
}

/* Within the range. Pieces below min_size read as ones. */
static uint64_t range_read(const struct range *r, uint64_t at, unsigned size)
{
    uint64_t offset = at - r->start, value = 0;
    if (r->lock)
        pthread_mutex_lock(r->lock);
    for (unsigned done = 0, n; done < size; done += n) {
        n = piece_of(r, size - done);
        uint64_t v = ~0ull;
        if (n >= r->min && r->desc->read)
            v = r->desc->read(r->opaque, offset + done, n);
        value |= (v & mask_bytes(n)) << (8 * done);
    }
    if (r->lock)
        pthread_mutex_unlock(r->lock);
    return value;
}

static void range_write(const struct range *r, uint64_t at, unsigned size, uint64_t value)
{
    uint64_t offset = at - r->start;
    if (r->lock)
        pthread_mutex_lock(r->lock);
    for (unsigned done = 0, n; done < size; done += n) {
        n = piece_of(r, size - done);
        if (n >= r->min && r->desc->write)
            r->desc->write(r->opaque, offset + done, n, (value >> (8 * done)) & mask_bytes(n));
    }
    if (r->lock)
        pthread_mutex_unlock(r->lock);
}

static void count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* Addresses do not wrap: what lies beyond the last one belongs to nobody. */
static const struct range *find_byte(const struct bus *b, find_fn *find, uint64_t at, unsigned i)
{
    return at + i >= at ? find(b, at + i) : NULL;
}

static ALWAYS_INLINE uint64_t bus_read(struct bus *b, find_fn *find, uint64_t at, unsigned size)
{
    const struct range *r = find(b, at);
    if (LIKELY(r && range_within(at - r->start, size, r->size)))
        return range_read(r, at, size);
    uint64_t value = 0;
    bool claimed = false;
    for (unsigned i = 0; i < size; i++) {
        r = find_byte(b, find, at, i);
        value |= (r ? range_read(r, at + i, 1) : 0xff) << (8 * i);
        claimed |= r != NULL;
    }
    if (!claimed)
        count(&b->counts.unclaimed);
    return value;
}

static ALWAYS_INLINE void bus_write(struct bus *b, find_fn *find, uint64_t at, unsigned size, uint64_t value)
{
    const struct range *r = find(b, at);
    if (LIKELY(r && range_within(at - r->start, size, r->size))) {
        range_write(r, at, size, value);
        return;
    }
    bool claimed = false;
    for (unsigned i = 0; i < size; i++) {
        r = find_byte(b, find, at, i);
        if (r)
            range_write(r, at + i, 1, (value >> (8 * i)) & 0xff);
        claimed |= r != NULL;
    }
    if (!claimed)
        count(&b->counts.unclaimed);
}

uint32_t bus_pio_read(struct bus *b, uint16_t port, unsigned size)
{
    assert(size == 1 || size == 2 || size == 4);
    count(&b->counts.pio);
    return (uint32_t)bus_read(b, find_pio, port, size);
}

void bus_pio_write(struct bus *b, uint16_t port, unsigned size, uint32_t value)
{
    assert(size == 1 || size == 2 || size == 4);
    count(&b->counts.pio);
    bus_write(b, find_pio, port, size, value);
}

uint64_t bus_mmio_read(struct bus *b, gpa_t gpa, unsigned size)
{
    assert(size >= 1 && size <= 8);
    count(&b->counts.mmio);
    return bus_read(b, find_mmio, gpa, size);
}

void bus_mmio_write(struct bus *b, gpa_t gpa, unsigned size, uint64_t value)
{
    assert(size >= 1 && size <= 8);
    count(&b->counts.mmio);
    bus_write(b, find_mmio, gpa, size, value);
}

struct bus_counts bus_counts(const struct bus *b)
{
    return (struct bus_counts){
        .pio = __atomic_load_n(&b->counts.pio, __ATOMIC_RELAXED),
        .mmio = __atomic_load_n(&b->counts.mmio, __ATOMIC_RELAXED),
        .unclaimed = __atomic_load_n(&b->counts.unclaimed, __ATOMIC_RELAXED),
    };
}

void bus_set_msi_sink(struct bus *b, void (*fn)(void *opaque, uint64_t addr, uint32_t data), void *opaque)
{
    b->msi = fn;
    b->msi_opaque = opaque;
}

void bus_msi(struct bus *b, uint64_t addr, uint32_t data)
{
    if (b->msi)
        b->msi(b->msi_opaque, addr, data);
}
