/*
 * exclude.c: every form that is not compared, and every difference that is allowed, with its reason. Nothing
 * else is left out anywhere.
 */
#include "compare.h"
#include "forms.h"
#include "mode.h"

/* ---- forms that are not run ---- */

static const struct {
    uint16_t mnemonic;
    const char *reason;
} not_run[] = {
    {ZYDIS_MNEMONIC_CPUID,
     "answers with the host's leaves, the guest's are composed (tests/unit/test_cpuid.c)"},
    {ZYDIS_MNEMONIC_RDTSC, "two clocks never agree"},
    {ZYDIS_MNEMONIC_RDTSCP, "two clocks never agree"},
    {ZYDIS_MNEMONIC_RDPID, "gives the host's processor number"},
    {ZYDIS_MNEMONIC_RDRAND, "random"},
    {ZYDIS_MNEMONIC_RDSEED, "random"},
    {ZYDIS_MNEMONIC_SYSCALL, "enters the host's kernel (tests/guest covers it)"},
    {ZYDIS_MNEMONIC_SYSENTER, "enters the host's kernel (tests/guest covers it)"},
    {ZYDIS_MNEMONIC_INT, "goes through the IDT: enters the host's kernel (tests/guest covers it)"},
    {ZYDIS_MNEMONIC_INT1, "goes through the IDT: enters the host's kernel (tests/guest covers it)"},
    {ZYDIS_MNEMONIC_INT3, "goes through the IDT: enters the host's kernel (tests/guest covers it)"},
    {ZYDIS_MNEMONIC_SGDT, "UMIP: the host's kernel makes up an answer"},
    {ZYDIS_MNEMONIC_SIDT, "UMIP: the host's kernel makes up an answer"},
    {ZYDIS_MNEMONIC_SLDT, "UMIP: the host's kernel makes up an answer"},
    {ZYDIS_MNEMONIC_STR, "UMIP: the host's kernel makes up an answer"},
    {ZYDIS_MNEMONIC_SMSW, "UMIP: the host's kernel makes up an answer"},
    {ZYDIS_MNEMONIC_LAR, "reads the host kernel's descriptor tables"},
    {ZYDIS_MNEMONIC_LSL, "reads the host kernel's descriptor tables"},
    {ZYDIS_MNEMONIC_VERR, "reads the host kernel's descriptor tables"},
    {ZYDIS_MNEMONIC_VERW, "reads the host kernel's descriptor tables"},
    {ZYDIS_MNEMONIC_INTO, "goes through the IDT: enters the host's kernel (tests/guest covers it)"},
    {ZYDIS_MNEMONIC_LDS, "reads the host kernel's descriptor tables"},
    {ZYDIS_MNEMONIC_LES, "reads the host kernel's descriptor tables"},
    {ZYDIS_MNEMONIC_LFS, "reads the host kernel's descriptor tables"},
    {ZYDIS_MNEMONIC_LGS, "reads the host kernel's descriptor tables"},
    {ZYDIS_MNEMONIC_LSS, "reads the host kernel's descriptor tables"},
    {ZYDIS_MNEMONIC_IRET, "far transfer through the host kernel's descriptor tables (tests/guest covers it)"},
    {ZYDIS_MNEMONIC_IRETD,
     "far transfer through the host kernel's descriptor tables (tests/guest covers it)"},
    {ZYDIS_MNEMONIC_IRETQ,
     "far transfer through the host kernel's descriptor tables (tests/guest covers it)"},
    {ZYDIS_MNEMONIC_XGETBV, "XCR0 is the host kernel's"},
};

const char *form_excluded(const struct x86_decoded *d)
{
    for (unsigned i = 0; i < ARRAY_LEN(not_run); i++)
        if (not_run[i].mnemonic == d->i.mnemonic)
            return not_run[i].reason;
    if (d->i.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
        return "far transfer through the host kernel's descriptor tables (tests/guest covers it)";
    if (d->i.operand_count_visible && d->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
        ZydisRegisterGetClass(d->op[0].reg.value) == ZYDIS_REGCLASS_SEGMENT &&
        d->i.mnemonic != ZYDIS_MNEMONIC_PUSH)
        return "loads a segment from the host kernel's descriptor tables (tests/guest covers it)";
    return NULL;
}

/* ---- differences that are allowed ---- */

/* What a condition looks at. */
struct difference {
    const struct icase *k;
    const struct x86_decoded *d;
    const struct outcome *native, *interp;
};

static bool kernel_address(const struct difference *x)
{
    const struct outcome *n = x->native;
    const uint64_t user_end = BIT(47) - PAGE_SIZE; /* TASK_SIZE_MAX */
    return n->vector == VEC_PF && x->interp->vector == VEC_PF && n->cr2 == x->interp->cr2 &&
           n->cr2 >= user_end && (n->error ^ x->interp->error) == PF_P;
}

/* A misaligned operand of 16 bytes of which only the lower eight are needed. */
static bool misaligned_half(const struct difference *x)
{
    switch (x->d->i.mnemonic) {
    case ZYDIS_MNEMONIC_PSLLW:
    case ZYDIS_MNEMONIC_PSLLD:
    case ZYDIS_MNEMONIC_PSLLQ:
    case ZYDIS_MNEMONIC_PSRLW:
    case ZYDIS_MNEMONIC_PSRLD:
    case ZYDIS_MNEMONIC_PSRLQ:
    case ZYDIS_MNEMONIC_PSRAW:
    case ZYDIS_MNEMONIC_PSRAD:
    case ZYDIS_MNEMONIC_UNPCKLPS:
    case ZYDIS_MNEMONIC_UNPCKLPD:
    case ZYDIS_MNEMONIC_PUNPCKLBW:
    case ZYDIS_MNEMONIC_PUNPCKLWD:
    case ZYDIS_MNEMONIC_PUNPCKLDQ:
    case ZYDIS_MNEMONIC_PUNPCKLQDQ: break;
    default: return false;
    }
    const uint32_t misaligned_mode = 1u << 17;
    return x->d->op[1].type == ZYDIS_OPERAND_TYPE_MEMORY && x->d->op[1].size == 128 &&
           load_le(x->k->in.xsave + XS_MXCSR, 4) & misaligned_mode && x->native->vector == NO_FAULT &&
           x->interp->vector == VEC_PF && !(x->interp->cr2 & ~PAGE_MASK);
}

static bool decimal(const struct difference *x)
{
    switch (x->d->i.mnemonic) {
    case ZYDIS_MNEMONIC_AAA:
    case ZYDIS_MNEMONIC_AAS:
    case ZYDIS_MNEMONIC_AAM:
    case ZYDIS_MNEMONIC_AAD:
    case ZYDIS_MNEMONIC_DAA:
    case ZYDIS_MNEMONIC_DAS: return true;
    default: return false;
    }
}

/* A near branch whose target came from memory that the case does not choose. */
static bool branch_into_case(const struct difference *x)
{
    const struct icase *k = x->k;
    bool branch = x->d->i.meta.category == ZYDIS_CATEGORY_RET ||
                  x->d->i.meta.category == ZYDIS_CATEGORY_CALL ||
                  x->d->i.meta.category == ZYDIS_CATEGORY_UNCOND_BR;
    uint64_t to = x->interp->out.rip;
    return branch && x->interp->vector == NO_FAULT && to >= k->in.rip &&
           to < k->in.rip + k->len + case_exit_len(k->code_bits);
}

/* FXRSTOR's area runs over the end of 32-bit effective addresses. */
static bool area_wraps(const struct difference *x)
{
    const ZydisDecodedOperandMem *mem = &x->d->op[0].mem;
    const struct regs *in = &x->k->in;
    uint64_t base = mem->segment == ZYDIS_REGISTER_FS   ? in->fs_base
                    : mem->segment == ZYDIS_REGISTER_GS ? in->gs_base
                                                        : 0;
    uint64_t last = x->interp->cr2 - base;
    return (x->d->i.mnemonic == ZYDIS_MNEMONIC_FXRSTOR || x->d->i.mnemonic == ZYDIS_MNEMONIC_FXRSTOR64) &&
           x->d->i.address_width == 32 && x->native->vector == VEC_PF && x->interp->vector == VEC_PF &&
           last > UINT32_MAX && x->interp->cr2 - x->native->cr2 < 512;
}

/* XRSTOR: another byte of the same area. */
static bool xrstor_byte(const struct difference *x)
{
    uint64_t a = x->native->cr2, b = x->interp->cr2;
    return (x->d->i.mnemonic == ZYDIS_MNEMONIC_XRSTOR || x->d->i.mnemonic == ZYDIS_MNEMONIC_XRSTOR64) &&
           x->native->vector == VEC_PF && x->interp->vector == VEC_PF && (a & PAGE_MASK) == (b & PAGE_MASK) &&
           (a > b ? a - b : b - a) < XSAVE_SIZE;
}

static const struct {
    uint32_t fields; /* F_* */
    bool (*when)(const struct difference *x);
    const char *reason;
} allowed[] = {
    {F_ERROR, kernel_address,
     "Linux sets P in the error code of a user's fault on an address of the kernel, so as to tell nothing"},
    {F_UNDEF_FLAGS, decimal,
     "undefined by the manual, and of no host instruction in 64-bit mode from which to have them"},
    {~0u, branch_into_case,
     "the branch went into the instruction itself or the harness's way out behind it, which run on natively"},
    {F_CR2, area_wraps,
     "an operand over the end of its effective addresses is the processor's own affair (SDM 3A 5.3.1): which "
     "byte is reported depends on where the looking at its last byte ended"},
    {F_CR2, xrstor_byte, "the order in which XRSTOR reads its components is the processor's (SDM 1 13.8)"},
    {F_VECTOR | F_VEC | F_RIP, misaligned_half,
     "Zen 5 with MXCSR.MM reads only the eight bytes that it needs; without it the operand is aligned"},
};

uint32_t differences_allowed(const struct icase *k, const struct x86_decoded *d, const struct outcome *native,
                             const struct outcome *interp)
{
    const struct difference x = {k, d, native, interp};
    uint32_t fields = 0;
    for (unsigned i = 0; i < ARRAY_LEN(allowed); i++)
        if (allowed[i].when(&x))
            fields |= allowed[i].fields;
    return fields;
}
