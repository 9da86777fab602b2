/*
 * window.c: the check in front of a memory access.
 *
 * Each check has a window of its own: {lo, len, delta}. A base register's value v passes when v - lo < len;
 * then everything that the group reaches from it lies in host memory at guest address + delta, with the
 * rights that the check stands for. Behind a window that does not fit stands the TLB, in line as well, off
 * the straight path; behind that, fill.c.
 *
 * A window is valid until something is flushed: each fill is logged, and a flush empties what was logged.
 */
#include "engine/dbt/translate.h"

#include <stddef.h>

_Static_assert(sizeof(struct tlb_entry) == 32, "the TLB index is the page number times 32");

static struct hmem window_at(uint32_t slot, size_t field)
{
    return gs_at(offsetof(struct dbt_vcpu, window) + slot * sizeof(struct window) + field);
}
#define LO(slot)     window_at(slot, offsetof(struct window, lo))
#define LEN(slot)    window_at(slot, offsetof(struct window, len))
#define LOGGED(slot) window_at(slot, offsetof(struct window, logged))
#define DELTA(slot)  window_at(slot, offsetof(struct window, delta))

/* ---- the base's value ---- */

static struct hmem segment_base(unsigned seg)
{
    return gs_at(offsetof(struct dbt_vcpu, ev.i.c.st.seg) + seg * sizeof(struct x86_seg) +
                 offsetof(struct x86_seg, base));
}
/* Where it lies, when it is not in a host register. */
static struct hmem base_memory(unsigned base)
{
    switch (base) {
    case BASE_CODE: return GS(vpage);
    case BASE_FS: return segment_base(SEG_FS);
    case BASE_GS: return segment_base(SEG_GS);
    default: return GS_GPR(base);
    }
}
static bool base_in_register(unsigned base)
{
    return base < X86_NGPR && host_reg(base) != H_NONE;
}
/* to = base + disp */
static void base_plus(struct tr *t, enum hreg to, unsigned base, int32_t disp)
{
    if (base_in_register(base)) {
        emit_lea(&t->e, OP64, to, mem_at(host_reg(base), disp));
        return;
    }
    emit_load(&t->e, OP64, to, base_memory(base));
    if (disp)
        emit_lea(&t->e, OP64, to, mem_at(to, disp));
}

/* ---- effective addresses ---- */

/* The parts of an address that live in memory are loaded into `to` and SCRATCH_B. */
static struct hmem effective(struct tr *t, const ZydisDecodedOperandMem *m, enum hreg to)
{
    struct emit *e = &t->e;
    struct hmem h = {H_NONE, H_NONE, m->scale ? m->scale : 1, false, (int32_t)m->disp.value};
    unsigned base = guest_gpr(m->base), index = guest_gpr(m->index);
    if (m->base == ZYDIS_REGISTER_RIP) {
        emit_load(e, OP64, to, GS(vpage));
        return mem_at(to, (int32_t)m->disp.value + tr_next(t));
    }
    if (base < X86_NGPR) {
        h.base = host_reg(base);
        if (h.base == H_NONE)
            emit_load(e, OP64, h.base = to, GS_GPR(base));
    }
    if (index < X86_NGPR) {
        h.index = host_reg(index);
        if (h.index == H_NONE)
            emit_load(e, OP64, h.index = SCRATCH_B, GS_GPR(index));
    }
    return h;
}
void tr_effective(struct tr *t, const ZydisDecodedOperandMem *m, unsigned size, enum hreg to)
{
    /* A base from memory must not be loaded over the index. */
    const unsigned index = guest_gpr(m->index);
    const bool clash = to == SCRATCH_B || (index < X86_NGPR && host_reg(index) == to);
    const enum hreg tmp = clash ? tr_scratch(t, NULL, 1u << SCRATCH_B) : to;
    emit_lea(&t->e, size, to, effective(t, m, tmp));
}

/* ---- checks ---- */

static uint32_t new_window(struct tr *t, unsigned base, int32_t lo, uint32_t span, bool write, bool certain)
{
    struct dbt_vcpu *d = t->d;
    if (d->nwindows == MAX_WINDOWS) {
        t->e.overflow = true;
        return 0;
    }
    uint32_t slot = d->nwindows++;
    d->window[slot] = (struct window){0};
    d->site[slot] = (struct window_site){.b = t->b,
                                         .insn = (uint8_t)t->n,
                                         .base = (uint8_t)base,
                                         .write = write,
                                         .certain = certain,
                                         .bank = (uint8_t)t->bank,
                                         .lo = lo,
                                         .span = span};
    return slot;
}

void window_check(struct tr *t, struct group *g, bool certain)
{
    struct emit *e = &t->e;
    flags_clobber(t);
    struct cold *c = cold_window(t);
    *c = (struct cold){.kind = COLD_WINDOW,
                       .insn = (uint8_t)t->n,
                       .flags_in = (uint8_t)t->flags,
                       .recipe = t->recipe,
                       .reg = g->reg};
    c->window = new_window(t, g->base, g->lo, (uint32_t)(g->hi - g->lo), g->write, certain);
    c->retry = e->at;
    if (base_in_register(g->base))
        emit_mov_rr(e, OP64, SCRATCH_B, host_reg(g->base));
    else
        emit_load(e, OP64, SCRATCH_B, base_memory(g->base));
    emit_op_rm(e, OP64, 0x2b, SCRATCH_B, LO(c->window));
    emit_op_rm(e, OP64, 0x3b, SCRATCH_B, LEN(c->window));
    cold_site(c, emit_jcc(e, HC_AE, 0));
    emit_load(e, OP64, g->reg, DELTA(c->window));
    c->resume = e->at;
    if (g->baked)
        emit_op_rm(e, OP64, 0x03, g->reg, base_memory(g->base));
}

struct hmem window_check_complex(struct tr *t, const struct access *a)
{
    const struct x86_decoded *d = tr_decoded(t);
    const ZydisDecodedOperandMem *m = &d->op[t->plan[t->n].mem].mem;
    struct emit *e = &t->e;
    flags_clobber(t);
    struct cold *c = cold_window(t);
    *c = (struct cold){.kind = COLD_WINDOW,
                       .insn = (uint8_t)t->n,
                       .flags_in = (uint8_t)t->flags,
                       .recipe = t->recipe,
                       .reg = SCRATCH_C};
    c->window = new_window(t, BASE_COMPLEX, 0, a->size, a->write, a->write && !a->align);
    c->retry = e->at;
    emit_lea(e, d->i.address_width == 32 ? OP32 : OP64, SCRATCH_B, effective(t, m, SCRATCH_C));
    if (m->segment == ZYDIS_REGISTER_FS || m->segment == ZYDIS_REGISTER_GS)
        emit_op_rm(e, OP64, 0x03, SCRATCH_B, segment_base(m->segment == ZYDIS_REGISTER_FS ? SEG_FS : SEG_GS));
    emit_mov_rr(e, OP64, SCRATCH_C, SCRATCH_B);
    emit_op_rm(e, OP64, 0x2b, SCRATCH_C, LO(c->window));
    emit_op_rm(e, OP64, 0x3b, SCRATCH_C, LEN(c->window));
    cold_site(c, emit_jcc(e, HC_AE, 0));
    emit_load(e, OP64, SCRATCH_C, DELTA(c->window));
    c->resume = e->at;
    struct hmem r = mem_at(SCRATCH_C, 0);
    r.index = SCRATCH_B;
    return r;
}

/* ---- behind a check that failed ---- */

static struct hmem tlb_field(const struct tr *t, enum hreg index, size_t field)
{
    struct hmem m =
        gs_at(offsetof(struct dbt_vcpu, ev.i.tlbs) + t->bank * sizeof(((struct interp *)0)->tlbs[0]) + field);
    m.base = (uint8_t)index;
    return m;
}
static struct hmem log_field(const struct tr *t, bool write, size_t field)
{
    return gs_at(offsetof(struct dbt_vcpu, log) + (2 * t->bank + write) * sizeof(struct window_log) + field);
}

/*
 * The TLB, and the window made anew from its entry: one page. Registers: `lin`, the first byte's address;
 * `index` and `page` for ourselves; index ends as the delta. *done and *miss are jumps to be patched.
 */
static void probe(struct tr *t, const struct cold *c, enum hreg lin, enum hreg index, enum hreg page,
                  uint32_t *done, uint32_t *miss, uint32_t *full)
{
    const struct window_site *s = &t->d->site[c->window];
    const struct hmem n = log_field(t, s->write, offsetof(struct window_log, n));
    struct emit *e = &t->e;
    emit_mov_rr(e, OP32, index, lin);
    emit_op_rr(e, OP32, 0xc1, 5, index); /* shr */
    emit_u8(e, PAGE_SHIFT - 5);
    emit_alu_imm(e, OP32, 4, index, (TLB_SIZE - 1) << 5);
    emit_lea(e, OP64, page, mem_at(lin, (int32_t)s->span - 1));
    emit_alu_imm(e, OP64, 4, page, (int32_t)PAGE_MASK);
    emit_op_rm(
        e, OP64, 0x3b, page,
        tlb_field(t, index, s->write ? offsetof(struct tlb_entry, wr) : offsetof(struct tlb_entry, rd)));
    *miss = emit_jcc(e, HC_NE, 0);
    emit_alu_imm_mem(e, OP32, 7, n, WINDOW_LOG);
    *full = emit_jcc(e, HC_AE, 0);
    emit_load(e, OP64, index, tlb_field(t, index, offsetof(struct tlb_entry, addend)));
    emit_store(e, OP64, DELTA(c->window), index);
    emit_lea(e, OP64, page, mem_at(page, -s->lo));
    emit_store(e, OP64, LO(c->window), page);
    emit_op_rm(e, OP64, 0xc7, 0, LEN(c->window));
    emit_u32(e, (uint32_t)PAGE_SIZE - s->span + 1);
    emit_op_rm(e, OP32, 0xf7, 0, LOGGED(c->window)); /* test */
    emit_u32(e, WINDOW_LOGGED);
    *done = emit_jcc(e, HC_NE, 0);
    emit_alu_imm_mem(e, OP32, 1, LOGGED(c->window), WINDOW_LOGGED);
    emit_load(e, OP32, page, n);
    struct hmem entry = log_field(t, s->write, offsetof(struct window_log, slot));
    entry.index = (uint8_t)page;
    entry.scale = 4;
    emit_op_rm(e, OP32, 0xc7, 0, entry);
    emit_u32(e, c->window);
    emit_alu_imm(e, OP32, 0, page, 1);
    emit_store(e, OP32, n, page);
}

void window_cold(struct tr *t, const struct cold *c)
{
    const struct window_site *s = &t->d->site[c->window];
    const bool complex = s->base == BASE_COMPLEX;
    struct emit *e = &t->e;
    uint32_t done, miss, full;
    if (complex) {
        emit_store(e, OP64, GS(keep[0]), SCRATCH_A);
        probe(t, c, SCRATCH_B, SCRATCH_C, SCRATCH_A, &done, &miss, &full);
        emit_patch(e, done, e->at);
        emit_load(e, OP64, SCRATCH_A, GS(keep[0]));
        emit_jmp(e, c->resume);
    } else {
        base_plus(t, SCRATCH_B, s->base, s->lo);
        probe(t, c, SCRATCH_B, c->reg, SCRATCH_B, &done, &miss, &full);
        emit_jmp(e, c->resume);
        emit_patch(e, done, c->resume);
    }
    emit_patch(e, miss, e->at);
    emit_patch(e, full, e->at);
    if (complex) {
        emit_load(e, OP64, SCRATCH_A, GS(keep[0]));
        emit_store(e, OP64, GS(fill_lin), SCRATCH_B);
    }
    flags_to_cc(t);
    emit_mov_imm32(e, SCRATCH_B, c->window);
    emit_call(e, t->d->thunks.fill);
    emit_jmp(e, c->retry);
}
