/*
 * op_mul.c: MUL, IMUL, DIV, IDIV, MULX, and the widening moves between AX and DX (CBW, CWD and kin).
 */
#include "engine/interp/host_alu.h"
#include "engine/interp/insn.h"

/* ---- one-operand multiplication: DX:AX = AX * b ---- */

static ALWAYS_INLINE void set_ax_dx(struct interp *v, unsigned size, uint64_t lo, uint64_t hi)
{
    if (size == 1) {
        R16AT(v, offsetof(struct interp, c.st.gpr)) = (uint16_t)(lo | hi << 8);
        return;
    }
    reg_write(v, offsetof(struct interp, c.st.gpr[RAX]), lo, size);
    reg_write(v, offsetof(struct interp, c.st.gpr[RDX]), hi, size);
}

/* AX (width 1) or DX:AX on the host, whose flags afterwards are what the guest gets; some leave a few alone.
 */
#define DEFINE_HOST(T, suf, bits, name, mnem)                                          \
    static void name##bits(struct interp *v, T b)                                      \
    {                                                                                  \
        uint16_t cc = ST(v)->cc;                                                       \
        uint64_t lo = ST(v)->gpr[RAX], hi = ST(v)->gpr[RDX];                           \
        __asm__(CC_IN "mov %[lo],%%rax\n\t" mnem suf " %[b]\n\tmov %%rax,%[lo]" CC_OUT \
                : "+a"(cc), [lo] "+&r"(lo), "+&d"(hi)                                  \
                : [b] "r"(b)                                                           \
                : "cc");                                                               \
        ST(v)->cc = cc;                                                                \
        if (sizeof(T) == 1)                                                            \
            set_ax_dx(v, 1, lo & 0xff, lo >> 8 & 0xff);                                \
        else                                                                           \
            set_ax_dx(v, sizeof(T), lo, hi);                                           \
    }
FOR_WIDTHS(DEFINE_HOST, mul, "mul")
FOR_WIDTHS(DEFINE_HOST, imul, "imul")

/* ---- division: #DE when the quotient does not fit, found out before the host divides ---- */

FOR_WIDTHS(DEFINE_HOST, host_div, "div")
FOR_WIDTHS(DEFINE_HOST, host_idiv, "idiv")

#define DEFINE_DIV(T, W, S, SW, bits)                                                          \
    static W dividend##bits(const struct interp *v)                                            \
    {                                                                                          \
        T lo = (T)v->c.st.gpr[RAX];                                                            \
        T hi = sizeof(T) == 1 ? (T)(v->c.st.gpr[RAX] >> 8) : (T)v->c.st.gpr[RDX];              \
        return (W)((W)hi << bits | lo);                                                        \
    }                                                                                          \
    static bool div##bits(struct interp *v, T b)                                               \
    {                                                                                          \
        if ((T)(dividend##bits(v) >> bits) >= b) /* b = 0 too */                               \
            return cpu_raise(&v->c, VEC_DE);                                                   \
        host_div##bits(v, b);                                                                  \
        return true;                                                                           \
    }                                                                                          \
    static bool idiv##bits(struct interp *v, T b)                                              \
    {                                                                                          \
        SW a = (SW)dividend##bits(v);                                                          \
        S d = (S)b;                                                                            \
        if (!d || (d == -1 && a == (SW)((W)1 << (2 * bits - 1))) || (SW)(a / d) != (S)(a / d)) \
            return cpu_raise(&v->c, VEC_DE);                                                   \
        host_idiv##bits(v, b);                                                                 \
        return true;                                                                           \
    }
DEFINE_DIV(uint8_t, uint16_t, int8_t, int16_t, 8)
DEFINE_DIV(uint16_t, uint32_t, int16_t, int32_t, 16)
DEFINE_DIV(uint32_t, uint64_t, int32_t, int64_t, 32)
DEFINE_DIV(uint64_t, unsigned __int128, int64_t, __int128, 64)

/* Fetch the one operand (register or memory) of width T and do `stmt` with it as b. */
#define DEFINE_ONE_OPERAND(T, suf, bits, name, stmt) \
    OP(name##_r##bits)                               \
    {                                                \
        T b = *(T *)&R8AT(v, in->src);               \
        stmt(name##bits) return in + 1;              \
    }                                                \
    OP(name##_m##bits)                               \
    {                                                \
        T b;                                         \
        if (!ld_op(v, in, &b, sizeof(T)))            \
            return insn_fault(v, in);                \
        stmt(name##bits) return in + 1;              \
    }
#define CANNOT_FAIL(f) f(v, b);
#define CAN_FAIL(f) \
    if (!f(v, b))   \
        return insn_fault(v, in);
FOR_WIDTHS(DEFINE_ONE_OPERAND, mul, CANNOT_FAIL)
FOR_WIDTHS(DEFINE_ONE_OPERAND, imul, CANNOT_FAIL)
FOR_WIDTHS(DEFINE_ONE_OPERAND, div, CAN_FAIL)
FOR_WIDTHS(DEFINE_ONE_OPERAND, idiv, CAN_FAIL)

/* ---- IMUL with two and three operands ---- */

#define DEFINE_IMUL2(T, suf, bits, unused)                                                                  \
    static ALWAYS_INLINE T imul2##bits(struct interp *v, T a, T b)                                          \
    {                                                                                                       \
        uint16_t cc = ST(v)->cc;                                                                            \
        __asm__(CC_IN "imul" suf " %[b],%[a]" CC_OUT : [a] "+&r"(a), "+&a"(cc) : [b] "r"(b) : "cc");        \
        ST(v)->cc = cc;                                                                                     \
        return a;                                                                                           \
    }                                                                                                       \
    OP(imul2_rr##bits)                                                                                      \
    {                                                                                                       \
        reg_write(v, in->dst, imul2##bits(v, *(T *)&R8AT(v, in->dst), *(T *)&R8AT(v, in->src)), sizeof(T)); \
        return in + 1;                                                                                      \
    }                                                                                                       \
    OP(imul2_rm##bits)                                                                                      \
    {                                                                                                       \
        T b;                                                                                                \
        if (!ld_op(v, in, &b, sizeof(T)))                                                                   \
            return insn_fault(v, in);                                                                       \
        reg_write(v, in->dst, imul2##bits(v, *(T *)&R8AT(v, in->dst), b), sizeof(T));                       \
        return in + 1;                                                                                      \
    }                                                                                                       \
    OP(imul3_rr##bits)                                                                                      \
    {                                                                                                       \
        reg_write(v, in->dst, imul2##bits(v, *(T *)&R8AT(v, in->src), (T)in->imm), sizeof(T));              \
        return in + 1;                                                                                      \
    }                                                                                                       \
    OP(imul3_rm##bits)                                                                                      \
    {                                                                                                       \
        T b;                                                                                                \
        if (!ld_op(v, in, &b, sizeof(T)))                                                                   \
            return insn_fault(v, in);                                                                       \
        reg_write(v, in->dst, imul2##bits(v, b, (T)in->imm), sizeof(T));                                    \
        return in + 1;                                                                                      \
    }
FOR_WIDTHS_16UP(DEFINE_IMUL2, 0)

/* ---- MULX (BMI2): no flags; in->osz is not needed, the third register stands in osz's place ---- */

#define DEFINE_MULX(T, W, bits)                                                   \
    static void mulx##bits(struct interp *v, const struct insn *in, T b)          \
    {                                                                             \
        W p = (W)(T)ST(v)->gpr[RDX] * b;                                          \
        reg_write(v, (unsigned)in->imm, (T)p,                                     \
                  sizeof(T)); /* low half first: when both are one, high stays */ \
        reg_write(v, in->dst, (T)(p >> bits), sizeof(T));                         \
    }                                                                             \
    OP(mulx_r##bits)                                                              \
    {                                                                             \
        mulx##bits(v, in, *(T *)&R8AT(v, in->src));                               \
        return in + 1;                                                            \
    }                                                                             \
    OP(mulx_m##bits)                                                              \
    {                                                                             \
        T b;                                                                      \
        if (!ld_op(v, in, &b, sizeof(T)))                                         \
            return insn_fault(v, in);                                             \
        mulx##bits(v, in, b);                                                     \
        return in + 1;                                                            \
    }
DEFINE_MULX(uint32_t, uint64_t, 32)
DEFINE_MULX(uint64_t, unsigned __int128, 64)

/* ---- CBW, CWDE, CDQE; CWD, CDQ, CQO ---- */

OP(widen_ax)
{
    int64_t val = sign_extend(ST(v)->gpr[RAX], in->osz * 4);
    reg_write(v, offsetof(struct interp, c.st.gpr[RAX]), (uint64_t)val, in->osz);
    return in + 1;
}
OP(widen_dx)
{
    int64_t val = sign_extend(ST(v)->gpr[RAX], in->osz * 8) >> 63;
    reg_write(v, offsetof(struct interp, c.st.gpr[RDX]), (uint64_t)val, in->osz);
    return in + 1;
}

/* ---- selection ---- */

#define WIDTHS(name, form)                                            \
    {                                                                 \
        name##form##8, name##form##16, name##form##32, name##form##64 \
    }
#define WIDTHS_16UP(name, form)                              \
    {                                                        \
        NULL, name##form##16, name##form##32, name##form##64 \
    }
enum { MUL, IMUL, DIV, IDIV };
static insn_fn *const one_operand[][2][4] = {
    [MUL] = {WIDTHS(mul, _r), WIDTHS(mul, _m)},
    [IMUL] = {WIDTHS(imul, _r), WIDTHS(imul, _m)},
    [DIV] = {WIDTHS(div, _r), WIDTHS(div, _m)},
    [IDIV] = {WIDTHS(idiv, _r), WIDTHS(idiv, _m)},
};
static insn_fn *const imul_more[2][2][4] = {
    {WIDTHS_16UP(imul2, _rr), WIDTHS_16UP(imul2, _rm)},
    {WIDTHS_16UP(imul3, _rr), WIDTHS_16UP(imul3, _rm)},
};

static void source(struct sel *s, struct insn *in, unsigned op)
{
    if (sel_is_mem(s, op))
        sel_mem(s, in, op);
    else
        in->src = sel_reg(s->d.op[op].reg.value);
}

static bool select_one(struct sel *s, struct insn *in, unsigned op)
{
    source(s, in, 0);
    in->fn = one_operand[op][sel_is_mem(s, 0)][width_index(sel_size(s, 0))];
    return true;
}
static bool select_imul(struct sel *s, struct insn *in, unsigned arg)
{
    if (s->nops == 1)
        return select_one(s, in, IMUL);
    source(s, in, 1);
    in->dst = sel_reg(s->d.op[0].reg.value);
    if (s->nops == 3)
        in->imm = (int32_t)s->d.op[2].imm.value.s;
    in->fn = imul_more[s->nops - 2][sel_is_mem(s, 1)][width_index(sel_size(s, 0))];
    return in->fn;
}
static bool select_mulx(struct sel *s, struct insn *in, unsigned arg)
{
    bool wide = sel_size(s, 0) == 8;
    if (!x86_protected(&s->v->c.st))
        return false;
    in->dst = sel_reg(s->d.op[0].reg.value);
    in->imm = sel_reg(s->d.op[1].reg.value);
    source(s, in, 2);
    in->fn = sel_is_mem(s, 2) ? wide ? mulx_m64 : mulx_m32 : wide ? mulx_r64 : mulx_r32;
    return true;
}
static bool select_widen(struct sel *s, struct insn *in, unsigned size)
{
    in->osz = (uint8_t)(size & 0xf);
    in->fn = size & 0x10 ? widen_dx : widen_ax;
    return true;
}

const struct sel_row op_mul_rows[] = {
    {ZYDIS_MNEMONIC_MUL, select_one, MUL},    {ZYDIS_MNEMONIC_IMUL, select_imul, 0},
    {ZYDIS_MNEMONIC_DIV, select_one, DIV},    {ZYDIS_MNEMONIC_IDIV, select_one, IDIV},
    {ZYDIS_MNEMONIC_MULX, select_mulx, 0},    {ZYDIS_MNEMONIC_CBW, select_widen, 2},
    {ZYDIS_MNEMONIC_CWDE, select_widen, 4},   {ZYDIS_MNEMONIC_CDQE, select_widen, 8},
    {ZYDIS_MNEMONIC_CWD, select_widen, 0x12}, {ZYDIS_MNEMONIC_CDQ, select_widen, 0x14},
    {ZYDIS_MNEMONIC_CQO, select_widen, 0x18}, {0},
};
