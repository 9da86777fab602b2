/*
 * tlb_space.c: which translations the software TLB holds: flushes, and those of other PCIDs (SDM 3A 4.10, APM
 * 2 5.5).
 *
 * The TLB holds the current PCID's translations and all global ones. A load of CR3 that changes the PCID puts
 * the others aside, in a list for that PCID, and takes back what the new one had. Whoever drops something
 * begins a new generation, as the jump cache holds results of fetches.
 */
#include "engine/interp/insn.h"
#include <stdlib.h>

/* A slot put aside. */
struct tlb_kept {
    uint32_t slot; /* bank << 16 | index */
    struct tlb_entry entry;
    struct tlb_info info;
};

#define TLB_SLOTS (BANK_CHECKED * TLB_SIZE)
#define NO_PCID   ~0u

static void entry_clear(struct interp *v, unsigned bank, unsigned i)
{
    v->tlbs[bank][i] = (struct tlb_entry){TLB_INVALID, TLB_INVALID, TLB_INVALID, 0};
    v->info[bank][i] = (struct tlb_info){.page = TLB_INVALID};
}

static unsigned current_pcid(const struct interp *v)
{
    return v->c.st.cr4 & CR4_PCIDE ? v->c.st.cr3 & 0xfff : 0;
}

void tlb_init(struct interp *v)
{
    for (unsigned b = 0; b < TLB_BANKS; b++)
        for (unsigned i = 0; i < TLB_SIZE; i++)
            entry_clear(v, b, i);
    v->nfilled = 0;
    v->large_lo = ~0ull;
    v->large_hi = 0;
    v->pcid = 0;
    for (unsigned n = 0; n < TLB_SPACES; n++)
        v->spaces[n].pcid = NO_PCID;
}

void tlb_free(struct interp *v)
{
    for (unsigned n = 0; n < TLB_SPACES; n++)
        free(v->spaces[n].kept);
}

static void new_generation(struct interp *v)
{
    v->generation++;
    interp_mode_changed(&v->c);
}

void tlb_note(struct interp *v, unsigned bank, const struct tlb_info *t)
{
    if (bank != BANK_SUPER)
        return;
    v->super_nonglobal |= !t->t.global;
    v->super_low |= !(t->page >> 63);
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

/* Walk the log of filled slots; what stays valid stays in the log, once. */
static void drop_if(struct interp *v, drop_fn *drop, uint64_t lin)
{
    unsigned kept = 0;
    v->super_nonglobal = v->super_low = false;
    for (unsigned k = 0; k < v->nfilled; k++) {
        unsigned bank = v->filled[k] >> 16, i = v->filled[k] & 0xffff;
        struct tlb_info *t = &v->info[bank][i];
        if (t->page != TLB_INVALID && !drop(t, lin)) {
            tlb_note(v, bank, t);
            v->filled[kept++] = v->filled[k];
            continue;
        }
        entry_clear(v, bank, i);
    }
    v->nfilled = kept;
    new_generation(v);
}

static void forget_spaces(struct interp *v)
{
    for (unsigned n = 0; n < TLB_SPACES; n++) {
        v->spaces[n].pcid = NO_PCID;
        v->spaces[n].n = 0;
    }
}

void tlb_flush_all(struct interp *v)
{
    forget_spaces(v);
    v->pcid = current_pcid(v); /* PCIDE may have changed */
    drop_if(v, drop_any, 0);
    v->large_lo = ~0ull;
    v->large_hi = 0;
}

void tlb_flush_nonglobal(struct interp *v)
{
    forget_spaces(v);
    drop_if(v, drop_nonglobal, 0);
}

/* Clear what the three banks hold of a page that is not large. True: it could be executed. */
static bool clear_page(struct interp *v, uint64_t lin)
{
    bool ex = false;
    unsigned i = lin >> PAGE_SHIFT & (TLB_SIZE - 1);
    for (unsigned b = 0; b < BANK_CHECKED; b++)
        if (v->info[b][i].page == (lin & PAGE_MASK)) {
            bool logged = v->info[b][i].logged;
            ex |= v->tlbs[b][i].ex != TLB_INVALID;
            entry_clear(v, b, i);
            v->info[b][i].logged = logged; /* the log keeps the slot: it may be filled again */
        }
    return ex;
}

void tlb_flush_page(struct interp *v, uint64_t lin)
{
    if (lin >= v->large_lo && lin <= v->large_hi) {
        drop_if(v, drop_page, lin);
        return;
    }
    clear_page(v, lin);
    new_generation(v);
}

void tlb_faulted(struct interp *v, uint64_t lin)
{
    if (clear_page(v, lin))
        v->c.ops->flush_page(&v->c, lin);
}

void tlb_revoke_write(struct interp *v, gpa_t page)
{
    for (unsigned k = 0; k < v->nfilled; k++) {
        unsigned bank = v->filled[k] >> 16, i = v->filled[k] & 0xffff;
        if (v->info[bank][i].t.page == page)
            v->tlbs[bank][i].wr = TLB_INVALID;
    }
    if (v->hooks)
        v->hooks->write_revoked(v);
}

/* ---- PCIDs ---- */

static struct tlb_space *space_of(struct interp *v, unsigned pcid)
{
    for (unsigned n = 0; n < TLB_SPACES; n++)
        if (v->spaces[n].pcid == pcid)
            return &v->spaces[n];
    return NULL;
}

/* Put the current PCID's translations aside, in place of the list that has waited longest. */
static void put_aside(struct interp *v)
{
    struct tlb_space *s = &v->spaces[0];
    for (unsigned n = 1; n < TLB_SPACES && s->pcid != NO_PCID; n++)
        if (v->spaces[n].pcid == NO_PCID || v->spaces[n].since < s->since)
            s = &v->spaces[n];
    s->pcid = v->pcid;
    s->since = ++v->spaces_left;
    s->n = 0;
    if (!s->kept)
        s->kept = malloc(TLB_SLOTS * sizeof(*s->kept));
    for (unsigned k = 0; s->kept && k < v->nfilled; k++) { /* without memory they are lost, as they may be */
        unsigned bank = v->filled[k] >> 16, i = v->filled[k] & 0xffff;
        const struct tlb_info *t = &v->info[bank][i];
        if (t->page == TLB_INVALID || t->t.global)
            continue;
        s->kept[s->n++] = (struct tlb_kept){v->filled[k], v->tlbs[bank][i], *t};
    }
}

/* Slots that a global translation has taken meanwhile stay its. */
static void take_back(struct interp *v, struct tlb_space *s)
{
    for (unsigned k = 0; k < s->n; k++) {
        const struct tlb_kept *e = &s->kept[k];
        unsigned bank = e->slot >> 16, i = e->slot & 0xffff;
        if (v->info[bank][i].page != TLB_INVALID)
            continue;
        if (!v->info[bank][i].logged)
            v->filled[v->nfilled++] = e->slot;
        v->tlbs[bank][i] = e->entry;
        v->tlbs[bank][i].wr = TLB_INVALID; /* asked for again: the page may hold code by now */
        v->info[bank][i] = e->info;
        v->info[bank][i].logged = true;
        tlb_note(v, bank, &v->info[bank][i]);
    }
}

void tlb_cr3_loaded(struct interp *v, bool keep)
{
    unsigned pcid = current_pcid(v);
    if (pcid == v->pcid) {
        if (!keep)
            drop_if(v, drop_nonglobal, 0);
        return;
    }
    put_aside(v);
    drop_if(v, drop_nonglobal, 0);
    v->pcid = pcid;
    struct tlb_space *s = space_of(v, pcid);
    if (!s)
        return;
    if (keep)
        take_back(v, s);
    s->pcid = NO_PCID;
    s->n = 0;
}

void tlb_flush_pcid(struct interp *v, unsigned pcid, bool one_page, uint64_t lin)
{
    if (pcid == v->pcid) {
        if (one_page)
            tlb_flush_page(v, lin);
        else
            drop_if(v, drop_nonglobal, 0);
        return;
    }
    struct tlb_space *s = space_of(v, pcid);
    if (!s)
        return;
    unsigned kept = 0;
    for (unsigned k = 0; k < s->n; k++)
        if (one_page && !drop_page(&s->kept[k].info, lin))
            s->kept[kept++] = s->kept[k];
    s->n = kept;
}
