/*
 * x86/x86_bits.h: control-register, flag, page-table, descriptor and exception constants.
 */
#ifndef X86_X86_BITS_H
#define X86_X86_BITS_H

#include "base/base.h"

/* ---- RFLAGS (SDM 1 3.4.3) ---- */
#define FL_CF   0x00000001u
#define FL_ONE  0x00000002u /* always set */
#define FL_PF   0x00000004u
#define FL_AF   0x00000010u
#define FL_ZF   0x00000040u
#define FL_SF   0x00000080u
#define FL_TF   0x00000100u
#define FL_IF   0x00000200u
#define FL_DF   0x00000400u
#define FL_OF   0x00000800u
#define FL_IOPL 0x00003000u
#define FL_NT   0x00004000u
#define FL_RF   0x00010000u
#define FL_VM   0x00020000u
#define FL_AC   0x00040000u
#define FL_VIF  0x00080000u
#define FL_VIP  0x00100000u
#define FL_ID   0x00200000u
/* The six arithmetic flags. */
#define FL_CC (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF)

/* ---- CR0, CR4, EFER, XCR0 ---- */
#define CR0_PE 0x00000001u
#define CR0_MP 0x00000002u
#define CR0_EM 0x00000004u
#define CR0_TS 0x00000008u
#define CR0_ET 0x00000010u
#define CR0_NE 0x00000020u
#define CR0_WP 0x00010000u
#define CR0_AM 0x00040000u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR0_PG 0x80000000u

#define CR4_VME        0x00000001u
#define CR4_PVI        0x00000002u
#define CR4_TSD        0x00000004u
#define CR4_DE         0x00000008u
#define CR4_PSE        0x00000010u
#define CR4_PAE        0x00000020u
#define CR4_MCE        0x00000040u
#define CR4_PGE        0x00000080u
#define CR4_PCE        0x00000100u
#define CR4_OSFXSR     0x00000200u
#define CR4_OSXMMEXCPT 0x00000400u
#define CR4_UMIP       0x00000800u
#define CR4_LA57       0x00001000u
#define CR4_FSGSBASE   0x00010000u
#define CR4_PCIDE      0x00020000u
#define CR4_OSXSAVE    0x00040000u
#define CR4_SMEP       0x00100000u
#define CR4_SMAP       0x00200000u

#define EFER_SCE      0x0001u
#define EFER_LME      0x0100u
#define EFER_LMA      0x0400u
#define EFER_NXE      0x0800u
#define EFER_SVME     0x1000u
#define EFER_FFXSR    0x4000u
#define EFER_AUTOIBRS 0x200000u /* AMD: Automatic IBRS (CPUID 8000_0021 EAX[8]) */

#define XCR0_X87 0x1u
#define XCR0_SSE 0x2u
#define XCR0_AVX 0x4u
/* MXCSR: all six exceptions masked (SDM 1 10.2.3). */
#define MXCSR_ALL_MASKED 0x1f80u

/* ---- exceptions (SDM 3A 6.15) ---- */
enum x86_vector {
    VEC_DE = 0,
    VEC_DB = 1,
    VEC_NMI = 2,
    VEC_BP = 3,
    VEC_OF = 4,
    VEC_BR = 5,
    VEC_UD = 6,
    VEC_NM = 7,
    VEC_DF = 8,
    VEC_TS = 10,
    VEC_NP = 11,
    VEC_SS = 12,
    VEC_GP = 13,
    VEC_PF = 14,
    VEC_MF = 16,
    VEC_AC = 17,
    VEC_MC = 18,
    VEC_XM = 19,
};

/* Page-fault error code (SDM 3A 4.7). */
#define PF_P    0x01u
#define PF_W    0x02u
#define PF_U    0x04u
#define PF_RSVD 0x08u
#define PF_I    0x10u

/* Selector error code (SDM 3A 6.13). */
#define ERR_EXT 0x1u
#define ERR_IDT 0x2u
#define ERR_TI  0x4u

/* ---- debug registers (SDM 3B 17.2) ---- */
#define DR6_FIXED 0xffff0ff0ull
#define DR6_BD    0x2000u
#define DR6_BS    0x4000u
#define DR6_BT    0x8000u
#define DR7_FIXED 0x400ull
#define DR7_GD    0x2000u

#define DEBUGCTL_LBR 0x1u
#define DEBUGCTL_BTF 0x2u

/* ---- page-table entries (SDM 3A 4.5) ---- */
#define PTE_P   0x001ull
#define PTE_W   0x002ull
#define PTE_U   0x004ull
#define PTE_PWT 0x008ull
#define PTE_PCD 0x010ull
#define PTE_A   0x020ull
#define PTE_D   0x040ull
#define PTE_PS  0x080ull
#define PTE_G   0x100ull
#define PTE_NX  (1ull << 63)

/* ---- segment attributes: descriptor bits 40-47 and 52-55, as VMX's access rights without the reserved bits
 * ---- */
#define SEG_TYPE      0x000fu
#define SEG_S         0x0010u /* 1: code or data */
#define SEG_DPL       0x0060u
#define SEG_P         0x0080u
#define SEG_UNUSABLE  0x0100u /* null selector loaded: not in any descriptor */
#define SEG_AVL       0x1000u
#define SEG_L         0x2000u
#define SEG_DB        0x4000u
#define SEG_G         0x8000u
#define SEG_DPL_SHIFT 5

/* Type bits of code and data segments. */
#define SEG_T_ACCESSED 0x1u
#define SEG_T_RW       0x2u /* data: writable; code: readable */
#define SEG_T_DC       0x4u /* data: expand-down; code: conforming */
#define SEG_T_CODE     0x8u

/* System descriptor types (SDM 3A 3.5). */
enum {
    SYS_TSS16 = 1,
    SYS_LDT = 2,
    SYS_TSS16_BUSY = 3,
    SYS_CALL16 = 4,
    SYS_TASK = 5,
    SYS_INT16 = 6,
    SYS_TRAP16 = 7,
    SYS_TSS32 = 9,
    SYS_TSS32_BUSY = 11,
    SYS_CALL32 = 12,
    SYS_INT32 = 14,
    SYS_TRAP32 = 15,
};

/* Attributes from a descriptor's eight bytes, and base and limit (limit scaled to bytes). */
static inline uint16_t desc_attr(uint64_t d)
{
    return (uint16_t)(bits(d, 40, 8) | bits(d, 52, 4) << 12);
}
static inline uint32_t desc_base(uint64_t d)
{
    return (uint32_t)(bits(d, 16, 24) | bits(d, 56, 8) << 24);
}
static inline uint32_t desc_limit(uint64_t d)
{
    uint32_t l = (uint32_t)(bits(d, 0, 16) | bits(d, 48, 4) << 16);
    return d & BIT(55) ? l << 12 | 0xfff : l;
}

/* Canonical for 4-level paging: bits 63 to 47 equal. */
static inline bool is_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

#endif
