/*
 * memory.c: guest memory in the kernel's hands: one of its slots for each of ours, and its log of dirty
 * pages.
 *
 * ROM is a read-only slot: a write to it leaves the guest as a memory-mapped access, and goes nowhere.
 */
#include "engine/kvm/impl.h"
#include <errno.h>
#include <stdlib.h>

#define PAGES_IN_WORD 64

static bool set_slot(struct engine *en, unsigned i, const struct mem_slot *s, struct err *e)
{
    struct kvm_userspace_memory_region r = {
        .slot = i,
        .flags = (s->rom ? KVM_MEM_READONLY : 0) | (en->logging && !s->rom ? KVM_MEM_LOG_DIRTY_PAGES : 0),
        .guest_phys_addr = s->gpa,
        .memory_size = s->size,
        .userspace_addr = (uintptr_t)s->hva,
    };
    if (ioctl(en->vm, KVM_SET_USER_MEMORY_REGION, &r) == 0)
        return true;
    return err_host(e, "kvm: %llu KiB of guest memory at 0x%llx are refused: %s; use a smaller --memory",
                    (unsigned long long)(s->size >> 10), (unsigned long long)s->gpa, strerror(errno));
}

bool kvm_add_memory(struct engine *en, struct err *e)
{
    unsigned n;
    const struct mem_slot *s = mem_slots(en->cfg.mem, &n);
    for (unsigned i = 0; i < n; i++)
        if (!set_slot(en, i, &s[i], e))
            return false;
    return true;
}

bool kvm_dirty_log(struct engine *en, bool on, struct err *e)
{
    en->logging = on;
    return kvm_add_memory(en, e);
}

static void mark(struct engine *en, const struct mem_slot *s, uint64_t word, uint64_t first_page)
{
    for (; word; word &= word - 1) {
        uint64_t page = first_page + (unsigned)__builtin_ctzll(word);
        if (page < s->size >> PAGE_SHIFT)
            mem_written(en->cfg.mem, s->gpa + (page << PAGE_SHIFT), PAGE_SIZE);
    }
}

static bool sync_slot(struct engine *en, unsigned i, const struct mem_slot *s, struct err *e)
{
    uint64_t words = align_up(s->size >> PAGE_SHIFT, PAGES_IN_WORD) / PAGES_IN_WORD;
    uint64_t *bitmap = calloc(words, sizeof(*bitmap));
    if (!bitmap)
        return err_host(e, "no memory for a log of dirty pages");
    struct kvm_dirty_log log = {.slot = i, .dirty_bitmap = bitmap};
    bool ok = ioctl(en->vm, KVM_GET_DIRTY_LOG, &log) == 0;
    if (!ok)
        err_host(e, "kvm: the log of dirty pages cannot be read: %s", strerror(errno));
    for (uint64_t w = 0; ok && w < words; w++)
        mark(en, s, bitmap[w], w * PAGES_IN_WORD);
    free(bitmap);
    return ok;
}

bool kvm_dirty_sync(struct engine *en, struct err *e)
{
    unsigned n;
    const struct mem_slot *s = mem_slots(en->cfg.mem, &n);
    assert(en->logging);
    for (unsigned i = 0; i < n; i++)
        if (!s[i].rom && !sync_slot(en, i, &s[i], e))
            return false;
    return true;
}
