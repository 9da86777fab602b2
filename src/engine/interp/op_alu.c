/*
 * op_alu.c: ADD, ADC, SUB, SBB, AND, OR, XOR, CMP, TEST, INC, DEC, NEG, NOT.
 *
 * One macro states an operation at one width as a function of values; the forms (register, memory, immediate,
 * LOCK) are made around it.
 */
#include "engine/interp/host_alu.h"
#include "engine/interp/insn.h"

/* name(v, a, b) -> result; reads CF where `in` says so; sets v's flags. */
#define DEFINE_BINARY(T, suf, bits, name, mnem, in)                                           \
    static ALWAYS_INLINE T name##bits(struct interp *v, T a, T b)                             \
    {                                                                                         \
        uint16_t cc = ST(v)->cc;                                                              \
        __asm__(in mnem suf " %[b],%[a]" CC_OUT : [a] "+q"(a), "+a"(cc) : [b] "q"(b) : "cc"); \
        ST(v)->cc = cc;                                                                       \
        return a;                                                                             \
    }                                                                                         \
    static ALWAYS_INLINE void name##_lock##bits(struct interp *v, T *p, T b)                  \
    {                                                                                         \
        uint16_t cc = ST(v)->cc;                                                              \
        __asm__ volatile(in "lock " mnem suf " %[b],%[p]" CC_OUT                              \
                         : [p] "+m"(*p), "+a"(cc)                                             \
                         : [b] "q"(b)                                                         \
                         : "cc", "memory");                                                   \
        ST(v)->cc = cc;                                                                       \
    }

/* CMP and TEST: flags only. */
#define DEFINE_COMPARE(T, suf, bits, name, mnem, in)                                       \
    static ALWAYS_INLINE T name##bits(struct interp *v, T a, T b)                          \
    {                                                                                      \
        uint16_t cc;                                                                       \
        __asm__(mnem suf " %[b],%[a]" CC_OUT : "=&a"(cc) : [a] "q"(a), [b] "q"(b) : "cc"); \
        ST(v)->cc = cc;                                                                    \
        return a;                                                                          \
    }

#define DEFINE_UNARY(T, suf, bits, name, mnem, in)                                                        \
    static ALWAYS_INLINE T name##bits(struct interp *v, T a)                                              \
    {                                                                                                     \
        uint16_t cc = ST(v)->cc;                                                                          \
        __asm__(in mnem suf " %[a]" CC_OUT : [a] "+q"(a), "+a"(cc) : : "cc");                             \
        ST(v)->cc = cc;                                                                                   \
        return a;                                                                                         \
    }                                                                                                     \
    static ALWAYS_INLINE void name##_lock##bits(struct interp *v, T *p)                                   \
    {                                                                                                     \
        uint16_t cc = ST(v)->cc;                                                                          \
        __asm__ volatile(in "lock " mnem suf " %[p]" CC_OUT : [p] "+m"(*p), "+a"(cc) : : "cc", "memory"); \
        ST(v)->cc = cc;                                                                                   \
    }

/* The handlers of an operation that writes its destination. */
#define DEFINE_BINARY_FORMS(T, suf, bits, name)                                                            \
    OP(name##_rr##bits)                                                                                    \
    {                                                                                                      \
        reg_write(v, in->dst, name##bits(v, *(T *)&R8AT(v, in->dst), *(T *)&R8AT(v, in->src)), sizeof(T)); \
        return in + 1;                                                                                     \
    }                                                                                                      \
    OP(name##_ri##bits)                                                                                    \
    {                                                                                                      \
        reg_write(v, in->dst, name##bits(v, *(T *)&R8AT(v, in->dst), (T)in->imm), sizeof(T));              \
        return in + 1;                                                                                     \
    }                                                                                                      \
    OP(name##_rm##bits)                                                                                    \
    {                                                                                                      \
        T b;                                                                                               \
        if (!ld_op(v, in, &b, sizeof(T)))                                                                  \
            return insn_fault(v, in);                                                                      \
        reg_write(v, in->dst, name##bits(v, *(T *)&R8AT(v, in->dst), b), sizeof(T));                       \
        return in + 1;                                                                                     \
    }                                                                                                      \
    OP(name##_mr##bits)                                                                                    \
    {                                                                                                      \
        T *p = wr_op(v, in, sizeof(T), true);                                                              \
        if (!p)                                                                                            \
            return insn_fault(v, in);                                                                      \
        *p = name##bits(v, *p, *(T *)&R8AT(v, in->src));                                                   \
        wr_end(v);                                                                                         \
        return in + 1;                                                                                     \
    }                                                                                                      \
    OP(name##_mi##bits)                                                                                    \
    {                                                                                                      \
        T *p = wr_op(v, in, sizeof(T), true);                                                              \
        if (!p)                                                                                            \
            return insn_fault(v, in);                                                                      \
        *p = name##bits(v, *p, (T)in->imm);                                                                \
        wr_end(v);                                                                                         \
        return in + 1;                                                                                     \
    }                                                                                                      \
    OP(name##_lock_mr##bits)                                                                               \
    {                                                                                                      \
        T *p = wr_op(v, in, sizeof(T), true);                                                              \
        if (!p)                                                                                            \
            return insn_fault(v, in);                                                                      \
        name##_lock##bits(v, p, *(T *)&R8AT(v, in->src));                                                  \
        wr_end(v);                                                                                         \
        return in + 1;                                                                                     \
    }                                                                                                      \
    OP(name##_lock_mi##bits)                                                                               \
    {                                                                                                      \
        T *p = wr_op(v, in, sizeof(T), true);                                                              \
        if (!p)                                                                                            \
            return insn_fault(v, in);                                                                      \
        name##_lock##bits(v, p, (T)in->imm);                                                               \
        wr_end(v);                                                                                         \
        return in + 1;                                                                                     \
    }

#define DEFINE_COMPARE_FORMS(T, suf, bits, name)                         \
    OP(name##_rr##bits)                                                  \
    {                                                                    \
        name##bits(v, *(T *)&R8AT(v, in->dst), *(T *)&R8AT(v, in->src)); \
        return in + 1;                                                   \
    }                                                                    \
    OP(name##_ri##bits)                                                  \
    {                                                                    \
        name##bits(v, *(T *)&R8AT(v, in->dst), (T)in->imm);              \
        return in + 1;                                                   \
    }                                                                    \
    OP(name##_rm##bits)                                                  \
    {                                                                    \
        T b;                                                             \
        if (!ld_op(v, in, &b, sizeof(T)))                                \
            return insn_fault(v, in);                                    \
        name##bits(v, *(T *)&R8AT(v, in->dst), b);                       \
        return in + 1;                                                   \
    }                                                                    \
    OP(name##_mr##bits)                                                  \
    {                                                                    \
        T a;                                                             \
        if (!ld_op(v, in, &a, sizeof(T)))                                \
            return insn_fault(v, in);                                    \
        name##bits(v, a, *(T *)&R8AT(v, in->src));                       \
        return in + 1;                                                   \
    }                                                                    \
    OP(name##_mi##bits)                                                  \
    {                                                                    \
        T a;                                                             \
        if (!ld_op(v, in, &a, sizeof(T)))                                \
            return insn_fault(v, in);                                    \
        name##bits(v, a, (T)in->imm);                                    \
        return in + 1;                                                   \
    }

#define DEFINE_UNARY_FORMS(T, suf, bits, name)                                    \
    OP(name##_r##bits)                                                            \
    {                                                                             \
        reg_write(v, in->dst, name##bits(v, *(T *)&R8AT(v, in->dst)), sizeof(T)); \
        return in + 1;                                                            \
    }                                                                             \
    OP(name##_m##bits)                                                            \
    {                                                                             \
        T *p = wr_op(v, in, sizeof(T), true);                                     \
        if (!p)                                                                   \
            return insn_fault(v, in);                                             \
        *p = name##bits(v, *p);                                                   \
        wr_end(v);                                                                \
        return in + 1;                                                            \
    }                                                                             \
    OP(name##_lock_m##bits)                                                       \
    {                                                                             \
        T *p = wr_op(v, in, sizeof(T), true);                                     \
        if (!p)                                                                   \
            return insn_fault(v, in);                                             \
        name##_lock##bits(v, p);                                                  \
        wr_end(v);                                                                \
        return in + 1;                                                            \
    }

#define BINARY(name, mnem, in) FOR_WIDTHS(DEFINE_BINARY, name, mnem, in) FOR_WIDTHS(DEFINE_BINARY_FORMS, name)
#define COMPARE(name, mnem)    FOR_WIDTHS(DEFINE_COMPARE, name, mnem, "") FOR_WIDTHS(DEFINE_COMPARE_FORMS, name)
#define UNARY(name, mnem, in)  FOR_WIDTHS(DEFINE_UNARY, name, mnem, in) FOR_WIDTHS(DEFINE_UNARY_FORMS, name)

BINARY(add, "add", "")
BINARY(or, "or", "")
BINARY(adc, "adc", CF_IN)
BINARY(sbb, "sbb", CF_IN)
BINARY(and, "and", "")
BINARY(sub, "sub", "")
BINARY(xor, "xor", "")
COMPARE(cmp, "cmp")
COMPARE(test, "test")
UNARY(inc, "inc", CF_IN)
UNARY(dec, "dec", CF_IN)
UNARY(neg, "neg", "")
UNARY(not, "not", CC_IN) /* changes no flag: what comes in goes out */

enum form { RR, RI, RM, MR, MI, LOCK_MR, LOCK_MI, FORMS };

#define WIDTHS(name, form)                                            \
    {                                                                 \
        name##form##8, name##form##16, name##form##32, name##form##64 \
    }
#define BINARY_ROW(name)                                                                        \
    {                                                                                           \
        [RR] = WIDTHS(name, _rr), [RI] = WIDTHS(name, _ri), [RM] = WIDTHS(name, _rm),           \
        [MR] = WIDTHS(name, _mr), [MI] = WIDTHS(name, _mi), [LOCK_MR] = WIDTHS(name, _lock_mr), \
        [LOCK_MI] = WIDTHS(name, _lock_mi)                                                      \
    }
#define COMPARE_ROW(name)                                                             \
    {                                                                                 \
        [RR] = WIDTHS(name, _rr), [RI] = WIDTHS(name, _ri), [RM] = WIDTHS(name, _rm), \
        [MR] = WIDTHS(name, _mr), [MI] = WIDTHS(name, _mi)                            \
    }
#define UNARY_ROW(name)                                           \
    {                                                             \
        WIDTHS(name, _r), WIDTHS(name, _m), WIDTHS(name, _lock_m) \
    }

enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP, ALU_TEST };
static insn_fn *const binary[][FORMS][4] = {
    [ALU_ADD] = BINARY_ROW(add), [ALU_OR] = BINARY_ROW(or),    [ALU_ADC] = BINARY_ROW(adc),
    [ALU_SBB] = BINARY_ROW(sbb), [ALU_AND] = BINARY_ROW(and),  [ALU_SUB] = BINARY_ROW(sub),
    [ALU_XOR] = BINARY_ROW(xor), [ALU_CMP] = COMPARE_ROW(cmp), [ALU_TEST] = COMPARE_ROW(test),
};
enum { ALU_INC, ALU_DEC, ALU_NEG, ALU_NOT };
static insn_fn *const unary[][3][4] = {
    [ALU_INC] = UNARY_ROW(inc),
    [ALU_DEC] = UNARY_ROW(dec),
    [ALU_NEG] = UNARY_ROW(neg),
    [ALU_NOT] = UNARY_ROW(not ),
};

static bool select_binary(struct sel *s, struct insn *in, unsigned op)
{
    enum form form;
    if (sel_is_mem(s, 0)) {
        sel_mem(s, in, 0);
        form = sel_is_imm(s, 1) ? s->lock ? LOCK_MI : MI : s->lock ? LOCK_MR : MR;
    } else {
        in->dst = sel_reg(s->d.op[0].reg.value);
        form = sel_is_imm(s, 1) ? RI : sel_is_mem(s, 1) ? RM : RR;
    }
    if (sel_is_imm(s, 1))
        in->imm = (int32_t)s->d.op[1].imm.value.s;
    else if (sel_is_mem(s, 1))
        sel_mem(s, in, 1);
    else
        in->src = sel_reg(s->d.op[1].reg.value);
    in->fn = binary[op][form][width_index(sel_size(s, 0))];
    return in->fn;
}

static bool select_unary(struct sel *s, struct insn *in, unsigned op)
{
    unsigned w = width_index(sel_size(s, 0));
    if (sel_is_mem(s, 0)) {
        sel_mem(s, in, 0);
        in->fn = unary[op][s->lock ? 2 : 1][w];
    } else {
        in->dst = sel_reg(s->d.op[0].reg.value);
        in->fn = unary[op][0][w];
    }
    return true;
}

const struct sel_row op_alu_rows[] = {
    {ZYDIS_MNEMONIC_ADD, select_binary, ALU_ADD},   {ZYDIS_MNEMONIC_OR, select_binary, ALU_OR},
    {ZYDIS_MNEMONIC_ADC, select_binary, ALU_ADC},   {ZYDIS_MNEMONIC_SBB, select_binary, ALU_SBB},
    {ZYDIS_MNEMONIC_AND, select_binary, ALU_AND},   {ZYDIS_MNEMONIC_SUB, select_binary, ALU_SUB},
    {ZYDIS_MNEMONIC_XOR, select_binary, ALU_XOR},   {ZYDIS_MNEMONIC_CMP, select_binary, ALU_CMP},
    {ZYDIS_MNEMONIC_TEST, select_binary, ALU_TEST}, {ZYDIS_MNEMONIC_INC, select_unary, ALU_INC},
    {ZYDIS_MNEMONIC_DEC, select_unary, ALU_DEC},    {ZYDIS_MNEMONIC_NEG, select_unary, ALU_NEG},
    {ZYDIS_MNEMONIC_NOT, select_unary, ALU_NOT},    {0},
};
