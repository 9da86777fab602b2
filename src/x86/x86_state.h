/*
 * x86/x86_state.h: the canonical register state of one vCPU. The interpreter works on it, other engines load
 * and store it, snapshots are made from it.
 */
#ifndef X86_X86_STATE_H
#define X86_X86_STATE_H

#include "x86/x86_bits.h"

/* General registers in encoding order (SDM 2A table 2-2, REX extended). */
enum x86_reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, X86_NGPR };

/* Segment registers in encoding order; LDTR and TR behind them. */
enum x86_sreg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, X86_NSEG };

struct x86_seg {
    uint64_t base;
    uint32_t limit; /* in bytes, granularity applied */
    uint16_t sel;
    uint16_t attr; /* SEG_* of x86_bits.h */
};

struct x86_table {
    uint64_t base;
    uint16_t limit;
};

/*
 * x87 and SSE state. `fx` is the first 160 bytes of an FXSAVE64 image (SDM 1 10.5.1, 64-bit form): FCW, FSW,
 * abridged FTW, FOP, FIP, FDP, MXCSR, MXCSR_MASK, ST0-7 (16 bytes each). The XMM part of it is not used:
 * vector registers live in `ymm`, low half XMM.
 */
struct x86_fpu {
    _Alignas(64) struct {
        uint16_t fcw, fsw;
        uint8_t ftw, rsvd;
        uint16_t fop;
        uint64_t fip, fdp;
        uint32_t mxcsr, mxcsr_mask;
        uint8_t st[8][16];
        uint8_t unused[352]; /* so that FXRSTOR64 and FXSAVE64 may work on it in place */
    } fx;
    _Alignas(32) uint8_t ymm[16][32];
    uint64_t xinuse; /* XINUSE (SDM 1 13.6): XCR0_* components not in their initial configuration,
                        conservatively */
};

struct x86_msrs {
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, misc_enable, mtrr_def_type, mtrr_fixed[11], mtrr_var[16];
    uint64_t mcg_status, mcg_ctl, spec_ctrl, debugctl, hwcr, syscfg;
    uint64_t kvm_wall_clock, kvm_system_time;
};

/* What is pending or held back between two instructions. */
struct x86_events {
    uint8_t shadow; /* X86_SHADOW_*: the next instruction boundary takes no interrupt */
    bool nmi_pending;
    bool nmi_masked;      /* from NMI delivery to the next IRET */
    bool debug_pending;   /* #DB trap with dr6_pending, taken at the next boundary */
    uint64_t dr6_pending; /* DR6 bits of it */
};
enum { X86_SHADOW_STI = 1, X86_SHADOW_MOVSS = 2 };

/*
 * A local APIC (SDM 3A 11), registers in the page's layout. An engine's own APIC is the truth while it runs:
 * this is the form in which its state travels, valid after a pull and before a push of GROUP_APIC.
 */
struct x86_apic {
    uint64_t base;     /* IA32_APIC_BASE */
    uint64_t deadline; /* IA32_TSC_DEADLINE: the guest's TSC, 0: not armed */
    uint32_t tpr, ldr, dfr, svr, esr, icr, icr_high;
    uint32_t lvt[6]; /* timer, thermal, performance, LINT0, LINT1, error */
    uint32_t initial_count, current_count, divide;
    uint64_t isr[4], tmr[4], irr[4]; /* bit n of word m: vector 64 m + n */
};

enum x86_mp_state { X86_RUNNING, X86_HALTED, X86_WAIT_SIPI, X86_SHUTDOWN };

struct x86_state {
    uint64_t gpr[X86_NGPR];
    uint64_t rip; /* of the next instruction; not masked to the code size */
    /*
     * The arithmetic flags as LAHF and SETO leave them in AX: AL = OF (0 or 1), AH = SF ZF 0 AF 0 PF 1 CF.
     * The other flags are in rflags, whose six arithmetic bits are to be ignored: read both by x86_rflags().
     */
    uint16_t cc;
    uint32_t rflags;
    struct x86_seg seg[X86_NSEG];
    struct x86_table gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, efer, xcr0, xss;
    uint8_t cpl; /* kept equal to SS.DPL (0 in real mode, 3 in virtual-8086 mode) */
    enum x86_mp_state mp;
    uint64_t dr[4], dr6, dr7;
    uint64_t tsc_offset; /* guest TSC = clock_tsc() + tsc_offset */
    uint64_t tsc_adjust; /* IA32_TSC_ADJUST */
    struct x86_events ev;
    struct x86_msrs msr;
    struct x86_fpu fpu;
    struct x86_apic apic;
};

#define CC_CF 0x0100u
#define CC_PF 0x0400u
#define CC_AF 0x1000u
#define CC_ZF 0x4000u
#define CC_SF 0x8000u
#define CC_OF 0x0001u

static inline uint32_t x86_rflags(const struct x86_state *s)
{
    return (s->rflags & ~FL_CC) | FL_ONE | (s->cc >> 8 & (FL_CC & 0xff)) | (s->cc & CC_OF ? FL_OF : 0);
}
static inline uint16_t x86_cc_from_rflags(uint32_t f)
{
    return (uint16_t)((f & 0xd5) << 8 | 0x200 | (f & FL_OF ? CC_OF : 0));
}
static inline void x86_set_rflags(struct x86_state *s, uint32_t f)
{
    s->cc = x86_cc_from_rflags(f);
    s->rflags = (f & ~FL_CC) | FL_ONE;
}

/* Long mode active (64-bit or compatibility). */
static inline bool x86_lma(const struct x86_state *s)
{
    return s->efer & EFER_LMA;
}
static inline bool x86_64bit(const struct x86_state *s)
{
    return x86_lma(s) && (s->seg[SEG_CS].attr & SEG_L);
}
static inline bool x86_protected(const struct x86_state *s)
{
    return (s->cr0 & CR0_PE) && !(s->rflags & FL_VM);
}

/* Power-on / INIT state (SDM 3A table 9-1). `init`: INIT keeps FPU, MSRs, CR0.CD/NW, TSC. signature: CPUID 1
 * EAX. */
void x86_reset(struct x86_state *s, bool init, uint32_t signature, bool bsp);

#endif
