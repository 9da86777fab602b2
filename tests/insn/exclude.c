/*
 * exclude.c: every form that is not compared, and every difference that is allowed, with its reason. Nothing
 * else is left out anywhere.
 */
#include "compare.h"
#include "forms.h"

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

static const struct {
    uint16_t mnemonic; /* INVALID: any */
    uint32_t fields;   /* F_* */
    bool (*when)(const struct icase *k, const struct outcome *native, const struct outcome *interp);
    const char *reason;
} allowed[] = {
    {ZYDIS_MNEMONIC_INVALID, 0, NULL, ""},
};

uint32_t differences_allowed(unsigned mnemonic, const struct icase *k, const struct outcome *native,
                             const struct outcome *interp)
{
    uint32_t fields = 0;
    for (unsigned i = 0; i < ARRAY_LEN(allowed); i++)
        if ((allowed[i].mnemonic == ZYDIS_MNEMONIC_INVALID || allowed[i].mnemonic == mnemonic) &&
            (!allowed[i].when || allowed[i].when(k, native, interp)))
            fields |= allowed[i].fields;
    return fields;
}
