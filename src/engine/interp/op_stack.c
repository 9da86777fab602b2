/*
 * op_stack.c: PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE.
 */
#include "engine/interp/insn.h"
#include "engine/interp/select.h"

/* ---- PUSH ---- */

OP(push_r64)
{
    if (!push8(v, R64AT(v, in->src)))
        return insn_fault(v, in);
    return in + 1;
}
OP(push_r)
{
    if (!stack_push(v, reg_read(v, in->src, in->osz), in->osz))
        return insn_fault(v, in);
    return in + 1;
}
OP(push_i)
{
    if (!stack_push(v, (uint64_t)(int64_t)in->imm, in->osz))
        return insn_fault(v, in);
    return in + 1;
}
OP(push_m)
{
    uint64_t a = 0;
    if (!ld_op(v, in, &a, in->osz) || !stack_push(v, a, in->osz))
        return insn_fault(v, in);
    return in + 1;
}

/* ---- POP ---- */

OP(pop_r64)
{
    uint64_t a;
    if (!pop8(v, &a))
        return insn_fault(v, in);
    R64AT(v, in->dst) = a; /* POP RSP: the value, not the increment */
    return in + 1;
}
OP(pop_r)
{
    uint64_t a;
    if (!stack_pop(v, &a, in->osz))
        return insn_fault(v, in);
    reg_write(v, in->dst, a, in->osz);
    return in + 1;
}
/* An address that uses RSP sees it incremented (SDM 2B "POP"). */
OP(pop_m)
{
    uint64_t a, rsp = ST(v)->gpr[RSP];
    if (!stack_pop(v, &a, in->osz))
        return insn_fault(v, in);
    if (!st_op(v, in, &a, in->osz)) {
        ST(v)->gpr[RSP] = rsp;
        return insn_fault(v, in);
    }
    return in + 1;
}

/* ---- PUSHA, POPA ---- */

OP(pusha)
{
    uint64_t rsp = ST(v)->gpr[RSP];
    for (unsigned r = RAX; r <= RDI; r++)
        if (!stack_push(v, r == RSP ? rsp : ST(v)->gpr[r], in->osz)) {
            ST(v)->gpr[RSP] = rsp;
            return insn_fault(v, in);
        }
    return in + 1;
}
/* A fault leaves the registers changed that were read before it, and SP as it was (seen on Zen 5). */
OP(popa)
{
    uint64_t val;
    for (unsigned i = 0; i < 8; i++) {
        if (!stack_peek(v, i * in->osz, &val, in->osz))
            return insn_fault(v, in);
        if (RDI - i != RSP)
            reg_write(v, (unsigned)offsetof(struct interp, c.st.gpr) + 8 * (RDI - i), val, in->osz);
    }
    stack_move(v, 8 * in->osz);
    return in + 1;
}

/* ---- PUSHF, POPF ---- */

OP(pushf)
{
    uint64_t image;
    if (!cpu_pushf(&v->c, in->osz, &image) || !stack_push(v, image, in->osz))
        return insn_fault(v, in);
    return in + 1;
}
OP(popf)
{
    uint64_t image, next = next_rip(v, in);
    if (!stack_peek(v, 0, &image, in->osz) || !cpu_popf(&v->c, image, in->osz))
        return insn_fault(v, in);
    stack_move(v, in->osz);
    ST(v)->rip = next;
    return insn_continue(v, in);
}

/* ---- ENTER, LEAVE ---- */

/* imm: bytes of locals; src: nesting level */
OP(enter)
{
    uint64_t rsp = ST(v)->gpr[RSP], rbp = ST(v)->gpr[RBP], val;
    unsigned osz = in->osz, sp = is64(v) ? 8 : v->mode & MODE_STACK32 ? 4 : 2;
    if (!stack_push(v, rbp, osz))
        goto fault;
    uint64_t frame = ST(v)->gpr[RSP];
    for (unsigned level = 1; level < in->src; level++) {
        uint64_t lin, at = (rbp - level * osz) & mask_bytes(sp);
        val = 0;
        if (!seg_address(v, SEG_SS, at, osz, ACC_READ, &lin) || !stack_load(v, lin, &val, osz) ||
            !stack_push(v, val, osz))
            goto fault;
    }
    if (in->src && !stack_push(v, frame, osz))
        goto fault;
    stack_move(v, -(int64_t)in->imm);
    /* A write at the new top must be possible (SDM 2A "ENTER"). */
    uint64_t lin;
    if (!seg_address(v, SEG_SS, ST(v)->gpr[RSP] & mask_bytes(sp), osz, ACC_WRITE, &lin) ||
        !wr_begin_slow(v, lin, osz, true, true))
        goto fault;
    wr_end(v);
    reg_write(v, offsetof(struct interp, c.st.gpr[RBP]), frame, osz);
    return in + 1;
fault:
    ST(v)->gpr[RSP] = rsp;
    return insn_fault(v, in);
}

OP(leave64)
{
    uint64_t rsp = ST(v)->gpr[RSP], val;
    ST(v)->gpr[RSP] = ST(v)->gpr[RBP];
    if (!pop8(v, &val)) {
        ST(v)->gpr[RSP] = rsp;
        return insn_fault(v, in);
    }
    ST(v)->gpr[RBP] = val;
    return in + 1;
}
OP(leave)
{
    uint64_t rsp = ST(v)->gpr[RSP], val;
    reg_write(v, offsetof(struct interp, c.st.gpr[RSP]), ST(v)->gpr[RBP],
              is64(v)                  ? 8
              : v->mode & MODE_STACK32 ? 4
                                       : 2);
    if (!stack_pop(v, &val, in->osz)) {
        ST(v)->gpr[RSP] = rsp;
        return insn_fault(v, in);
    }
    reg_write(v, offsetof(struct interp, c.st.gpr[RBP]), val, in->osz);
    return in + 1;
}

/* ---- selection ---- */

static bool select_push(struct sel *s, struct insn *in, unsigned arg)
{
    in->osz = (uint8_t)s->osz;
    if (sel_is_mem(s, 0)) {
        sel_mem(s, in, 0);
        in->fn = push_m;
    } else if (sel_is_imm(s, 0)) {
        in->imm = (int32_t)s->d.op[0].imm.value.s;
        in->fn = push_i;
    } else if (ZydisRegisterGetClass(s->d.op[0].reg.value) == ZYDIS_REGCLASS_SEGMENT) {
        return select_push_segment(s, in);
    } else {
        in->src = sel_reg(s->d.op[0].reg.value);
        in->fn = s->osz == 8 ? push_r64 : push_r;
    }
    return true;
}

static bool select_pop(struct sel *s, struct insn *in, unsigned arg)
{
    in->osz = (uint8_t)s->osz;
    if (sel_is_mem(s, 0)) {
        sel_mem(s, in, 0);
        in->fn = pop_m;
    } else if (ZydisRegisterGetClass(s->d.op[0].reg.value) == ZYDIS_REGCLASS_SEGMENT) {
        return select_pop_segment(s, in);
    } else {
        in->dst = sel_reg(s->d.op[0].reg.value);
        in->fn = s->osz == 8 ? pop_r64 : pop_r;
    }
    return true;
}

enum { ST_PUSHA, ST_POPA, ST_PUSHF, ST_POPF, ST_ENTER, ST_LEAVE };
static bool select_plain(struct sel *s, struct insn *in, unsigned op)
{
    static insn_fn *const fns[] = {
        [ST_PUSHA] = pusha, [ST_POPA] = popa,   [ST_PUSHF] = pushf,
        [ST_POPF] = popf,   [ST_ENTER] = enter, [ST_LEAVE] = leave,
    };
    in->osz = (uint8_t)s->osz;
    in->fn = fns[op];
    if (op == ST_LEAVE && s->osz == 8)
        in->fn = leave64;
    if (op == ST_ENTER) {
        in->imm = (int32_t)(uint16_t)s->d.op[0].imm.value.u;
        in->src = (uint16_t)(s->d.op[1].imm.value.u & 31);
    }
    s->ends = op == ST_POPF;
    return true;
}

const struct sel_row op_stack_rows[] = {
    {ZYDIS_MNEMONIC_PUSH, select_push, 0},
    {ZYDIS_MNEMONIC_POP, select_pop, 0},
    {ZYDIS_MNEMONIC_PUSHA, select_plain, ST_PUSHA},
    {ZYDIS_MNEMONIC_PUSHAD, select_plain, ST_PUSHA},
    {ZYDIS_MNEMONIC_POPA, select_plain, ST_POPA},
    {ZYDIS_MNEMONIC_POPAD, select_plain, ST_POPA},
    {ZYDIS_MNEMONIC_PUSHF, select_plain, ST_PUSHF},
    {ZYDIS_MNEMONIC_PUSHFD, select_plain, ST_PUSHF},
    {ZYDIS_MNEMONIC_PUSHFQ, select_plain, ST_PUSHF},
    {ZYDIS_MNEMONIC_POPF, select_plain, ST_POPF},
    {ZYDIS_MNEMONIC_POPFD, select_plain, ST_POPF},
    {ZYDIS_MNEMONIC_POPFQ, select_plain, ST_POPF},
    {ZYDIS_MNEMONIC_ENTER, select_plain, ST_ENTER},
    {ZYDIS_MNEMONIC_LEAVE, select_plain, ST_LEAVE},
    {0},
};
