/*
 * fp_shape.c: from a decoded vector or MMX instruction to what its thunk needs: which operands, and its bytes
 * re-encoded for fixed registers and a memory operand at [rdi].
 */
#include "engine/interp/fp.h"

/* Legacy instructions whose 16-byte memory operand need not be aligned (SDM 1 14.9, table 14-22). */
static bool any_alignment(const struct sel *s)
{
    switch (s->d.i.mnemonic) {
    case ZYDIS_MNEMONIC_LDDQU:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_PCMPESTRI:
    case ZYDIS_MNEMONIC_PCMPESTRM:
    case ZYDIS_MNEMONIC_PCMPISTRI:
    case ZYDIS_MNEMONIC_PCMPISTRM: return true;
    default: return s->d.i.meta.isa_set == ZYDIS_ISA_SET_SHA && !s->v->thunks->intel; /* seen on Zen 3 */
    }
}

/* Does the result or the exception depend on MXCSR? Exception types 2, 3 and 11 (SDM 2A 2.4), and conversions
 * of MMX. */
static bool uses_mxcsr(const ZydisDecodedInstruction *i)
{
    switch (i->meta.exception_class) {
    case ZYDIS_EXCEPTION_CLASS_SSE2:
    case ZYDIS_EXCEPTION_CLASS_SSE3:
    case ZYDIS_EXCEPTION_CLASS_AVX2:
    case ZYDIS_EXCEPTION_CLASS_AVX3:
    case ZYDIS_EXCEPTION_CLASS_AVX11: return true;
    default: break;
    }
    switch (i->mnemonic) {
    case ZYDIS_MNEMONIC_CVTPI2PS:
    case ZYDIS_MNEMONIC_CVTPI2PD:
    case ZYDIS_MNEMONIC_CVTPS2PI:
    case ZYDIS_MNEMONIC_CVTPD2PI:
    case ZYDIS_MNEMONIC_CVTTPS2PI:
    case ZYDIS_MNEMONIC_CVTTPD2PI: return true;
    default: return false;
    }
}

/* Opcodes whose W bit gives the width of a general register or of its stand-in in memory. */
static bool w_is_width(ZydisOpcodeMap map, uint8_t opcode)
{
    if (map == ZYDIS_OPCODE_MAP_0F)
        return opcode == 0x2a || opcode == 0x2c || opcode == 0x2d || opcode == 0x6e || opcode == 0x7e;
    if (map == ZYDIS_OPCODE_MAP_0F3A)
        return opcode == 0x16 || opcode == 0x22 || opcode == 0x60 || opcode == 0x61;
    return false;
}

/* ---- operands ---- */

static bool add_register(const struct sel *s, struct fp_shape *sh, const ZydisDecodedOperand *op)
{
    ZydisRegisterClass cls = ZydisRegisterGetClass(op->reg.value);
    unsigned n = sh->nregs, id = (unsigned)ZydisRegisterGetId(op->reg.value);
    if (n == ARRAY_LEN(sh->reg))
        return false;
    switch (cls) {
    case ZYDIS_REGCLASS_YMM:
    case ZYDIS_REGCLASS_XMM:
        if (id > 15)
            return false;
        sh->wide |= cls == ZYDIS_REGCLASS_YMM;
        sh->reg[n].kind = KIND_VECTOR;
        sh->reg[n].offset = fp_vector(id);
        break;
    case ZYDIS_REGCLASS_MMX:
        sh->reg[n].kind = KIND_MMX;
        sh->reg[n].offset = (uint16_t)(FP_MM | id);
        break;
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
        sh->reg[n].kind = KIND_GPR;
        sh->reg[n].offset = sel_reg(op->reg.value);
        break;
    default: return false;
    }
    sh->reg[n].in = op->actions & ZYDIS_OPERAND_ACTION_MASK_READ;
    sh->reg[n].out = op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
    sh->nregs++;
    return true;
}

static bool add_hidden(struct fp_shape *sh, const ZydisDecodedOperand *op)
{
    bool out = op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
    if (op->type != ZYDIS_OPERAND_TYPE_REGISTER)
        return false;
    switch (op->reg.value) {
    case ZYDIS_REGISTER_XMM0:
        sh->xmm0_out |= out;
        sh->xmm0_in |= !out;
        return true;
    case ZYDIS_REGISTER_EAX:
    case ZYDIS_REGISTER_RAX:
    case ZYDIS_REGISTER_EDX:
    case ZYDIS_REGISTER_RDX: sh->lengths = true; return !out;
    case ZYDIS_REGISTER_ECX:
    case ZYDIS_REGISTER_RCX: sh->index = true; return out;
    case ZYDIS_REGISTER_FLAGS:
    case ZYDIS_REGISTER_EFLAGS:
    case ZYDIS_REGISTER_RFLAGS: sh->flags = true; return out;
    case ZYDIS_REGISTER_MXCSR: return true;
    default: return false;
    }
}

/* ---- bytes ---- */

/* Host register of visible operand `want` (operands in memory do not count); general registers are rax. */
static unsigned host_register(const struct sel *s, const struct fp_shape *sh, unsigned want)
{
    unsigned slot = 0;
    for (unsigned i = 0; i < want; i++)
        slot += sel_is_reg(s, i);
    return sh->reg[slot].kind == KIND_GPR ? 0 : slot + 1;
}

static void encode(const struct sel *s, struct fp_shape *sh)
{
    const ZydisDecodedInstruction *i = &s->d.i;
    unsigned reg = i->raw.modrm.reg, rm = 7 /* rdi */, vvvv = 0, is4 = 0, mod = 0, imms = 0;
    bool has_is4 = false;
    for (unsigned op = 0; op < s->nops; op++) {
        if (!sel_is_reg(s, op))
            continue;
        unsigned r = host_register(s, sh, op);
        switch (s->d.op[op].encoding) {
        case ZYDIS_OPERAND_ENCODING_MODRM_REG: reg = r; break;
        case ZYDIS_OPERAND_ENCODING_MODRM_RM:
            rm = r;
            mod = 3;
            break;
        case ZYDIS_OPERAND_ENCODING_NDSNDD: vvvv = r; break;
        case ZYDIS_OPERAND_ENCODING_IS4:
            is4 = r << 4;
            has_is4 = true;
            break;
        default: break;
        }
    }
    ZydisOpcodeMap map = i->opcode_map;
    bool w = sh->vex ? i->raw.vex.W : i->raw.rex.W && w_is_width(map, i->opcode);
    if (w_is_width(map, i->opcode) && s->code_bits != 64)
        w = false;
    uint8_t *b = sh->bytes;
    unsigned n = 0;
    if (sh->vex) {
        b[n++] = 0xc4;
        b[n++] = (uint8_t)(0xe0 | i->raw.vex.m_mmmm);
        b[n++] = (uint8_t)(w << 7 | (~vvvv & 15) << 3 | sh->wide << 2 | i->raw.vex.pp);
    } else {
        for (unsigned p = 0; p < i->raw.prefix_count; p++)
            if (i->raw.prefixes[p].type == ZYDIS_PREFIX_TYPE_MANDATORY)
                b[n++] = i->raw.prefixes[p].value;
        if (w)
            b[n++] = 0x48;
        b[n++] = 0x0f;
        if (map == ZYDIS_OPCODE_MAP_0F38)
            b[n++] = 0x38;
        if (map == ZYDIS_OPCODE_MAP_0F3A)
            b[n++] = 0x3a;
    }
    /* A non-temporal store of the host would need a fence before other processors: MOVQ instead. */
    b[n++] = i->mnemonic == ZYDIS_MNEMONIC_MOVNTQ ? 0x7f : i->opcode;
    b[n++] = (uint8_t)(mod << 6 | (reg & 7) << 3 | (rm & 7));
    for (unsigned k = 0; k < 2; k++)
        if (i->raw.imm[k].size)
            imms++;
    if (has_is4)
        b[n++] = (uint8_t)is4;
    else if (imms)
        b[n++] = (uint8_t)i->raw.imm[0].value.u;
    sh->len = n;
}

bool fp_shape(const struct sel *s, struct fp_shape *sh)
{
    const ZydisDecodedInstruction *i = &s->d.i;
    *sh = (struct fp_shape){.mem = -1, .vex = i->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX};
    if (!sh->vex && (i->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
                     (i->opcode_map != ZYDIS_OPCODE_MAP_0F && i->opcode_map != ZYDIS_OPCODE_MAP_0F38 &&
                      i->opcode_map != ZYDIS_OPCODE_MAP_0F3A)))
        return false;
    if (!(i->attributes & ZYDIS_ATTRIB_HAS_MODRM) || i->raw.imm[1].size)
        return false;
    bool vector = false, mmx = false;
    for (unsigned op = 0; op < i->operand_count; op++) {
        const ZydisDecodedOperand *o = &s->d.op[op];
        if (op >= s->nops) {
            if (!add_hidden(sh, o))
                return false;
            continue;
        }
        switch (o->type) {
        case ZYDIS_OPERAND_TYPE_REGISTER:
            if (!add_register(s, sh, o))
                return false;
            vector |= sh->reg[sh->nregs - 1].kind == KIND_VECTOR;
            mmx |= sh->reg[sh->nregs - 1].kind == KIND_MMX;
            break;
        case ZYDIS_OPERAND_TYPE_MEMORY:
            if (sh->mem >= 0 || o->mem.type != ZYDIS_MEMOP_TYPE_MEM || o->size % 8 || !o->size ||
                o->size > 256)
                return false;
            sh->mem = (int)op;
            sh->store = o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
            sh->size = (uint8_t)(o->size / 8);
            sh->wide |= sh->size == 32;
            break;
        case ZYDIS_OPERAND_TYPE_IMMEDIATE: break;
        default: return false;
        }
    }
    sh->fp = uses_mxcsr(i);
    if (!vector && !mmx && !sh->fp)
        return false;
    /* SDM 2A "CVTPI2PS": Intel's enters MMX state even without an MMX register. */
    mmx |= i->mnemonic == ZYDIS_MNEMONIC_CVTPI2PS && s->v->thunks->intel;
    sh->unit = sh->vex ? UNIT_AVX : !mmx ? UNIT_SSE : vector ? UNIT_MMX_SSE : UNIT_MMX;
    if (sh->size == 16 && !sh->vex && !any_alignment(s))
        sh->align = 15;
    encode(s, sh);
    return true;
}
