/*
 * flags.c: the flag table, and which of its rows a case falls under.
 */
#include "flags.h"

#define ALL   FL_CC
#define M(n)  ZYDIS_MNEMONIC_##n
#define LOGIC FL_CF | FL_OF | FL_SF | FL_ZF | FL_PF

/* A shift's five rows. */
#define SHIFT(n, over_undefined, sec)                                                               \
    {M(n), COUNT_0, 0, 0, sec}, {M(n), COUNT_1, FL_CF | FL_OF | FL_SF | FL_ZF | FL_PF, FL_AF, sec}, \
        {M(n), COUNT_OVER, FL_SF | FL_ZF | FL_PF | (FL_CF & ~(over_undefined)),                     \
         FL_OF | FL_AF | (over_undefined), sec},                                                    \
    {                                                                                               \
        M(n), ALWAYS, FL_CF | FL_SF | FL_ZF | FL_PF, FL_OF | FL_AF, sec                             \
    }
#define ROTATE(n, sec)                                                  \
    {M(n), COUNT_0, 0, 0, sec}, {M(n), COUNT_1, FL_CF | FL_OF, 0, sec}, \
    {                                                                   \
        M(n), ALWAYS, FL_CF, FL_OF, sec                                 \
    }
#define DOUBLE_SHIFT(n, sec)                                                                        \
    {M(n), COUNT_0, 0, 0, sec}, {M(n), COUNT_1, FL_CF | FL_OF | FL_SF | FL_ZF | FL_PF, FL_AF, sec}, \
        {M(n), COUNT_OVER, 0, ALL, sec},                                                            \
    {                                                                                               \
        M(n), ALWAYS, FL_CF | FL_SF | FL_ZF | FL_PF, FL_OF | FL_AF, sec                             \
    }
#define STRING(n, sec)            \
    {M(n), REP_0, 0, 0, sec},     \
    {                             \
        M(n), ALWAYS, ALL, 0, sec \
    }
#define ROW(n, written, undefined, sec)       \
    {                                         \
        M(n), ALWAYS, written, undefined, sec \
    }

static const struct flag_row rows[] = {
    ROW(ADD, ALL, 0, "2A ADD"),
    ROW(ADC, ALL, 0, "2A ADC"),
    ROW(SUB, ALL, 0, "2B SUB"),
    ROW(SBB, ALL, 0, "2B SBB"),
    ROW(CMP, ALL, 0, "2A CMP"),
    ROW(NEG, ALL, 0, "2B NEG"),
    ROW(XADD, ALL, 0, "2D XADD"),
    ROW(CMPXCHG, ALL, 0, "2A CMPXCHG"),
    ROW(CMPXCHG8B, FL_ZF, 0, "2A CMPXCHG8B/CMPXCHG16B"),
    ROW(CMPXCHG16B, FL_ZF, 0, "2A CMPXCHG8B/CMPXCHG16B"),
    ROW(INC, ALL & ~FL_CF, 0, "2A INC"),
    ROW(DEC, ALL & ~FL_CF, 0, "2A DEC"),
    ROW(AND, LOGIC, FL_AF, "2A AND"),
    ROW(OR, LOGIC, FL_AF, "2B OR"),
    ROW(XOR, LOGIC, FL_AF, "2D XOR"),
    ROW(TEST, LOGIC, FL_AF, "2B TEST"),
    ROW(MUL, FL_CF | FL_OF, FL_SF | FL_ZF | FL_AF | FL_PF, "2B MUL"),
    /* SDM 2A "IMUL": SF is the sign of the result for one operand size or another by processor: undefined. */
    ROW(IMUL, FL_CF | FL_OF, FL_SF | FL_ZF | FL_AF | FL_PF, "2A IMUL; APM 3 IMUL"),
    ROW(DIV, 0, ALL, "2A DIV"),
    ROW(IDIV, 0, ALL, "2A IDIV"),
    SHIFT(SHL, FL_CF, "2B SAL/SAR/SHL/SHR"),
    SHIFT(SHR, FL_CF, "2B SAL/SAR/SHL/SHR"),
    SHIFT(SAR, 0, "2B SAL/SAR/SHL/SHR"),
    ROTATE(ROL, "2B RCL/RCR/ROL/ROR"),
    ROTATE(ROR, "2B RCL/RCR/ROL/ROR"),
    ROTATE(RCL, "2B RCL/RCR/ROL/ROR"),
    ROTATE(RCR, "2B RCL/RCR/ROL/ROR"),
    DOUBLE_SHIFT(SHLD, "2B SHLD"),
    DOUBLE_SHIFT(SHRD, "2B SHRD"),
    ROW(BSF, FL_ZF, ALL & ~FL_ZF, "2A BSF"),
    ROW(BSR, FL_ZF, ALL & ~FL_ZF, "2A BSR"),
    ROW(BT, FL_CF, FL_OF | FL_SF | FL_AF | FL_PF, "2A BT"),
    ROW(BTS, FL_CF, FL_OF | FL_SF | FL_AF | FL_PF, "2A BTS"),
    ROW(BTR, FL_CF, FL_OF | FL_SF | FL_AF | FL_PF, "2A BTR"),
    ROW(BTC, FL_CF, FL_OF | FL_SF | FL_AF | FL_PF, "2A BTC"),
    ROW(TZCNT, FL_ZF | FL_CF, FL_OF | FL_SF | FL_AF | FL_PF, "2B TZCNT"),
    ROW(LZCNT, FL_ZF | FL_CF, FL_OF | FL_SF | FL_AF | FL_PF, "2A LZCNT"),
    ROW(POPCNT, ALL, 0, "2B POPCNT"),
    ROW(ANDN, FL_SF | FL_ZF | FL_OF | FL_CF, FL_AF | FL_PF, "2A ANDN"),
    ROW(BEXTR, FL_ZF | FL_CF | FL_OF, FL_AF | FL_SF | FL_PF, "2A BEXTR"),
    ROW(BLSI, FL_ZF | FL_SF | FL_CF | FL_OF, FL_AF | FL_PF, "2A BLSI"),
    ROW(BLSMSK, FL_SF | FL_CF | FL_ZF | FL_OF, FL_AF | FL_PF, "2A BLSMSK"),
    ROW(BLSR, FL_ZF | FL_SF | FL_CF | FL_OF, FL_AF | FL_PF, "2A BLSR"),
    ROW(BZHI, FL_ZF | FL_CF | FL_SF | FL_OF, FL_AF | FL_PF, "2A BZHI"),
    ROW(ADCX, FL_CF, 0, "2A ADCX"),
    ROW(ADOX, FL_OF, 0, "2A ADOX"),
    ROW(CMC, FL_CF, 0, "2A CMC"),
    ROW(CLC, FL_CF, 0, "2A CLC"),
    ROW(STC, FL_CF, 0, "2B STC"),
    ROW(CLD, FL_DF, 0, "2A CLD"),
    ROW(STD, FL_DF, 0, "2B STD"),
    ROW(SAHF, FL_SF | FL_ZF | FL_AF | FL_PF | FL_CF, 0, "2B SAHF"),
    ROW(DAA, ALL & ~FL_OF, FL_OF, "2A DAA"),
    ROW(DAS, ALL & ~FL_OF, FL_OF, "2A DAS"),
    ROW(AAA, FL_AF | FL_CF, FL_OF | FL_SF | FL_ZF | FL_PF, "2A AAA"),
    ROW(AAS, FL_AF | FL_CF, FL_OF | FL_SF | FL_ZF | FL_PF, "2A AAS"),
    ROW(AAM, FL_SF | FL_ZF | FL_PF, FL_OF | FL_AF | FL_CF, "2A AAM"),
    ROW(AAD, FL_SF | FL_ZF | FL_PF, FL_OF | FL_AF | FL_CF, "2A AAD"),
    ROW(ARPL, FL_ZF, 0, "2A ARPL"),
    ROW(POPFD, ALL | FL_DF, 0, "2B POPF/POPFD/POPFQ"),
    ROW(POPF, ALL | FL_DF, 0, "2B POPF/POPFD/POPFQ"),
    ROW(POPFQ, ALL | FL_DF, 0, "2B POPF/POPFD/POPFQ"),
    STRING(CMPSB, "2A CMPS; 2B REP"),
    STRING(CMPSW, "2A CMPS; 2B REP"),
    STRING(CMPSD, "2A CMPS; 2B REP"),
    STRING(CMPSQ, "2A CMPS; 2B REP"),
    STRING(SCASB, "2B SCAS; 2B REP"),
    STRING(SCASW, "2B SCAS; 2B REP"),
    STRING(SCASD, "2B SCAS; 2B REP"),
    STRING(SCASQ, "2B SCAS; 2B REP"),
    ROW(PTEST, ALL, 0, "2B PTEST"),
    ROW(VPTEST, ALL, 0, "2B PTEST"),
    ROW(VTESTPS, ALL, 0, "2C VTESTPD/VTESTPS"),
    ROW(VTESTPD, ALL, 0, "2C VTESTPD/VTESTPS"),
    ROW(COMISS, ALL, 0, "2A COMISS"),
    ROW(COMISD, ALL, 0, "2A COMISD"),
    ROW(UCOMISS, ALL, 0, "2B UCOMISS"),
    ROW(UCOMISD, ALL, 0, "2B UCOMISD"),
    ROW(VCOMISS, ALL, 0, "2A COMISS"),
    ROW(VCOMISD, ALL, 0, "2A COMISD"),
    ROW(VUCOMISS, ALL, 0, "2B UCOMISS"),
    ROW(VUCOMISD, ALL, 0, "2B UCOMISD"),
    ROW(FCOMI, ALL, 0, "2A FCOMI/FCOMIP/FUCOMI/FUCOMIP"),
    ROW(FCOMIP, ALL, 0, "2A FCOMI/FCOMIP/FUCOMI/FUCOMIP"),
    ROW(FUCOMI, ALL, 0, "2A FCOMI/FCOMIP/FUCOMI/FUCOMIP"),
    ROW(FUCOMIP, ALL, 0, "2A FCOMI/FCOMIP/FUCOMI/FUCOMIP"),
    ROW(PCMPESTRI, ALL, 0, "2B PCMPESTRI"),
    ROW(PCMPESTRM, ALL, 0, "2B PCMPESTRM"),
    ROW(PCMPISTRI, ALL, 0, "2B PCMPISTRI"),
    ROW(PCMPISTRM, ALL, 0, "2B PCMPISTRM"),
    ROW(VPCMPESTRI, ALL, 0, "2B PCMPESTRI"),
    ROW(VPCMPESTRM, ALL, 0, "2B PCMPESTRM"),
    ROW(VPCMPISTRI, ALL, 0, "2B PCMPISTRI"),
    ROW(VPCMPISTRM, ALL, 0, "2B PCMPISTRM"),
};

/* ---- conditions ---- */

/* The last visible operand of a shift: an immediate, CL, or nothing where the opcode says 1. */
static unsigned masked_count(const struct icase *k, const struct x86_decoded *d)
{
    const ZydisDecodedOperand *o = &d->op[d->i.operand_count_visible - 1];
    uint64_t n = o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? o->imm.value.u : k->in.gpr[RCX] & 0xff;
    return (unsigned)n & (d->op[0].size == 64 ? 63 : 31);
}

static bool holds(enum flag_when when, const struct icase *k, const struct x86_decoded *d)
{
    switch (when) {
    case COUNT_0: return masked_count(k, d) == 0;
    case COUNT_1: return masked_count(k, d) == 1;
    case COUNT_OVER: {
        /* SHL, SHR: "greater than or equal to the size"; SHLD, SHRD: "greater than". */
        bool two = d->i.mnemonic == M(SHLD) || d->i.mnemonic == M(SHRD);
        return masked_count(k, d) >= d->op[0].size + (two ? 1u : 0u);
    }
    case REP_0: {
        const ZydisInstructionAttributes rep =
            ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;
        return (d->i.attributes & rep) && !(k->in.gpr[RCX] & mask_bytes(d->i.address_width / 8));
    }
    default: return true;
    }
}

const struct flag_row *flag_row_for(const struct icase *k, const struct x86_decoded *d)
{
    static const struct flag_row nothing = {0, ALWAYS, 0, 0, ""};
    bool sse = d->i.operand_count_visible && d->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
               ZydisRegisterGetClass(d->op[0].reg.value) == ZYDIS_REGCLASS_XMM;
    if (d->i.mnemonic == M(CMPSD) && sse) /* SSE2's comparison, not the string instruction */
        return &nothing;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].mnemonic == d->i.mnemonic && holds(rows[i].when, k, d))
            return &rows[i];
    return &nothing;
}
