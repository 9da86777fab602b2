/*
 * fp_move.c: moves of vector registers in plain C: they are most of what a guest executes of SSE and AVX.
 *
 * Non-temporal stores are ordinary ones here: the host's would need a fence before another processor may see
 * what follows. in->imm: bits of the address that must be 0.
 */
#include "engine/interp/fp.h"

/* Load `size` bytes and clear the register up to `full`. Handlers write a register only when nothing can
 * fault any more. */
static ALWAYS_INLINE const struct insn *load(struct interp *v, const struct insn *in, enum fp_unit unit,
                                             unsigned size, unsigned full)
{
    uint8_t a[32];
    uint64_t lin;
    if (UNLIKELY(!fp_usable(v, unit)))
        return fp_unusable(v, in, unit);
    if (!insn_address(v, in, size, ACC_READ, &lin))
        return insn_fault(v, in);
    if (UNLIKELY(lin & (uint32_t)in->imm))
        return insn_gp0(v, in);
    if (!fp_aligned(v, lin, size) || !ld_lin(v, lin, a, size))
        return insn_fault(v, in);
    memcpy(&R8AT(v, in->dst), a, size);
    if (full > size)
        memset(&R8AT(v, in->dst) + size, 0, full - size);
    fp_touch(v, unit);
    return in + 1;
}
static ALWAYS_INLINE const struct insn *store(struct interp *v, const struct insn *in, enum fp_unit unit,
                                              unsigned size)
{
    uint64_t lin;
    if (UNLIKELY(!fp_usable(v, unit)))
        return fp_unusable(v, in, unit);
    if (!insn_address(v, in, size, ACC_WRITE, &lin))
        return insn_fault(v, in);
    if (UNLIKELY(lin & (uint32_t)in->imm))
        return insn_gp0(v, in);
    if (!fp_aligned(v, lin, size) || !st_lin(v, lin, &R8AT(v, in->src), size))
        return insn_fault(v, in);
    return in + 1;
}
/* From register to register, general ones too; in->dst is `full` bytes. */
static ALWAYS_INLINE const struct insn *copy(struct interp *v, const struct insn *in, enum fp_unit unit,
                                             unsigned size, unsigned full)
{
    uint8_t a[32] = {0};
    if (UNLIKELY(!fp_usable(v, unit)))
        return fp_unusable(v, in, unit);
    memcpy(a, &R8AT(v, in->src), size);
    memcpy(&R8AT(v, in->dst), a, full);
    fp_touch(v, unit);
    return in + 1;
}

#define MOVES(tag, unit, full)                                   \
    OP(tag##_load4)                                              \
    {                                                            \
        return load(v, in, unit, 4, full);                       \
    }                                                            \
    OP(tag##_load8)                                              \
    {                                                            \
        return load(v, in, unit, 8, full);                       \
    }                                                            \
    OP(tag##_load16)                                             \
    {                                                            \
        return load(v, in, unit, 16, full);                      \
    }                                                            \
    OP(tag##_store4)                                             \
    {                                                            \
        return store(v, in, unit, 4);                            \
    }                                                            \
    OP(tag##_store8)                                             \
    {                                                            \
        return store(v, in, unit, 8);                            \
    }                                                            \
    OP(tag##_store16)                                            \
    {                                                            \
        return store(v, in, unit, 16);                           \
    }                                                            \
    OP(tag##_from4) /* register of 4 bytes to vector register */ \
    {                                                            \
        return copy(v, in, unit, 4, full);                       \
    }                                                            \
    OP(tag##_from8)                                              \
    {                                                            \
        return copy(v, in, unit, 8, full);                       \
    }                                                            \
    OP(tag##_from16)                                             \
    {                                                            \
        return copy(v, in, unit, 16, full);                      \
    }                                                            \
    OP(tag##_to4) /* vector register to general register */      \
    {                                                            \
        return copy(v, in, unit, 4, 8);                          \
    }                                                            \
    OP(tag##_to8)                                                \
    {                                                            \
        return copy(v, in, unit, 8, 8);                          \
    }
MOVES(sse, UNIT_SSE, 16)
MOVES(avx, UNIT_AVX, 32)
OP(avx_load32)
{
    return load(v, in, UNIT_AVX, 32, 32);
}
OP(avx_store32)
{
    return store(v, in, UNIT_AVX, 32);
}
OP(avx_from32)
{
    return copy(v, in, UNIT_AVX, 32, 32);
}

/* By width: 4, 8, 16, 32 bytes. */
struct move_set {
    insn_fn *load[4], *store[4], *from[4], *to[4];
};
static const struct move_set sets[2] = {
    {{sse_load4, sse_load8, sse_load16},
     {sse_store4, sse_store8, sse_store16},
     {sse_from4, sse_from8, sse_from16},
     {sse_to4, sse_to8}},
    {{avx_load4, avx_load8, avx_load16, avx_load32},
     {avx_store4, avx_store8, avx_store16, avx_store32},
     {avx_from4, avx_from8, avx_from16, avx_from32},
     {avx_to4, avx_to8}},
};

/* ---- VZEROUPPER, VZEROALL ---- */

/* imm: bytes of each register that stay. Outside 64-bit mode there are eight registers. */
OP(vzero)
{
    unsigned keep = (unsigned)in->imm;
    if (UNLIKELY(!fp_usable(v, UNIT_AVX)))
        return fp_unusable(v, in, UNIT_AVX);
    for (unsigned r = 0; r < (is64(v) ? 16 : 8); r++)
        memset(ST(v)->fpu.ymm[r] + keep, 0, 32 - keep);
    return in + 1;
}
static bool select_vzero(struct sel *s, struct insn *in, unsigned keep)
{
    in->imm = (int32_t)keep;
    in->fn = vzero;
    return true;
}

/* ---- selection ---- */

static bool is_vector(const struct sel *s, unsigned op)
{
    ZydisRegisterClass cls = ZydisRegisterGetClass(s->d.op[op].reg.value);
    return cls == ZYDIS_REGCLASS_XMM || cls == ZYDIS_REGCLASS_YMM;
}
static bool is_general(const struct sel *s, unsigned op)
{
    ZydisRegisterClass cls = ZydisRegisterGetClass(s->d.op[op].reg.value);
    return cls == ZYDIS_REGCLASS_GPR32 || cls == ZYDIS_REGCLASS_GPR64;
}
static uint16_t register_offset(const struct sel *s, unsigned op)
{
    ZydisRegister r = s->d.op[op].reg.value;
    return is_vector(s, op) ? fp_vector((unsigned)ZydisRegisterGetId(r)) : sel_reg(r);
}

/* Moves between two operands; arg: the memory operand must be aligned. Of other shapes a thunk is made. */
static bool select_move(struct sel *s, struct insn *in, unsigned aligned)
{
    bool vex = s->d.i.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
    const struct move_set *m = &sets[vex];
    bool memory = sel_is_mem(s, 0) || sel_is_mem(s, 1);
    bool scalar = s->d.i.mnemonic == ZYDIS_MNEMONIC_MOVSS || s->d.i.mnemonic == ZYDIS_MNEMONIC_MOVSD;
    if (s->nops != 2 || (scalar && !memory))
        return fp_select_vector(s, in, 0);
    for (unsigned op = 0; op < 2; op++)
        if (sel_is_reg(s, op) && !is_vector(s, op) && !is_general(s, op))
            return fp_select_vector(s, in, 0);
    unsigned to_mem = sel_is_mem(s, 0);
    /* Of two registers MOVD and MOVQ move what the narrower operand holds, the others all. */
    unsigned size = memory ? sel_size(s, !to_mem) : MIN(sel_size(s, 0), sel_size(s, 1));
    if (size != 4 && size != 8 && size != 16 && size != 32)
        return false;
    unsigned w = (unsigned)__builtin_ctz(size) - 2;
    if (memory) {
        sel_mem(s, in, !to_mem);
        in->dst = in->src = register_offset(s, to_mem);
        in->imm = aligned ? (int32_t)size - 1 : 0;
        in->fn = to_mem ? m->store[w] : m->load[w];
    } else {
        in->dst = register_offset(s, 0);
        in->src = register_offset(s, 1);
        in->fn = is_general(s, 0) ? m->to[w] : m->from[w];
    }
    return in->fn;
}

const struct sel_row fp_move_rows[] = {
    {ZYDIS_MNEMONIC_MOVUPS, select_move, false},
    {ZYDIS_MNEMONIC_MOVUPD, select_move, false},
    {ZYDIS_MNEMONIC_MOVDQU, select_move, false},
    {ZYDIS_MNEMONIC_LDDQU, select_move, false},
    {ZYDIS_MNEMONIC_MOVAPS, select_move, true},
    {ZYDIS_MNEMONIC_MOVAPD, select_move, true},
    {ZYDIS_MNEMONIC_MOVDQA, select_move, true},
    {ZYDIS_MNEMONIC_MOVNTPS, select_move, true},
    {ZYDIS_MNEMONIC_MOVNTPD, select_move, true},
    {ZYDIS_MNEMONIC_MOVNTDQ, select_move, true},
    {ZYDIS_MNEMONIC_MOVNTDQA, select_move, true},
    {ZYDIS_MNEMONIC_MOVSS, select_move, false},
    {ZYDIS_MNEMONIC_MOVSD, select_move, false},
    {ZYDIS_MNEMONIC_MOVNTSS, select_move, false},
    {ZYDIS_MNEMONIC_MOVNTSD, select_move, false},
    {ZYDIS_MNEMONIC_MOVD, select_move, false},
    {ZYDIS_MNEMONIC_MOVQ, select_move, false},
    {ZYDIS_MNEMONIC_VMOVUPS, select_move, false},
    {ZYDIS_MNEMONIC_VMOVUPD, select_move, false},
    {ZYDIS_MNEMONIC_VMOVDQU, select_move, false},
    {ZYDIS_MNEMONIC_VLDDQU, select_move, false},
    {ZYDIS_MNEMONIC_VMOVAPS, select_move, true},
    {ZYDIS_MNEMONIC_VMOVAPD, select_move, true},
    {ZYDIS_MNEMONIC_VMOVDQA, select_move, true},
    {ZYDIS_MNEMONIC_VMOVNTPS, select_move, true},
    {ZYDIS_MNEMONIC_VMOVNTPD, select_move, true},
    {ZYDIS_MNEMONIC_VMOVNTDQ, select_move, true},
    {ZYDIS_MNEMONIC_VMOVNTDQA, select_move, true},
    {ZYDIS_MNEMONIC_VMOVSS, select_move, false},
    {ZYDIS_MNEMONIC_VMOVSD, select_move, false},
    {ZYDIS_MNEMONIC_VMOVD, select_move, false},
    {ZYDIS_MNEMONIC_VMOVQ, select_move, false},
    {ZYDIS_MNEMONIC_VZEROUPPER, select_vzero, 16},
    {ZYDIS_MNEMONIC_VZEROALL, select_vzero, 0},
    {0},
};
