/*
 * far.c: far JMP, CALL and RET (SDM 2A "JMP", "CALL", 2B "RET", 3A 5.8; task switches by them: 3A 7.3).
 *
 * The order in each: everything is checked, the frame is checked, accessed bits are set, the frame is written
 * in one piece, and then registers change.
 */
#include "cpu/cpu_internal.h"
#include "cpu/gate.h"

/* Real and virtual-8086 mode: the selector is the base. */
static bool real_target(struct cpu *c, uint64_t off)
{
    return off <= c->st.seg[SEG_CS].limit || cpu_raise_gp0(c);
}
static void real_enter(struct cpu *c, uint16_t sel, uint64_t off)
{
    if (v86(&c->st)) {
        seg_set_v86(c, SEG_CS, sel);
        c->st.seg[SEG_CS].attr |= SEG_T_CODE;
    } else {
        seg_set_real(c, SEG_CS, sel);
    }
    c->st.rip = off;
    mode_changed(c);
}

/* Push CS and the return address for a CALL that keeps its stack; commit to the target. */
static bool call_same(struct cpu *c, struct code_target *t, uint64_t rip, unsigned size, bool flat,
                      uint64_t next_rip)
{
    struct x86_state *s = &c->st;
    struct stack k;
    stack_here(c, &k, size);
    if (flat) {
        k.flat = true;
        k.mask = ~0ull;
    }
    stack_push(&k, s->seg[SEG_CS].sel);
    stack_push(&k, next_rip);
    if (!stack_room(c, &k) || !code_rip_ok(c, &t->seg, rip, 0) || !desc_touch(c, &t->d) ||
        !stack_write(c, &k))
        return false;
    sp_set(c, k.mask, stack_top(&k));
    code_enter(c, t, rip);
    mode_changed(c);
    return true;
}

static bool jump_to(struct cpu *c, struct code_target *t, uint64_t rip)
{
    if (!code_rip_ok(c, &t->seg, rip, 0) || !desc_touch(c, &t->d))
        return false;
    code_enter(c, t, rip);
    mode_changed(c);
    return true;
}

/* CALL through a gate to more privilege: a stack from the TSS, parameters copied from the old one. */
static bool call_inner(struct cpu *c, const struct gate *g, struct code_target *t, uint64_t next_rip)
{
    struct x86_state *s = &c->st;
    struct stack old, k;
    struct desc ss = {0};
    uint64_t params[31];
    unsigned count = g->size == 8 ? 0 : g->count;
    if (!stack_inner(c, t->cpl, 0, g->size, 0, &k, &ss))
        return false;
    stack_here(c, &old, g->size);
    if (!stack_read(c, &old, 0, count, params))
        return false;
    stack_push(&k, s->seg[SEG_SS].sel);
    stack_push(&k, s->gpr[RSP]);
    for (unsigned i = count; i-- > 0;)
        stack_push(&k, params[i]);
    stack_push(&k, s->seg[SEG_CS].sel);
    stack_push(&k, next_rip);
    if (!stack_room(c, &k) || !code_rip_ok(c, &t->seg, g->offset, 0) || !desc_touch(c, &t->d))
        return false;
    if (!k.flat && !desc_touch(c, &ss))
        return false;
    if (!stack_write(c, &k))
        return false;
    code_enter(c, t, g->offset);
    if (k.flat)
        seg_set_null(c, SEG_SS, t->cpl);
    else
        s->seg[SEG_SS] = desc_seg(&ss, t->cpl);
    sp_set(c, k.mask, stack_top(&k));
    mode_changed(c);
    return true;
}

static bool through_call_gate(struct cpu *c, const struct desc *d, bool call, uint64_t next_rip)
{
    bool wide = x86_lma(&c->st);
    uint64_t high = 0;
    uint32_t error = sel_error(d->sel, 0);
    struct code_target t;
    if (desc_dpl(d) < c->st.cpl || desc_dpl(d) < (d->sel & SEL_RPL))
        return cpu_raise_err(c, VEC_GP, error);
    if (!(d->attr & SEG_P))
        return cpu_raise_err(c, VEC_NP, error);
    if (wide && !desc_read_high(c, d, &high))
        return false;
    struct gate g = gate_decode(d->raw, high, wide);
    if (!code_read(c, g.sel, call ? CODE_GATE : CODE_JMP_GATE, 0, &t))
        return false;
    if (!call)
        return jump_to(c, &t, g.offset);
    if (t.cpl < c->st.cpl)
        return call_inner(c, &g, &t, next_rip);
    return call_same(c, &t, g.offset, g.size, wide, next_rip);
}

/* The selector of a JMP or CALL names a system descriptor: call gate, task gate or TSS. */
static bool through_system(struct cpu *c, struct desc *d, bool call, uint64_t next_rip)
{
    uint32_t error = sel_error(d->sel, 0);
    unsigned type = desc_type(d);
    if (type == SYS_CALL32 || (type == SYS_CALL16 && !x86_lma(&c->st)))
        return through_call_gate(c, d, call, next_rip);
    bool tss = type == SYS_TSS16 || type == SYS_TSS32;
    if (x86_lma(&c->st) || !(tss || type == SYS_TASK) || desc_dpl(d) < c->st.cpl ||
        desc_dpl(d) < (d->sel & SEL_RPL))
        return cpu_raise_err(c, VEC_GP, error);
    struct task_event e = {.why = call ? TASK_CALL : TASK_JMP, .rip = next_rip, .flags = x86_rflags(&c->st)};
    if (tss)
        return step_finish(c, task_switch(c, d, &e));
    if (!(d->attr & SEG_P))
        return cpu_raise_err(c, VEC_NP, error);
    return step_finish(c, task_gate(c, gate_decode(d->raw, 0, false).sel, &e));
}

static bool far_transfer(struct cpu *c, uint16_t sel, uint64_t off, unsigned opsize, bool call,
                         uint64_t next_rip)
{
    struct code_target t;
    struct desc d;
    if (sel_null(sel))
        return cpu_raise_gp0(c);
    if (!desc_read(c, sel, VEC_GP, 0, &d))
        return false;
    if (!(d.attr & SEG_S))
        return through_system(c, &d, call, next_rip);
    if (!code_check(c, &d, CODE_DIRECT, 0, &t))
        return false;
    return call ? call_same(c, &t, off, opsize, false, next_rip) : jump_to(c, &t, off);
}

bool cpu_far_jmp(struct cpu *c, uint16_t sel, uint64_t off, unsigned opsize, uint64_t next_rip)
{
    off &= mask_bytes(opsize);
    if (x86_protected(&c->st))
        return far_transfer(c, sel, off, opsize, false, next_rip);
    if (!real_target(c, off))
        return false;
    real_enter(c, sel, off);
    return true;
}

bool cpu_far_call(struct cpu *c, uint16_t sel, uint64_t off, unsigned opsize, uint64_t next_rip)
{
    struct stack k;
    off &= mask_bytes(opsize);
    if (x86_protected(&c->st))
        return far_transfer(c, sel, off, opsize, true, next_rip);
    stack_here(c, &k, opsize);
    stack_push(&k, c->st.seg[SEG_CS].sel);
    stack_push(&k, next_rip);
    if (!stack_room(c, &k) || !real_target(c, off) || !stack_write(c, &k))
        return false;
    sp_set(c, k.mask, stack_top(&k));
    real_enter(c, sel, off);
    return true;
}

bool cpu_far_ret(struct cpu *c, unsigned opsize, unsigned pop)
{
    struct far_return r;
    struct stack k;
    uint64_t f[2], outer[2] = {0};
    stack_here(c, &k, opsize);
    if (!stack_read(c, &k, 0, 2, f))
        return false;
    uint64_t behind = k.sp + 2 * opsize + pop;
    if (!x86_protected(&c->st)) {
        if (!real_target(c, f[0]))
            return false;
        sp_set(c, k.mask, behind);
        real_enter(c, (uint16_t)f[1], f[0]);
        return true;
    }
    if (!return_check_cs(c, (uint16_t)f[1], f[0], &r))
        return false;
    if (!r.outer) {
        uint64_t mask = k.mask;
        if (!return_commit(c, &r, 0))
            return false;
        sp_set(c, mask, behind);
        return true;
    }
    if (!stack_read(c, &k, 2 * opsize + pop, 2, outer) || !return_check_ss(c, (uint16_t)outer[1], &r))
        return false;
    return return_commit(c, &r, outer[0] + pop); /* the parameters are released on both stacks */
}
