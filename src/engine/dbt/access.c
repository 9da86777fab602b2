/*
 * access.c: what an instruction does with memory and with the registers that addresses are made of.
 */
#include "engine/dbt/translate.h"

/* ---- the explicit or implicit operand that goes through a window ---- */

#define FAR (1 << 29)

static uint8_t base_of(const struct x86_decoded *d, const ZydisDecodedOperandMem *m)
{
    const bool fs = m->segment == ZYDIS_REGISTER_FS, gs = m->segment == ZYDIS_REGISTER_GS;
    /* Ranges around a base are worked out in 32 bits: far displacements stay out of it. */
    if (m->index != ZYDIS_REGISTER_NONE || d->i.address_width != 64 || m->disp.value > FAR ||
        m->disp.value < -FAR)
        return BASE_COMPLEX;
    if (m->base == ZYDIS_REGISTER_NONE)
        return fs ? BASE_FS : gs ? BASE_GS : BASE_COMPLEX;
    if (fs || gs)
        return BASE_COMPLEX;
    return m->base == ZYDIS_REGISTER_RIP ? BASE_CODE : (uint8_t)guest_gpr(m->base);
}

bool insn_access(const struct tr *t, unsigned n, struct access *a)
{
    const struct plan *p = &t->plan[n];
    const struct x86_decoded *d = &t->d->decoded[n];
    *a = (struct access){.size = 8};
    switch (p->way) {
    case WAY_PUSHF:
    case WAY_PUSH: *a = (struct access){.base = RSP, .lo = -8, .size = 8, .write = true}; return true;
    case WAY_POP:
    case WAY_RET: a->base = RSP; return true;
    case WAY_LEAVE: a->base = RBP; return true;
    case WAY_CALL: /* its push; a memory operand is read before that */
        if (p->mem < 0) {
            *a = (struct access){.base = RSP, .lo = -8, .size = 8, .write = true};
            return true;
        }
        break;
    case WAY_COPY:
    case WAY_DIV:
    case WAY_JMP: break;
    default: return false;
    }
    if (p->mem < 0)
        return false;
    const ZydisDecodedOperand *op = &d->op[p->mem];
    a->base = base_of(d, &op->mem);
    a->lo = (int32_t)op->mem.disp.value;
    if (a->base == BASE_CODE)
        a->lo += (int32_t)(t->b->gpa & ~PAGE_MASK) + t->b->insns[n].off + t->b->insns[n].len;
    a->size = op->size / 8;
    a->write = op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
    a->align = p->align;
    return true;
}

/* ---- what becomes of registers ---- */

static bool is_rsp_push(const struct plan *p)
{
    return p->way == WAY_PUSH || p->way == WAY_PUSHF || p->way == WAY_CALL;
}

struct effect insn_effect(const struct tr *t, unsigned n)
{
    const struct plan *p = &t->plan[n];
    const struct x86_decoded *d = &t->d->decoded[n];
    struct effect f = {.adjusted = X86_NGPR};
    if (p->way == WAY_NOTHING)
        return f;
    if (p->way == WAY_INTERPRET) {
        f.written = 0xffff;
        return f;
    }
    for (unsigned i = 0; i < d->i.operand_count; i++) {
        const ZydisDecodedOperand *op = &d->op[i];
        unsigned g = op->type == ZYDIS_OPERAND_TYPE_REGISTER ? any_gpr(op->reg.value) : X86_NGPR;
        if (g < X86_NGPR && (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            f.written |= (uint16_t)(1u << g);
    }
    if (is_rsp_push(p) || p->way == WAY_POP) {
        f.written &= (uint16_t) ~(1u << RSP);
        f.adjusted = RSP;
        f.by = p->way == WAY_POP ? 8 : -8;
        return f;
    }
    /* ADD, SUB with a constant, INC, DEC, LEA r, [r + constant]: of 64 bits. */
    const unsigned g =
        d->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER ? guest_gpr(d->op[0].reg.value) : X86_NGPR;
    if (g == X86_NGPR || d->i.operand_width != 64)
        return f;
    int64_t by;
    switch (d->i.mnemonic) {
    case ZYDIS_MNEMONIC_INC: by = 1; break;
    case ZYDIS_MNEMONIC_DEC: by = -1; break;
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_SUB:
        if (d->op[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
            return f;
        by = d->i.mnemonic == ZYDIS_MNEMONIC_ADD ? d->op[1].imm.value.s : -d->op[1].imm.value.s;
        break;
    case ZYDIS_MNEMONIC_LEA:
        if (d->op[1].mem.index != ZYDIS_REGISTER_NONE || d->op[1].mem.base != d->op[0].reg.value ||
            d->i.address_width != 64)
            return f;
        by = d->op[1].mem.disp.value;
        break;
    default: return f;
    }
    if (by < -65536 || by > 65536)
        return f;
    f.written &= (uint16_t) ~(1u << g);
    f.adjusted = (uint8_t)g;
    f.by = (int32_t)by;
    return f;
}
