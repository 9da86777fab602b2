/*
 * flags.c: PUSHF, POPF, CLI, STI with IOPL, virtual-8086 extensions and protected-mode virtual interrupts
 * (SDM 2B "POPF", "PUSHF", "STI", 2A "CLI"; 3B 20.3, 20.4).
 */
#include "cpu/cpu_internal.h"

void flags_set(struct cpu *c, uint32_t flags)
{
    struct x86_state *s = &c->st;
    uint32_t old = s->rflags;
    x86_set_rflags(s, flags);
    if (~old & s->rflags & FL_IF)
        cpu_recheck(c);
    if ((old ^ s->rflags) & (FL_TF | FL_RF | FL_VM | FL_AC))
        mode_changed(c);
}

uint32_t flags_vme_image(const struct cpu *c)
{
    uint32_t f = x86_rflags(&c->st);
    return (f & 0xffff & ~FL_IF) | FL_IOPL | (f & FL_VIF ? FL_IF : 0);
}

bool flags_vme_pop(struct cpu *c, uint32_t image)
{
    if ((image & FL_TF) || ((image & FL_IF) && (c->st.rflags & FL_VIP)))
        return cpu_raise_gp0(c);
    uint32_t vif = image & FL_IF ? FL_VIF : 0;
    flags_merge(c, (image & 0xffff) | vif, FL_CC | FL_TF | FL_DF | FL_NT | FL_VIF);
    return true;
}

bool cpu_popf(struct cpu *c, uint64_t image, unsigned opsize)
{
    const struct x86_state *s = &c->st;
    uint32_t mask = FL_CC | FL_TF | FL_DF | FL_NT | (opsize > 2 ? FL_AC | FL_ID : 0);
    if (v86(s) && iopl(s) < 3) {
        if (opsize == 2 && (s->cr4 & CR4_VME))
            return flags_vme_pop(c, (uint32_t)image);
        return cpu_raise_gp0(c);
    }
    if (s->cpl <= iopl(s))
        mask |= FL_IF;
    if (s->cpl == 0)
        mask |= FL_IOPL;
    flags_merge(c, (uint32_t)image, mask);
    return true;
}

bool cpu_pushf(struct cpu *c, unsigned opsize, uint64_t *image)
{
    const struct x86_state *s = &c->st;
    if (v86(s) && iopl(s) < 3) {
        if (opsize != 2 || !(s->cr4 & CR4_VME))
            return cpu_raise_gp0(c);
        *image = flags_vme_image(c);
        return true;
    }
    *image = (x86_rflags(s) & ~(FL_RF | FL_VM)) & mask_bytes(opsize);
    return true;
}

/* Which flag CLI and STI work on: IF, VIF, or 0 for #GP (SDM 2A table "CLI"). */
static uint32_t interrupt_flag(const struct x86_state *s)
{
    if (s->cpl <= iopl(s))
        return FL_IF;
    if (v86(s))
        return s->cr4 & CR4_VME ? FL_VIF : 0;
    return s->cpl == 3 && (s->cr4 & CR4_PVI) ? FL_VIF : 0;
}

bool cpu_cli(struct cpu *c)
{
    uint32_t flag = interrupt_flag(&c->st);
    if (!flag)
        return cpu_raise_gp0(c);
    c->st.rflags &= ~flag;
    return true;
}

bool cpu_sti(struct cpu *c)
{
    struct x86_state *s = &c->st;
    uint32_t flag = interrupt_flag(s);
    if (!flag || (flag == FL_VIF && (s->rflags & FL_VIP)))
        return cpu_raise_gp0(c);
    if (flag == FL_IF && !(s->rflags & FL_IF)) {
        s->ev.shadow = X86_SHADOW_STI;
        cpu_recheck(c);
    }
    s->rflags |= flag;
    return true;
}
