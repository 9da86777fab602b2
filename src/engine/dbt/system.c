/*
 * system.c: instructions that have an easy case, done in line; the others go to the interpreter.
 */
#include "engine/dbt/translate.h"

#include <stddef.h>

#define RFLAGS GS(ev.i.c.st.rflags)

/* ---- DIV, IDIV: what cannot fault ---- */

/* The divisor in a host register: its own, or a scratch register. */
static enum hreg divisor(struct tr *t)
{
    const struct x86_decoded *d = tr_decoded(t);
    const unsigned size = d->i.operand_width / 8;
    struct access a;
    if (insn_access(t, t->n, &a)) {
        struct hmem m = tr_memory(t, &a);
        enum hreg r = m.index == SCRATCH_B ? SCRATCH_C : tr_scratch(t, &m, 0);
        emit_load(&t->e, size, r, m);
        return r;
    }
    const unsigned g = guest_gpr(d->op[0].reg.value);
    if (host_reg(g) != H_NONE)
        return host_reg(g);
    enum hreg r = tr_scratch(t, NULL, 0);
    emit_load(&t->e, OP64, r, GS_GPR(g));
    return r;
}

void tr_div(struct tr *t)
{
    const struct x86_decoded *d = tr_decoded(t);
    const unsigned size = d->i.operand_width / 8;
    const bool is_signed = d->i.mnemonic == ZYDIS_MNEMONIC_IDIV;
    struct emit *e = &t->e;
    flags_clobber(t);
    enum hreg r = divisor(t);
    if (is_signed) { /* a dividend that is the sign extension of RAX, and a divisor other than 0 and -1 */
        enum hreg s = tr_scratch(t, NULL, 1u << r);
        emit_lea(e, size, s, mem_at(r, 1));
        emit_alu_imm(e, size, 7, s, 1);
        cold_rest(t, emit_jcc(e, HC_BE, 0));
        emit_mov_rr(e, size, s, H_RAX);
        emit_op_rr(e, size, 0xc1, 7, s); /* sar */
        emit_u8(e, size == OP64 ? 63 : 31);
        emit_op_rr(e, size, 0x3b, s, H_RDX);
        cold_rest(t, emit_jcc(e, HC_NE, 0));
    } else { /* the quotient fits when the upper half is less than the divisor */
        emit_op_rr(e, size, 0x3b, H_RDX, r);
        cold_rest(t, emit_jcc(e, HC_AE, 0));
    }
    flags_to_host(t, r == SCRATCH_B);
    emit_op_rr(e, size, 0xf7, is_signed ? 7 : 6, r);
    t->flags = IN_HOST;
}

/* ---- flags ---- */

void tr_pushf(struct tr *t)
{
    struct emit *e = &t->e;
    struct access a;
    flags_to_cc(t);
    flags_clobber(t);
    insn_access(t, t->n, &a);
    struct hmem m = tr_memory(t, &a);
    enum hreg r = tr_scratch(t, &m, 0), s = tr_scratch(t, &m, 1u << r);
    emit_op_rm(e, OP32, 0x0fb7, r, GS(ev.i.c.st.cc)); /* movzx: OF in bit 0, the rest in bits 8 to 15 */
    emit_mov_rr(e, OP32, s, r);
    emit_op_rr(e, OP32, 0xc1, 5, r); /* shr 8 */
    emit_u8(e, 8);
    emit_alu_imm(e, OP32, 4, r, FL_CC & 0xff);
    emit_alu_imm(e, OP32, 4, s, CC_OF);
    emit_op_rr(e, OP32, 0xc1, 4, s); /* shl 11 */
    emit_u8(e, 11);
    emit_op_rr(e, OP32, 0x0b, r, s);
    emit_load(e, OP32, s, RFLAGS);
    emit_alu_imm(e, OP32, 4, s, (int32_t)~FL_CC);
    emit_op_rr(e, OP32, 0x0b, r, s);
    emit_alu_imm(e, OP32, 1, r, FL_ONE);
    emit_store(e, OP64, m, r);
    emit_lea(e, OP64, host_reg(RSP), mem_at(host_reg(RSP), -8));
}

void tr_cli(struct tr *t)
{
    flags_clobber(t);
    emit_alu_imm_mem(&t->e, OP32, 4, RFLAGS, (int32_t)~FL_IF);
}

/*
 * Interrupts are looked for at jumps only, so the shadow needs no care; one that waits for this very STI has
 * to be taken behind the next instruction, and that the interpreter sees to.
 */
void tr_sti(struct tr *t)
{
    struct emit *e = &t->e;
    flags_clobber(t);
    emit_op_rm(e, OP8, 0x80, 7, GS(ev.i.c.held));
    emit_u8(e, 0);
    cold_rest(t, emit_jcc(e, HC_NE, 0));
    emit_alu_imm_mem(e, OP32, 1, RFLAGS, FL_IF);
}

/* ---- MOV r, Sreg ---- */

void tr_from_sreg(struct tr *t)
{
    const struct x86_decoded *d = tr_decoded(t);
    const unsigned size = d->op[0].size / 8, g = guest_gpr(d->op[0].reg.value);
    const unsigned seg = (unsigned)ZydisRegisterGetId(d->op[1].reg.value);
    const uint8_t to = host_reg(g) == H_NONE ? (uint8_t)tr_scratch(t, NULL, 0) : host_reg(g);
    struct hmem sel = gs_at(offsetof(struct dbt_vcpu, ev.i.c.st.seg) + seg * sizeof(struct x86_seg) +
                            offsetof(struct x86_seg, sel));
    if (size == OP16 && host_reg(g) != H_NONE) {
        emit_load(&t->e, OP16, to, sel);
        return;
    }
    emit_op_rm(&t->e, OP32, 0x0fb7, to, sel);
    if (host_reg(g) == H_NONE)
        emit_store(&t->e, size == OP16 ? OP16 : OP64, GS_GPR(g), to);
}
