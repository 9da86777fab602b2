/*
 * x86_state.c: the state of a processor after power-on or INIT (SDM 3A 9.1.1, table 9-1).
 */
#include "x86/x86.h"

static void reset_segments(struct x86_state *s)
{
    for (unsigned i = 0; i < X86_NSEG; i++)
        s->seg[i] = (struct x86_seg){.limit = 0xffff, .attr = SEG_P | SEG_S | SEG_T_RW | SEG_T_ACCESSED};
    s->seg[SEG_CS].sel = 0xf000;
    s->seg[SEG_CS].base = 0xffff0000;
    s->seg[SEG_CS].attr |= SEG_T_CODE;
    s->seg[SEG_LDTR].attr = SEG_P | SYS_LDT;
    s->seg[SEG_TR].attr = SEG_P | SYS_TSS32_BUSY;
    s->gdtr = s->idtr = (struct x86_table){.limit = 0xffff};
}

static void reset_fpu(struct x86_fpu *f)
{
    memset(f, 0, sizeof(*f));
    f->fx.fcw = 0x40; /* FNINIT's 0x37f comes with the first FNINIT; RESET leaves 0x40 */
    f->fx.ftw = 0xff; /* and all registers valid +0.0 */
    f->fx.mxcsr = 0x1f80;
    f->fx.mxcsr_mask = 0xffff;
    f->xinuse = XCR0_X87;
}

void x86_reset(struct x86_state *s, bool init, uint32_t signature, bool bsp)
{
    struct x86_state old = *s;
    memset(s, 0, sizeof(*s));
    x86_set_rflags(s, FL_ONE);
    s->rip = 0xfff0;
    s->gpr[RDX] = signature;
    s->cr0 = CR0_ET | (init ? old.cr0 & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW);
    reset_segments(s);
    s->dr6 = DR6_FIXED;
    s->dr7 = DR7_FIXED;
    s->mp = bsp ? X86_RUNNING : X86_WAIT_SIPI;
    if (init) {
        s->fpu = old.fpu;
        s->msr = old.msr;
        s->xcr0 = old.xcr0;
        s->xss = old.xss;
        s->tsc_offset = old.tsc_offset;
        s->tsc_adjust = old.tsc_adjust;
        return;
    }
    reset_fpu(&s->fpu);
    s->xcr0 = XCR0_X87;
    s->msr.pat = 0x0007040600070406ull;
    s->msr.misc_enable = 1; /* fast strings */
}
