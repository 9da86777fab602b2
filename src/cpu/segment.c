/*
 * segment.c: descriptors and segment registers: reading, checking, loading (SDM 3A 3.4, 3.5, 5.2 to 5.6).
 */
#include "cpu/cpu_internal.h"

/* ---- descriptor tables ---- */

bool desc_lookup(const struct cpu *c, uint16_t sel, unsigned bytes, uint64_t *lin)
{
    const struct x86_state *s = &c->st;
    const struct x86_seg *ldt = &s->seg[SEG_LDTR];
    uint32_t last = (sel & ~7u) + bytes - 1, limit = s->gdtr.limit;
    uint64_t base = s->gdtr.base;
    if (sel & SEL_TI) {
        if (ldt->attr & SEG_UNUSABLE)
            return false;
        base = ldt->base;
        limit = ldt->limit;
    }
    *lin = table_lin(s, base + (sel & ~7u));
    return last <= limit;
}

/* The descriptor at d->lin, for d->sel. */
static bool desc_fetch(struct cpu *c, uint16_t sel, struct desc *d)
{
    d->sel = sel;
    if (!c->ops->read(c, d->lin, &d->raw, 8, ACC_IMPLICIT))
        return false;
    d->base = desc_base(d->raw);
    d->attr = desc_attr(d->raw);
    return true;
}

bool desc_read(struct cpu *c, uint16_t sel, uint8_t vec, uint32_t ext, struct desc *d)
{
    if (!desc_lookup(c, sel, 8, &d->lin))
        return cpu_raise_err(c, vec, sel_error(sel, ext));
    return desc_fetch(c, sel, d);
}

bool desc_read_high(struct cpu *c, const struct desc *d, uint64_t *high)
{
    uint64_t lin;
    if (!desc_lookup(c, d->sel, 16, &lin))
        return cpu_raise_err(c, VEC_GP, sel_error(d->sel, 0));
    if (!c->ops->read(c, d->lin + 8, high, 8, ACC_IMPLICIT))
        return false;
    return !bits(*high, 40, 5) || cpu_raise_err(c, VEC_GP, sel_error(d->sel, 0));
}

bool desc_retype(struct cpu *c, struct desc *d, unsigned set, unsigned clear)
{
    uint8_t before = (uint8_t)(d->raw >> 40);
    uint8_t after = (uint8_t)((before | set) & ~clear);
    if (before == after)
        return true;
    if (!c->ops->write(c, table_lin(&c->st, d->lin + 5), &after, 1, ACC_IMPLICIT))
        return false;
    d->raw = (d->raw & ~(0xffull << 40)) | (uint64_t)after << 40;
    d->attr = desc_attr(d->raw);
    return true;
}

bool desc_touch(struct cpu *c, struct desc *d)
{
    return desc_retype(c, d, SEG_T_ACCESSED, 0);
}

struct x86_seg desc_seg(const struct desc *d, unsigned rpl)
{
    return (struct x86_seg){.base = d->base,
                            .limit = desc_limit(d->raw),
                            .sel = (uint16_t)((d->sel & ~SEL_RPL) | rpl),
                            .attr = d->attr};
}

static bool is_code(const struct desc *d)
{
    return (d->attr & SEG_S) && (d->attr & SEG_T_CODE);
}
static bool is_conforming(const struct desc *d)
{
    return is_code(d) && (d->attr & SEG_T_DC);
}
static bool is_writable_data(const struct desc *d)
{
    return (d->attr & (SEG_S | SEG_T_CODE | SEG_T_RW)) == (SEG_S | SEG_T_RW);
}
/* Data, or code that may be read. */
static bool is_readable(const struct desc *d)
{
    return (d->attr & SEG_S) && (!(d->attr & SEG_T_CODE) || (d->attr & SEG_T_RW));
}
/* SDM 3A 5.6: privilege for data accesses; conforming code may always be read. */
static bool dpl_allows(const struct desc *d, unsigned cpl)
{
    return is_conforming(d) || (desc_dpl(d) >= cpl && desc_dpl(d) >= (d->sel & SEL_RPL));
}

bool ss_check(struct cpu *c, uint16_t sel, unsigned cpl, uint8_t vec, uint32_t ext, struct desc *d)
{
    if (!desc_read(c, sel, vec, ext, d))
        return false;
    if ((sel & SEL_RPL) != cpl || desc_dpl(d) != cpl || !is_writable_data(d))
        return cpu_raise_err(c, vec, sel_error(sel, ext));
    return (d->attr & SEG_P) || cpu_raise_err(c, VEC_SS, sel_error(sel, ext));
}

bool data_check(struct cpu *c, uint16_t sel, unsigned cpl, uint8_t vec, uint32_t ext, struct desc *d)
{
    if (!desc_read(c, sel, vec, ext, d))
        return false;
    if (!is_readable(d) || !dpl_allows(d, cpl))
        return cpu_raise_err(c, vec, sel_error(sel, ext));
    return (d->attr & SEG_P) || cpu_raise_err(c, VEC_NP, sel_error(sel, ext));
}

/* ---- segment registers ---- */

void seg_set_null(struct cpu *c, enum x86_sreg s, uint16_t sel)
{
    struct x86_seg *g = &c->st.seg[s];
    if (s == SEG_SS || c->null_clears_base)
        *g = (struct x86_seg){0};
    g->sel = sel;
    g->attr = SEG_UNUSABLE | (s == SEG_SS ? (c->st.cpl << SEG_DPL_SHIFT) : 0);
}

/* Real mode changes selector and base; the limit and the size bits stay, which is how "unreal" modes come
 * about. */
void seg_set_real(struct cpu *c, enum x86_sreg s, uint16_t sel)
{
    struct x86_seg *g = &c->st.seg[s];
    g->sel = sel;
    g->base = (uint32_t)sel << 4;
    g->attr = (uint16_t)((g->attr & (SEG_DB | SEG_G | SEG_AVL)) | SEG_P | SEG_S | SEG_T_RW | SEG_T_ACCESSED);
    if (s == SEG_CS)
        g->attr |= SEG_T_CODE;
}

void seg_set_v86(struct cpu *c, enum x86_sreg s, uint16_t sel)
{
    c->st.seg[s] = (struct x86_seg){.base = (uint32_t)sel << 4,
                                    .limit = 0xffff,
                                    .sel = sel,
                                    .attr = SEG_P | SEG_DPL | SEG_S | SEG_T_RW | SEG_T_ACCESSED};
}

void seg_set_flat(struct cpu *c, enum x86_sreg s, uint16_t sel, uint16_t attr)
{
    attr |= SEG_P | SEG_S | SEG_G | SEG_T_RW | SEG_T_ACCESSED;
    c->st.seg[s] = (struct x86_seg){.limit = 0xffffffff, .sel = sel, .attr = attr};
}

void seg_drop_privileged(struct cpu *c)
{
    static const enum x86_sreg data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
        struct x86_seg *g = &c->st.seg[data[i]];
        bool conforming = (g->attr & SEG_T_CODE) && (g->attr & SEG_T_DC);
        if ((g->attr & SEG_UNUSABLE) || conforming)
            continue;
        if (bits(g->attr, SEG_DPL_SHIFT, 2) < c->st.cpl)
            seg_set_null(c, data[i], 0);
    }
}

static bool load_ss(struct cpu *c, uint16_t sel)
{
    struct x86_state *s = &c->st;
    struct desc d;
    if (sel_null(sel)) {
        if (!x86_64bit(s) || s->cpl == 3 || (sel & SEL_RPL) != s->cpl)
            return cpu_raise_gp0(c);
        seg_set_null(c, SEG_SS, sel);
    } else {
        if (!ss_check(c, sel, s->cpl, VEC_GP, 0, &d) || !desc_touch(c, &d))
            return false;
        s->seg[SEG_SS] = desc_seg(&d, sel & SEL_RPL);
    }
    mode_changed(c); /* the size of the stack is part of the mode */
    return true;
}

bool cpu_load_seg(struct cpu *c, enum x86_sreg s, uint16_t sel)
{
    struct desc d;
    assert(s != SEG_CS && s <= SEG_GS);
    if (v86(&c->st)) {
        seg_set_v86(c, s, sel);
        return true;
    }
    if (!(c->st.cr0 & CR0_PE)) {
        seg_set_real(c, s, sel);
        return true;
    }
    if (s == SEG_SS)
        return load_ss(c, sel);
    if (sel_null(sel)) {
        seg_set_null(c, s, sel);
        return true;
    }
    if (!data_check(c, sel, c->st.cpl, VEC_GP, 0, &d) || !desc_touch(c, &d))
        return false;
    c->st.seg[s] = desc_seg(&d, sel & SEL_RPL);
    return true;
}

/* ---- LLDT, LTR ---- */

/*
 * What both check of the selector and the descriptor: protected mode, CPL 0, GDT, type (bit i of `types`),
 * present. 64-bit mode has descriptors of 16 bytes; compatibility mode reads the 8 of legacy mode (APM 3
 * "LLDT").
 */
static bool system_desc(struct cpu *c, uint16_t sel, uint32_t types, struct desc *d)
{
    uint64_t high = 0;
    uint32_t error = sel_error(sel, 0);
    if (sel & SEL_TI)
        return cpu_raise_err(c, VEC_GP, error);
    if (!desc_read(c, sel, VEC_GP, 0, d))
        return false;
    if ((d->attr & SEG_S) || !(types >> desc_type(d) & 1))
        return cpu_raise_err(c, VEC_GP, error);
    if (!(d->attr & SEG_P))
        return cpu_raise_err(c, VEC_NP, error);
    if (x86_64bit(&c->st) && !desc_read_high(c, d, &high))
        return false;
    d->base |= high << 32;
    return is_canonical(d->base) || cpu_raise_err(c, VEC_GP, error);
}

static bool privileged_protected(struct cpu *c)
{
    if (!x86_protected(&c->st))
        return cpu_raise(c, VEC_UD);
    return c->st.cpl == 0 || cpu_raise_gp0(c);
}

bool cpu_lldt(struct cpu *c, uint16_t sel)
{
    struct desc d;
    if (!privileged_protected(c))
        return false;
    if (sel_null(sel)) {
        c->st.seg[SEG_LDTR].sel = sel;
        c->st.seg[SEG_LDTR].attr = SEG_UNUSABLE;
        return true;
    }
    if (!system_desc(c, sel, BIT(SYS_LDT), &d))
        return false;
    c->st.seg[SEG_LDTR] = desc_seg(&d, sel & SEL_RPL);
    return true;
}

bool cpu_ltr(struct cpu *c, uint16_t sel)
{
    struct desc d;
    uint32_t types = BIT(SYS_TSS32) | (x86_lma(&c->st) ? 0 : BIT(SYS_TSS16));
    if (!privileged_protected(c))
        return false;
    if (sel_null(sel))
        return cpu_raise_gp0(c);
    if (!system_desc(c, sel, types, &d) || !desc_retype(c, &d, 2, 0))
        return false;
    c->st.seg[SEG_TR] = desc_seg(&d, sel & SEL_RPL);
    return true;
}

/* ---- LAR, LSL, VERR, VERW ---- */

/* The descriptor, if the selector names one; *ok false where it does not. False: a fault on the way. */
static bool inspect(struct cpu *c, uint16_t sel, struct desc *d, bool *ok)
{
    if (!x86_protected(&c->st))
        return cpu_raise(c, VEC_UD);
    *ok = !sel_null(sel) && desc_lookup(c, sel, 8, &d->lin);
    return !*ok || desc_fetch(c, sel, d);
}

/* System types that LAR and LSL know, legacy and long mode (SDM 2A "LAR", "LSL"). */
#define LAR_LEGACY                                                                           \
    (BIT(SYS_TSS16) | BIT(SYS_LDT) | BIT(SYS_TSS16_BUSY) | BIT(SYS_CALL16) | BIT(SYS_TASK) | \
     BIT(SYS_TSS32) | BIT(SYS_TSS32_BUSY) | BIT(SYS_CALL32))
#define LAR_LONG (BIT(SYS_LDT) | BIT(SYS_TSS32) | BIT(SYS_TSS32_BUSY) | BIT(SYS_CALL32))
#define GATES    (BIT(SYS_CALL16) | BIT(SYS_TASK) | BIT(SYS_CALL32))

static bool visible(const struct cpu *c, const struct desc *d, uint32_t excluded)
{
    uint32_t types = (x86_lma(&c->st) ? LAR_LONG : LAR_LEGACY) & ~excluded;
    if (!(d->attr & SEG_S) && !(types >> desc_type(d) & 1))
        return false;
    return dpl_allows(d, c->st.cpl);
}

bool cpu_lar(struct cpu *c, uint16_t sel, uint32_t *rights, bool *ok)
{
    struct desc d;
    if (!inspect(c, sel, &d, ok))
        return false;
    if (*ok && (*ok = visible(c, &d, 0)))
        *rights = d.raw >> 32 & 0x00ffff00; /* bits 19 to 16, called undefined, are the limit's on silicon */
    return true;
}

bool cpu_lsl(struct cpu *c, uint16_t sel, uint32_t *limit, bool *ok)
{
    struct desc d;
    if (!inspect(c, sel, &d, ok))
        return false;
    if (*ok && (*ok = visible(c, &d, GATES)))
        *limit = desc_limit(d.raw);
    return true;
}

/* The present bit does not count (measured: a segment that is not present verifies). */
bool cpu_verify(struct cpu *c, uint16_t sel, bool write, bool *ok)
{
    struct desc d;
    if (!inspect(c, sel, &d, ok))
        return false;
    if (*ok)
        *ok = (write ? is_writable_data(&d) : is_readable(&d)) && dpl_allows(&d, c->st.cpl);
    return true;
}
