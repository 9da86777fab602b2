/*
 * op_mov.c: moves: MOV, MOVZX, MOVSX(D), LEA, XCHG of registers, CMOVcc, SETcc, MOVBE, BSWAP, XLAT, MOVNTI.
 */
#include "engine/interp/cond.h"
#include "engine/interp/host_alu.h"
#include "engine/interp/insn.h"
#include "engine/interp/select.h"

/* ---- MOV ---- */

#define DEFINE_MOV(T, suf, bits, unused)                                       \
    OP(mov_rr##bits)                                                           \
    {                                                                          \
        reg_write(v, in->dst, *(T *)&R8AT(v, in->src), sizeof(T));             \
        return in + 1;                                                         \
    }                                                                          \
    OP(mov_ri##bits)                                                           \
    {                                                                          \
        reg_write(v, in->dst, (T)in->imm, sizeof(T));                          \
        return in + 1;                                                         \
    }                                                                          \
    OP(mov_rm##bits)                                                           \
    {                                                                          \
        T a;                                                                   \
        if (!ld_op(v, in, &a, sizeof(T)))                                      \
            return insn_fault(v, in);                                          \
        reg_write(v, in->dst, a, sizeof(T));                                   \
        return in + 1;                                                         \
    }                                                                          \
    OP(mov_mr##bits)                                                           \
    {                                                                          \
        if (!st_op(v, in, &R8AT(v, in->src), sizeof(T)))                       \
            return insn_fault(v, in);                                          \
        return in + 1;                                                         \
    }                                                                          \
    OP(mov_mi##bits)                                                           \
    {                                                                          \
        T a = (T)in->imm;                                                      \
        if (!st_op(v, in, &a, sizeof(T)))                                      \
            return insn_fault(v, in);                                          \
        return in + 1;                                                         \
    }                                                                          \
    OP(movbe_rm##bits)                                                         \
    {                                                                          \
        T a;                                                                   \
        if (!ld_op(v, in, &a, sizeof(T)))                                      \
            return insn_fault(v, in);                                          \
        reg_write(v, in->dst, __builtin_bswap64(a) >> (64 - bits), sizeof(T)); \
        return in + 1;                                                         \
    }                                                                          \
    OP(movbe_mr##bits)                                                         \
    {                                                                          \
        T a = (T)(__builtin_bswap64(*(T *)&R8AT(v, in->src)) >> (64 - bits));  \
        if (!st_op(v, in, &a, sizeof(T)))                                      \
            return insn_fault(v, in);                                          \
        return in + 1;                                                         \
    }                                                                          \
    OP(xchg_rr##bits)                                                          \
    {                                                                          \
        T a = *(T *)&R8AT(v, in->dst), b = *(T *)&R8AT(v, in->src);            \
        reg_write(v, in->dst, b, sizeof(T));                                   \
        reg_write(v, in->src, a, sizeof(T));                                   \
        return in + 1;                                                         \
    }
FOR_WIDTHS(DEFINE_MOV, 0)

/* MOV r64, imm64: the upper half stands in disp. */
OP(mov_ri_long)
{
    R64AT(v, in->dst) = (uint64_t)(uint32_t)in->disp << 32 | (uint32_t)in->imm;
    return in + 1;
}

/* MOV between the accumulator and a 64-bit absolute address (disp: upper half, imm: lower half). */
static bool moffs_address(struct interp *v, const struct insn *in, unsigned acc, uint64_t *lin)
{
    uint64_t ea = (uint64_t)(uint32_t)in->disp << 32 | (uint32_t)in->imm;
    return seg_address(v, IN_SEG_NO(in->flags), ea, in->osz, acc, lin);
}
OP(mov_moffs_load)
{
    uint64_t lin, a = 0;
    if (!moffs_address(v, in, ACC_READ, &lin) || !ld_lin(v, lin, &a, in->osz))
        return insn_fault(v, in);
    reg_write(v, in->dst, a, in->osz);
    return in + 1;
}
OP(mov_moffs_store)
{
    uint64_t lin;
    if (!moffs_address(v, in, ACC_WRITE, &lin) || !st_lin(v, lin, &R8AT(v, in->src), in->osz))
        return insn_fault(v, in);
    return in + 1;
}

/* ---- MOVZX, MOVSX, MOVSXD: from type F; the width written is in osz ---- */

#define DEFINE_EXTEND(name, F)                                                        \
    OP(name##_r)                                                                      \
    {                                                                                 \
        reg_write(v, in->dst, (uint64_t)(int64_t) * (F *)&R8AT(v, in->src), in->osz); \
        return in + 1;                                                                \
    }                                                                                 \
    OP(name##_m)                                                                      \
    {                                                                                 \
        F a;                                                                          \
        if (!ld_op(v, in, &a, sizeof(F)))                                             \
            return insn_fault(v, in);                                                 \
        reg_write(v, in->dst, (uint64_t)(int64_t)a, in->osz);                         \
        return in + 1;                                                                \
    }
DEFINE_EXTEND(movzx8, uint8_t)
DEFINE_EXTEND(movzx16, uint16_t)
DEFINE_EXTEND(movsx8, int8_t)
DEFINE_EXTEND(movsx16, int16_t)
DEFINE_EXTEND(movsx32, int32_t)

/* ---- LEA ---- */

OP(lea_64)
{
    R64AT(v, in->dst) = address_sum(v, in);
    return in + 1;
}
OP(lea_any)
{
    reg_write(v, in->dst, insn_ea(v, in), in->osz);
    return in + 1;
}

/* ---- CMOVcc, SETcc ---- */

/* The memory operand is read, and may fault, whatever the condition; a 32-bit form clears the upper half
 * always. */
#define DEFINE_CONDITION(code, name)                                     \
    OP(cmov_r_##name)                                                    \
    {                                                                    \
        unsigned from = cond_holds(ST(v)->cc, code) ? in->src : in->dst; \
        reg_write(v, in->dst, reg_read(v, from, in->osz), in->osz);      \
        return in + 1;                                                   \
    }                                                                    \
    OP(cmov_m_##name)                                                    \
    {                                                                    \
        uint64_t a = 0;                                                  \
        if (!ld_op(v, in, &a, in->osz))                                  \
            return insn_fault(v, in);                                    \
        if (!cond_holds(ST(v)->cc, code))                                \
            a = reg_read(v, in->dst, in->osz);                           \
        reg_write(v, in->dst, a, in->osz);                               \
        return in + 1;                                                   \
    }                                                                    \
    OP(set_r_##name)                                                     \
    {                                                                    \
        R8AT(v, in->dst) = cond_holds(ST(v)->cc, code);                  \
        return in + 1;                                                   \
    }                                                                    \
    OP(set_m_##name)                                                     \
    {                                                                    \
        uint8_t a = cond_holds(ST(v)->cc, code);                         \
        if (!st_op(v, in, &a, 1))                                        \
            return insn_fault(v, in);                                    \
        return in + 1;                                                   \
    }
FOR_CONDITIONS(DEFINE_CONDITION)
#define CONDITION_ROW(code, name) {cmov_r_##name, cmov_m_##name, set_r_##name, set_m_##name},
static insn_fn *const conditional[16][4] = {FOR_CONDITIONS(CONDITION_ROW)};

/* ---- BSWAP, XLAT ---- */

OP(bswap)
{
    uint64_t a = reg_read(v, in->dst, in->osz);
    /* 16-bit BSWAP is undefined in the manuals; silicon gives zero. */
    a = in->osz == 8 ? __builtin_bswap64(a) : in->osz == 4 ? __builtin_bswap32((uint32_t)a) : 0;
    reg_write(v, in->dst, a, in->osz);
    return in + 1;
}
OP(xlat)
{
    uint64_t ea = (ST(v)->gpr[RBX] + (uint8_t)ST(v)->gpr[RAX]) & mask_bytes(IN_ASZ_BYTES(in->flags)), lin;
    uint8_t a;
    if (!seg_address(v, IN_SEG_NO(in->flags), ea, 1, ACC_READ, &lin) || !ld_lin(v, lin, &a, 1))
        return insn_fault(v, in);
    R8AT(v, offsetof(struct interp, c.st.gpr[RAX])) = a;
    return in + 1;
}

/* ---- selection ---- */

#define WIDTHS(name)                          \
    {                                         \
        name##8, name##16, name##32, name##64 \
    }
enum { RR, RI, RM, MR, MI };
static insn_fn *const mov[][4] = {WIDTHS(mov_rr), WIDTHS(mov_ri), WIDTHS(mov_rm), WIDTHS(mov_mr),
                                  WIDTHS(mov_mi)};
static insn_fn *const movbe[][4] = {WIDTHS(movbe_rm), WIDTHS(movbe_mr)};
static insn_fn *const xchg[4] = WIDTHS(xchg_rr);

static void two_registers(struct sel *s, struct insn *in)
{
    in->dst = sel_reg(s->d.op[0].reg.value);
    in->src = sel_reg(s->d.op[1].reg.value);
}

static bool select_moffs(struct sel *s, struct insn *in, unsigned mem)
{
    uint64_t at = (uint64_t)s->d.op[mem].mem.disp.value;
    sel_mem(s, in, mem);
    in->imm = (int32_t)at;
    in->disp = (int32_t)(at >> 32);
    in->osz = (uint8_t)sel_size(s, mem);
    in->dst = in->src = offsetof(struct interp, c.st.gpr[RAX]);
    in->fn = mem ? mov_moffs_load : mov_moffs_store;
    return true;
}

static bool select_mov(struct sel *s, struct insn *in, unsigned arg)
{
    const ZydisDecodedOperand *a = &s->d.op[0], *b = &s->d.op[1];
    unsigned w = width_index(sel_size(s, 0)), form;
    for (unsigned i = 0; i < 2; i++) {
        if (s->d.op[i].type != ZYDIS_OPERAND_TYPE_REGISTER)
            continue;
        ZydisRegisterClass cls = ZydisRegisterGetClass(s->d.op[i].reg.value);
        if (cls == ZYDIS_REGCLASS_SEGMENT)
            return select_mov_segment(s, in);
        if (cls == ZYDIS_REGCLASS_CONTROL || cls == ZYDIS_REGCLASS_DEBUG || cls == ZYDIS_REGCLASS_TEST)
            return select_mov_control(s, in);
    }
    for (unsigned i = 0; i < 2; i++)
        if (sel_is_mem(s, i) && s->d.i.opcode >= 0xa0 && s->d.i.opcode <= 0xa3 && s->asz == 8)
            return select_moffs(s, in, i);
    if (sel_is_mem(s, 0)) {
        sel_mem(s, in, 0);
        form = sel_is_imm(s, 1) ? MI : MR;
    } else {
        in->dst = sel_reg(a->reg.value);
        form = sel_is_imm(s, 1) ? RI : sel_is_mem(s, 1) ? RM : RR;
    }
    if (sel_is_imm(s, 1))
        in->imm = (int32_t)b->imm.value.s;
    else if (sel_is_mem(s, 1))
        sel_mem(s, in, 1);
    else
        in->src = sel_reg(b->reg.value);
    in->fn = mov[form][w];
    if (form == RI && w == 3 && s->d.i.opcode >= 0xb8 && s->d.i.opcode <= 0xbf) {
        in->disp = (int32_t)(b->imm.value.u >> 32);
        in->fn = mov_ri_long;
    }
    return true;
}

static bool select_movbe(struct sel *s, struct insn *in, unsigned arg)
{
    bool store = sel_is_mem(s, 0);
    sel_mem(s, in, store ? 0 : 1);
    if (store)
        in->src = sel_reg(s->d.op[1].reg.value);
    else
        in->dst = sel_reg(s->d.op[0].reg.value);
    in->fn = movbe[store][width_index(sel_size(s, 0))];
    return true;
}

static bool select_movnti(struct sel *s, struct insn *in, unsigned arg)
{
    sel_mem(s, in, 0);
    in->src = sel_reg(s->d.op[1].reg.value);
    in->fn = mov[MR][width_index(sel_size(s, 0))];
    return true;
}

static bool select_xchg(struct sel *s, struct insn *in, unsigned arg)
{
    if (sel_is_mem(s, 0) || sel_is_mem(s, 1))
        return select_xchg_memory(s, in);
    two_registers(s, in);
    in->fn = xchg[width_index(sel_size(s, 0))];
    return true;
}

/* F3 90 with REX.B is XCHG of R8 and the accumulator: only register 0 makes it PAUSE (seen on Zen 3 to 5). */
static bool select_pause(struct sel *s, struct insn *in, unsigned arg)
{
    bool r8 = s->d.i.attributes & ZYDIS_ATTRIB_HAS_REX && s->d.i.raw.rex.B;
    in->dst = sel_reg(ZYDIS_REGISTER_RAX);
    in->src = sel_reg(r8 ? ZYDIS_REGISTER_R8 : ZYDIS_REGISTER_RAX);
    in->fn = xchg[r8 ? width_index(s->osz) : 1]; /* AX with itself: nothing */
    return true;
}

enum { ZX = 0, SX = 1 };
static bool select_extend(struct sel *s, struct insn *in, unsigned sign)
{
    static insn_fn *const fns[2][3][2] = {
        {{movzx8_r, movzx8_m}, {movzx16_r, movzx16_m}, {mov_rr32, mov_rm32}},
        {{movsx8_r, movsx8_m}, {movsx16_r, movsx16_m}, {movsx32_r, movsx32_m}},
    };
    bool mem = sel_is_mem(s, 1);
    in->dst = sel_reg(s->d.op[0].reg.value);
    in->osz = (uint8_t)sel_size(s, 0);
    if (mem)
        sel_mem(s, in, 1);
    else
        in->src = sel_reg(s->d.op[1].reg.value);
    in->fn = fns[sign][width_index(sel_size(s, 1))][mem];
    return true;
}

static bool select_lea(struct sel *s, struct insn *in, unsigned arg)
{
    in->dst = sel_reg(s->d.op[0].reg.value);
    in->osz = (uint8_t)sel_size(s, 0);
    sel_mem(s, in, 1);
    in->fn = in->osz == 8 && !(in->flags & IN_SEG) ? lea_64 : lea_any;
    return true;
}

static bool select_cmov(struct sel *s, struct insn *in, unsigned code)
{
    bool mem = sel_is_mem(s, 1);
    in->dst = sel_reg(s->d.op[0].reg.value);
    in->osz = (uint8_t)sel_size(s, 0);
    if (mem)
        sel_mem(s, in, 1);
    else
        in->src = sel_reg(s->d.op[1].reg.value);
    in->fn = conditional[code][mem];
    return true;
}

static bool select_set(struct sel *s, struct insn *in, unsigned code)
{
    bool mem = sel_is_mem(s, 0);
    if (mem)
        sel_mem(s, in, 0);
    else
        in->dst = sel_reg(s->d.op[0].reg.value);
    in->fn = conditional[code][2 + mem];
    return true;
}

static bool select_bswap(struct sel *s, struct insn *in, unsigned arg)
{
    in->dst = sel_reg(s->d.op[0].reg.value);
    in->osz = (uint8_t)sel_size(s, 0);
    in->fn = bswap;
    return true;
}

static bool select_xlat(struct sel *s, struct insn *in, unsigned arg)
{
    for (unsigned i = 0; i < s->d.i.operand_count; i++)
        if (sel_is_mem(s, i))
            sel_mem(s, in, i); /* for segment and address size */
    in->fn = xlat;
    return true;
}

#define CMOV_ROW(code, name) {ZYDIS_MNEMONIC_CMOV##name, select_cmov, code},
#define SET_ROW(code, name)  {ZYDIS_MNEMONIC_SET##name, select_set, code},
const struct sel_row op_mov_rows[] = {
    {ZYDIS_MNEMONIC_MOV, select_mov, 0},       {ZYDIS_MNEMONIC_MOVBE, select_movbe, 0},
    {ZYDIS_MNEMONIC_MOVNTI, select_movnti, 0}, {ZYDIS_MNEMONIC_XCHG, select_xchg, 0},
    {ZYDIS_MNEMONIC_PAUSE, select_pause, 0},   {ZYDIS_MNEMONIC_MOVZX, select_extend, ZX},
    {ZYDIS_MNEMONIC_MOVSX, select_extend, SX}, {ZYDIS_MNEMONIC_MOVSXD, select_extend, SX},
    {ZYDIS_MNEMONIC_LEA, select_lea, 0},       {ZYDIS_MNEMONIC_BSWAP, select_bswap, 0},
    {ZYDIS_MNEMONIC_XLAT, select_xlat, 0},     FOR_CONDITIONS(CMOV_ROW) FOR_CONDITIONS(SET_ROW){0},
};
