/*
 * tlb.c: the interpreter's software TLB: fills, and every access that does not hit it.
 *
 * An entry's tags say which kinds of access may go straight to host memory. What never may (devices, ROM
 * writes, pages that hold decoded code, accesses over two pages) has no tag and comes here each time; the
 * translation itself is still found in `info`, without a page walk.
 */
#include "engine/interp/insn.h"

#include "cpu/lapic.h"

static bool noncanonical(struct interp *v, bool stack)
{
    v->noncanonical = !stack; /* insn_fault makes it #SS when the operand's segment is SS */
    return cpu_raise_err(&v->c, stack ? VEC_SS : VEC_GP, 0);
}

/* Rights that an access has in the current bank. */
static unsigned bank_access(const struct interp *v)
{
    return v->c.st.cpl == 3 ? ACC_USER : 0;
}
static unsigned access_bank(const struct interp *v, unsigned acc)
{
    if (acc & ACC_USER)
        return BANK_USER;
    return !(acc & ACC_IMPLICIT) && (v->c.st.rflags & FL_AC) ? BANK_SUPER_AC : BANK_SUPER;
}

/* Enter a translation; `acc` has just been allowed through it. */
static struct tlb_info *tlb_fill(struct interp *v, uint64_t lin, unsigned acc,
                                 const struct cpu_translation *t)
{
    unsigned bank = access_bank(v, acc), i = lin >> PAGE_SHIFT & (TLB_SIZE - 1);
    struct tlb_entry *e = &v->tlbs[bank][i];
    struct tlb_info *info = &v->info[bank][i];
    uint64_t page = lin & PAGE_MASK;
    if (!info->logged)
        v->filled[v->nfilled++] = bank << 16 | i;
    struct mem_slot *s = mem_find(v->c.mem, t->page);
    *info = (struct tlb_info){.page = page, .t = *t, .ram = s, .rom = s && s->rom, .logged = true};
    *e = (struct tlb_entry){TLB_INVALID, TLB_INVALID, TLB_INVALID, 0};
    if (t->size > PAGE_SIZE) {
        v->large_lo = MIN(v->large_lo, lin & ~(t->size - 1));
        v->large_hi = MAX(v->large_hi, lin | (t->size - 1));
    }
    if (!s)
        return info;
    e->addend = (uintptr_t)(s->hva + (t->page - s->gpa)) - page;
    if (v->translates && tlb_special(bank, lin, t))
        return info;
    unsigned who = acc & (ACC_USER | ACC_IMPLICIT);
    if (cpu_access_allowed(&v->c, t, who | ACC_READ))
        e->rd = page;
    if (cpu_access_allowed(&v->c, t, who | ACC_EXEC))
        e->ex = page;
    if (t->dirty && cpu_access_allowed(&v->c, t, who | ACC_WRITE) && mem_grant_write(v->c.mem, t->page))
        e->wr = page;
    return info;
}

/* The translation for one access within a page; NULL: cpu->fault. */
static struct tlb_info *translate(struct interp *v, uint64_t lin, unsigned acc)
{
    struct tlb_info *info = &v->info[access_bank(v, acc)][lin >> PAGE_SHIFT & (TLB_SIZE - 1)];
    if (info->page == (lin & PAGE_MASK) && cpu_access_allowed(&v->c, &info->t, acc) &&
        (!(acc & ACC_WRITE) || info->t.dirty)) {
        /* A page that held code may have lost it since: give direct writes back. */
        if ((acc & ACC_WRITE) && info->ram &&
            !(v->translates && tlb_special(access_bank(v, acc), lin, &info->t)) &&
            mem_grant_write(v->c.mem, info->t.page))
            v->tlbs[access_bank(v, acc)][lin >> PAGE_SHIFT & (TLB_SIZE - 1)].wr = lin & PAGE_MASK;
        return info;
    }
    v->tlb_misses++;
    struct cpu_translation t;
    if (!cpu_walk(&v->c, lin, acc, &t)) {
        tlb_faulted(v, lin);
        return NULL;
    }
    return tlb_fill(v, lin, acc, &t);
}

static uint64_t mmio_read(struct interp *v, gpa_t gpa, unsigned size)
{
    gpa_t apic;
    if (v->c.apic && lapic_mmio_at(v->c.apic, &apic) && (gpa & PAGE_MASK) == apic)
        return lapic_mmio_read(v->c.apic, gpa & ~PAGE_MASK, size);
    return bus_mmio_read(v->c.bus, gpa, size);
}
static void mmio_write(struct interp *v, gpa_t gpa, unsigned size, uint64_t val)
{
    gpa_t apic;
    if (v->c.apic && lapic_mmio_at(v->c.apic, &apic) && (gpa & PAGE_MASK) == apic)
        lapic_mmio_write(v->c.apic, gpa & ~PAGE_MASK, size, (uint32_t)val);
    else
        bus_mmio_write(v->c.bus, gpa, size, val);
}

/* Pieces of 8, 4, 2, 1 bytes, so that a register access of the guest is one access of the device. */
static unsigned piece(gpa_t gpa, unsigned len)
{
    unsigned n = len >= 8 ? 8 : len >= 4 ? 4 : len >= 2 ? 2 : 1;
    return n;
}
static void read_part(struct interp *v, const struct tlb_info *t, uint64_t lin, uint8_t *buf, unsigned len)
{
    gpa_t gpa = t->t.page + (lin & ~PAGE_MASK);
    if (t->ram) {
        memcpy(buf, mem_ptr(v->c.mem, gpa, len), len);
        return;
    }
    while (len) {
        unsigned n = piece(gpa, len);
        store_le(buf, mmio_read(v, gpa, n), n);
        gpa += n;
        buf += n;
        len -= n;
    }
}
static void write_part(struct interp *v, gpa_t gpa, bool ram, const uint8_t *buf, unsigned len)
{
    if (ram) {
        mem_write(v->c.mem, gpa, buf, len); /* a write to ROM vanishes */
        return;
    }
    while (len) {
        unsigned n = piece(gpa, len);
        mmio_write(v, gpa, n, load_le(buf, n));
        gpa += n;
        buf += n;
        len -= n;
    }
}

/* Bytes of [lin, lin+len) on the first page. */
static unsigned first_part(uint64_t lin, unsigned len)
{
    return (unsigned)MIN((uint64_t)len, PAGE_SIZE - (lin & ~PAGE_MASK));
}
/* Second page of an access that spans two; wraps at 4 GiB outside 64-bit mode. */
static uint64_t second_page(const struct interp *v, uint64_t lin)
{
    uint64_t next = (lin & PAGE_MASK) + PAGE_SIZE;
    return x86_lma(&v->c.st) ? next : (uint32_t)next;
}

static bool canonical_range(const struct interp *v, uint64_t lin, unsigned len)
{
    return !x86_lma(&v->c.st) || (is_canonical(lin) && is_canonical(lin + len - 1));
}

/* Data breakpoints on [lin, lin+len) (SDM 3B 17.2.5): a trap after the instruction. */
static void match_breakpoints(struct interp *v, uint64_t lin, unsigned len, bool write)
{
    struct x86_state *s = &v->c.st;
    for (unsigned n = 0; n < 4; n++) {
        unsigned rw = bits(s->dr7, 16 + 4 * n, 2), l = bits(s->dr7, 18 + 4 * n, 2);
        unsigned size = (const uint8_t[]){1, 2, 8, 4}[l];
        if (!bits(s->dr7, 2 * n, 2) || !(rw == 3 || (rw == 1 && write)))
            continue;
        if (ranges_overlap(lin, len, s->dr[n] & ~(uint64_t)(size - 1), size)) {
            s->ev.debug_pending = true;
            s->ev.dr6_pending |= BIT(n);
            cpu_recheck(&v->c);
        }
    }
}

/* What every slow access checks first: canonical form, alignment. False: cpu->fault. */
static bool precheck(struct interp *v, uint64_t lin, unsigned len, bool stack)
{
    if (!canonical_range(v, lin, len))
        return noncanonical(v, stack);
    struct x86_state *s = &v->c.st;
    bool natural = len <= 8 && !(len & (len - 1)); /* of a size that can be misaligned */
    if (v->tlb == v->tlbs[BANK_CHECKED] && s->cpl == 3 && (s->cr0 & CR0_AM) && (s->rflags & FL_AC) &&
        natural && (lin & (len - 1)))
        return cpu_raise_err(&v->c, VEC_AC, 0);
    return true;
}

static bool copy_in(struct interp *v, uint64_t lin, uint8_t *buf, unsigned len, unsigned acc)
{
    while (len) {
        unsigned n = first_part(lin, len);
        struct tlb_info *t = translate(v, lin, acc);
        if (!t)
            return false;
        if (n < len &&
            !translate(v, second_page(v, lin), acc)) /* nothing is read when the second page faults */
            return false;
        t = translate(v, lin, acc); /* the second fill may have taken the slot */
        if (!t)
            return false;
        read_part(v, t, lin, buf, n);
        buf += n;
        len -= n;
        lin = second_page(v, lin);
    }
    return true;
}

bool tlb_load_slow(struct interp *v, uint64_t lin, void *buf, unsigned size, bool stack)
{
    if (!precheck(v, lin, size, stack) || !copy_in(v, lin, buf, size, bank_access(v) | ACC_READ))
        return false;
    if (v->tlb == v->tlbs[BANK_CHECKED])
        match_breakpoints(v, lin, size, false);
    return true;
}

/* Both pages of a store, checked before anything is written. */
static bool wr_prepare(struct interp *v, uint64_t lin, unsigned len, unsigned acc)
{
    struct wr_pending *w = &v->wr;
    w->len = len;
    w->first = first_part(lin, len);
    for (unsigned part = 0; part < 2; part++) {
        uint64_t at = part ? second_page(v, lin) : lin;
        if (part && w->first == len)
            break;
        struct tlb_info *t = translate(v, at, acc);
        if (!t)
            return false;
        w->gpa[part] = t->t.page + (at & ~PAGE_MASK);
        w->ram[part] = t->ram;
        w->hva[part] = t->ram && !t->rom ? (uint8_t *)mem_ptr(v->c.mem, w->gpa[part], 1) : NULL;
    }
    return true;
}

void *wr_begin_slow(struct interp *v, uint64_t lin, unsigned size, bool rmw, bool stack)
{
    struct wr_pending *w = &v->wr;
    unsigned acc = bank_access(v) | ACC_WRITE;
    assert(size <= sizeof(w->buf));
    if (!precheck(v, lin, size, stack) || !wr_prepare(v, lin, size, acc))
        return NULL;
    if (v->tlb == v->tlbs[BANK_CHECKED])
        match_breakpoints(v, lin, size, true);
    if (w->first == size && w->hva[0]) {
        w->kind = WR_REPORT;
        return w->hva[0];
    }
    w->kind = WR_BOUNCE;
    if (rmw) /* the write check has passed, so the read cannot fault */
        for (unsigned part = 0; part < 2; part++) {
            unsigned n = part ? size - w->first : w->first;
            if (!n)
                continue;
            struct tlb_info t = {.t.page = w->gpa[part] & PAGE_MASK, .ram = w->ram[part]};
            read_part(v, &t, w->gpa[part], w->buf + (part ? w->first : 0), n);
        }
    return w->buf;
}

void wr_finish(struct interp *v)
{
    struct wr_pending *w = &v->wr;
    enum wr_kind kind = w->kind;
    w->kind = WR_NONE;
    if (kind == WR_REPORT) {
        mem_written(v->c.mem, w->gpa[0], w->len);
        return;
    }
    write_part(v, w->gpa[0], w->ram[0], w->buf, w->first);
    if (w->first < w->len)
        write_part(v, w->gpa[1], w->ram[1], w->buf + w->first, w->len - w->first);
}

bool tlb_fetch(struct interp *v, uint64_t lin, gpa_t *gpa)
{
    if (x86_lma(&v->c.st) && !is_canonical(lin))
        return cpu_raise_gp0(&v->c);
    struct tlb_info *t = translate(v, lin, bank_access(v) | ACC_EXEC);
    if (!t)
        return false;
    *gpa = t->t.page + (lin & ~PAGE_MASK);
    v->fetch_special = tlb_special(v->rights, lin, &t->t);
    return true;
}

/* ---- ranges for the translator ---- */

/* May the 4 KiB page at `lin`, of which `t` is the translation, be accessed directly? *addend when it may. */
static bool page_direct(struct interp *v, const struct cpu_translation *t, uint64_t lin, bool write,
                        uintptr_t *addend)
{
    const struct mem_slot *s = mem_find(v->c.mem, t->page);
    unsigned acc = bank_access(v) | (write ? ACC_WRITE : ACC_READ);
    if (!s || !cpu_access_allowed(&v->c, t, acc) ||
        (write && (!t->dirty || !mem_grant_write(v->c.mem, t->page))))
        return false;
    *addend = (uintptr_t)(s->hva + (t->page - s->gpa)) - (lin & PAGE_MASK);
    return true;
}

/* Pages of one large mapping lie together in host memory as far as their slot reaches. */
static void widen(struct interp *v, const struct cpu_translation *t, bool write, struct tlb_range *r)
{
    const struct mem_slot *s = mem_find(v->c.mem, t->page);
    const uint64_t page = r->lo & PAGE_MASK, first = page & ~(t->size - 1), last = first + (t->size - 1);
    const uint64_t below = MIN(page - first, t->page - s->gpa),
                   above = MIN(last - (page + PAGE_SIZE - 1), s->gpa + s->size - (t->page + PAGE_SIZE));
    if (!write) {
        r->lo = page - below;
        r->hi = page + (PAGE_SIZE - 1) + above;
        return;
    }
    /* Each page must be granted: not too many at once, as each becomes dirty by it. */
    for (uint64_t n = PAGE_SIZE; n <= MIN(below, 15 * PAGE_SIZE) && mem_grant_write(v->c.mem, t->page - n);
         n += PAGE_SIZE)
        r->lo = page - n;
    for (uint64_t n = PAGE_SIZE; n <= MIN(above, 15 * PAGE_SIZE) && mem_grant_write(v->c.mem, t->page + n);
         n += PAGE_SIZE)
        r->hi = page + n + (PAGE_SIZE - 1);
}

bool tlb_range(struct interp *v, uint64_t lin, unsigned span, bool write, bool certain, struct tlb_range *r)
{
    const uint64_t end = lin + span - 1;
    const unsigned acc = bank_access(v) | (write && certain ? ACC_WRITE : ACC_READ);
    if (!canonical_range(v, lin, span) || end < lin || v->tlb == v->tlbs[BANK_CHECKED])
        return false;
    struct tlb_info *info = translate(v, lin, acc);
    if (!info)
        return false;
    struct cpu_translation t = info->t;
    if (!page_direct(v, &t, lin, write, &r->addend))
        return false;
    r->lo = lin & PAGE_MASK;
    r->hi = r->lo + (PAGE_SIZE - 1);
    r->special = tlb_special(v->rights, lin, &t);
    if (t.size > PAGE_SIZE)
        widen(v, &t, write, r);
    while (end > r->hi) {
        uintptr_t addend;
        uint64_t next = r->hi + 1;
        info = translate(v, next, acc);
        if (!info || !page_direct(v, &info->t, next, write, &addend) || addend != r->addend)
            return false;
        r->hi += PAGE_SIZE;
    }
    return true;
}

/* ---- struct cpu_ops: how cpu/ reaches memory ---- */

static bool ops_read(struct cpu *c, uint64_t lin, void *buf, unsigned len, unsigned acc)
{
    struct interp *v = CONTAINER_OF(c, struct interp, c);
    if (!canonical_range(v, lin, len))
        return cpu_raise_gp0(c);
    return copy_in(v, lin, buf, len, acc | ACC_READ);
}

static bool ops_probe_write(struct cpu *c, uint64_t lin, unsigned len, unsigned acc)
{
    struct interp *v = CONTAINER_OF(c, struct interp, c);
    if (!canonical_range(v, lin, len))
        return cpu_raise_gp0(c);
    return wr_prepare(v, lin, len, acc | ACC_WRITE);
}

static bool ops_write(struct cpu *c, uint64_t lin, const void *buf, unsigned len, unsigned acc)
{
    struct interp *v = CONTAINER_OF(c, struct interp, c);
    const uint8_t *from = buf;
    if (!ops_probe_write(c, lin, len, acc))
        return false;
    while (len) {
        struct tlb_info *t = translate(v, lin, acc | ACC_WRITE);
        if (!t)
            return false;
        unsigned n = first_part(lin, len);
        write_part(v, t->t.page + (lin & ~PAGE_MASK), t->ram, from, n);
        from += n;
        len -= n;
        lin = second_page(v, lin);
    }
    return true;
}

static void ops_flush_all(struct cpu *c)
{
    tlb_flush_all(CONTAINER_OF(c, struct interp, c));
}
static void ops_flush_nonglobal(struct cpu *c)
{
    tlb_flush_nonglobal(CONTAINER_OF(c, struct interp, c));
}
static void ops_flush_page(struct cpu *c, uint64_t lin)
{
    tlb_flush_page(CONTAINER_OF(c, struct interp, c), lin);
}
static void ops_cr3_loaded(struct cpu *c, bool keep)
{
    tlb_cr3_loaded(CONTAINER_OF(c, struct interp, c), keep);
}
static void ops_flush_pcid(struct cpu *c, unsigned pcid, bool one_page, uint64_t lin)
{
    tlb_flush_pcid(CONTAINER_OF(c, struct interp, c), pcid, one_page, lin);
}

const struct cpu_ops interp_cpu_ops = {
    .read = ops_read,
    .write = ops_write,
    .probe_write = ops_probe_write,
    .flush_all = ops_flush_all,
    .flush_nonglobal = ops_flush_nonglobal,
    .flush_page = ops_flush_page,
    .cr3_loaded = ops_cr3_loaded,
    .flush_pcid = ops_flush_pcid,
    .mode_changed = interp_mode_changed,
};
