/*
 * select.c: from a decoded instruction to the handler that does it.
 *
 * Each op_*.c file brings a table of rows {mnemonic, selector, argument}; they are joined here into one array
 * by mnemonic, once. An instruction of an ISA set that the guest's CPUID does not offer is undefined,
 * whatever the interpreter could do.
 */
#include "engine/interp/insn.h"

#include <pthread.h>

/* ---- operands ---- */

uint16_t sel_reg(ZydisRegister r)
{
    static const struct {
        ZydisRegister first, last;
        unsigned reg, byte;
    } ranges[] = {
        {ZYDIS_REGISTER_AL, ZYDIS_REGISTER_BL, RAX, 0},    {ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BH, RAX, 1},
        {ZYDIS_REGISTER_SPL, ZYDIS_REGISTER_R15B, RSP, 0}, {ZYDIS_REGISTER_AX, ZYDIS_REGISTER_R15W, RAX, 0},
        {ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_R15D, RAX, 0}, {ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R15, RAX, 0},
    };
    for (unsigned i = 0; i < ARRAY_LEN(ranges); i++)
        if (r >= ranges[i].first && r <= ranges[i].last)
            return (uint16_t)(offsetof(struct interp, c.st.gpr) +
                              8 * (ranges[i].reg + (r - ranges[i].first)) + ranges[i].byte);
    return offsetof(struct interp, zero);
}

static unsigned segment_number(ZydisRegister r)
{
    switch (r) {
    case ZYDIS_REGISTER_ES: return SEG_ES;
    case ZYDIS_REGISTER_CS: return SEG_CS;
    case ZYDIS_REGISTER_SS: return SEG_SS;
    case ZYDIS_REGISTER_FS: return SEG_FS;
    case ZYDIS_REGISTER_GS: return SEG_GS;
    default: return SEG_DS;
    }
}

void sel_mem(struct sel *s, struct insn *in, unsigned op)
{
    const ZydisDecodedOperandMem *m = &s->d.op[op].mem;
    unsigned seg = segment_number(m->segment);
    in->base = sel_reg(m->base);
    in->index = sel_reg(m->index);
    in->scale = m->scale == 8 ? 3 : m->scale == 4 ? 2 : m->scale == 2 ? 1 : 0;
    in->disp = (int32_t)m->disp.value;
    in->sbase = offsetof(struct interp, zero);
    in->flags |= (uint8_t)(seg << IN_SEG_SHIFT | (s->asz == 8 ? 2 : s->asz == 4 ? 1 : 0) << IN_ASZ_SHIFT);
    if (s->code_bits != 64 || s->asz != 8)
        in->flags |= IN_SEG;
    else if (seg == SEG_FS || seg == SEG_GS)
        in->sbase = (uint16_t)(offsetof(struct interp, c.st.seg) + seg * sizeof(struct x86_seg) +
                               offsetof(struct x86_seg, base));
    if (m->base != ZYDIS_REGISTER_RIP && m->base != ZYDIS_REGISTER_EIP)
        return;
    in->base = offsetof(struct interp, block_rip); /* insn_address_slow adds the instruction's place itself */
    if (!(in->flags & IN_SEG) && __builtin_add_overflow(in->disp, in->off + in->len, &in->disp)) {
        in->disp = (int32_t)m->disp.value;
        in->flags |= IN_SEG;
    }
}

/* ---- which ISA sets the guest has ---- */

/* The CPUID bit that offers an ISA set; sets not named here are part of every x86-64. */
static const struct {
    uint16_t set;
    uint32_t leaf, sub;
    uint8_t reg, bit; /* reg: 0 to 3 = EAX to EDX */
} isa_bits[] = {
    {ZYDIS_ISA_SET_ADOX_ADCX, 7, 0, 1, 19},
    {ZYDIS_ISA_SET_AES, 1, 0, 2, 25},
    {ZYDIS_ISA_SET_AMD3DNOW, 0x80000001, 0, 3, 31},
    {ZYDIS_ISA_SET_AVX, 1, 0, 2, 28},
    {ZYDIS_ISA_SET_AVX2, 7, 0, 1, 5},
    {ZYDIS_ISA_SET_AVX2GATHER, 7, 0, 1, 5},
    {ZYDIS_ISA_SET_AVXAES, 1, 0, 2, 25},
    {ZYDIS_ISA_SET_BMI1, 7, 0, 1, 3},
    {ZYDIS_ISA_SET_BMI2, 7, 0, 1, 8},
    {ZYDIS_ISA_SET_CLFLUSHOPT, 7, 0, 1, 23},
    {ZYDIS_ISA_SET_CLWB, 7, 0, 1, 24},
    {ZYDIS_ISA_SET_CLZERO, 0x80000008, 0, 1, 0},
    {ZYDIS_ISA_SET_CMPXCHG16B, 1, 0, 2, 13},
    {ZYDIS_ISA_SET_F16C, 1, 0, 2, 29},
    {ZYDIS_ISA_SET_FMA, 1, 0, 2, 12},
    {ZYDIS_ISA_SET_INVPCID, 7, 0, 1, 10},
    {ZYDIS_ISA_SET_MONITOR, 1, 0, 2, 3},
    {ZYDIS_ISA_SET_MOVBE, 1, 0, 2, 22},
    {ZYDIS_ISA_SET_PCLMULQDQ, 1, 0, 2, 1},
    {ZYDIS_ISA_SET_POPCNT, 1, 0, 2, 23},
    {ZYDIS_ISA_SET_RDPID, 7, 0, 2, 22},
    {ZYDIS_ISA_SET_RDRAND, 1, 0, 2, 30},
    {ZYDIS_ISA_SET_RDSEED, 7, 0, 1, 18},
    {ZYDIS_ISA_SET_RDTSCP, 0x80000001, 0, 3, 27},
    {ZYDIS_ISA_SET_RDWRFSGS, 7, 0, 1, 0},
    {ZYDIS_ISA_SET_SHA, 7, 0, 1, 29},
    {ZYDIS_ISA_SET_SMAP, 7, 0, 1, 20},
    {ZYDIS_ISA_SET_SSE3, 1, 0, 2, 0},
    {ZYDIS_ISA_SET_SSE3X87, 1, 0, 2, 0},
    {ZYDIS_ISA_SET_SSE4, 1, 0, 2, 19},
    {ZYDIS_ISA_SET_SSE42, 1, 0, 2, 20},
    {ZYDIS_ISA_SET_SSE4A, 0x80000001, 0, 2, 6},
    {ZYDIS_ISA_SET_SSSE3, 1, 0, 2, 9},
    {ZYDIS_ISA_SET_SSSE3MMX, 1, 0, 2, 9},
    {ZYDIS_ISA_SET_VAES, 7, 0, 2, 9},
    {ZYDIS_ISA_SET_VPCLMULQDQ, 7, 0, 2, 10},
    {ZYDIS_ISA_SET_XSAVE, 1, 0, 2, 26},
    {ZYDIS_ISA_SET_XSAVEC, 0xd, 1, 0, 1},
    {ZYDIS_ISA_SET_XSAVEOPT, 0xd, 1, 0, 0},
    {ZYDIS_ISA_SET_XSAVES, 0xd, 1, 0, 3},
};

static const struct cpuid_leaf *model_leaf(const struct cpuid_model *m, uint32_t leaf, uint32_t sub)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->leaf[i].leaf == leaf && (!m->leaf[i].has_sub || m->leaf[i].sub == sub))
            return &m->leaf[i];
    return NULL;
}

static bool offered(const struct cpuid_model *m, unsigned isa_set)
{
    for (unsigned i = 0; i < ARRAY_LEN(isa_bits); i++)
        if (isa_bits[i].set == isa_set) {
            const struct cpuid_leaf *l = model_leaf(m, isa_bits[i].leaf, isa_bits[i].sub);
            return l && (&l->eax)[isa_bits[i].reg] >> isa_bits[i].bit & 1;
        }
    return true;
}

/* LZCNT and TZCNT where they are not offered are BSR and BSF: their prefix is ignored. */
static void older_meaning(struct sel *s)
{
    const struct cpuid_model *m = s->v->c.cpuid;
    const struct cpuid_leaf *ext = model_leaf(m, 0x80000001, 0);
    if (s->d.i.mnemonic == ZYDIS_MNEMONIC_LZCNT && !(ext && ext->ecx & BIT(5)))
        s->d.i.mnemonic = ZYDIS_MNEMONIC_BSR;
    if (s->d.i.mnemonic == ZYDIS_MNEMONIC_TZCNT && !offered(m, ZYDIS_ISA_SET_BMI1))
        s->d.i.mnemonic = ZYDIS_MNEMONIC_BSF;
}

/* ---- the joined table ---- */

static const struct sel_row *by_mnemonic[ZYDIS_MNEMONIC_MAX_VALUE + 1];

/* The join is a pure function of constant tables, so that one copy serves every machine of the process. */
static void join_tables(void)
{
    static const struct sel_row *const tables[] = {
        op_alu_rows,     op_shift_rows,  op_mul_rows,    op_mov_rows,    op_bit_rows,
        op_branch_rows,  op_stack_rows,  op_string_rows, op_system_rows, op_io_rows,
        op_segment_rows, op_atomic_rows, op_flags_rows,
    };
    for (unsigned t = 0; t < ARRAY_LEN(tables); t++)
        for (const struct sel_row *r = tables[t]; r->fn; r++) {
            assert(!by_mnemonic[r->mnemonic]);
            by_mnemonic[r->mnemonic] = r;
        }
}

bool insn_select(struct sel *s, struct insn *in)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, join_tables);
    const ZydisDecodedInstruction *i = &s->d.i;
    s->osz = i->operand_width / 8;
    s->asz = i->address_width / 8;
    s->lock = i->attributes & ZYDIS_ATTRIB_HAS_LOCK;
    s->rep = i->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE);
    s->repne = i->attributes & ZYDIS_ATTRIB_HAS_REPNE;
    s->nops = i->operand_count_visible;
    older_meaning(s);
    if (!offered(s->v->c.cpuid, i->meta.isa_set))
        return false;
    const struct sel_row *r = by_mnemonic[i->mnemonic];
    return r ? r->fn(s, in, r->arg) : fp_select(s, in);
}
