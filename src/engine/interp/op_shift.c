/*
 * op_shift.c: ROL, ROR, RCL, RCR, SHL, SHR, SAR, SHLD, SHRD.
 *
 * Counts go to the host's instruction as they are: it masks them to 5 or 6 bits itself, leaves the flags
 * alone for a count of zero, and its undefined flags are silicon's.
 */
#include "engine/interp/host_alu.h"
#include "engine/interp/insn.h"

#define DEFINE_SHIFT(T, suf, bits, name, mnem)                                                              \
    static ALWAYS_INLINE T name##bits(struct interp *v, T a, uint8_t count)                                 \
    {                                                                                                       \
        uint16_t cc = ST(v)->cc;                                                                            \
        __asm__(CC_IN mnem suf " %%cl,%[a]" CC_OUT : [a] "+q"(a), "+a"(cc) : "c"(count) : "cc");            \
        ST(v)->cc = cc;                                                                                     \
        return a;                                                                                           \
    }                                                                                                       \
    OP(name##_ri##bits)                                                                                     \
    {                                                                                                       \
        reg_write(v, in->dst, name##bits(v, *(T *)&R8AT(v, in->dst), (uint8_t)in->imm), sizeof(T));         \
        return in + 1;                                                                                      \
    }                                                                                                       \
    OP(name##_rc##bits)                                                                                     \
    {                                                                                                       \
        reg_write(v, in->dst, name##bits(v, *(T *)&R8AT(v, in->dst), (uint8_t)ST(v)->gpr[RCX]), sizeof(T)); \
        return in + 1;                                                                                      \
    }                                                                                                       \
    OP(name##_mi##bits)                                                                                     \
    {                                                                                                       \
        T *p = wr_op(v, in, sizeof(T), true);                                                               \
        if (!p)                                                                                             \
            return insn_fault(v, in);                                                                       \
        *p = name##bits(v, *p, (uint8_t)in->imm);                                                           \
        wr_end(v);                                                                                          \
        return in + 1;                                                                                      \
    }                                                                                                       \
    OP(name##_mc##bits)                                                                                     \
    {                                                                                                       \
        T *p = wr_op(v, in, sizeof(T), true);                                                               \
        if (!p)                                                                                             \
            return insn_fault(v, in);                                                                       \
        *p = name##bits(v, *p, (uint8_t)ST(v)->gpr[RCX]);                                                   \
        wr_end(v);                                                                                          \
        return in + 1;                                                                                      \
    }

/* SHLD, SHRD: bits come in from src. dst is register or memory, count immediate or CL. */
#define DEFINE_DOUBLE(T, suf, bits, name, mnem)                                                              \
    static ALWAYS_INLINE T name##bits(struct interp *v, T a, T b, uint8_t count)                             \
    {                                                                                                        \
        uint16_t cc = ST(v)->cc;                                                                             \
        __asm__(CC_IN mnem suf " %%cl,%[b],%[a]" CC_OUT                                                      \
                : [a] "+r"(a), "+a"(cc)                                                                      \
                : [b] "r"(b), "c"(count)                                                                     \
                : "cc");                                                                                     \
        ST(v)->cc = cc;                                                                                      \
        return a;                                                                                            \
    }                                                                                                        \
    OP(name##_ri##bits)                                                                                      \
    {                                                                                                        \
        reg_write(v, in->dst,                                                                                \
                  name##bits(v, *(T *)&R8AT(v, in->dst), *(T *)&R8AT(v, in->src), (uint8_t)in->imm),         \
                  sizeof(T));                                                                                \
        return in + 1;                                                                                       \
    }                                                                                                        \
    OP(name##_rc##bits)                                                                                      \
    {                                                                                                        \
        reg_write(v, in->dst,                                                                                \
                  name##bits(v, *(T *)&R8AT(v, in->dst), *(T *)&R8AT(v, in->src), (uint8_t)ST(v)->gpr[RCX]), \
                  sizeof(T));                                                                                \
        return in + 1;                                                                                       \
    }                                                                                                        \
    OP(name##_mi##bits)                                                                                      \
    {                                                                                                        \
        T *p = wr_op(v, in, sizeof(T), true);                                                                \
        if (!p)                                                                                              \
            return insn_fault(v, in);                                                                        \
        *p = name##bits(v, *p, *(T *)&R8AT(v, in->src), (uint8_t)in->imm);                                   \
        wr_end(v);                                                                                           \
        return in + 1;                                                                                       \
    }                                                                                                        \
    OP(name##_mc##bits)                                                                                      \
    {                                                                                                        \
        T *p = wr_op(v, in, sizeof(T), true);                                                                \
        if (!p)                                                                                              \
            return insn_fault(v, in);                                                                        \
        *p = name##bits(v, *p, *(T *)&R8AT(v, in->src), (uint8_t)ST(v)->gpr[RCX]);                           \
        wr_end(v);                                                                                           \
        return in + 1;                                                                                       \
    }

FOR_WIDTHS(DEFINE_SHIFT, rol, "rol")
FOR_WIDTHS(DEFINE_SHIFT, ror, "ror")
FOR_WIDTHS(DEFINE_SHIFT, rcl, "rcl")
FOR_WIDTHS(DEFINE_SHIFT, rcr, "rcr")
FOR_WIDTHS(DEFINE_SHIFT, shl, "shl")
FOR_WIDTHS(DEFINE_SHIFT, shr, "shr")
FOR_WIDTHS(DEFINE_SHIFT, sar, "sar")
FOR_WIDTHS_16UP(DEFINE_DOUBLE, shld, "shld")
FOR_WIDTHS_16UP(DEFINE_DOUBLE, shrd, "shrd")

enum form { RI, RC, MI, MC, FORMS };
#define WIDTHS(name, form)                                            \
    {                                                                 \
        name##form##8, name##form##16, name##form##32, name##form##64 \
    }
#define WIDTHS_16UP(name, form)                              \
    {                                                        \
        NULL, name##form##16, name##form##32, name##form##64 \
    }
#define ROW(name, W)                                                                       \
    {                                                                                      \
        [RI] = W(name, _ri), [RC] = W(name, _rc), [MI] = W(name, _mi), [MC] = W(name, _mc) \
    }

enum { SH_ROL, SH_ROR, SH_RCL, SH_RCR, SH_SHL, SH_SHR, SH_SAR, SH_SHLD, SH_SHRD };
static insn_fn *const shifts[][FORMS][4] = {
    [SH_ROL] = ROW(rol, WIDTHS), [SH_ROR] = ROW(ror, WIDTHS),        [SH_RCL] = ROW(rcl, WIDTHS),
    [SH_RCR] = ROW(rcr, WIDTHS), [SH_SHL] = ROW(shl, WIDTHS),        [SH_SHR] = ROW(shr, WIDTHS),
    [SH_SAR] = ROW(sar, WIDTHS), [SH_SHLD] = ROW(shld, WIDTHS_16UP), [SH_SHRD] = ROW(shrd, WIDTHS_16UP),
};

static bool select_shift(struct sel *s, struct insn *in, unsigned op)
{
    bool dbl = op >= SH_SHLD, mem = sel_is_mem(s, 0);
    unsigned count = dbl ? 2 : 1; /* which operand it is */
    if (mem)
        sel_mem(s, in, 0);
    else
        in->dst = sel_reg(s->d.op[0].reg.value);
    if (dbl)
        in->src = sel_reg(s->d.op[1].reg.value);
    bool imm = sel_is_imm(s, count);
    if (imm)
        in->imm = (int32_t)s->d.op[count].imm.value.u;
    in->fn = shifts[op][imm ? mem ? MI : RI : mem ? MC : RC][width_index(sel_size(s, 0))];
    return in->fn;
}

const struct sel_row op_shift_rows[] = {
    {ZYDIS_MNEMONIC_ROL, select_shift, SH_ROL},   {ZYDIS_MNEMONIC_ROR, select_shift, SH_ROR},
    {ZYDIS_MNEMONIC_RCL, select_shift, SH_RCL},   {ZYDIS_MNEMONIC_RCR, select_shift, SH_RCR},
    {ZYDIS_MNEMONIC_SHL, select_shift, SH_SHL},   {ZYDIS_MNEMONIC_SHR, select_shift, SH_SHR},
    {ZYDIS_MNEMONIC_SAR, select_shift, SH_SAR},   {ZYDIS_MNEMONIC_SHLD, select_shift, SH_SHLD},
    {ZYDIS_MNEMONIC_SHRD, select_shift, SH_SHRD}, {0},
};
