/*
 * cpu.h: the instructions that C has no words for, one inline function each, and the bits they work on.
 * Names are the manuals' (SDM 2, 3A 2.5, 4.1; APM 2 3.1).
 */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include "image.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BIT(n) (1ull << (n))

enum vector {
    DE = 0,
    DB = 1,
    NMI = 2,
    BP = 3,
    OF = 4,
    BR = 5,
    UD = 6,
    NM = 7,
    DF = 8,
    TS = 10,
    NP = 11,
    SS = 12,
    GP = 13,
    PF = 14,
    MF = 16,
    AC = 17,
    MC = 18,
    XM = 19,
};

/* #PF error code (SDM 3A 4.7). */
#define PF_P    BIT(0)
#define PF_W    BIT(1)
#define PF_U    BIT(2)
#define PF_RSVD BIT(3)
#define PF_I    BIT(4)

#define FLAG_CF      BIT(0)
#define FLAG_PF      BIT(2)
#define FLAG_AF      BIT(4)
#define FLAG_ZF      BIT(6)
#define FLAG_SF      BIT(7)
#define FLAG_TF      BIT(8)
#define FLAG_IF      BIT(9)
#define FLAG_DF      BIT(10)
#define FLAG_OF      BIT(11)
#define FLAG_IOPL(n) ((uint64_t)(n) << 12)
#define FLAG_NT      BIT(14)
#define FLAG_RF      BIT(16)
#define FLAG_VM      BIT(17)
#define FLAG_AC      BIT(18)
#define FLAG_VIF     BIT(19)
#define FLAG_VIP     BIT(20)
#define FLAG_ID      BIT(21)
#define FLAGS_ALWAYS 2

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_VME        BIT(0)
#define CR4_PVI        BIT(1)
#define CR4_TSD        BIT(2)
#define CR4_DE         BIT(3)
#define CR4_PSE        BIT(4)
#define CR4_PAE        BIT(5)
#define CR4_PGE        BIT(7)
#define CR4_PCE        BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)

#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)

#define MSR_TSC            0x10
#define MSR_APIC_BASE      0x1b
#define MSR_SYSENTER_CS    0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_PAT            0x277
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_X2APIC         0x800
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_FMASK          0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103

#define DEFINE_CR(n)                                                        \
    static inline uint64_t read_cr##n(void)                                 \
    {                                                                       \
        unsigned long v;                                                    \
        asm volatile("mov %%cr" #n ", %0" : "=r"(v)::"memory");             \
        return v;                                                           \
    }                                                                       \
    static inline void write_cr##n(uint64_t v)                              \
    {                                                                       \
        asm volatile("mov %0, %%cr" #n ::"r"((unsigned long)v) : "memory"); \
    }
DEFINE_CR(0)
DEFINE_CR(2)
DEFINE_CR(3)
DEFINE_CR(4)
#ifdef __x86_64__
DEFINE_CR(8)
#endif

#define DEFINE_DR(n)                                                        \
    static inline uint64_t read_dr##n(void)                                 \
    {                                                                       \
        unsigned long v;                                                    \
        asm volatile("mov %%dr" #n ", %0" : "=r"(v)::"memory");             \
        return v;                                                           \
    }                                                                       \
    static inline void write_dr##n(uint64_t v)                              \
    {                                                                       \
        asm volatile("mov %0, %%dr" #n ::"r"((unsigned long)v) : "memory"); \
    }
DEFINE_DR(0)
DEFINE_DR(1)
DEFINE_DR(2)
DEFINE_DR(3)
DEFINE_DR(6)
DEFINE_DR(7)

#define DEFINE_PORT(type, suffix)                                               \
    static inline type in##suffix(uint16_t port)                                \
    {                                                                           \
        type v;                                                                 \
        asm volatile("in" #suffix " %1, %0" : "=a"(v) : "Nd"(port) : "memory"); \
        return v;                                                               \
    }                                                                           \
    static inline void out##suffix(uint16_t port, type v)                       \
    {                                                                           \
        asm volatile("out" #suffix " %0, %1" ::"a"(v), "Nd"(port) : "memory");  \
    }
DEFINE_PORT(uint8_t, b)
DEFINE_PORT(uint16_t, w)
DEFINE_PORT(uint32_t, l)

static inline uint64_t rdmsr(uint32_t index)
{
    uint32_t lo, hi;
    asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index) : "memory");
    return (uint64_t)hi << 32 | lo;
}
static inline void wrmsr(uint32_t index, uint64_t v)
{
    asm volatile("wrmsr" ::"c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
/* Ordered behind everything before it. */
static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    asm volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid cpuid(uint32_t leaf, uint32_t sub)
{
    struct cpuid r;
    asm volatile("cpuid"
                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                 : "a"(leaf), "c"(sub)
                 : "memory");
    return r;
}
static inline bool cpuid_has_leaf(uint32_t leaf)
{
    return cpuid(leaf & 0x80000000, 0).eax >= leaf;
}
static inline bool cpu_is_amd(void)
{
    return cpuid(0, 0).ecx == 0x444d4163; /* "cAMD" */
}

/* Features, where CPUID has them (SDM 2A "CPUID"). */
#define CPU_FEATURE(name, leaf, reg, bit)                               \
    static inline bool cpu_has_##name(void)                             \
    {                                                                   \
        return cpuid_has_leaf(leaf) && (cpuid(leaf, 0).reg & BIT(bit)); \
    }
CPU_FEATURE(vme, 1, edx, 1)
CPU_FEATURE(pse, 1, edx, 3)
CPU_FEATURE(sep, 1, edx, 11)
CPU_FEATURE(pse36, 1, edx, 17)
CPU_FEATURE(pcid, 1, ecx, 17)
CPU_FEATURE(x2apic, 1, ecx, 21)
CPU_FEATURE(tsc_deadline, 1, ecx, 24)
CPU_FEATURE(xsave, 1, ecx, 26)
CPU_FEATURE(fsgsbase, 7, ebx, 0)
CPU_FEATURE(smep, 7, ebx, 7)
CPU_FEATURE(invpcid, 7, ebx, 10)
CPU_FEATURE(smap, 7, ebx, 20)
CPU_FEATURE(umip, 7, ecx, 2)
CPU_FEATURE(nx, 0x80000001, edx, 20)
CPU_FEATURE(1g_pages, 0x80000001, edx, 26)
CPU_FEATURE(rdtscp, 0x80000001, edx, 27)

static inline uint64_t read_flags(void)
{
    unsigned long v;
    asm volatile("pushf; pop %0" : "=r"(v)::"memory");
    return v;
}
static inline void write_flags(uint64_t v)
{
    asm volatile("push %0; popf" ::"r"((unsigned long)v) : "memory", "cc");
}
static inline void cli(void)
{
    asm volatile("cli" ::: "memory");
}
static inline void sti(void)
{
    asm volatile("sti" ::: "memory");
}
/* Sleep until an interrupt has been taken; nothing gets in between STI and HLT (SDM 2B "STI"). IF is clear
 * after. */
static inline void sti_hlt_cli(void)
{
    asm volatile("sti; hlt; cli" ::: "memory");
}
static inline void cpu_relax(void)
{
    asm volatile("pause" ::: "memory");
}
static inline void invlpg(uint64_t va)
{
    asm volatile("invlpg (%0)" ::"r"((uintptr_t)va) : "memory");
}
static inline void barrier(void)
{
    asm volatile("" ::: "memory");
}
static inline uint64_t read8(uint64_t va)
{
    return *(volatile uint64_t *)(uintptr_t)va;
}
static inline void write8(uint64_t va, uint64_t v)
{
    *(volatile uint64_t *)(uintptr_t)va = v;
}
/* Serialise: what was stored is now what is executed (SDM 3A 8.1.3). */
static inline void serialise(void)
{
    cpuid(0, 0);
}

#endif
