/*
 * fp_select.c: which x87, MMX, SSE or AVX handler an instruction gets.
 *
 * The decoder knows many more ISA sets than the guest is offered or a thunk can do; those named here are
 * done, all others are undefined.
 */
#include "engine/interp/fp.h"

static bool done_here(uint16_t isa_set)
{
    switch (isa_set) {
    case ZYDIS_ISA_SET_X87:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_PPRO: /* FCOMI and its kin */
    case ZYDIS_ISA_SET_SSE3X87:
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSEMXCSR:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX:
    case ZYDIS_ISA_SET_SSE3:
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX:
    case ZYDIS_ISA_SET_SSE4:
    case ZYDIS_ISA_SET_SSE42:
    case ZYDIS_ISA_SET_SSE4A:
    case ZYDIS_ISA_SET_AES:
    case ZYDIS_ISA_SET_PCLMULQDQ:
    case ZYDIS_ISA_SET_SHA:
    case ZYDIS_ISA_SET_AVX:
    case ZYDIS_ISA_SET_AVX2:
    case ZYDIS_ISA_SET_AVX2GATHER:
    case ZYDIS_ISA_SET_AVXAES:
    case ZYDIS_ISA_SET_F16C:
    case ZYDIS_ISA_SET_FMA:
    case ZYDIS_ISA_SET_VAES:
    case ZYDIS_ISA_SET_VPCLMULQDQ:
    case ZYDIS_ISA_SET_FXSAVE:
    case ZYDIS_ISA_SET_FXSAVE64:
    case ZYDIS_ISA_SET_XSAVE:
    case ZYDIS_ISA_SET_XSAVEC:
    case ZYDIS_ISA_SET_XSAVEOPT: return true;
    default: return false;
    }
}

/* VPEXTRQ and VPINSRQ outside 64-bit mode: undefined on AMD (APM 4), of 32 bits on Intel (SDM 2B "PEXTRD").
 */
static bool quadword_outside_64(const struct sel *s)
{
    const ZydisDecodedInstruction *i = &s->d.i;
    return i->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX && s->code_bits != 64 && i->raw.vex.W &&
           (i->mnemonic == ZYDIS_MNEMONIC_VPEXTRD || i->mnemonic == ZYDIS_MNEMONIC_VPINSRD) &&
           !s->v->thunks->intel;
}

bool fp_select(struct sel *s, struct insn *in)
{
    static const struct sel_row *const tables[] = {fp_move_rows, fp_vector_rows, fp_mask_rows, fp_state_rows,
                                                   fp_x87_rows};
    const ZydisDecodedInstruction *i = &s->d.i;
    if (!done_here((uint16_t)i->meta.isa_set) ||
        (i->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY && i->encoding != ZYDIS_INSTRUCTION_ENCODING_VEX))
        return false;
    fp_learn(s->v);
    if (quadword_outside_64(s))
        return false;
    for (unsigned t = 0; t < ARRAY_LEN(tables); t++)
        for (const struct sel_row *r = tables[t]; r->fn; r++)
            if (r->mnemonic == i->mnemonic)
                return r->fn(s, in, r->arg);
    if (i->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
        return fp_select_x87(s, in, 0);
    return fp_select_vector(s, in, 0);
}
