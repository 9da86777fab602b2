/*
 * flags.c: the guest's arithmetic flags between the host's flags and st.cc.
 *
 * Guest instructions set the host's flags; the code of ours in between (TLB checks, polls) overwrites them.
 * They are saved before that, once for each instruction that set them, whether anything will read them or
 * not, as a fault shows them all; unless they can be made again. st.cc is what LAHF and SETO leave
 * (x86/x86_state.h).
 */
#include "engine/dbt/translate.h"

#define CC GS(ev.i.c.st.cc)

/* ---- recipes ---- */

/*
 * The flags of CMP, TEST, ADD, SUB and the logical instructions can be made again from what they compared, or
 * left, as long as it is still there: no need to save them for a check that will hardly ever fail.
 */
static bool recipe_of(const struct tr *t, struct recipe *r)
{
    const struct x86_decoded *d = tr_decoded(t);
    const ZydisDecodedOperand *a = &d->op[0], *b = &d->op[1];
    *r = (struct recipe){.size = (uint8_t)(a->size / 8)};
    if (a->type != ZYDIS_OPERAND_TYPE_REGISTER || is_high_byte(a->reg.value))
        return false;
    r->a = r->b = (uint8_t)any_gpr(a->reg.value);
    switch (d->i.mnemonic) {
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_XOR: r->kind = RECIPE_TEST; return r->a < X86_NGPR;
    case ZYDIS_MNEMONIC_CMP: r->kind = RECIPE_CMP; break;
    case ZYDIS_MNEMONIC_TEST: r->kind = RECIPE_TEST; break;
    case ZYDIS_MNEMONIC_ADD: r->kind = RECIPE_ADD; break;
    case ZYDIS_MNEMONIC_SUB: r->kind = RECIPE_SUB; break;
    default: return false;
    }
    const bool undone = r->kind >= RECIPE_ADD; /* the first operand has to be worked out */
    if (undone && r->size < OP32)
        return false;
    if (b->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        r->kind++; /* _IMM */
        r->imm = (int32_t)b->imm.value.s;
        return !undone || r->imm != INT32_MIN;
    }
    if (b->type != ZYDIS_OPERAND_TYPE_REGISTER || is_high_byte(b->reg.value))
        return false;
    r->b = (uint8_t)any_gpr(b->reg.value);
    return !undone || r->a != r->b;
}

static void alu_from_guest(struct tr *t, unsigned size, unsigned opcode, enum hreg r, unsigned guest)
{
    if (host_reg(guest) == H_NONE)
        emit_op_rm(&t->e, size, opcode, r, GS_GPR(guest));
    else
        emit_op_rr(&t->e, size, opcode, r, host_reg(guest));
}

/* ADD and SUB once more: what they started from, and then the same operation. */
static void undo_and_make_again(struct tr *t, bool b_in_use)
{
    const struct recipe *r = &t->recipe;
    const bool add = r->kind == RECIPE_ADD || r->kind == RECIPE_ADD_IMM;
    struct emit *e = &t->e;
    if (b_in_use)
        emit_store(e, OP64, GS(keep[1]), SCRATCH_B);
    tr_get(t, SCRATCH_B, r->a);
    if (r->kind == RECIPE_ADD_IMM || r->kind == RECIPE_SUB_IMM) {
        emit_lea(e, OP64, SCRATCH_B, mem_at(SCRATCH_B, add ? -r->imm : r->imm));
        emit_alu_imm(e, r->size, add ? 0 : 7, SCRATCH_B, r->imm);
    } else {
        alu_from_guest(t, r->size, add ? 0x2b : 0x03, SCRATCH_B, r->b);
        alu_from_guest(t, r->size, add ? 0x03 : 0x3b, SCRATCH_B, r->b);
    }
    if (b_in_use)
        emit_load(e, OP64, SCRATCH_B, GS(keep[1]));
}

static void make_again(struct tr *t, bool b_in_use)
{
    const struct recipe *r = &t->recipe;
    const bool test = r->kind == RECIPE_TEST || r->kind == RECIPE_TEST_IMM;
    const unsigned byte = r->size == OP8 ? 0 : 1;
    const uint8_t a = host_reg(r->a), b = host_reg(r->b);
    struct emit *e = &t->e;
    if (r->kind >= RECIPE_ADD) {
        undo_and_make_again(t, b_in_use);
        return;
    }
    if (r->kind == RECIPE_CMP_IMM || r->kind == RECIPE_TEST_IMM) {
        const unsigned opcode = (test ? 0xf6 : 0x80) | byte, ext = test ? 0 : 7;
        if (a == H_NONE)
            emit_op_rm(e, r->size, opcode, ext, GS_GPR(r->a));
        else
            emit_op_rr(e, r->size, opcode, ext, a);
        emit_bytes(e, &r->imm, MIN(r->size, 4u));
        return;
    }
    const unsigned opcode = (test ? 0x84 : 0x3a) | byte; /* TEST r/m, r; CMP r, r/m */
    if (a != H_NONE && b != H_NONE) {
        emit_op_rr(e, r->size, opcode, a, b);
    } else if (a != H_NONE) {
        emit_op_rm(e, r->size, opcode, a, GS_GPR(r->b));
    } else if (b != H_NONE) { /* CMP r/m, r */
        emit_op_rm(e, r->size, test ? opcode : 0x38 | byte, b, GS_GPR(r->a));
    } else if (b_in_use) {
        emit_store(e, OP64, GS(keep[1]), H_RAX);
        emit_load(e, OP64, H_RAX, GS_GPR(r->a));
        emit_op_rm(e, r->size, opcode, H_RAX, GS_GPR(r->b));
        emit_load(e, OP64, H_RAX, GS(keep[1]));
    } else {
        emit_load(e, OP64, SCRATCH_B, GS_GPR(r->a));
        emit_op_rm(e, r->size, opcode, SCRATCH_B, GS_GPR(r->b));
    }
}

static bool takes_from_recipe(const struct tr *t)
{
    const struct effect f = insn_effect(t, t->n);
    const uint16_t gone = f.written | (uint16_t)(f.adjusted < X86_NGPR ? 1u << f.adjusted : 0);
    return gone >> t->recipe.a & 1 || gone >> t->recipe.b & 1;
}

/* Are the flags as they are behind t->n set anew before anything could ask for them? */
static bool dead_behind(const struct tr *t)
{
    for (unsigned n = t->n + 1; n < t->b->n; n++) {
        const struct plan *p = &t->plan[n];
        if (p->way == WAY_NOTHING || p->way == WAY_LEA)
            continue;
        if (p->way != WAY_COPY || p->mem >= 0 || p->flags == FLAGS_READ || p->flags == FLAGS_CHANGE)
            return false;
        if (p->flags == FLAGS_SET)
            return true;
    }
    return false;
}

void flags_before(struct tr *t)
{
    const struct plan *p = &t->plan[t->n];
    if (!(t->flags & IN_RECIPE) || p->flags == FLAGS_SET || !takes_from_recipe(t))
        return;
    const bool leaves_host = (p->way == WAY_COPY && p->mem < 0) || p->way == WAY_LEA;
    if (!(t->flags & (IN_HOST | IN_CC)) || !leaves_host) {
        if (p->way == WAY_COPY && dead_behind(t))
            return; /* flags_behind forgets it */
        flags_to_cc(t);
    }
    t->flags &= ~(unsigned)IN_RECIPE;
}

void flags_behind(struct tr *t)
{
    if ((t->flags & IN_RECIPE) && t->plan[t->n].flags != FLAGS_SET && takes_from_recipe(t))
        t->flags &= ~(unsigned)IN_RECIPE;
}

void flags_made(struct tr *t)
{
    t->flags = IN_HOST | (recipe_of(t, &t->recipe) ? IN_RECIPE : 0);
}

/* ---- moving them ---- */

void flags_to_cc(struct tr *t)
{
    struct emit *e = &t->e;
    if (t->flags & IN_CC)
        return;
    assert(t->flags);
    if (!(t->flags & IN_HOST))
        make_again(t, false);
    emit_mov_rr(e, OP64, SCRATCH_B, H_RAX);
    emit_u8(e, 0x9f);                     /* lahf */
    emit_op_rr(e, OP8, 0x0f90, 0, H_RAX); /* seto al */
    emit_store(e, OP16, CC, H_RAX);
    emit_mov_rr(e, OP64, H_RAX, SCRATCH_B);
    t->flags |= IN_CC | IN_HOST;
}

void flags_to_host(struct tr *t, bool b_in_use)
{
    struct emit *e = &t->e;
    if (t->flags & IN_HOST)
        return;
    t->flags |= IN_HOST;
    if (t->flags & IN_RECIPE) {
        make_again(t, b_in_use);
        return;
    }
    if (b_in_use)
        emit_store(e, OP64, GS(keep[1]), H_RAX);
    else
        emit_mov_rr(e, OP64, SCRATCH_B, H_RAX);
    emit_op_rm(e, OP32, 0x0fb7, H_RAX, CC); /* movzx eax, word */
    emit_u8(e, 0x04);                       /* add al, 7f: OF from bit 0 */
    emit_u8(e, 0x7f);
    emit_u8(e, 0x9e); /* sahf */
    if (b_in_use)
        emit_load(e, OP64, H_RAX, GS(keep[1]));
    else
        emit_mov_rr(e, OP64, H_RAX, SCRATCH_B);
}

void flags_clobber(struct tr *t)
{
    if (!(t->flags & (IN_CC | IN_RECIPE)))
        flags_to_cc(t);
    t->flags &= ~(unsigned)IN_HOST;
}
