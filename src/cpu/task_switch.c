/*
 * task_switch.c: hardware task switches (SDM 3A 7.3, tables 7-1 and 7-2).
 *
 * Up to the commit point a fault belongs to the old task and nothing has changed; every write is probed
 * before the first is made. After it, the registers are the new task's, and what is wrong with its segments
 * is a fault of its own, at its first instruction.
 */
#include "cpu/cpu_internal.h"

/* Where things are in a TSS (SDM 3A figures 7-2, 7-10). */
struct tss_layout {
    unsigned size; /* smallest, in bytes */
    unsigned reg;  /* size of a register slot */
    unsigned ip;   /* then flags and eight general registers, each of `reg` bytes */
    unsigned sreg; /* ES CS SS DS (FS GS): selectors in slots of `reg` bytes */
    unsigned nsreg;
    unsigned ldt;
};
static const struct tss_layout tss16 = {44, 2, 14, 34, 4, 42}, tss32 = {104, 4, 32, 72, 6, 96};
#define TSS32_CR3  28
#define TSS32_TRAP 100

/* Segment registers in the order of the TSS: it is the encoding order. */
static const struct tss_layout *layout_of(unsigned type)
{
    return type & 8 ? &tss32 : &tss16;
}

struct new_task {
    const struct tss_layout *lay;
    uint8_t image[104];
};
static uint32_t slot(const struct new_task *t, unsigned at)
{
    return (uint32_t)load_le(t->image + at, t->lay->reg);
}

/* The old task's registers as they go to its TSS, from lay->ip on; returns the number of bytes. */
static unsigned save_image(const struct cpu *c, const struct tss_layout *lay, const struct task_event *e,
                           uint8_t *out)
{
    const struct x86_state *s = &c->st;
    uint32_t flags = e->why == TASK_IRET ? e->flags & ~FL_NT : e->flags;
    unsigned n = 0;
    store_le(out + lay->reg * n++, e->rip, lay->reg);
    store_le(out + lay->reg * n++, flags, lay->reg);
    for (unsigned r = RAX; r <= RDI; r++)
        store_le(out + lay->reg * n++, s->gpr[r], lay->reg);
    for (unsigned r = 0; r < lay->nsreg; r++)
        store_le(out + lay->reg * n++, s->seg[r].sel, lay->reg);
    return lay->reg * n;
}

/* ---- before the commit point ---- */

/* Checks, then saves the old task and marks both descriptors. False: nothing has changed. */
static bool leave_task(struct cpu *c, struct desc *tss, const struct task_event *e, struct new_task *t)
{
    struct x86_state *s = &c->st;
    const struct x86_seg *tr = &s->seg[SEG_TR];
    const struct tss_layout *old = layout_of(tr->attr & SEG_TYPE);
    bool nested = e->why == TASK_CALL || e->why == TASK_EVENT;
    uint8_t image[72];
    uint64_t save_at = table_lin(s, tr->base + old->ip), link_at = table_lin(s, tss->base);
    struct desc old_desc = {0};

    t->lay = layout_of(desc_type(tss));
    if (desc_limit(tss->raw) < t->lay->size - 1)
        return cpu_raise_err(c, VEC_TS, sel_error(tss->sel, e->ext));
    unsigned len = save_image(c, old, e, image);
    if ((tr->attr & SEG_UNUSABLE) || tr->limit < old->ip + len - 1)
        return cpu_raise_err(c, VEC_TS, sel_error(tr->sel, e->ext));
    if (!c->ops->probe_write(c, save_at, len, ACC_IMPLICIT) ||
        !c->ops->read(c, link_at, t->image, t->lay->size, ACC_IMPLICIT))
        return false;
    if (nested && !c->ops->probe_write(c, link_at, 2, ACC_IMPLICIT))
        return false;
    if (e->why != TASK_IRET && !c->ops->probe_write(c, table_lin(s, tss->lin + 5), 1, ACC_IMPLICIT))
        return false;
    if (!nested && (!desc_read(c, tr->sel & ~SEL_TI, VEC_TS, e->ext, &old_desc) ||
                    !c->ops->probe_write(c, table_lin(s, old_desc.lin + 5), 1, ACC_IMPLICIT)))
        return false;

    /* Nothing below faults: all of it has been probed. */
    if (!nested && !desc_retype(c, &old_desc, 0, 2))
        return false;
    if (!c->ops->write(c, save_at, image, len, ACC_IMPLICIT))
        return false;
    if (nested && !c->ops->write(c, link_at, &tr->sel, 2, ACC_IMPLICIT))
        return false;
    return e->why == TASK_IRET || desc_retype(c, tss, 2, 0);
}

/* ---- the commit point: registers ---- */

static void enter_task(struct cpu *c, const struct desc *tss, const struct task_event *e,
                       const struct new_task *t)
{
    struct x86_state *s = &c->st;
    const struct tss_layout *lay = t->lay;
    uint32_t flags = slot(t, lay->ip + lay->reg);

    s->seg[SEG_TR] = desc_seg(tss, tss->sel & SEL_RPL);
    s->cr0 |= CR0_TS;
    s->dr7 &= ~0x155ull; /* L0 to L3, LE */
    flags &=
        FL_CC | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_RF | FL_VM | FL_AC | FL_VIF | FL_VIP | FL_ID;
    if (e->why == TASK_CALL || e->why == TASK_EVENT)
        flags |= FL_NT;
    s->rip = slot(t, lay->ip);
    for (unsigned r = RAX; r <= RDI; r++)
        s->gpr[r] = slot(t, lay->ip + lay->reg * (2 + r));
    /* Selectors only, until their descriptors have been looked at. */
    for (unsigned r = 0; r < 6; r++)
        s->seg[r] = (struct x86_seg){
            .sel = r < lay->nsreg ? (uint16_t)load_le(t->image + lay->sreg + lay->reg * r, 2) : 0,
            .attr = SEG_UNUSABLE};
    s->seg[SEG_LDTR] =
        (struct x86_seg){.sel = (uint16_t)load_le(t->image + lay->ldt, 2), .attr = SEG_UNUSABLE};
    s->cpl = flags & FL_VM ? 3 : s->seg[SEG_CS].sel & SEL_RPL;
    s->seg[SEG_SS].attr |= s->cpl << SEG_DPL_SHIFT;
    flags_set(c, flags);
}

/* ---- after it: faults of the new task ---- */

static bool load_cr3(struct cpu *c, uint32_t cr3)
{
    struct x86_state *s = &c->st;
    if (pae_paging(s->cr0, s->cr4, s->efer)) {
        uint64_t p[4];
        if (!pdptes_read(c, cr3, p))
            return cpu_raise_gp0(c);
        memcpy(c->pdpte, p, sizeof(p));
    }
    s->cr3 = cr3;
    c->ops->cr3_loaded(c, false);
    return true;
}

static bool load_ldt(struct cpu *c, uint32_t ext)
{
    struct x86_seg *ldt = &c->st.seg[SEG_LDTR];
    struct desc d;
    if (sel_null(ldt->sel))
        return true;
    if (ldt->sel & SEL_TI)
        return cpu_raise_err(c, VEC_TS, sel_error(ldt->sel, ext));
    if (!desc_read(c, ldt->sel, VEC_TS, ext, &d))
        return false;
    if ((d.attr & SEG_S) || desc_type(&d) != SYS_LDT || !(d.attr & SEG_P))
        return cpu_raise_err(c, VEC_TS, sel_error(ldt->sel, ext));
    *ldt = desc_seg(&d, ldt->sel & SEL_RPL);
    return true;
}

static bool load_segments(struct cpu *c, uint32_t ext)
{
    static const enum x86_sreg data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    struct x86_state *s = &c->st;
    struct code_target t;
    struct desc d;
    if (s->rflags & FL_VM) {
        for (unsigned r = 0; r < 6; r++)
            seg_set_v86(c, r, s->seg[r].sel);
        s->seg[SEG_CS].attr |= SEG_T_CODE;
        return true;
    }
    if (!code_read(c, s->seg[SEG_CS].sel, CODE_TASK, ext, &t) || !desc_touch(c, &t.d))
        return false;
    uint16_t ss = s->seg[SEG_SS].sel;
    if (sel_null(ss))
        return cpu_raise_err(c, VEC_TS, ext);
    code_enter(c, &t, s->rip);
    if (!ss_check(c, ss, s->cpl, VEC_TS, ext, &d) || !desc_touch(c, &d))
        return false;
    s->seg[SEG_SS] = desc_seg(&d, ss & SEL_RPL);
    for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
        uint16_t sel = s->seg[data[i]].sel;
        if (sel_null(sel))
            continue;
        if (!data_check(c, sel, s->cpl, VEC_TS, ext, &d) || !desc_touch(c, &d))
            return false;
        s->seg[data[i]] = desc_seg(&d, sel & SEL_RPL);
    }
    return true;
}

static bool push_error(struct cpu *c, const struct new_task *t, const struct task_event *e)
{
    struct stack k;
    stack_here(c, &k, t->lay->reg);
    k.aligned = false;
    k.error = e->ext;
    stack_push(&k, e->error);
    if (!stack_room(c, &k) || !stack_write(c, &k))
        return false;
    sp_set(c, k.mask, stack_top(&k));
    return true;
}

static bool arrive(struct cpu *c, const struct task_event *e, const struct new_task *t)
{
    struct x86_state *s = &c->st;
    bool wide = t->lay == &tss32;
    if (wide && (s->cr0 & CR0_PG) && !load_cr3(c, (uint32_t)load_le(t->image + TSS32_CR3, 4)))
        return false;
    if (!load_ldt(c, e->ext) || !load_segments(c, e->ext))
        return false;
    if (wide && (t->image[TSS32_TRAP] & 1)) {
        s->ev.debug_pending = true;
        s->ev.dr6_pending |= DR6_BT;
        cpu_recheck(c);
    }
    if (e->has_error && !push_error(c, t, e))
        return false;
    return code_rip_ok(c, &s->seg[SEG_CS], s->rip, e->ext);
}

/* ---- entry points ---- */

enum step task_switch(struct cpu *c, struct desc *tss, const struct task_event *e)
{
    struct new_task t;
    unsigned type = desc_type(tss);
    bool back = e->why == TASK_IRET;
    uint8_t vec = back ? VEC_TS : VEC_GP;
    unsigned want16 = back ? SYS_TSS16_BUSY : SYS_TSS16, want32 = back ? SYS_TSS32_BUSY : SYS_TSS32;
    if ((tss->sel & SEL_TI) || (tss->attr & SEG_S) || (type != want16 && type != want32)) {
        cpu_raise_err(c, vec, sel_error(tss->sel, e->ext));
        return STEP_FAULT;
    }
    if (!(tss->attr & SEG_P)) {
        cpu_raise_err(c, VEC_NP, sel_error(tss->sel, e->ext));
        return STEP_FAULT;
    }
    if (!leave_task(c, tss, e, &t))
        return STEP_FAULT;
    enter_task(c, tss, e, &t);
    bool good = arrive(c, e, &t);
    mode_changed(c);
    return good ? STEP_DONE : STEP_LATE;
}

enum step task_gate(struct cpu *c, uint16_t sel, const struct task_event *e)
{
    struct desc d;
    if (sel & SEL_TI) {
        cpu_raise_err(c, VEC_GP, sel_error(sel, e->ext));
        return STEP_FAULT;
    }
    return desc_read(c, sel, VEC_GP, e->ext, &d) ? task_switch(c, &d, e) : STEP_FAULT;
}

enum step task_return(struct cpu *c, uint64_t next_rip)
{
    const struct x86_seg *tr = &c->st.seg[SEG_TR];
    struct task_event e = {.why = TASK_IRET, .rip = next_rip, .flags = x86_rflags(&c->st)};
    uint16_t link;
    struct desc d;
    if (!c->ops->read(c, table_lin(&c->st, tr->base), &link, 2, ACC_IMPLICIT))
        return STEP_FAULT;
    if (link & SEL_TI) {
        cpu_raise_err(c, VEC_TS, sel_error(link, 0));
        return STEP_FAULT;
    }
    return desc_read(c, link, VEC_TS, 0, &d) ? task_switch(c, &d, &e) : STEP_FAULT;
}
