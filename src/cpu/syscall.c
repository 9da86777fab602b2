/*
 * syscall.c: SYSCALL, SYSRET, SYSENTER, SYSEXIT (SDM 2B, APM 3). They load fixed flat segments and read no
 * descriptor.
 */
#include "cpu/cpu_internal.h"

#define CODE64(dpl) (SEG_T_CODE | SEG_L | (dpl) << SEG_DPL_SHIFT)
#define CODE32(dpl) (SEG_T_CODE | SEG_DB | (dpl) << SEG_DPL_SHIFT)
#define DATA(dpl)   (SEG_DB | (dpl) << SEG_DPL_SHIFT)

bool cpu_syscall(struct cpu *c, uint64_t next_rip)
{
    struct x86_state *s = &c->st;
    uint16_t sel = (uint16_t)(bits(s->msr.star, 32, 16) & ~SEL_RPL);
    uint32_t flags = x86_rflags(s) & ~FL_RF;
    if (!(s->efer & EFER_SCE) || !(x86_64bit(s) || vendor(c)->syscall_everywhere))
        return cpu_raise(c, VEC_UD);
    if (x86_lma(s)) {
        s->gpr[RCX] = next_rip;
        s->gpr[R11] = flags;
        s->rip = x86_64bit(s) ? s->msr.lstar : s->msr.cstar;
        flags &= ~(uint32_t)s->msr.sfmask;
        seg_set_flat(c, SEG_CS, sel, CODE64(0));
    } else {
        s->gpr[RCX] = (uint32_t)next_rip;
        s->rip = (uint32_t)s->msr.star;
        flags &= ~(FL_VM | FL_IF);
        seg_set_flat(c, SEG_CS, sel, CODE32(0));
    }
    seg_set_flat(c, SEG_SS, (uint16_t)(sel + 8), DATA(0));
    s->cpl = 0;
    flags_set(c, flags);
    mode_changed(c);
    return true;
}

/* SYSRET's SS: see vendor.h. */
static void sysret_ss(struct cpu *c, uint16_t sel)
{
    struct x86_seg *ss = &c->st.seg[SEG_SS];
    if (vendor(c)->sysret_loads_ss) {
        seg_set_flat(c, SEG_SS, sel | SEL_RPL, DATA(3));
        return;
    }
    ss->sel = sel;
    ss->attr |= SEG_DPL; /* the CPL is kept there; no instruction can see it */
}

bool cpu_sysret(struct cpu *c, unsigned opsize)
{
    struct x86_state *s = &c->st;
    const struct vendor_rules *ven = vendor(c);
    uint16_t base = (uint16_t)bits(s->msr.star, 48, 16);
    bool from_64 = x86_64bit(s), to_64 = from_64 && opsize == 8;
    if (!(s->efer & EFER_SCE) || !(from_64 || ven->syscall_everywhere))
        return cpu_raise(c, VEC_UD);
    if (!x86_protected(s) || s->cpl != 0)
        return cpu_raise_gp0(c);
    if (to_64 && ven->sysret_checks_rip && !is_canonical(s->gpr[RCX]))
        return cpu_raise_gp0(c);

    s->cpl = 3;
    if (to_64)
        seg_set_flat(c, SEG_CS, (uint16_t)(base + 16) | SEL_RPL, CODE64(3));
    else
        seg_set_flat(c, SEG_CS, base | SEL_RPL, CODE32(3));
    sysret_ss(c, (uint16_t)(base + 8));
    s->rip = to_64 ? s->gpr[RCX] : (uint32_t)s->gpr[RCX];
    if (from_64)
        flags_set(c, (uint32_t)s->gpr[R11] &
                         (FL_CC | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_AC | FL_VIF | FL_VIP | FL_ID));
    else
        flags_set(c, x86_rflags(s) | FL_IF);
    mode_changed(c);
    return true;
}

/* What SYSENTER and SYSEXIT ask first. `user`: SYSEXIT may only be executed at CPL 0. */
static bool sysenter_ok(struct cpu *c, bool cpl0)
{
    const struct x86_state *s = &c->st;
    if (cpl0 && s->cpl != 0) /* before #UD: seen on Zen 5 */
        return cpu_raise_gp0(c);
    if (x86_lma(s) && !vendor(c)->sysenter_in_long_mode)
        return cpu_raise(c, VEC_UD);
    if (!(s->cr0 & CR0_PE) || sel_null((uint16_t)s->msr.sysenter_cs))
        return cpu_raise_gp0(c);
    return true;
}

bool cpu_sysenter(struct cpu *c, uint64_t next_rip)
{
    struct x86_state *s = &c->st;
    uint16_t sel = (uint16_t)(s->msr.sysenter_cs & ~SEL_RPL);
    bool lma = x86_lma(s);
    if (!sysenter_ok(c, false))
        return false;
    seg_set_flat(c, SEG_CS, sel, lma ? CODE64(0) : CODE32(0));
    seg_set_flat(c, SEG_SS, (uint16_t)(sel + 8), DATA(0));
    s->cpl = 0;
    s->gpr[RSP] = lma ? s->msr.sysenter_esp : (uint32_t)s->msr.sysenter_esp;
    s->rip = lma ? s->msr.sysenter_eip : (uint32_t)s->msr.sysenter_eip;
    flags_set(c, x86_rflags(s) & ~(FL_VM | FL_IF | FL_RF));
    mode_changed(c);
    return true;
}

bool cpu_sysexit(struct cpu *c, unsigned opsize)
{
    struct x86_state *s = &c->st;
    bool to_64 = x86_64bit(s) && opsize == 8;
    uint16_t sel = (uint16_t)(s->msr.sysenter_cs + (to_64 ? 32 : 16)) | SEL_RPL;
    if (!sysenter_ok(c, true))
        return false;
    if (to_64 && (!is_canonical(s->gpr[RCX]) || !is_canonical(s->gpr[RDX])))
        return cpu_raise_gp0(c);
    seg_set_flat(c, SEG_CS, sel, to_64 ? CODE64(3) : CODE32(3));
    seg_set_flat(c, SEG_SS, (uint16_t)(sel + 8), DATA(3));
    s->cpl = 3;
    s->gpr[RSP] = to_64 ? s->gpr[RCX] : (uint32_t)s->gpr[RCX];
    s->rip = to_64 ? s->gpr[RDX] : (uint32_t)s->gpr[RDX];
    mode_changed(c);
    return true;
}
