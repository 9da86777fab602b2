/*
 * tlb_space.c: which translations the software TLB holds: one space for each PCID in use, and the flushes
 * (SDM 3A 4.10, APM 2 5.5).
 *
 * A load of CR3 with PCIDs changes v->space and touches nothing else. Every space is filled by its own
 * misses; a global translation that another space holds is copied from there. Whoever drops something gives
 * the space a new generation, as the jump cache holds results of fetches.
 */
#include "engine/interp/insn.h"
#include <stdlib.h>

#define NO_PCID ~0u /* of a space that holds nothing */

#define FOR_SPACES(v, s)                                                        \
    for (unsigned s##_n = 0; s##_n < TLB_SPACES && (v)->spaces[s##_n]; s##_n++) \
        for (struct tlb_space *s = (v)->spaces[s##_n]; s; s = NULL)

static void entry_clear(struct tlb_space *s, unsigned bank, unsigned i)
{
    s->entry[bank][i] = (struct tlb_entry){TLB_INVALID, TLB_INVALID, TLB_INVALID, 0};
    s->info[bank][i] = (struct tlb_info){.page = TLB_INVALID};
}

static unsigned current_pcid(const struct interp *v)
{
    return v->c.st.cr4 & CR4_PCIDE ? v->c.st.cr3 & 0xfff : 0;
}

static struct tlb_space *space_new(struct interp *v)
{
    struct tlb_space *s = malloc(sizeof(*s));
    if (!s)
        return NULL;
    s->pcid = NO_PCID;
    s->used = 0;
    s->generation = ++v->generation;
    s->nfilled = 0;
    s->large_lo = ~0ull;
    s->large_hi = 0;
    for (unsigned b = 0; b < TLB_BANKS; b++)
        for (unsigned i = 0; i < TLB_SIZE; i++)
            entry_clear(s, b, i);
    return s;
}

bool tlb_init(struct interp *v, struct err *e)
{
    for (unsigned i = 0; i < TLB_SIZE; i++)
        v->checked[i] = (struct tlb_entry){TLB_INVALID, TLB_INVALID, TLB_INVALID, 0};
    v->space = v->spaces[0] = space_new(v);
    if (!v->space)
        return err_host(e, "no memory for the interpreter's TLB");
    v->space->pcid = 0;
    return true;
}

void tlb_free(struct interp *v)
{
    for (unsigned i = 0; i < TLB_SPACES; i++)
        free(v->spaces[i]);
}

void tlb_new_generations(struct interp *v)
{
    FOR_SPACES(v, s)
    s->generation = ++v->generation;
}

/* ---- dropping ---- */

typedef bool drop_fn(const struct tlb_info *t, uint64_t lin);

static bool drop_any(const struct tlb_info *t, uint64_t lin)
{
    return true;
}
static bool drop_nonglobal(const struct tlb_info *t, uint64_t lin)
{
    return !t->t.global;
}
/* A page, or another 4 KiB fragment of the large page that holds lin. */
static bool drop_page(const struct tlb_info *t, uint64_t lin)
{
    return (t->page & ~(t->t.size - 1)) == (lin & ~(t->t.size - 1));
}
static bool drop_global_page(const struct tlb_info *t, uint64_t lin)
{
    return t->t.global && drop_page(t, lin);
}

/* Walk the log of filled slots; what stays valid stays in the log, once. */
static void drop_if(struct interp *v, struct tlb_space *s, drop_fn *drop, uint64_t lin)
{
    unsigned kept = 0;
    for (unsigned k = 0; k < s->nfilled; k++) {
        unsigned bank = s->filled[k] >> 16, i = s->filled[k] & 0xffff;
        struct tlb_info *t = &s->info[bank][i];
        if (t->page != TLB_INVALID && !drop(t, lin)) {
            s->filled[kept++] = s->filled[k];
            continue;
        }
        entry_clear(s, bank, i);
    }
    s->nfilled = kept;
    s->generation = ++v->generation;
}

/* One page, which only its own slot can hold unless it is part of a large one. */
static void drop_slot(struct interp *v, struct tlb_space *s, drop_fn *drop, uint64_t lin)
{
    if (lin >= s->large_lo && lin <= s->large_hi) {
        drop_if(v, s, drop, lin);
        return;
    }
    unsigned i = lin >> PAGE_SHIFT & (TLB_SIZE - 1);
    for (unsigned b = 0; b < TLB_BANKS; b++)
        if (s->info[b][i].page == (lin & PAGE_MASK) && drop(&s->info[b][i], lin)) {
            bool logged = s->info[b][i].logged;
            entry_clear(s, b, i);
            s->info[b][i].logged = logged; /* the log keeps the slot: it may be filled again */
        }
    s->generation = ++v->generation;
}

void tlb_flush_all(struct interp *v)
{
    FOR_SPACES(v, s)
    {
        drop_if(v, s, drop_any, 0);
        s->large_lo = ~0ull;
        s->large_hi = 0;
        s->pcid = NO_PCID;
    }
    v->space->pcid = current_pcid(v);
    interp_mode_changed(&v->c);
}

void tlb_flush_nonglobal(struct interp *v)
{
    FOR_SPACES(v, s)
    drop_if(v, s, drop_nonglobal, 0);
    interp_mode_changed(&v->c);
}

void tlb_flush_page(struct interp *v, uint64_t lin)
{
    FOR_SPACES(v, s)
    drop_slot(v, s, s == v->space ? drop_page : drop_global_page, lin);
    interp_mode_changed(&v->c);
}

void tlb_flush_pcid(struct interp *v, unsigned pcid, bool one_page, uint64_t lin)
{
    FOR_SPACES(v, s)
    {
        if (s->pcid != pcid)
            continue;
        if (one_page)
            drop_slot(v, s, drop_page, lin);
        else
            drop_if(v, s, drop_nonglobal, 0);
    }
    interp_mode_changed(&v->c);
}

/* SDM 3A 4.10.4.1: a page fault drops what is held for its address. Most often there is nothing. */
void tlb_faulted(struct interp *v, uint64_t lin)
{
    struct tlb_space *s = v->space;
    unsigned i = lin >> PAGE_SHIFT & (TLB_SIZE - 1);
    for (unsigned b = 0; b < TLB_BANKS; b++)
        if (s->info[b][i].page == (lin & PAGE_MASK)) {
            tlb_flush_page(v, lin);
            return;
        }
}

void tlb_revoke_write(struct interp *v, gpa_t page)
{
    FOR_SPACES(v, s)
    for (unsigned k = 0; k < s->nfilled; k++) {
        unsigned bank = s->filled[k] >> 16, i = s->filled[k] & 0xffff;
        if (s->info[bank][i].t.page == page)
            s->entry[bank][i].wr = TLB_INVALID;
    }
}

/* ---- PCIDs ---- */

/* The space of a PCID: its own, or a new one, or the one that was left longest ago, emptied. */
static struct tlb_space *space_for(struct interp *v, unsigned pcid)
{
    struct tlb_space *oldest = v->spaces[0];
    FOR_SPACES(v, s)
    {
        if (s->pcid == pcid)
            return s;
        if (s->pcid == NO_PCID || (oldest->pcid != NO_PCID && s->used < oldest->used))
            oldest = s;
    }
    for (unsigned i = 0; i < TLB_SPACES && oldest->pcid != NO_PCID; i++)
        if (!v->spaces[i]) {
            v->spaces[i] = space_new(v);
            if (v->spaces[i])
                oldest = v->spaces[i];
            break;
        }
    if (oldest->nfilled)
        drop_if(v, oldest, drop_any, 0);
    oldest->pcid = pcid;
    return oldest;
}

void tlb_cr3_loaded(struct interp *v, bool keep)
{
    v->space = space_for(v, current_pcid(v));
    v->space->used = ++v->spaces_entered;
    if (!keep)
        drop_if(v, v->space, drop_nonglobal, 0);
    interp_mode_changed(&v->c);
}

const struct tlb_info *tlb_global_elsewhere(const struct interp *v, unsigned bank, uint64_t lin)
{
    unsigned i = lin >> PAGE_SHIFT & (TLB_SIZE - 1);
    FOR_SPACES(v, s)
    if (s != v->space && s->info[bank][i].page == (lin & PAGE_MASK) && s->info[bank][i].t.global)
        return &s->info[bank][i];
    return NULL;
}
