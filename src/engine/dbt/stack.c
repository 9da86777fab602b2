/*
 * stack.c: PUSH, POP, LEAVE in 64-bit mode with eight-byte operands. RSP changes last: a fault leaves it
 * alone.
 */
#include "engine/dbt/translate.h"

#define GUEST_RSP H_R15 /* host_reg(RSP) */

static void move_rsp(struct tr *t, int32_t by)
{
    emit_lea(&t->e, OP64, GUEST_RSP, mem_at(GUEST_RSP, by));
}

static struct hmem own_access(struct tr *t)
{
    struct access a = {.size = 8};
    insn_access(t, t->n, &a);
    return tr_memory(t, &a);
}

void tr_push(struct tr *t)
{
    const ZydisDecodedOperand *op = &tr_decoded(t)->op[0];
    struct emit *e = &t->e;
    const bool imm = op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
    const unsigned g = imm ? 0 : guest_gpr(op->reg.value);
    struct hmem m = own_access(t);
    if (imm) {
        emit_op_rm(e, OP64, 0xc7, 0, m);
        emit_u32(e, (uint32_t)op->imm.value.s);
    } else if (host_reg(g) != H_NONE) {
        emit_store(e, OP64, m, host_reg(g));
    } else {
        emit_load(e, OP64, SCRATCH_B, GS_GPR(g));
        emit_store(e, OP64, m, SCRATCH_B);
    }
    move_rsp(t, -8);
}

void tr_pop(struct tr *t)
{
    const unsigned g = guest_gpr(tr_decoded(t)->op[0].reg.value);
    struct emit *e = &t->e;
    struct hmem m = own_access(t);
    if (host_reg(g) != H_NONE) {
        emit_load(e, OP64, host_reg(g), m);
    } else {
        emit_load(e, OP64, SCRATCH_B, m);
        emit_store(e, OP64, GS_GPR(g), SCRATCH_B);
    }
    move_rsp(t, 8);
}

void tr_leave(struct tr *t)
{
    struct emit *e = &t->e;
    struct hmem m = own_access(t);
    emit_load(e, OP64, SCRATCH_B, m);
    emit_lea(e, OP64, GUEST_RSP, mem_at(H_RBP, 8));
    emit_mov_rr(e, OP64, H_RBP, SCRATCH_B);
}
