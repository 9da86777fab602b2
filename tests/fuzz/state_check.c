/*
 * state_check.c: is the register state one that a processor can be in?
 */
#include "check.h"
#include "fuzz.h"

#include "cpu/cpuid.h"

#define CHECK(cond, value) FUZZ_CHECK(cond, "0x%llx", (unsigned long long)(value))

static void check_control(const struct x86_state *s, const struct cpuid_model *m)
{
    const uint64_t cr0 =
        CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
    bool lma = (s->efer & EFER_LME) && (s->cr0 & CR0_PG);
    CHECK(!(s->cr0 & ~cr0) && (s->cr0 & CR0_ET), s->cr0);
    CHECK(!(s->cr0 & CR0_PG) || (s->cr0 & CR0_PE), s->cr0);
    CHECK(!(s->cr0 & CR0_NW) || (s->cr0 & CR0_CD), s->cr0);
    CHECK(!(s->cr4 & ~m->cr4_mask), s->cr4);
    CHECK(!(s->efer & ~(m->efer_mask | EFER_LMA)), s->efer);
    CHECK(!(s->efer & EFER_LMA) == !lma, s->efer);
    CHECK(!lma || (s->cr4 & CR4_PAE), s->cr4);
    CHECK(!(s->cr4 & CR4_PCIDE) || lma, s->cr4);
    CHECK(!lma || !(s->cr3 >> m->phys_bits), s->cr3);
    CHECK(!(s->xcr0 & ~m->xcr0_mask) && (s->xcr0 & XCR0_X87), s->xcr0);
    CHECK(!(s->xcr0 & XCR0_AVX) || (s->xcr0 & XCR0_SSE), s->xcr0);
}

static void check_flags(const struct x86_state *s)
{
    const uint32_t f = FL_ONE | FL_CC | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_RF | FL_VM | FL_AC |
                       FL_VIF | FL_VIP | FL_ID;
    CHECK(!(s->rflags & ~f) && (s->rflags & FL_ONE), s->rflags);
    CHECK(!(s->cc & 0x28fe), s->cc);
    CHECK(!(s->rflags & FL_VM) || ((s->cr0 & CR0_PE) && !(s->efer & EFER_LMA)), s->rflags);
}

static void check_segments(const struct x86_state *s)
{
    const struct x86_seg *cs = &s->seg[SEG_CS], *ss = &s->seg[SEG_SS];
    bool lma = x86_lma(s);
    if (!(s->cr0 & CR0_PE)) {
        CHECK(s->cpl == 0, s->cpl);
    } else if (s->rflags & FL_VM) {
        CHECK(s->cpl == 3, s->cpl);
        for (unsigned i = SEG_ES; i <= SEG_GS; i++)
            CHECK(s->seg[i].base == (uint64_t)s->seg[i].sel << 4, s->seg[i].base);
    } else {
        CHECK(s->cpl == (ss->attr & SEG_DPL) >> SEG_DPL_SHIFT, s->cpl);
    }
    CHECK(!lma || !(cs->attr & SEG_L) || !(cs->attr & SEG_DB), cs->attr);
    for (unsigned i = 0; i < X86_NSEG; i++) {
        bool wide = i == SEG_FS || i == SEG_GS || i == SEG_LDTR || i == SEG_TR;
        CHECK(wide ? is_canonical(s->seg[i].base) : !(s->seg[i].base >> 32), s->seg[i].base);
        CHECK(!(s->seg[i].attr & 0x0e00), s->seg[i].attr);
    }
    CHECK(is_canonical(s->gdtr.base), s->gdtr.base);
    CHECK(is_canonical(s->idtr.base), s->idtr.base);
}

static void check_debug(const struct x86_state *s)
{
    CHECK((s->dr6 & ~0xe00full) == DR6_FIXED, s->dr6);
    CHECK((s->dr7 & DR7_FIXED) && !(s->dr7 & 0xd800) && !(s->dr7 >> 32), s->dr7);
    CHECK(s->ev.debug_pending || !s->ev.dr6_pending, s->ev.dr6_pending);
    CHECK(s->ev.shadow <= (X86_SHADOW_STI | X86_SHADOW_MOVSS), s->ev.shadow);
}

/* SDM 1 8.1.3: ES and B say that an unmasked exception is there. */
static void check_fpu(const struct x86_state *s)
{
    bool es = s->fpu.fx.fsw & 0x80, b = s->fpu.fx.fsw & 0x8000;
    CHECK(es == b && es == !!(s->fpu.fx.fsw & ~s->fpu.fx.fcw & 0x3f), s->fpu.fx.fsw << 16 | s->fpu.fx.fcw);
    CHECK(!(s->fpu.fx.fcw & 0xe080), s->fpu.fx.fcw);
    CHECK(!(s->fpu.fx.mxcsr >> 18), s->fpu.fx.mxcsr);
    CHECK(!(s->fpu.fx.fop >> 11), s->fpu.fx.fop);
}

static void check_msrs(const struct x86_state *s)
{
    const struct x86_msrs *m = &s->msr;
    CHECK(is_canonical(m->lstar), m->lstar);
    CHECK(is_canonical(m->cstar), m->cstar);
    CHECK(is_canonical(m->kernel_gs_base), m->kernel_gs_base);
    CHECK(is_canonical(m->sysenter_esp), m->sysenter_esp);
    CHECK(is_canonical(m->sysenter_eip), m->sysenter_eip);
    for (unsigned i = 0; i < 8; i++) {
        unsigned type = m->pat >> 8 * i & 0xff;
        CHECK(type <= 7 && type != 2 && type != 3, m->pat);
    }
}

void check_state(const struct cpu *c)
{
    const struct x86_state *s = &c->st;
    check_control(s, c->cpuid);
    check_flags(s);
    check_segments(s);
    check_debug(s);
    check_fpu(s);
    check_msrs(s);
    CHECK(x86_64bit(s) || !(s->rip >> 32), s->rip);
}
