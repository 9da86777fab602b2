/*
 * op_flags.c: flag instructions, decimal adjustment, and instructions that do nothing a guest could see.
 */
#include "engine/interp/insn.h"

/* ---- CF, DF, IF, AC ---- */

OP(clc)
{
    ST(v)->cc &= (uint16_t)~CC_CF;
    return in + 1;
}
OP(stc)
{
    ST(v)->cc |= CC_CF;
    return in + 1;
}
OP(cmc)
{
    ST(v)->cc ^= CC_CF;
    return in + 1;
}
OP(cld)
{
    ST(v)->rflags &= ~FL_DF;
    return in + 1;
}
OP(std)
{
    ST(v)->rflags |= FL_DF;
    return in + 1;
}
OP(cli)
{
    if (!cpu_cli(&v->c))
        return insn_fault(v, in);
    return in + 1;
}
/* Ends its block: the run loop keeps interrupts off for the one instruction behind it. */
OP(sti)
{
    if (!cpu_sti(&v->c))
        return insn_fault(v, in);
    ST(v)->rip = next_rip(v, in);
    return insn_continue(v, in);
}
/* imm: the new AC. CPL 0 only (SDM 2A "CLAC"). */
OP(set_ac)
{
    if (ST(v)->cpl || !x86_protected(ST(v)))
        return insn_ud(v, in);
    ST(v)->rflags = (ST(v)->rflags & ~FL_AC) | (in->imm ? FL_AC : 0);
    interp_mode_changed(&v->c);
    return in + 1;
}

/* ---- LAHF, SAHF, SALC ---- */

#define AL R8AT(v, offsetof(struct interp, c.st.gpr[RAX]))
#define AH R8AT(v, offsetof(struct interp, c.st.gpr[RAX]) + 1)
#define AX R16AT(v, offsetof(struct interp, c.st.gpr[RAX]))

OP(lahf)
{
    AH = (uint8_t)x86_rflags(ST(v));
    return in + 1;
}
OP(sahf)
{
    ST(v)->cc = x86_cc_from_rflags((x86_rflags(ST(v)) & FL_OF) | AH);
    return in + 1;
}
OP(salc)
{
    AL = ST(v)->cc & CC_CF ? 0xff : 0;
    return in + 1;
}

/* ---- decimal adjustment (SDM 2A); SF, ZF, PF follow AL, what is undefined stays cleared ---- */

static void decimal_flags(struct interp *v, bool af, bool cf)
{
    uint8_t al = AL;
    ST(v)->cc = x86_cc_from_rflags((al & 0x80 ? FL_SF : 0) | (al ? 0 : FL_ZF) |
                                   (__builtin_parity(al) ? 0 : FL_PF) | (af ? FL_AF : 0) | (cf ? FL_CF : 0));
}
/* imm: 1 to add (AAA), -1 to subtract (AAS) */
OP(aaa)
{
    bool adjust = (AL & 0xf) > 9 || (ST(v)->cc & CC_AF);
    if (adjust)
        AX = (uint16_t)(AX + in->imm * 0x106);
    AL &= 0xf;
    decimal_flags(v, adjust, adjust);
    return in + 1;
}
OP(daa)
{
    uint8_t old = AL;
    bool old_cf = ST(v)->cc & CC_CF, low = (old & 0xf) > 9 || (ST(v)->cc & CC_AF),
         high = old > 0x99 || old_cf;
    bool borrow = in->imm < 0 && low && old < 6; /* DAS: the low step may borrow by itself */
    if (low)
        AL = (uint8_t)(AL + in->imm * 6);
    if (high)
        AL = (uint8_t)(AL + in->imm * 0x60);
    decimal_flags(v, low, high || borrow);
    return in + 1;
}
OP(aam)
{
    uint8_t base = (uint8_t)in->imm, al = AL;
    if (!base) {
        cpu_raise(&v->c, VEC_DE);
        return insn_fault(v, in);
    }
    AX = (uint16_t)((al / base) << 8 | al % base);
    decimal_flags(v, false, false);
    return in + 1;
}
OP(aad)
{
    AX = (uint8_t)(AL + AH * (uint8_t)in->imm);
    decimal_flags(v, false, false);
    return in + 1;
}

/* ---- nothing to see ---- */

OP(nop)
{
    return in + 1;
}
OP(fence)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return in + 1;
}
/* CLFLUSH and kin: memory is coherent, but the address is checked like a load (SDM 2A "CLFLUSH"). */
OP(flush_line)
{
    uint8_t byte;
    if (!ld_op(v, in, &byte, 1))
        return insn_fault(v, in);
    return in + 1;
}

/* ---- selection ---- */

enum {
    F_CLC,
    F_STC,
    F_CMC,
    F_CLD,
    F_STD,
    F_CLI,
    F_STI,
    F_CLAC,
    F_STAC,
    F_LAHF,
    F_SAHF,
    F_SALC,
    F_AAA,
    F_AAS,
    F_DAA,
    F_DAS,
    F_AAM,
    F_AAD,
    F_NOP,
    F_FENCE,
    F_FLUSH,
};
static bool select_flags(struct sel *s, struct insn *in, unsigned op)
{
    static insn_fn *const fns[] = {
        [F_CLC] = clc,          [F_STC] = stc,   [F_CMC] = cmc,     [F_CLD] = cld,     [F_STD] = std,
        [F_CLI] = cli,          [F_STI] = sti,   [F_CLAC] = set_ac, [F_STAC] = set_ac, [F_LAHF] = lahf,
        [F_SAHF] = sahf,        [F_SALC] = salc, [F_AAA] = aaa,     [F_AAS] = aaa,     [F_DAA] = daa,
        [F_DAS] = daa,          [F_AAM] = aam,   [F_AAD] = aad,     [F_NOP] = nop,     [F_FENCE] = fence,
        [F_FLUSH] = flush_line,
    };
    in->fn = fns[op];
    s->ends = op == F_STI;
    if (op == F_STAC || op == F_AAA || op == F_DAA)
        in->imm = 1;
    else if (op == F_AAS || op == F_DAS)
        in->imm = -1;
    else if (op == F_AAM || op == F_AAD)
        in->imm = (int32_t)(s->d.op[0].imm.value.u & 0xff);
    else if (op == F_FLUSH)
        sel_mem(s, in, 0);
    return true;
}

/* The register form of PREFETCH (0F 0D) is undefined on AMD; Intel does nothing (APM 3 "PREFETCHlevel"). */
static bool select_nop(struct sel *s, struct insn *in, unsigned arg)
{
    bool prefetch = s->d.i.opcode_map == ZYDIS_OPCODE_MAP_0F && s->d.i.opcode == 0x0d;
    in->fn = nop;
    return !prefetch || sel_is_mem(s, 0) || s->v->c.cpuid->vendor != CPU_AMD;
}

const struct sel_row op_flags_rows[] = {
    {ZYDIS_MNEMONIC_CLC, select_flags, F_CLC},
    {ZYDIS_MNEMONIC_STC, select_flags, F_STC},
    {ZYDIS_MNEMONIC_CMC, select_flags, F_CMC},
    {ZYDIS_MNEMONIC_CLD, select_flags, F_CLD},
    {ZYDIS_MNEMONIC_STD, select_flags, F_STD},
    {ZYDIS_MNEMONIC_CLI, select_flags, F_CLI},
    {ZYDIS_MNEMONIC_STI, select_flags, F_STI},
    {ZYDIS_MNEMONIC_CLAC, select_flags, F_CLAC},
    {ZYDIS_MNEMONIC_STAC, select_flags, F_STAC},
    {ZYDIS_MNEMONIC_LAHF, select_flags, F_LAHF},
    {ZYDIS_MNEMONIC_SAHF, select_flags, F_SAHF},
    {ZYDIS_MNEMONIC_SALC, select_flags, F_SALC},
    {ZYDIS_MNEMONIC_AAA, select_flags, F_AAA},
    {ZYDIS_MNEMONIC_AAS, select_flags, F_AAS},
    {ZYDIS_MNEMONIC_DAA, select_flags, F_DAA},
    {ZYDIS_MNEMONIC_DAS, select_flags, F_DAS},
    {ZYDIS_MNEMONIC_AAM, select_flags, F_AAM},
    {ZYDIS_MNEMONIC_AAD, select_flags, F_AAD},
    {ZYDIS_MNEMONIC_NOP, select_nop, 0},
    {ZYDIS_MNEMONIC_PREFETCH, select_flags, F_NOP},
    {ZYDIS_MNEMONIC_PREFETCHW, select_flags, F_NOP},
    {ZYDIS_MNEMONIC_PREFETCHWT1, select_flags, F_NOP},
    {ZYDIS_MNEMONIC_PREFETCHNTA, select_flags, F_NOP},
    {ZYDIS_MNEMONIC_PREFETCHT0, select_flags, F_NOP},
    {ZYDIS_MNEMONIC_PREFETCHT1, select_flags, F_NOP},
    {ZYDIS_MNEMONIC_PREFETCHT2, select_flags, F_NOP},
    {ZYDIS_MNEMONIC_LFENCE, select_flags, F_FENCE},
    {ZYDIS_MNEMONIC_MFENCE, select_flags, F_FENCE},
    {ZYDIS_MNEMONIC_SFENCE, select_flags, F_FENCE},
    {ZYDIS_MNEMONIC_CLFLUSH, select_flags, F_FLUSH},
    {ZYDIS_MNEMONIC_CLFLUSHOPT, select_flags, F_FLUSH},
    {ZYDIS_MNEMONIC_CLWB, select_flags, F_FLUSH},
    {0},
};
