/*
 * mem.c: guest physical memory: slots, checked access, dirty pages, pages that hold code.
 *
 * Writers and decoders on different threads meet in the flags and chunk masks. A writer changes bytes and
 * then looks at the flags; a decoder marks and then reads bytes. Both steps have a locked read-modify-write
 * between them, so at least one side sees the other: the decoder reads the new bytes, or the writer reports
 * the write.
 */
#include "mem/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MAX_LISTENERS 64
#define CHUNK_SHIFT   6
#define HUGE_PAGE     MIB(2)

struct mem {
    unsigned count;
    struct mem_slot slots[MEM_MAX_SLOTS];
    unsigned listener_count;
    const struct mem_listener *listeners[MAX_LISTENERS];
};

struct mem *mem_new(void)
{
    return calloc(1, sizeof(struct mem));
}

static void slot_free(struct mem_slot *s)
{
    uint64_t pages = s->size >> PAGE_SHIFT;
    if (s->hva)
        munmap(s->hva, s->size);
    if (s->flags)
        munmap(s->flags, pages);
    if (s->code)
        munmap(s->code, pages * sizeof(uint64_t));
}

void mem_free(struct mem *m)
{
    if (!m)
        return;
    for (unsigned i = 0; i < m->count; i++)
        slot_free(&m->slots[i]);
    free(m);
}

/* Zeroed memory of which only what is touched costs anything; NULL with errno. */
static void *map_lazy(uint64_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* As map_lazy, at an address that agrees with gpa modulo 2 MiB: a huge page here can back a huge page of the
 * guest. */
static uint8_t *map_guest(gpa_t gpa, uint64_t size)
{
    uint64_t room;
    if (!add_u64(size, HUGE_PAGE, &room)) {
        errno = ENOMEM;
        return NULL;
    }
    uint8_t *all = map_lazy(room);
    if (!all)
        return NULL;
    uint64_t front = (gpa - (uintptr_t)all) & (HUGE_PAGE - 1);
    uint8_t *hva = all + front;
    if (front)
        munmap(all, front);
    if (front < HUGE_PAGE)
        munmap(hva + size, HUGE_PAGE - front);
    madvise(hva, size,
            MADV_HUGEPAGE); /* only advice: a kernel without huge pages refuses, and that is fine */
    return hva;
}

static bool add_slot(struct mem *m, gpa_t gpa, uint64_t size, bool rom, struct err *e)
{
    assert(m->count < MEM_MAX_SLOTS);
    assert(size && !(gpa & ~PAGE_MASK) && !(size & ~PAGE_MASK));
    assert(gpa + (size - 1) >= gpa);
    for (unsigned i = 0; i < m->count; i++)
        assert(gpa - m->slots[i].gpa >= m->slots[i].size && m->slots[i].gpa - gpa >= size);

    struct mem_slot s = {.gpa = gpa, .size = size, .rom = rom};
    uint64_t pages = size >> PAGE_SHIFT;
    if (!(s.hva = map_guest(gpa, size)) || !(s.flags = map_lazy(pages)) ||
        !(s.code = map_lazy(pages * sizeof(uint64_t)))) {
        int error = errno;
        slot_free(&s);
        return err_host(
            e, "guest memory: the host gives no %llu KiB of address space: %s; use a smaller --memory",
            (unsigned long long)(size >> 10), strerror(error));
    }
    m->slots[m->count++] = s;
    return true;
}

bool mem_add_ram(struct mem *m, gpa_t gpa, uint64_t size, struct err *e)
{
    return add_slot(m, gpa, size, false, e);
}

bool mem_add_rom(struct mem *m, gpa_t gpa, uint64_t size, struct err *e)
{
    return add_slot(m, gpa, size, true, e);
}

const struct mem_slot *mem_slots(const struct mem *m, unsigned *count)
{
    *count = m->count;
    return m->slots;
}

struct mem_slot *mem_find(const struct mem *m, gpa_t gpa)
{
    const struct mem_slot *s = m->slots, *end = s + m->count;
    for (; s < end; s++)
        if (gpa - s->gpa < s->size)
            return (struct mem_slot *)s;
    return NULL;
}

uint64_t mem_ram_size(const struct mem *m)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < m->count; i++)
        if (!m->slots[i].rom)
            sum += m->slots[i].size;
    return sum;
}

/* The slot that holds all of [gpa, gpa+len), or NULL; an empty range lies where its first byte would. */
static struct mem_slot *find_range(const struct mem *m, gpa_t gpa, uint64_t len)
{
    struct mem_slot *s = mem_find(m, gpa);
    return s && len <= s->size - (gpa - s->gpa) ? s : NULL;
}

const void *mem_ptr(const struct mem *m, gpa_t gpa, uint64_t len)
{
    const struct mem_slot *s = find_range(m, gpa, len);
    return s ? s->hva + (gpa - s->gpa) : NULL;
}

/* Naturally sized accesses are one move, so that another vCPU sees all or nothing of an aligned one. */
static ALWAYS_INLINE void copy(void *to, const void *from, uint64_t len)
{
    switch (len) {
    case 1: memcpy(to, from, 1); break;
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    case 8: memcpy(to, from, 8); break;
    default: memcpy(to, from, len); break;
    }
}

bool mem_read(const struct mem *m, gpa_t gpa, void *buf, uint64_t len)
{
    const void *p = mem_ptr(m, gpa, len);
    if (!p)
        return false;
    copy(buf, p, len);
    return true;
}

/* Bits of the 64-byte chunks that [at, at+len) touches; within one page, len > 0. */
static uint64_t chunk_mask(uint64_t at, uint64_t len)
{
    unsigned first = (unsigned)((at & ~PAGE_MASK) >> CHUNK_SHIFT);
    unsigned last = (unsigned)(((at & ~PAGE_MASK) + len - 1) >> CHUNK_SHIFT);
    return bits(~0ull, 0, last - first + 1) << first;
}

static NOINLINE void report_write(struct mem *m, struct mem_slot *s, uint64_t at, uint64_t len)
{
    uint64_t mask = __atomic_load_n(&s->code[at >> PAGE_SHIFT], __ATOMIC_ACQUIRE);
    if (!(mask & chunk_mask(at, len)))
        return;
    for (unsigned i = 0; i < m->listener_count; i++)
        if (m->listeners[i]->written)
            m->listeners[i]->written(m->listeners[i]->opaque, s->gpa + at, len);
}

/* Bytes at offset `at` of the slot have changed: a page at a time, mark it dirty and report it if it holds
 * code. */
static void after_write(struct mem *m, struct mem_slot *s, uint64_t at, uint64_t len)
{
    while (len) {
        uint64_t part = MIN(len, PAGE_SIZE - (at & ~PAGE_MASK));
        uint8_t old = __atomic_fetch_or(&s->flags[at >> PAGE_SHIFT], MEM_PAGE_DIRTY | MEM_PAGE_TOUCHED,
                                        __ATOMIC_SEQ_CST);
        if (UNLIKELY(old & MEM_PAGE_CODE))
            report_write(m, s, at, part);
        at += part;
        len -= part;
    }
}

static bool write_slot(struct mem *m, struct mem_slot *s, gpa_t gpa, const void *buf, uint64_t len)
{
    copy(s->hva + (gpa - s->gpa), buf, len);
    after_write(m, s, gpa - s->gpa, len);
    return true;
}

bool mem_write(struct mem *m, gpa_t gpa, const void *buf, uint64_t len)
{
    struct mem_slot *s = find_range(m, gpa, len);
    return s && !s->rom && write_slot(m, s, gpa, buf, len);
}

void mem_written(struct mem *m, gpa_t gpa, uint64_t len)
{
    struct mem_slot *s = find_range(m, gpa, len);
    assert(s);
    after_write(m, s, gpa - s->gpa, len);
}

bool mem_load(struct mem *m, gpa_t gpa, const void *buf, uint64_t len)
{
    struct mem_slot *s = find_range(m, gpa, len);
    return s && write_slot(m, s, gpa, buf, len);
}

uint8_t *mem_grant_write(struct mem *m, gpa_t page)
{
    assert(!(page & ~PAGE_MASK));
    struct mem_slot *s = mem_find(m, page);
    if (!s || s->rom)
        return NULL;
    uint64_t at = page - s->gpa;
    uint8_t *flags = &s->flags[at >> PAGE_SHIFT];
    if (__atomic_load_n(flags, __ATOMIC_RELAXED) & MEM_PAGE_CODE)
        return NULL;
    /* Code may have come to the page since: the answer that counts is the one of the marking itself. */
    uint8_t old = __atomic_fetch_or(flags, MEM_PAGE_DIRTY | MEM_PAGE_TOUCHED, __ATOMIC_SEQ_CST);
    return old & MEM_PAGE_CODE ? NULL : s->hva + at;
}

bool mem_mark_code(struct mem *m, gpa_t gpa, uint64_t len)
{
    struct mem_slot *s = find_range(m, gpa, len);
    if (!s || len > PAGE_SIZE - (gpa & ~PAGE_MASK))
        return false;
    if (!len)
        return true;
    uint64_t at = gpa - s->gpa;
    __atomic_fetch_or(&s->code[at >> PAGE_SHIFT], chunk_mask(at, len), __ATOMIC_SEQ_CST);
    uint8_t old = __atomic_fetch_or(&s->flags[at >> PAGE_SHIFT], MEM_PAGE_CODE, __ATOMIC_SEQ_CST);
    if (old & MEM_PAGE_CODE)
        return true;
    for (unsigned i = 0; i < m->listener_count; i++)
        if (m->listeners[i]->revoke)
            m->listeners[i]->revoke(m->listeners[i]->opaque, gpa & PAGE_MASK);
    return true;
}

void mem_clear_code(struct mem *m, gpa_t page)
{
    struct mem_slot *s = mem_find(m, page);
    if (!s)
        return;
    uint64_t index = (page - s->gpa) >> PAGE_SHIFT;
    __atomic_store_n(&s->code[index], 0, __ATOMIC_RELEASE);
    __atomic_fetch_and(&s->flags[index], (uint8_t)~MEM_PAGE_CODE, __ATOMIC_SEQ_CST);
}

void mem_listen(struct mem *m, const struct mem_listener *l)
{
    assert(m->listener_count < MAX_LISTENERS);
    m->listeners[m->listener_count++] = l;
}

bool mem_dirty_test_clear(struct mem *m, gpa_t page)
{
    struct mem_slot *s = mem_find(m, page);
    if (!s)
        return false;
    uint8_t *flags = &s->flags[(page - s->gpa) >> PAGE_SHIFT];
    return __atomic_fetch_and(flags, (uint8_t)~MEM_PAGE_DIRTY, __ATOMIC_SEQ_CST) & MEM_PAGE_DIRTY;
}

static void zero_slot(struct mem *m, struct mem_slot *s)
{
    if (madvise(s->hva, s->size, MADV_DONTNEED) != 0)
        memset(s->hva, 0, s->size); /* pages locked in memory cannot be given back */
    for (uint64_t i = 0; i < s->size >> PAGE_SHIFT; i++) {
        uint8_t old = __atomic_load_n(&s->flags[i], __ATOMIC_RELAXED);
        if (!(old & (MEM_PAGE_TOUCHED | MEM_PAGE_CODE)))
            continue;
        __atomic_fetch_or(&s->flags[i], MEM_PAGE_DIRTY, __ATOMIC_SEQ_CST);
        __atomic_fetch_and(&s->flags[i], (uint8_t)~MEM_PAGE_TOUCHED, __ATOMIC_SEQ_CST);
        if (old & MEM_PAGE_CODE)
            report_write(m, s, i << PAGE_SHIFT, PAGE_SIZE);
    }
}

void mem_zero_ram(struct mem *m)
{
    for (unsigned i = 0; i < m->count; i++)
        if (!m->slots[i].rom)
            zero_slot(m, &m->slots[i]);
}
