/*
 * mem/mem.h: guest physical memory.
 *
 * Memory is a few slots {gpa, size, host memory}. A gpa is a number, never a pointer; host pointers come only
 * from the checked accessors here. All writes to guest memory, by engines and by devices, go through
 * mem_write (or a write grant, below), which marks dirty pages and reports writes to pages that hold decoded
 * or translated code.
 *
 * Threads: slots are added before the machine runs. Accessors may be called from any thread.
 */
#ifndef MEM_MEM_H
#define MEM_MEM_H

#include "base/base.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ull
#define PAGE_MASK  (~(PAGE_SIZE - 1))

/* Guest physical address: an integer on purpose; nothing dereferences it. */
typedef uint64_t gpa_t;

#define MEM_MAX_SLOTS 16

struct mem_slot {
    gpa_t gpa;
    uint64_t size;
    uint8_t *hva; /* read and write by us; rom: the guest reads only */
    bool rom;
    uint8_t *flags; /* one byte a page: MEM_PAGE_* */
    uint64_t *code; /* per page: bit i set when chunk i (64 bytes) holds decoded code */
};

enum {
    MEM_PAGE_CODE = 1,    /* holds code: no write grant may exist for it */
    MEM_PAGE_DIRTY = 2,   /* written since the last mem_dirty_test_clear */
    MEM_PAGE_TOUCHED = 4, /* written at least once since power-on */
};

struct mem;

struct mem *mem_new(void);
void mem_free(struct mem *m);

/*
 * Add RAM, zero-filled, private anonymous memory with huge pages advised. gpa and size are multiples of the
 * page size; overlap with another slot is a bug of the caller. False: `e` says what the host refused.
 */
bool mem_add_ram(struct mem *m, gpa_t gpa, uint64_t size, struct err *e);
bool mem_add_rom(struct mem *m, gpa_t gpa, uint64_t size, struct err *e);

const struct mem_slot *mem_slots(const struct mem *m, unsigned *count);
/* The slot that holds gpa, or NULL. */
struct mem_slot *mem_find(const struct mem *m, gpa_t gpa);
/* Bytes of RAM in all. */
uint64_t mem_ram_size(const struct mem *m);

/* Host pointer for reading [gpa, gpa+len), or NULL when not wholly inside one slot. */
const void *mem_ptr(const struct mem *m, gpa_t gpa, uint64_t len);
/* Copy out / in; false (nothing copied) when not wholly inside one slot (for mem_write: one RAM slot). */
bool mem_read(const struct mem *m, gpa_t gpa, void *buf, uint64_t len);
bool mem_write(struct mem *m, gpa_t gpa, const void *buf, uint64_t len);
/*
 * The second half of mem_write, for an engine that has just stored to [gpa, gpa+len) through a host pointer
 * without a grant (a read-modify-write that has to be one host access): marks dirty, reports. Within one
 * slot.
 */
void mem_written(struct mem *m, gpa_t gpa, uint64_t len);
/* As mem_write, for the machine's own set-up: may write ROM too. */
bool mem_load(struct mem *m, gpa_t gpa, const void *buf, uint64_t len);

/*
 * Power-on: all RAM reads as zeros and is given back to the host; ROM stays. Code in RAM is reported as
 * written, to each listener. While no vCPU runs; engines drop their grants at the same time.
 */
void mem_zero_ram(struct mem *m);

/*
 * A write grant: host pointer to the page at gpa (page-aligned) through which an engine may store directly,
 * having marked it dirty; NULL when each write must go through mem_write (no RAM, or the page holds code).
 * Grants are revoked by the `revoke` callback below.
 */
uint8_t *mem_grant_write(struct mem *m, gpa_t page);

/*
 * An engine marks the bytes it has decoded. The first mark on a page calls every listener's `revoke`, which
 * drops write grants (TLB entries) for that page. Returns false when [gpa, gpa+len) is not within one page of
 * a slot.
 */
bool mem_mark_code(struct mem *m, gpa_t gpa, uint64_t len);
/* The engine holds no code of that page any more. */
void mem_clear_code(struct mem *m, gpa_t page);

/*
 * Listeners: `written` is called after bytes of a code page have changed, only when a marked 64-byte chunk is
 * touched; `revoke` when direct writes to `page` must end. Both run in the thread that caused them.
 */
struct mem_listener {
    void (*written)(void *opaque, gpa_t gpa, uint64_t len);
    void (*revoke)(void *opaque, gpa_t page);
    void *opaque;
};
/* At most 64 listeners (one a vCPU). Before the machine runs. The struct stays the caller's and must live on.
 */
void mem_listen(struct mem *m, const struct mem_listener *l);

/* Was the page written since the last call? Clears it. Callers must first make engines drop their grants. */
bool mem_dirty_test_clear(struct mem *m, gpa_t page);

#endif
