/*
 * iret.c: IRET, IRETD, IRETQ (SDM 2A "IRET/IRETD/IRETQ", APM 3 "IRET"; in virtual-8086 mode SDM
 * 3B 20.2, 20.3).
 */
#include "cpu/cpu_internal.h"

/* Flags that any IRET takes from its image / that operand sizes above 16 bits add. */
#define IRET_FLAGS      (FL_CC | FL_TF | FL_DF | FL_NT)
#define IRET_FLAGS_WIDE (FL_RF | FL_AC | FL_ID)

static uint32_t iret_mask(const struct x86_state *s, unsigned opsize)
{
    uint32_t mask = IRET_FLAGS | (opsize > 2 ? IRET_FLAGS_WIDE : 0);
    if (s->cpl <= iopl(s))
        mask |= FL_IF;
    if (s->cpl == 0)
        mask |= FL_IOPL | (opsize > 2 ? FL_VIF | FL_VIP : 0);
    return mask;
}

/* Real mode, and virtual-8086 mode with what it permits of the flags. */
static bool iret_real(struct cpu *c, const struct stack *k, unsigned opsize, uint32_t mask, bool vme)
{
    struct x86_state *s = &c->st;
    uint64_t f[3];
    if (!stack_read(c, k, 0, 3, f))
        return false;
    if (f[0] > s->seg[SEG_CS].limit)
        return cpu_raise_gp0(c);
    if (vme) {
        if (!flags_vme_pop(c, (uint32_t)f[2]))
            return false;
    } else {
        flags_merge(c, (uint32_t)f[2], mask);
    }
    sp_set(c, k->mask, k->sp + 3 * opsize);
    if (v86(s)) {
        seg_set_v86(c, SEG_CS, (uint16_t)f[1]);
        s->seg[SEG_CS].attr |= SEG_T_CODE;
    } else {
        seg_set_real(c, SEG_CS, (uint16_t)f[1]);
    }
    s->rip = f[0];
    mode_changed(c);
    return true;
}

static bool iret_v86(struct cpu *c, const struct stack *k, unsigned opsize)
{
    uint32_t mask = IRET_FLAGS | FL_IF | (opsize > 2 ? IRET_FLAGS_WIDE : 0);
    if (iopl(&c->st) == 3)
        return iret_real(c, k, opsize, mask, false);
    if (opsize == 2 && (c->st.cr4 & CR4_VME))
        return iret_real(c, k, opsize, 0, true);
    return cpu_raise_gp0(c);
}

/* From CPL 0 with VM in the image: EIP CS EFLAGS ESP SS ES DS FS GS. */
static bool iret_to_v86(struct cpu *c, const struct stack *k)
{
    static const enum x86_sreg order[] = {SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    struct x86_state *s = &c->st;
    uint64_t f[9];
    if (!stack_read(c, k, 0, 9, f))
        return false;
    if (f[0] > 0xffff)
        return cpu_raise_gp0(c);
    for (unsigned i = 0; i < ARRAY_LEN(order); i++)
        seg_set_v86(c, order[i], (uint16_t)f[4 + i]);
    seg_set_v86(c, SEG_CS, (uint16_t)f[1]);
    s->seg[SEG_CS].attr |= SEG_T_CODE;
    s->gpr[RSP] = (uint32_t)f[3];
    s->rip = f[0];
    s->cpl = 3;
    flags_set(c, (uint32_t)f[2] & (IRET_FLAGS | IRET_FLAGS_WIDE | FL_IF | FL_IOPL | FL_VM | FL_VIF | FL_VIP));
    mode_changed(c);
    return true;
}

static bool iret_protected(struct cpu *c, const struct stack *k, unsigned opsize)
{
    struct x86_state *s = &c->st;
    struct far_return r;
    uint64_t f[5];
    bool lma = x86_lma(s);
    if (!stack_read(c, k, 0, 3, f))
        return false;
    if (!lma && opsize == 4 && s->cpl == 0 && (f[2] & FL_VM))
        return iret_to_v86(c, k);
    if (!return_check_cs(c, (uint16_t)f[1], f[0], &r))
        return false;
    /* 64-bit mode pops the stack pointer always. */
    if (r.outer || x86_64bit(s))
        if (!stack_read(c, k, 3 * opsize, 2, f + 3) || !return_check_ss(c, (uint16_t)f[4], &r))
            return false;
    uint32_t mask = iret_mask(s, opsize); /* as the old privilege permits */
    if (!return_commit(c, &r, f[3]))
        return false;
    if (!r.loads_ss)
        sp_set(c, k->mask, k->sp + 3 * opsize);
    flags_merge(c, (uint32_t)f[2], mask);
    return true;
}

static bool iret(struct cpu *c, unsigned opsize, uint64_t next_rip)
{
    struct x86_state *s = &c->st;
    struct stack k;
    stack_here(c, &k, opsize);
    if (v86(s))
        return iret_v86(c, &k, opsize);
    if (!(s->cr0 & CR0_PE))
        return iret_real(c, &k, opsize, iret_mask(s, opsize) & ~(FL_VIF | FL_VIP), false);
    if (s->rflags & FL_NT)
        return x86_lma(s) ? cpu_raise_gp0(c) : step_finish(c, task_return(c, next_rip));
    return iret_protected(c, &k, opsize);
}

bool cpu_iret(struct cpu *c, unsigned opsize, uint64_t next_rip)
{
    struct x86_events *ev = &c->st.ev;
    bool done = iret(c, opsize, next_rip);
    if (done || vendor(c)->faulting_iret_unmasks_nmi) {
        ev->nmi_masked = false;
        if (ev->nmi_pending)
            cpu_recheck(c);
    }
    return done;
}
