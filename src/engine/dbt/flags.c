/*
 * flags.c: the guest's arithmetic flags between the host's flags and st.cc.
 *
 * Guest instructions set the host's flags; the code of ours in between (TLB checks, polls) overwrites them.
 * They are saved before that, once for each instruction that set them, whether anything will read them or
 * not: a fault shows them all. st.cc is what LAHF and SETO leave (x86/x86_state.h).
 */
#include "engine/dbt/translate.h"

#define CC GS(ev.i.c.st.cc)

void flags_to_cc(struct tr *t)
{
    struct emit *e = &t->e;
    if (t->flags & IN_CC)
        return;
    emit_mov_rr(e, OP64, SCRATCH_B, H_RAX);
    emit_u8(e, 0x9f);                     /* lahf */
    emit_op_rr(e, OP8, 0x0f90, 0, H_RAX); /* seto al */
    emit_store(e, OP16, CC, H_RAX);
    emit_mov_rr(e, OP64, H_RAX, SCRATCH_B);
    t->flags |= IN_CC;
}

void flags_to_host(struct tr *t, bool b_in_use)
{
    struct emit *e = &t->e;
    if (t->flags & IN_HOST)
        return;
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
    t->flags |= IN_HOST;
}

void flags_clobber(struct tr *t)
{
    flags_to_cc(t);
    t->flags = IN_CC;
}
