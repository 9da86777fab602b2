/*
 * op_branch.c: near JMP, CALL, RET; Jcc, JCXZ, LOOP.
 *
 * A conditional jump that is not taken falls through inside its block.
 */
#include "engine/interp/cond.h"
#include "engine/interp/insn.h"
#include "engine/interp/select.h"

/* Cut a target to the operand size and check it: canonical in 64-bit mode, within CS elsewhere. */
static ALWAYS_INLINE bool target_ok(struct interp *v, uint64_t *target, unsigned osz)
{
    if (LIKELY(osz == 8 && is64(v)))
        return LIKELY(is_canonical(*target)) || cpu_raise_gp0(&v->c);
    *target &= mask_bytes(osz);
    if (!is64(v) && *target > v->c.st.seg[SEG_CS].limit)
        return cpu_raise_gp0(&v->c);
    return true;
}
static ALWAYS_INLINE const struct insn *jump(struct interp *v, const struct insn *in, uint64_t target,
                                             unsigned osz)
{
    if (!target_ok(v, &target, osz))
        return insn_fault(v, in);
    return insn_goto(v, in, target);
}
static ALWAYS_INLINE uint64_t relative(const struct interp *v, const struct insn *in)
{
    return v->block_rip + in->off + in->len + (uint64_t)(int64_t)in->imm;
}

/* ---- conditional ---- */

#define DEFINE_JCC(code, name)                                                               \
    OP(j64_##name)                                                                           \
    {                                                                                        \
        return cond_holds(ST(v)->cc, code) ? jump(v, in, relative(v, in), 8) : in + 1;       \
    }                                                                                        \
    OP(j_##name)                                                                             \
    {                                                                                        \
        return cond_holds(ST(v)->cc, code) ? jump(v, in, relative(v, in), in->osz) : in + 1; \
    }
FOR_CONDITIONS(DEFINE_JCC)
#define JCC_ENTRY(code, name) {j_##name, j64_##name},
static insn_fn *const jcc[16][2] = {FOR_CONDITIONS(JCC_ENTRY)};

/* RCX by address size: JCXZ tests it, LOOP counts it down. */
static uint64_t count_register(struct interp *v, const struct insn *in)
{
    return ST(v)->gpr[RCX] & mask_bytes(IN_ASZ_BYTES(in->flags));
}
OP(jcxz)
{
    return count_register(v, in) == 0 ? jump(v, in, relative(v, in), in->osz) : in + 1;
}
/* src: 0 LOOP, 1 LOOPE, 2 LOOPNE */
OP(loop)
{
    uint64_t left = (count_register(v, in) - 1) & mask_bytes(IN_ASZ_BYTES(in->flags)),
             target = relative(v, in);
    bool zf = ST(v)->cc & CC_ZF, taken = left && (in->src == 0 || zf == (in->src == 1));
    if (taken && !target_ok(v, &target, in->osz))
        return insn_fault(v, in);
    reg_write(v, offsetof(struct interp, c.st.gpr[RCX]), left, IN_ASZ_BYTES(in->flags));
    return taken ? insn_goto(v, in, target) : in + 1;
}

/* ---- JMP ---- */

OP(jmp_rel64)
{
    return jump(v, in, relative(v, in), 8);
}
OP(jmp_rel)
{
    return jump(v, in, relative(v, in), in->osz);
}
OP(jmp_r)
{
    return jump(v, in, reg_read(v, in->src, in->osz), in->osz);
}
OP(jmp_m)
{
    uint64_t target = 0;
    if (!ld_op(v, in, &target, in->osz))
        return insn_fault(v, in);
    return jump(v, in, target, in->osz);
}

/* ---- CALL and RET ---- */

/* The target is none: #GP; on AMD behind what is wrong with the stack (seen on Zen 5). */
static const struct insn *call_refused(struct interp *v, const struct insn *in, unsigned osz)
{
    struct cpu_fault fault = v->c.fault;
    if (v->c.cpuid->vendor == CPU_AMD && stack_can_push(v, osz))
        v->c.fault = fault;
    return insn_fault(v, in);
}
static ALWAYS_INLINE const struct insn *call(struct interp *v, const struct insn *in, uint64_t target,
                                             unsigned osz)
{
    uint64_t back = next_rip(v, in);
    if (!target_ok(v, &target, osz))
        return call_refused(v, in, osz);
    if (osz == 8 ? !push8(v, back) : !stack_push(v, back, osz))
        return insn_fault(v, in);
    return insn_goto(v, in, target);
}
OP(call_rel64)
{
    return call(v, in, relative(v, in), 8);
}
OP(call_rel)
{
    return call(v, in, relative(v, in), in->osz);
}
OP(call_r64)
{
    return call(v, in, R64AT(v, in->src), 8);
}
OP(call_r)
{
    return call(v, in, reg_read(v, in->src, in->osz), in->osz);
}
OP(call_m)
{
    uint64_t target = 0;
    if (!ld_op(v, in, &target, in->osz))
        return insn_fault(v, in);
    return call(v, in, target, in->osz);
}
OP(ret64)
{
    uint64_t target, rsp = ST(v)->gpr[RSP];
    if (!pop8(v, &target))
        return insn_fault(v, in);
    if (UNLIKELY(!is_canonical(target))) {
        ST(v)->gpr[RSP] = rsp;
        return insn_gp0(v, in);
    }
    return insn_goto(v, in, target);
}
/* imm: bytes of arguments to release */
OP(ret_any)
{
    uint64_t target;
    if (!stack_peek(v, 0, &target, in->osz) || !target_ok(v, &target, in->osz))
        return insn_fault(v, in);
    stack_move(v, in->osz + in->imm);
    return insn_goto(v, in, target);
}

/* ---- selection ---- */

static bool select_jcc(struct sel *s, struct insn *in, unsigned code)
{
    in->imm = (int32_t)s->d.op[0].imm.value.s;
    in->osz = (uint8_t)s->osz;
    in->fn = jcc[code][s->osz == 8];
    return true;
}

static bool select_count(struct sel *s, struct insn *in, unsigned kind)
{
    in->imm = (int32_t)s->d.op[0].imm.value.s;
    in->osz = (uint8_t)s->osz;
    in->flags |= (uint8_t)((s->asz == 8 ? 2 : s->asz == 4 ? 1 : 0) << IN_ASZ_SHIFT);
    in->src = (uint16_t)(kind & 3);
    /* AMD: a repeat prefix says which of LOOPE (F3) and LOOPNE (F2) it is (seen on Zen 5). */
    if (in->src && s->v->c.cpuid->vendor == CPU_AMD)
        for (unsigned i = 0; i < s->d.i.raw.prefix_count; i++) {
            uint8_t p = s->d.i.raw.prefixes[i].value;
            in->src = p == 0xf3 ? 1 : p == 0xf2 ? 2 : in->src;
        }
    in->fn = kind & 4 ? jcxz : loop;
    return true;
}

static bool select_near(struct sel *s, struct insn *in, bool is_call)
{
    s->ends = true;
    in->osz = (uint8_t)s->osz;
    if (sel_is_imm(s, 0)) {
        in->imm = (int32_t)s->d.op[0].imm.value.s;
        in->fn = is_call ? s->osz == 8 ? call_rel64 : call_rel : s->osz == 8 ? jmp_rel64 : jmp_rel;
    } else if (sel_is_mem(s, 0)) {
        sel_mem(s, in, 0);
        in->fn = is_call ? call_m : jmp_m;
    } else {
        in->src = sel_reg(s->d.op[0].reg.value);
        in->fn = is_call ? s->osz == 8 ? call_r64 : call_r : jmp_r;
    }
    return true;
}

static bool select_jump(struct sel *s, struct insn *in, unsigned is_call)
{
    return s->d.i.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ? select_far(s, in, is_call)
                                                            : select_near(s, in, is_call);
}

static bool select_ret(struct sel *s, struct insn *in, unsigned arg)
{
    if (s->d.i.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
        return select_far_ret(s, in);
    s->ends = true;
    in->osz = (uint8_t)s->osz;
    in->imm = s->nops ? (int32_t)(uint16_t)s->d.op[0].imm.value.u : 0;
    in->fn = s->osz == 8 && !in->imm ? ret64 : ret_any;
    return true;
}

#define JCC_ROW(code, name) {ZYDIS_MNEMONIC_J##name, select_jcc, code},
const struct sel_row op_branch_rows[] = {
    FOR_CONDITIONS(JCC_ROW){ZYDIS_MNEMONIC_JMP, select_jump, false},
    {ZYDIS_MNEMONIC_CALL, select_jump, true},
    {ZYDIS_MNEMONIC_RET, select_ret, 0},
    {ZYDIS_MNEMONIC_JCXZ, select_count, 4},
    {ZYDIS_MNEMONIC_JECXZ, select_count, 4},
    {ZYDIS_MNEMONIC_JRCXZ, select_count, 4},
    {ZYDIS_MNEMONIC_LOOP, select_count, 0},
    {ZYDIS_MNEMONIC_LOOPE, select_count, 1},
    {ZYDIS_MNEMONIC_LOOPNE, select_count, 2},
    {0},
};
