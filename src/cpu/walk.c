/*
 * walk.c: from linear to physical addresses: no paging, 32-bit, PAE and 4-level page tables (SDM 3A 4, APM 2
 * 5).
 *
 * A walk reads all its entries first, decides, and only then sets accessed and dirty bits, each by
 * compare-and-swap against the entry that was read: a walk that faults has changed nothing, and one that met
 * a concurrent change of an entry starts again. The walker reaches memory by struct walk_memory alone, a
 * constant that the compiler folds away.
 */
#include "cpu/cpu_internal.h"

/* ---- physical memory as the walker sees it ---- */

struct walk_memory {
    /* An entry of 4 or 8 bytes, naturally aligned. Nobody there: all ones, as on a bus. */
    uint64_t (*read)(const struct cpu *c, gpa_t gpa, unsigned size);
    /* Set bits if it still is `old`; false: it has changed. Where no RAM is, the write is lost. */
    bool (*set_bits)(struct cpu *c, gpa_t gpa, unsigned size, uint64_t old, uint64_t set);
};

static uint64_t direct_read(const struct cpu *c, gpa_t gpa, unsigned size)
{
    const void *p = mem_ptr(c->mem, gpa, size);
    if (UNLIKELY(!p))
        return mask_bytes(size);
    return size == 8 ? __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE)
                     : __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE);
}

static bool direct_set_bits(struct cpu *c, gpa_t gpa, unsigned size, uint64_t old, uint64_t set)
{
    const struct mem_slot *s = mem_find(c->mem, gpa);
    if (!s || s->rom)
        return true;
    void *p = s->hva + (gpa - s->gpa);
    uint32_t old32 = (uint32_t)old;
    bool same = size == 8 ? __atomic_compare_exchange_n((uint64_t *)p, &old, old | set, false,
                                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
                          : __atomic_compare_exchange_n((uint32_t *)p, &old32, (uint32_t)(old | set), false,
                                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    if (same)
        mem_written(c->mem, gpa, size);
    return same;
}

static const struct walk_memory direct = {direct_read, direct_set_bits};

/* ---- rights ---- */

/* SDM 3A 4.6.1: has the mapping the right for this access? */
bool cpu_access_allowed(const struct cpu *c, const struct cpu_translation *t, unsigned access)
{
    const struct x86_state *s = &c->st;
    if (!(s->cr0 & CR0_PG))
        return true;
    if (access & ACC_USER) {
        if (!t->user)
            return false;
        return access & ACC_EXEC ? t->exec : access & ACC_WRITE ? t->write : true;
    }
    if (access & ACC_EXEC)
        return t->exec && !(t->user && (s->cr4 & CR4_SMEP));
    if (t->user && (s->cr4 & CR4_SMAP) && ((access & ACC_IMPLICIT) || !(s->rflags & FL_AC)))
        return false;
    return !(access & ACC_WRITE) || t->write || !(s->cr0 & CR0_WP);
}

/* SDM 3A 4.7. `why`: PF_P, PF_RSVD. */
static bool page_fault(struct cpu *c, uint64_t lin, unsigned access, uint32_t why)
{
    const struct x86_state *s = &c->st;
    bool nx = (s->cr4 & CR4_PAE) && (s->efer & EFER_NXE);
    uint32_t error = why;
    if (access & ACC_WRITE)
        error |= PF_W;
    if (access & ACC_USER)
        error |= PF_U;
    if ((access & ACC_EXEC) && (nx || (s->cr4 & CR4_SMEP)))
        error |= PF_I;
    c->fault = (struct cpu_fault){.vector = VEC_PF, .has_error = true, .error = error, .addr = lin};
    return false;
}

/* ---- the three formats ---- */

/* One paging mode: `levels` tables of entries of `size` bytes, indexed by index_bits each, from bit 12 up. */
struct walk_format {
    unsigned levels, size, index_bits;
};
static const struct walk_format format_32 = {2, 4, 10}, format_pae = {2, 8, 9}, format_long = {4, 8, 9};

struct walk_step {
    gpa_t gpa;
    uint64_t entry;
};

/* Address bits that are beyond the guest's physical address width. */
static uint64_t beyond_phys(const struct cpu *c)
{
    return bits(~0ull, 0, 52) & ~(BIT(c->cpuid->phys_bits) - 1);
}

/* Bits that must be zero in an entry of 8 bytes (SDM 3A tables 4-8 to 4-11, 4-15 to 4-20). level 1: page
 * table. */
static uint64_t reserved_8(const struct cpu *c, bool pae, unsigned level, uint64_t entry)
{
    uint64_t r = beyond_phys(c);
    if (!(c->st.efer & EFER_NXE))
        r |= PTE_NX;
    if (pae)
        r |= bits(~0ull, 0, 11) << 52;
    if (level == 4)
        return r | PTE_PS | vendor(c)->pml4e_reserved;
    if (level > 1 && (entry & PTE_PS)) {
        if (level == 3 && !c->cpuid->has_1g)
            return r | PTE_PS;
        r |= bits(~0ull, 0, 9 * (level - 1) - 1) << 13; /* between PAT (bit 12) and the page's address */
    }
    return r;
}

/* A 4 MiB page of 32-bit paging: bits 20 to 13 are address bits 39 to 32 as far as they exist (SDM 3A table
 * 4-4). */
static uint64_t reserved_4m(const struct cpu *c)
{
    unsigned m = MIN(c->cpuid->phys_bits, 40u);
    return bits(~0ull, 0, 22) & ~(BIT(m - 32 + 13) - 1);
}
static uint64_t base_4m(uint64_t entry)
{
    return (entry & 0xffc00000u) | bits(entry, 13, 8) << 32;
}

/*
 * Down the tables from `table`, whose rights so far are in *t; steps[0..n) are the entries used. The last
 * entry maps a page. False: #PF; why there is a fault is in *why.
 */
static ALWAYS_INLINE bool walk_down(struct cpu *c, const struct walk_memory *m, const struct walk_format *f,
                                    bool pae, gpa_t table, uint64_t lin, struct walk_step *steps, unsigned *n,
                                    struct cpu_translation *t, uint32_t *why)
{
    bool large_ok = f->size == 8 || (c->st.cr4 & CR4_PSE);
    for (unsigned level = f->levels;; level--) {
        unsigned shift = 12 + f->index_bits * (level - 1);
        gpa_t gpa = table + bits(lin, shift, f->index_bits) * f->size;
        uint64_t e = m->read(c, gpa, f->size);
        bool large = level > 1 && large_ok && (e & PTE_PS);
        if (!(e & PTE_P)) {
            *why = 0;
            return false;
        }
        uint64_t reserved = f->size == 8 ? reserved_8(c, pae, level, e) : large ? reserved_4m(c) : 0;
        if (UNLIKELY(e & reserved)) {
            *why = PF_P | PF_RSVD;
            return false;
        }
        steps[(*n)++] = (struct walk_step){gpa, e};
        t->user = t->user && (e & PTE_U);
        t->write = t->write && (e & PTE_W);
        t->exec = t->exec && !(f->size == 8 && (e & PTE_NX));
        uint64_t base = f->size == 4 ? e & 0xfffff000u : e & bits(~0ull, 0, 52) & PAGE_MASK;
        if (level > 1 && !large) {
            table = base;
            continue;
        }
        t->size = BIT(shift);
        if (large)
            base = (f->size == 4 ? base_4m(e) : base) & ~(t->size - 1);
        t->page = base | (lin & (t->size - 1) & PAGE_MASK);
        t->dirty = e & PTE_D;
        t->global = (e & PTE_G) && (c->st.cr4 & CR4_PGE);
        return true;
    }
}

static ALWAYS_INLINE bool walk(struct cpu *c, const struct walk_memory *m, uint64_t lin, unsigned access,
                               struct cpu_translation *t)
{
    const struct x86_state *s = &c->st;
    struct walk_step steps[4];
    unsigned n;
again:
    n = 0;
    uint32_t why;
    bool found;
    *t = (struct cpu_translation){.user = true, .write = true, .exec = true};
    if (x86_lma(s)) {
        gpa_t root = s->cr3 & bits(~0ull, 0, 52) & PAGE_MASK;
        found = walk_down(c, m, &format_long, false, root, lin, steps, &n, t, &why);
    } else if (s->cr4 & CR4_PAE) {
        lin = (uint32_t)lin;
        uint64_t e = c->pdpte[lin >> 30];
        if (!(e & PTE_P))
            return page_fault(c, lin, access, 0);
        gpa_t root = e & bits(~0ull, 0, 52) & PAGE_MASK;
        found = walk_down(c, m, &format_pae, true, root, lin, steps, &n, t, &why);
    } else {
        lin = (uint32_t)lin;
        found = walk_down(c, m, &format_32, false, s->cr3 & 0xfffff000u, lin, steps, &n, t, &why);
    }
    if (!found)
        return page_fault(c, lin, access, why);
    if (!cpu_access_allowed(c, t, access))
        return page_fault(c, lin, access, PF_P);

    /* SDM 3A 4.8: A in every entry used, D in the one that maps the page. */
    unsigned size = x86_lma(s) || (s->cr4 & CR4_PAE) ? 8 : 4;
    for (unsigned i = 0; i < n; i++) {
        uint64_t set = PTE_A | (i == n - 1 && (access & ACC_WRITE) ? PTE_D : 0);
        set &= ~steps[i].entry;
        if (set && !m->set_bits(c, steps[i].gpa, size, steps[i].entry, set))
            goto again;
    }
    if (access & ACC_WRITE)
        t->dirty = true;
    return true;
}

bool cpu_walk(struct cpu *c, uint64_t lin, unsigned access, struct cpu_translation *t)
{
    if (UNLIKELY(!(c->st.cr0 & CR0_PG))) {
        *t = (struct cpu_translation){.page = (uint32_t)lin & PAGE_MASK,
                                      .size = PAGE_SIZE,
                                      .user = true,
                                      .write = true,
                                      .exec = true,
                                      .dirty = true};
        return true;
    }
    return walk(c, &direct, lin, access, t);
}

bool pdptes_read(const struct cpu *c, uint64_t cr3, uint64_t p[4])
{
    /* SDM 3A table 4-8: bits 2, 1 and 8 to 5, and all above the physical address width. */
    uint64_t reserved = ~(BIT(c->cpuid->phys_bits) - 1) | 0x1e6;
    for (unsigned i = 0; i < 4; i++) {
        p[i] = direct.read(c, (cr3 & 0xffffffe0u) + 8 * i, 8);
        if ((p[i] & PTE_P) && (p[i] & reserved))
            return false;
    }
    return true;
}
