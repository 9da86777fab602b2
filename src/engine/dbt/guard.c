/*
 * guard.c: memory operands: the linear address, and the softmmu TLB in line.
 *
 * The TLB is the interpreter's. A miss, an access over two pages, a page that holds code, a device: all go to
 * the callout, where the interpreter does the whole instruction and fills the TLB on its way.
 */
#include "engine/dbt/translate.h"

#include <stddef.h>

/* rip-relative and absolute operands count from the page of the running code. */
static void address_of_code(struct tr *t, const ZydisDecodedOperandMem *m)
{
    emit_load(&t->e, OP64, SCRATCH_A, GS(vpage));
    emit_lea(&t->e, OP64, SCRATCH_A, mem_at(SCRATCH_A, (int32_t)(m->disp.value + tr_next(t))));
}

void tr_address(struct tr *t, const ZydisDecodedOperandMem *m, bool with_segment)
{
    struct emit *e = &t->e;
    const struct x86_decoded *d = tr_decoded(t);
    if (m->base == ZYDIS_REGISTER_RIP) {
        address_of_code(t, m);
    } else {
        struct hmem h = {H_NONE, H_NONE, m->scale ? m->scale : 1, false, (int32_t)m->disp.value};
        unsigned base = guest_gpr(m->base), index = guest_gpr(m->index);
        if (base < X86_NGPR) {
            h.base = host_reg(base);
            if (h.base == H_NONE)
                emit_load(e, OP64, h.base = SCRATCH_A, GS_GPR(base));
        }
        if (index < X86_NGPR) {
            h.index = host_reg(index);
            if (h.index == H_NONE)
                emit_load(e, OP64, h.index = SCRATCH_B, GS_GPR(index));
        }
        emit_lea(e, d->i.address_width == 32 ? OP32 : OP64, SCRATCH_A, h);
    }
    if (with_segment && (m->segment == ZYDIS_REGISTER_FS || m->segment == ZYDIS_REGISTER_GS)) {
        flags_clobber(t);
        emit_op_rm(e, OP64, 0x03, SCRATCH_A,
                   gs_at(offsetof(struct dbt_vcpu, ev.i.c.st.seg) +
                         (m->segment == ZYDIS_REGISTER_FS ? SEG_FS : SEG_GS) * sizeof(struct x86_seg) +
                         offsetof(struct x86_seg, base)));
    }
}

static struct hmem tlb_at_index(const struct tr *t, size_t field)
{
    struct hmem m =
        gs_at(offsetof(struct dbt_vcpu, ev.i.tlbs) + t->bank * sizeof(((struct interp *)0)->tlbs[0]) + field);
    m.base = SCRATCH_B;
    return m;
}

void tr_guard(struct tr *t, struct access a)
{
    _Static_assert(sizeof(struct tlb_entry) == 32, "the index is the page number times 32");
    struct emit *e = &t->e;
    flags_clobber(t);
    if (a.align) { /* test r14b, align-1; an address's low bits are the same on both sides */
        emit_op_rr(e, OP8, 0xf6, 0, SCRATCH_A);
        emit_u8(e, (uint8_t)(a.align - 1));
        cold_callout(t, emit_jcc(e, HC_NE, 0));
    }
    emit_mov_rr(e, OP32, SCRATCH_B, SCRATCH_A);
    emit_op_rr(e, OP32, 0xc1, 5, SCRATCH_B); /* shr */
    emit_u8(e, PAGE_SHIFT - 5);
    emit_alu_imm(e, OP32, 4, SCRATCH_B, (TLB_SIZE - 1) << 5);
    if (a.size > 1)
        emit_lea(e, OP64, SCRATCH_C, mem_at(SCRATCH_A, (int32_t)a.size - 1));
    else
        emit_mov_rr(e, OP64, SCRATCH_C, SCRATCH_A);
    emit_alu_imm(e, OP64, 4, SCRATCH_C, (int32_t)PAGE_MASK);
    emit_op_rm(e, OP64, 0x3b, SCRATCH_C,
               tlb_at_index(t, a.write ? offsetof(struct tlb_entry, wr) : offsetof(struct tlb_entry, rd)));
    cold_callout(t, emit_jcc(e, HC_NE, 0));
    emit_op_rm(e, OP64, 0x03, SCRATCH_A, tlb_at_index(t, offsetof(struct tlb_entry, addend)));
}
