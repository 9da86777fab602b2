/*
 * stack.c: stack frames of far transfers and events: limit and canonical checks, wrapping, one write for a
 * frame, and the stack of a higher privilege level out of the TSS.
 */
#include "cpu/cpu_internal.h"

void stack_at(struct stack *k, const struct x86_seg *ss, bool flat, uint64_t sp, unsigned cpl, unsigned size,
              uint32_t error)
{
    k->ss = *ss;
    k->flat = flat;
    k->sp = sp;
    k->mask = ss_mask(ss, flat);
    k->size = size;
    k->access = access_at(cpl);
    k->aligned = false;
    k->error = error;
    k->n = 0;
}

void stack_here(struct cpu *c, struct stack *k, unsigned size)
{
    const struct x86_state *s = &c->st;
    stack_at(k, &s->seg[SEG_SS], x86_64bit(s), s->gpr[RSP], s->cpl, size, 0);
    k->aligned = s->cpl == 3 && (s->cr0 & CR0_AM) && (s->rflags & FL_AC);
}

static uint64_t stack_lin(const struct stack *k, uint64_t offset)
{
    offset &= k->mask;
    return k->flat ? offset : (uint32_t)(k->ss.base + offset);
}

/* SDM 3A 5.3: is [offset, offset+len) inside the segment? offset is masked, the range does not wrap. */
static bool in_segment(const struct stack *k, uint64_t offset, uint64_t len)
{
    uint64_t last = offset + len - 1;
    if (k->flat)
        return is_canonical(offset) && is_canonical(last);
    if (k->ss.attr & SEG_UNUSABLE)
        return false;
    if (!(k->ss.attr & SEG_T_CODE) && (k->ss.attr & SEG_T_DC)) /* expand-down */
        return offset > k->ss.limit && last <= (k->ss.attr & SEG_DB ? 0xffffffffu : 0xffffu);
    return last <= k->ss.limit;
}

/* Can [offset, offset+len) be accessed as one piece? It wraps at the end of a 16- or 32-bit stack. */
static bool one_piece(const struct stack *k, uint64_t offset, uint64_t len)
{
    return k->flat || (offset & k->mask) + len - 1 <= k->mask;
}

/* Checks that need no memory for `count` elements from `offset` up. */
static bool stack_check(struct cpu *c, const struct stack *k, uint64_t offset, unsigned count)
{
    bool ok = true;
    if (one_piece(k, offset, (uint64_t)count * k->size))
        ok = in_segment(k, offset & k->mask, (uint64_t)count * k->size);
    else
        for (unsigned i = 0; i < count; i++)
            ok = ok && one_piece(k, offset + (uint64_t)i * k->size, k->size) &&
                 in_segment(k, (offset + (uint64_t)i * k->size) & k->mask, k->size);
    if (!ok)
        return cpu_raise_err(c, VEC_SS, k->error);
    if (k->aligned && (stack_lin(k, offset) & (k->size - 1)))
        return cpu_raise_err(c, VEC_AC, 0);
    return true;
}

bool stack_room(struct cpu *c, const struct stack *k)
{
    return !k->n || stack_check(c, k, stack_top(k), k->n);
}

bool stack_write(struct cpu *c, const struct stack *k)
{
    uint8_t frame[STACK_MAX * 8];
    uint64_t top = stack_top(k);
    unsigned size = k->size, bytes = k->n * size;
    if (!k->n)
        return true;
    for (unsigned i = 0; i < k->n; i++)
        store_le(frame + (k->n - 1 - i) * size, k->val[i], size);
    if (one_piece(k, top, bytes))
        return c->ops->write(c, stack_lin(k, top), frame, bytes, k->access);
    for (unsigned at = 0; at < bytes; at += size)
        if (!c->ops->probe_write(c, stack_lin(k, top + at), size, k->access))
            return false;
    for (unsigned at = 0; at < bytes; at += size)
        if (!c->ops->write(c, stack_lin(k, top + at), frame + at, size, k->access))
            return false;
    return true;
}

bool stack_read(struct cpu *c, const struct stack *k, uint64_t skip, unsigned count, uint64_t *val)
{
    uint8_t frame[STACK_MAX * 8];
    uint64_t from = k->sp + skip;
    unsigned size = k->size, bytes = count * size;
    assert(count <= STACK_MAX);
    if (!count)
        return true;
    if (!stack_check(c, k, from, count))
        return false;
    if (one_piece(k, from, bytes)) {
        if (!c->ops->read(c, stack_lin(k, from), frame, bytes, k->access))
            return false;
    } else {
        for (unsigned at = 0; at < bytes; at += size)
            if (!c->ops->read(c, stack_lin(k, from + at), frame + at, size, k->access))
                return false;
    }
    for (unsigned i = 0; i < count; i++)
        val[i] = load_le(frame + i * size, size);
    return true;
}

void sp_set(struct cpu *c, uint64_t mask, uint64_t sp)
{
    uint64_t *rsp = &c->st.gpr[RSP];
    if (mask == 0xffff)
        *rsp = (*rsp & ~mask) | (sp & mask);
    else
        *rsp = sp & mask;
}

/* ---- the TSS's stacks ---- */

/* `len` bytes at `offset` of the current TSS; #TS(TR) beyond its limit. */
static bool tss_read(struct cpu *c, unsigned offset, void *buf, unsigned len, uint32_t ext)
{
    const struct x86_seg *tr = &c->st.seg[SEG_TR];
    if ((tr->attr & SEG_UNUSABLE) || offset + len - 1 > tr->limit)
        return cpu_raise_err(c, VEC_TS, sel_error(tr->sel, ext));
    return c->ops->read(c, table_lin(&c->st, tr->base + offset), buf, len, ACC_IMPLICIT);
}

static bool inner_long(struct cpu *c, unsigned cpl, unsigned ist, unsigned size, uint32_t ext,
                       struct stack *k)
{
    static const struct x86_seg none = {.attr = SEG_UNUSABLE};
    uint64_t rsp;
    if (!tss_read(c, ist ? 0x24 + 8 * (ist - 1) : 4 + 8 * cpl, &rsp, 8, ext))
        return false;
    stack_at(k, &none, true, rsp, cpl, size, ext);
    return true;
}

bool stack_inner(struct cpu *c, unsigned cpl, unsigned ist, unsigned size, uint32_t ext, struct stack *k,
                 struct desc *ss)
{
    uint32_t sp = 0;
    uint16_t sel;
    if (x86_lma(&c->st))
        return inner_long(c, cpl, ist, size, ext, k);
    bool tss32 = (c->st.seg[SEG_TR].attr & SEG_TYPE) & 8;
    uint8_t raw[6];
    if (!tss_read(c, tss32 ? 4 + 8 * cpl : 2 + 4 * cpl, raw, tss32 ? 6 : 4, ext))
        return false;
    sp = (uint32_t)load_le(raw, tss32 ? 4 : 2);
    sel = (uint16_t)load_le(raw + (tss32 ? 4 : 2), 2);
    if (sel_null(sel))
        return cpu_raise_err(c, VEC_TS, ext);
    if (!ss_check(c, sel, cpl, VEC_TS, ext, ss))
        return false;
    struct x86_seg seg = desc_seg(ss, cpl);
    stack_at(k, &seg, false, sp, cpl, size, sel_error(sel, ext));
    return true;
}
