/*
 * isa.c: which CPUID bit offers an ISA set of the decoder. A table of its own, not the interpreter's: a set
 * that the interpreter has forgotten shows up as a difference.
 */
#include "forms.h"

enum { EAX, EBX, ECX, EDX };

static const struct {
    uint16_t set;
    uint32_t leaf, sub;
    uint8_t reg, bit;
} bits_of[] = {
    {ZYDIS_ISA_SET_ADOX_ADCX, 7, 0, EBX, 19},
    {ZYDIS_ISA_SET_AES, 1, 0, ECX, 25},
    {ZYDIS_ISA_SET_AMD3DNOW, 0x80000001, 0, EDX, 31},
    {ZYDIS_ISA_SET_AVX, 1, 0, ECX, 28},
    {ZYDIS_ISA_SET_AVX2, 7, 0, EBX, 5},
    {ZYDIS_ISA_SET_AVX2GATHER, 7, 0, EBX, 5},
    {ZYDIS_ISA_SET_AVXAES, 1, 0, ECX, 25},
    {ZYDIS_ISA_SET_BMI1, 7, 0, EBX, 3},
    {ZYDIS_ISA_SET_BMI2, 7, 0, EBX, 8},
    {ZYDIS_ISA_SET_CLFLUSHOPT, 7, 0, EBX, 23},
    {ZYDIS_ISA_SET_CLFSH, 1, 0, EDX, 19},
    {ZYDIS_ISA_SET_CLWB, 7, 0, EBX, 24},
    {ZYDIS_ISA_SET_CLZERO, 0x80000008, 0, EBX, 0},
    {ZYDIS_ISA_SET_CMOV, 1, 0, EDX, 15},
    {ZYDIS_ISA_SET_CMPXCHG16B, 1, 0, ECX, 13},
    {ZYDIS_ISA_SET_F16C, 1, 0, ECX, 29},
    {ZYDIS_ISA_SET_FCMOV, 1, 0, EDX, 15},
    {ZYDIS_ISA_SET_FMA, 1, 0, ECX, 12},
    {ZYDIS_ISA_SET_FXSAVE, 1, 0, EDX, 24},
    {ZYDIS_ISA_SET_FXSAVE64, 1, 0, EDX, 24},
    {ZYDIS_ISA_SET_INVPCID, 7, 0, EBX, 10},
    {ZYDIS_ISA_SET_LAHF, 0x80000001, 0, ECX, 0},
    {ZYDIS_ISA_SET_LONGMODE, 0x80000001, 0, EDX, 29},
    {ZYDIS_ISA_SET_LZCNT, 0x80000001, 0, ECX, 5},
    {ZYDIS_ISA_SET_MONITOR, 1, 0, ECX, 3},
    {ZYDIS_ISA_SET_MOVBE, 1, 0, ECX, 22},
    {ZYDIS_ISA_SET_PCLMULQDQ, 1, 0, ECX, 1},
    {ZYDIS_ISA_SET_PENTIUMMMX, 1, 0, EDX, 23},
    {ZYDIS_ISA_SET_POPCNT, 1, 0, ECX, 23},
    {ZYDIS_ISA_SET_PREFETCH_NOP, 0x80000001, 0, ECX, 8},
    {ZYDIS_ISA_SET_RDPID, 7, 0, ECX, 22},
    {ZYDIS_ISA_SET_RDRAND, 1, 0, ECX, 30},
    {ZYDIS_ISA_SET_RDSEED, 7, 0, EBX, 18},
    {ZYDIS_ISA_SET_RDTSCP, 0x80000001, 0, EDX, 27},
    {ZYDIS_ISA_SET_RDWRFSGS, 7, 0, EBX, 0},
    {ZYDIS_ISA_SET_SHA, 7, 0, EBX, 29},
    {ZYDIS_ISA_SET_SMAP, 7, 0, EBX, 20},
    {ZYDIS_ISA_SET_SSE, 1, 0, EDX, 25},
    {ZYDIS_ISA_SET_SSE2, 1, 0, EDX, 26},
    {ZYDIS_ISA_SET_SSE2MMX, 1, 0, EDX, 26},
    {ZYDIS_ISA_SET_SSE3, 1, 0, ECX, 0},
    {ZYDIS_ISA_SET_SSE3X87, 1, 0, ECX, 0},
    {ZYDIS_ISA_SET_SSE4, 1, 0, ECX, 19},
    {ZYDIS_ISA_SET_SSE42, 1, 0, ECX, 20},
    {ZYDIS_ISA_SET_SSE4A, 0x80000001, 0, ECX, 6},
    {ZYDIS_ISA_SET_SSEMXCSR, 1, 0, EDX, 25},
    {ZYDIS_ISA_SET_SSE_PREFETCH, 1, 0, EDX, 25},
    {ZYDIS_ISA_SET_SSSE3, 1, 0, ECX, 9},
    {ZYDIS_ISA_SET_SSSE3MMX, 1, 0, ECX, 9},
    {ZYDIS_ISA_SET_VAES, 7, 0, ECX, 9},
    {ZYDIS_ISA_SET_VPCLMULQDQ, 7, 0, ECX, 10},
    {ZYDIS_ISA_SET_X87, 1, 0, EDX, 0},
    {ZYDIS_ISA_SET_XSAVE, 1, 0, ECX, 26},
    {ZYDIS_ISA_SET_XSAVEC, 0xd, 1, EAX, 1},
    {ZYDIS_ISA_SET_XSAVEOPT, 0xd, 1, EAX, 0},
    {ZYDIS_ISA_SET_XSAVES, 0xd, 1, EAX, 3},
};

/* Part of every x86-64. The rest (AVX-512, AMX, SVM, VMX, TSX, CET and so on) is never offered. */
static const uint16_t always[] = {
    ZYDIS_ISA_SET_AMD /* SYSCALL, SYSRET */,
    ZYDIS_ISA_SET_FAT_NOP,
    ZYDIS_ISA_SET_I86,
    ZYDIS_ISA_SET_I186,
    ZYDIS_ISA_SET_I286PROTECTED,
    ZYDIS_ISA_SET_I286REAL,
    ZYDIS_ISA_SET_I386,
    ZYDIS_ISA_SET_I486,
    ZYDIS_ISA_SET_I486REAL,
    ZYDIS_ISA_SET_PAUSE,
    ZYDIS_ISA_SET_PENTIUMREAL,
    ZYDIS_ISA_SET_PPRO,
    ZYDIS_ISA_SET_RDPMC,
};

bool isa_offered(const struct cpuid_model *m, unsigned isa_set)
{
    for (unsigned i = 0; i < ARRAY_LEN(always); i++)
        if (always[i] == isa_set)
            return true;
    for (unsigned i = 0; i < ARRAY_LEN(bits_of); i++) {
        if (bits_of[i].set != isa_set)
            continue;
        if (!m)
            return true;
        for (unsigned k = 0; k < m->count; k++) {
            const struct cpuid_leaf *l = &m->leaf[k];
            if (l->leaf == bits_of[i].leaf && (!l->has_sub || l->sub == bits_of[i].sub)) {
                const uint32_t r[4] = {l->eax, l->ebx, l->ecx, l->edx};
                return r[bits_of[i].reg] >> bits_of[i].bit & 1;
            }
        }
    }
    return false;
}
