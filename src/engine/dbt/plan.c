/*
 * plan.c: how each instruction is translated, and what it does with the flags.
 *
 * The one place that says so. What is not named here is interpreted, which is always right. Flags that the
 * manual calls undefined count as left alone where some processor leaves them alone (IMUL, MUL, LZCNT and
 * TZCNT on AMD family 19h keep several), so that translated code, the interpreter and silicon agree.
 */
#include "engine/dbt/translate.h"

#include <pthread.h>
#include <stdlib.h>

static const struct {
    uint16_t mnemonic;
    uint8_t way, flags;
} integer[] = {
#define COPY(name, flags)                      \
    {                                          \
        ZYDIS_MNEMONIC_##name, WAY_COPY, flags \
    }
    COPY(MOV, FLAGS_NONE),
    COPY(MOVZX, FLAGS_NONE),
    COPY(MOVSX, FLAGS_NONE),
    COPY(MOVSXD, FLAGS_NONE),
    COPY(MOVBE, FLAGS_NONE),
    COPY(MOVNTI, FLAGS_NONE),
    COPY(XCHG, FLAGS_NONE),
    COPY(BSWAP, FLAGS_NONE),
    COPY(CBW, FLAGS_NONE),
    COPY(CWDE, FLAGS_NONE),
    COPY(CDQE, FLAGS_NONE),
    COPY(CWD, FLAGS_NONE),
    COPY(CDQ, FLAGS_NONE),
    COPY(CQO, FLAGS_NONE),
    COPY(NOT, FLAGS_NONE),
    COPY(ADD, FLAGS_SET),
    COPY(SUB, FLAGS_SET),
    COPY(CMP, FLAGS_SET),
    COPY(AND, FLAGS_SET),
    COPY(OR, FLAGS_SET),
    COPY(XOR, FLAGS_SET),
    COPY(TEST, FLAGS_SET),
    COPY(NEG, FLAGS_SET),
    COPY(XADD, FLAGS_SET),
    COPY(CMPXCHG, FLAGS_SET),
    COPY(CMPXCHG8B, FLAGS_CHANGE),
    COPY(CMPXCHG16B, FLAGS_CHANGE),
    COPY(POPCNT, FLAGS_SET),
    COPY(ANDN, FLAGS_SET),
    COPY(ADC, FLAGS_CHANGE),
    COPY(SBB, FLAGS_CHANGE),
    COPY(INC, FLAGS_CHANGE),
    COPY(DEC, FLAGS_CHANGE),
    COPY(SHL, FLAGS_CHANGE),
    COPY(SHR, FLAGS_CHANGE),
    COPY(SAR, FLAGS_CHANGE),
    COPY(ROL, FLAGS_CHANGE),
    COPY(ROR, FLAGS_CHANGE),
    COPY(RCL, FLAGS_CHANGE),
    COPY(RCR, FLAGS_CHANGE),
    COPY(SHLD, FLAGS_CHANGE),
    COPY(SHRD, FLAGS_CHANGE),
    COPY(IMUL, FLAGS_CHANGE),
    COPY(MUL, FLAGS_CHANGE),
    COPY(BT, FLAGS_CHANGE),
    COPY(BTS, FLAGS_CHANGE),
    COPY(BTR, FLAGS_CHANGE),
    COPY(BTC, FLAGS_CHANGE),
    COPY(BSF, FLAGS_CHANGE),
    COPY(BSR, FLAGS_CHANGE),
    COPY(LZCNT, FLAGS_CHANGE),
    COPY(TZCNT, FLAGS_CHANGE),
    COPY(ADCX, FLAGS_CHANGE),
    COPY(ADOX, FLAGS_CHANGE),
    COPY(BEXTR, FLAGS_CHANGE),
    COPY(BLSI, FLAGS_CHANGE),
    COPY(BLSMSK, FLAGS_CHANGE),
    COPY(BLSR, FLAGS_CHANGE),
    COPY(BZHI, FLAGS_CHANGE),
    COPY(MULX, FLAGS_NONE),
    COPY(PDEP, FLAGS_NONE),
    COPY(PEXT, FLAGS_NONE),
    COPY(RORX, FLAGS_NONE),
    COPY(SARX, FLAGS_NONE),
    COPY(SHLX, FLAGS_NONE),
    COPY(SHRX, FLAGS_NONE),
    COPY(CRC32, FLAGS_NONE),
    COPY(CMC, FLAGS_CHANGE),
    COPY(CLC, FLAGS_CHANGE),
    COPY(STC, FLAGS_CHANGE),
    COPY(SAHF, FLAGS_CHANGE),
    COPY(LFENCE, FLAGS_NONE),
    COPY(MFENCE, FLAGS_NONE),
    COPY(SFENCE, FLAGS_NONE),
#define CONDITION(cc)                                      \
    COPY(CMOV##cc, FLAGS_READ), COPY(SET##cc, FLAGS_READ), \
    {                                                      \
        ZYDIS_MNEMONIC_J##cc, WAY_JCC, FLAGS_READ          \
    }
    CONDITION(O),
    CONDITION(NO),
    CONDITION(B),
    CONDITION(NB),
    CONDITION(Z),
    CONDITION(NZ),
    CONDITION(BE),
    CONDITION(NBE),
    CONDITION(S),
    CONDITION(NS),
    CONDITION(P),
    CONDITION(NP),
    CONDITION(L),
    CONDITION(NL),
    CONDITION(LE),
    CONDITION(NLE),
    {ZYDIS_MNEMONIC_LEA, WAY_LEA, FLAGS_NONE},
    {ZYDIS_MNEMONIC_NOP, WAY_NOTHING, FLAGS_NONE},
    {ZYDIS_MNEMONIC_ENDBR64, WAY_NOTHING, FLAGS_NONE},
    {ZYDIS_MNEMONIC_PREFETCHNTA, WAY_NOTHING, FLAGS_NONE},
    {ZYDIS_MNEMONIC_PREFETCHT0, WAY_NOTHING, FLAGS_NONE},
    {ZYDIS_MNEMONIC_PREFETCHT1, WAY_NOTHING, FLAGS_NONE},
    {ZYDIS_MNEMONIC_PREFETCHT2, WAY_NOTHING, FLAGS_NONE},
    {ZYDIS_MNEMONIC_PREFETCHW, WAY_NOTHING, FLAGS_NONE},
    {ZYDIS_MNEMONIC_PUSH, WAY_PUSH, FLAGS_NONE},
    {ZYDIS_MNEMONIC_POP, WAY_POP, FLAGS_NONE},
    {ZYDIS_MNEMONIC_LEAVE, WAY_LEAVE, FLAGS_NONE},
    {ZYDIS_MNEMONIC_DIV, WAY_DIV, FLAGS_CHANGE},
    {ZYDIS_MNEMONIC_IDIV, WAY_DIV, FLAGS_CHANGE},
    {ZYDIS_MNEMONIC_PUSHFQ, WAY_PUSHF, FLAGS_READ},
    {ZYDIS_MNEMONIC_CLI, WAY_CLI, FLAGS_NONE},
    {ZYDIS_MNEMONIC_STI, WAY_STI, FLAGS_NONE},
    {ZYDIS_MNEMONIC_JMP, WAY_JMP, FLAGS_NONE},
    {ZYDIS_MNEMONIC_CALL, WAY_CALL, FLAGS_NONE},
    {ZYDIS_MNEMONIC_RET, WAY_RET, FLAGS_NONE},
};

/* Row of a mnemonic, counted from 1: a pure function of the table, so that one copy serves every machine. */
static uint8_t row_of[ZYDIS_MNEMONIC_MAX_VALUE + 1];
_Static_assert(ARRAY_LEN(integer) < 256, "a row's number fits a byte");

static void index_integer(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(integer); i++)
        row_of[integer[i].mnemonic] = (uint8_t)(i + 1);
}

/* ---- vector instructions ---- */

/* Sets whose instructions go to the host's unit as they are. */
static bool vector_set(unsigned isa_set, bool *vex)
{
    *vex = false;
    switch (isa_set) {
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE3:
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSE4:
    case ZYDIS_ISA_SET_SSE42:
    case ZYDIS_ISA_SET_AES:
    case ZYDIS_ISA_SET_PCLMULQDQ:
    case ZYDIS_ISA_SET_SHA: return true;
    case ZYDIS_ISA_SET_AVX:
    case ZYDIS_ISA_SET_AVX2:
    case ZYDIS_ISA_SET_AVXAES:
    case ZYDIS_ISA_SET_FMA:
    case ZYDIS_ISA_SET_F16C:
    case ZYDIS_ISA_SET_VAES:
    case ZYDIS_ISA_SET_VPCLMULQDQ: *vex = true; return true;
    default: return false;
    }
}

/* Vector instructions that set all six flags (SDM 2: COMISS, PTEST, PCMPxSTRx, VTESTPS). */
static bool vector_sets_flags(unsigned mnemonic)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_COMISS:
    case ZYDIS_MNEMONIC_COMISD:
    case ZYDIS_MNEMONIC_UCOMISS:
    case ZYDIS_MNEMONIC_UCOMISD:
    case ZYDIS_MNEMONIC_VCOMISS:
    case ZYDIS_MNEMONIC_VCOMISD:
    case ZYDIS_MNEMONIC_VUCOMISS:
    case ZYDIS_MNEMONIC_VUCOMISD:
    case ZYDIS_MNEMONIC_PTEST:
    case ZYDIS_MNEMONIC_VPTEST:
    case ZYDIS_MNEMONIC_VTESTPS:
    case ZYDIS_MNEMONIC_VTESTPD:
    case ZYDIS_MNEMONIC_PCMPESTRI:
    case ZYDIS_MNEMONIC_PCMPESTRM:
    case ZYDIS_MNEMONIC_PCMPISTRI:
    case ZYDIS_MNEMONIC_PCMPISTRM:
    case ZYDIS_MNEMONIC_VPCMPESTRI:
    case ZYDIS_MNEMONIC_VPCMPESTRM:
    case ZYDIS_MNEMONIC_VPCMPISTRI:
    case ZYDIS_MNEMONIC_VPCMPISTRM: return true;
    default: return false;
    }
}

/* 16-byte operands of SSE that need no alignment (SDM 3A 2.9, table 22-... "Type 4" and MOVUPS and friends).
 */
static bool sse_unaligned(unsigned mnemonic)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_LDDQU:
    case ZYDIS_MNEMONIC_PCMPESTRI:
    case ZYDIS_MNEMONIC_PCMPESTRM:
    case ZYDIS_MNEMONIC_PCMPISTRI:
    case ZYDIS_MNEMONIC_PCMPISTRM: return true;
    default: return false;
    }
}
static bool vex_aligned(unsigned mnemonic)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_VMOVAPS:
    case ZYDIS_MNEMONIC_VMOVAPD:
    case ZYDIS_MNEMONIC_VMOVDQA:
    case ZYDIS_MNEMONIC_VMOVNTDQ:
    case ZYDIS_MNEMONIC_VMOVNTDQA:
    case ZYDIS_MNEMONIC_VMOVNTPS:
    case ZYDIS_MNEMONIC_VMOVNTPD: return true;
    default: return false;
    }
}

static bool has_mmx(const struct x86_decoded *d)
{
    for (unsigned i = 0; i < d->i.operand_count; i++)
        if (d->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(d->op[i].reg.value) == ZYDIS_REGCLASS_MMX)
            return true;
    return false;
}

static void plan_vector(struct plan *p, const struct x86_decoded *d, uint32_t mode)
{
    bool vex;
    if (!vector_set(d->i.meta.isa_set, &vex) || !(mode & MODE_SSE) || (vex && !(mode & MODE_AVX)) ||
        (d->i.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
         d->i.encoding != ZYDIS_INSTRUCTION_ENCODING_VEX))
        return;
    switch (d->i.mnemonic) {
    case ZYDIS_MNEMONIC_LDMXCSR: /* may unmask exceptions: another mode */
    case ZYDIS_MNEMONIC_VLDMXCSR:
    case ZYDIS_MNEMONIC_STMXCSR:
    case ZYDIS_MNEMONIC_VSTMXCSR:
    case ZYDIS_MNEMONIC_MASKMOVDQU: /* memory operands that are not wholly accessed */
    case ZYDIS_MNEMONIC_VMASKMOVDQU:
    case ZYDIS_MNEMONIC_VMASKMOVPS:
    case ZYDIS_MNEMONIC_VMASKMOVPD:
    case ZYDIS_MNEMONIC_VPMASKMOVD:
    case ZYDIS_MNEMONIC_VPMASKMOVQ:
    case ZYDIS_MNEMONIC_CVTPI2PS: /* touch the x87 unit */
    case ZYDIS_MNEMONIC_CVTPI2PD: return;
    default: break;
    }
    if (has_mmx(d))
        return;
    p->way = WAY_COPY;
    p->flags = vector_sets_flags(d->i.mnemonic) ? FLAGS_SET : FLAGS_NONE;
    if (p->mem >= 0 && vex && vex_aligned(d->i.mnemonic))
        p->align = (uint8_t)(d->op[p->mem].size / 8);
    if (p->mem >= 0 && !vex && d->op[p->mem].size == 128 && !sse_unaligned(d->i.mnemonic))
        p->align = 16;
}

/* ---- the plan ---- */

/* Shifts by a constant set all flags or none. */
static void plan_shift(struct plan *p, const struct x86_decoded *d)
{
    if (d->i.mnemonic != ZYDIS_MNEMONIC_SHL && d->i.mnemonic != ZYDIS_MNEMONIC_SHR &&
        d->i.mnemonic != ZYDIS_MNEMONIC_SAR)
        return;
    if (d->op[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return;
    unsigned count = (unsigned)d->op[1].imm.value.u & (d->i.operand_width == 64 ? 63u : 31u);
    p->flags = count ? FLAGS_SET : FLAGS_NONE;
}

static bool near64(const struct x86_decoded *d)
{
    return d->i.operand_width == 64 && d->i.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR;
}
static bool is_gpr64(const ZydisDecodedOperand *op)
{
    return op->type == ZYDIS_OPERAND_TYPE_REGISTER && guest_gpr(op->reg.value) < X86_NGPR;
}
/* An explicit memory operand whose address we can make. */
static bool address_possible(const ZydisDecodedOperand *op)
{
    const int64_t disp = op->mem.disp.value;
    if (op->encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM || op->mem.base == ZYDIS_REGISTER_EIP)
        return false;
    return op->mem.base != ZYDIS_REGISTER_RIP || (disp > INT32_MIN + 0x2000 && disp < INT32_MAX - 0x2000);
}
static bool memory_possible(const ZydisDecodedOperand *op)
{
    return op->mem.type == ZYDIS_MEMOP_TYPE_MEM && op->size <= 256 && address_possible(op);
}

static bool from_sreg(const struct x86_decoded *d)
{
    return d->i.mnemonic == ZYDIS_MNEMONIC_MOV && d->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           ZydisRegisterGetClass(d->op[1].reg.value) == ZYDIS_REGCLASS_SEGMENT;
}

/* BT and friends with a register reach beyond their operand. */
static bool bit_string(const struct x86_decoded *d)
{
    switch (d->i.mnemonic) {
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC: return d->op[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE;
    default: return false;
    }
}

/* Can this instruction, with its operands, go the way that its name goes? */
static bool possible(const struct x86_decoded *d, const struct plan *p, uint32_t mode)
{
    switch (p->way) {
    case WAY_COPY:
        return copy_possible(d) && (p->mem < 0 || (memory_possible(&d->op[p->mem]) && !bit_string(d)));
    case WAY_LEA: return address_possible(&d->op[1]);
    case WAY_PUSH:
        return d->i.operand_width == 64 &&
               (is_gpr64(&d->op[0]) || d->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE);
    case WAY_POP:
        return d->i.operand_width == 64 && is_gpr64(&d->op[0]) && guest_gpr(d->op[0].reg.value) != RSP;
    case WAY_LEAVE: return d->i.operand_width == 64;
    case WAY_DIV:
        return d->i.operand_width >= 32 &&
               (p->mem < 0 ? is_gpr64(&d->op[0]) : memory_possible(&d->op[p->mem]));
    case WAY_PUSHF: return d->i.operand_width == 64;
    case WAY_CLI:
    case WAY_STI: return (mode >> MODE_RIGHTS_SHIFT & 3) != BANK_USER; /* no IOPL to look at */
    case WAY_FROM_SREG: return p->mem < 0;
    case WAY_JCC: return near64(d) && (uint64_t)llabs(d->op[0].imm.value.s) < INT32_MAX - 0x2000;
    case WAY_JMP:
    case WAY_CALL:
        if (!near64(d))
            return false;
        if (d->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
            return (uint64_t)llabs(d->op[0].imm.value.s) < INT32_MAX - 0x2000;
        return d->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY ? memory_possible(&d->op[0]) : is_gpr64(&d->op[0]);
    case WAY_RET: return near64(d);
    default: return true;
    }
}

struct plan plan_instruction(const struct x86_decoded *d, uint32_t mode)
{
    struct plan p = {.way = WAY_INTERPRET, .mem = -1};
    for (unsigned i = 0; i < d->i.operand_count_visible; i++)
        if (d->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            p.mem = (int8_t)i;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, index_integer);
    const uint8_t row = row_of[d->i.mnemonic];
    if (row) {
        p.way = integer[row - 1].way;
        p.flags = integer[row - 1].flags;
        plan_shift(&p, d);
    }
    if (p.way == WAY_INTERPRET)
        plan_vector(&p, d, mode);
    if (d->i.mnemonic == ZYDIS_MNEMONIC_XCHG && d->op[0].type == d->op[1].type &&
        d->op[0].reg.value == d->op[1].reg.value && d->op[0].size != 32)
        p.way = WAY_NOTHING; /* 66 90 is a long NOP */
    if (p.way == WAY_COPY && from_sreg(d))
        p.way = WAY_FROM_SREG;
    if (d->i.mnemonic == ZYDIS_MNEMONIC_CMPXCHG16B)
        p.align = 16;
    if (!possible(d, &p, mode))
        p.way = WAY_INTERPRET;
    return p;
}
