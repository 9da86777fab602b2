/*
 * transfer.c: code segments as targets of far transfers, and the return to less privilege (SDM 3A 5.8).
 */
#include "cpu/cpu_internal.h"

/* Do privilege levels permit it? Fills t->cpl. */
static bool privilege_ok(const struct cpu *c, const struct desc *d, enum code_rule rule,
                         struct code_target *t)
{
    unsigned cpl = c->st.cpl, dpl = desc_dpl(d), rpl = d->sel & SEL_RPL;
    bool conforming = d->attr & SEG_T_DC;
    t->cpl = (uint8_t)cpl;
    switch (rule) {
    case CODE_DIRECT: return conforming ? dpl <= cpl : dpl == cpl && rpl <= cpl;
    case CODE_JMP_GATE: return conforming ? dpl <= cpl : dpl == cpl;
    case CODE_GATE:
        if (!conforming)
            t->cpl = (uint8_t)dpl;
        return dpl <= cpl;
    case CODE_RETURN:
    case CODE_TASK:
        t->cpl = (uint8_t)rpl;
        if (rule == CODE_RETURN && rpl < cpl)
            return false;
        return conforming ? dpl <= rpl : dpl == rpl;
    }
    return false;
}

bool code_check(struct cpu *c, const struct desc *d, enum code_rule rule, uint32_t ext, struct code_target *t)
{
    uint8_t vec = rule == CODE_TASK ? VEC_TS : VEC_GP;
    bool gate = rule == CODE_GATE || rule == CODE_JMP_GATE;
    uint16_t mode = d->attr & (SEG_L | SEG_DB);
    bool ok = (d->attr & SEG_S) && (d->attr & SEG_T_CODE) && privilege_ok(c, d, rule, t);
    /* Gates of long mode lead to 64-bit code only; L with D is reserved everywhere in long mode. */
    if (ok && x86_lma(&c->st))
        ok = gate ? mode == SEG_L : mode != (SEG_L | SEG_DB);
    if (!ok)
        return cpu_raise_err(c, vec, sel_error(d->sel, ext));
    if (!(d->attr & SEG_P))
        return cpu_raise_err(c, VEC_NP, sel_error(d->sel, ext));
    t->d = *d;
    t->seg = desc_seg(d, t->cpl);
    return true;
}

bool code_read(struct cpu *c, uint16_t sel, enum code_rule rule, uint32_t ext, struct code_target *t)
{
    uint8_t vec = rule == CODE_TASK ? VEC_TS : VEC_GP;
    struct desc d;
    if (sel_null(sel))
        return cpu_raise_err(c, vec, ext);
    return desc_read(c, sel, vec, ext, &d) && code_check(c, &d, rule, ext, t);
}

bool code_rip_ok(struct cpu *c, const struct x86_seg *cs, uint64_t rip, uint32_t ext)
{
    bool ok = x86_lma(&c->st) && (cs->attr & SEG_L) ? is_canonical(rip) : rip <= cs->limit;
    return ok || cpu_raise_err(c, VEC_GP, ext);
}

void code_enter(struct cpu *c, const struct code_target *t, uint64_t rip)
{
    c->st.seg[SEG_CS] = t->seg;
    c->st.seg[SEG_CS].attr |= SEG_T_ACCESSED;
    c->st.cpl = t->cpl;
    c->st.rip = rip;
}

bool return_check_cs(struct cpu *c, uint16_t sel, uint64_t rip, struct far_return *r)
{
    *r = (struct far_return){.rip = rip};
    if (!code_read(c, sel, CODE_RETURN, 0, &r->cs))
        return false;
    r->outer = r->cs.cpl > c->st.cpl;
    return true;
}

bool return_check_ss(struct cpu *c, uint16_t sel, struct far_return *r)
{
    r->loads_ss = true;
    r->ss_sel = sel;
    r->ss_null = sel_null(sel);
    if (r->ss_null) {
        bool to_64 = x86_lma(&c->st) && (r->cs.seg.attr & SEG_L);
        return (to_64 && r->cs.cpl != 3) || cpu_raise_gp0(c);
    }
    return ss_check(c, sel, r->cs.cpl, VEC_GP, 0, &r->ss);
}

bool return_commit(struct cpu *c, struct far_return *r, uint64_t sp)
{
    bool to_64 = x86_lma(&c->st) && (r->cs.seg.attr & SEG_L);
    if (!code_rip_ok(c, &r->cs.seg, r->rip, 0) || !desc_touch(c, &r->cs.d))
        return false;
    if (r->loads_ss && !r->ss_null && !desc_touch(c, &r->ss))
        return false;
    code_enter(c, &r->cs, r->rip);
    if (r->loads_ss) {
        if (r->ss_null)
            seg_set_null(c, SEG_SS, r->ss_sel);
        else
            c->st.seg[SEG_SS] = desc_seg(&r->ss, r->ss_sel & SEL_RPL);
        sp_set(c, ss_mask(&c->st.seg[SEG_SS], to_64), sp);
    }
    if (r->outer)
        seg_drop_privileged(c);
    mode_changed(c);
    return true;
}
