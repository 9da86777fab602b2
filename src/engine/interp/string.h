/*
 * engine/interp/string.h: what MOVS and kin (op_string.c) share with INS and OUTS (op_io.c).
 */
#ifndef ENGINE_INTERP_STRING_H
#define ENGINE_INTERP_STRING_H

#include "engine/interp/insn.h"

/* Fill size, segment, address size and REP from the decoded string instruction. in->osz is the element's
 * bytes. */
void select_string_common(struct sel *s, struct insn *in, unsigned size);
/* Byte distance to the next element, by DF. */
static inline int64_t string_step(const struct interp *v, const struct insn *in)
{
    return v->c.st.rflags & FL_DF ? -(int64_t)in->osz : in->osz;
}
static inline unsigned string_asz(const struct insn *in)
{
    return IN_ASZ_BYTES(in->flags);
}
static inline uint64_t string_reg(struct interp *v, const struct insn *in, enum x86_reg r)
{
    return v->c.st.gpr[r] & mask_bytes(string_asz(in));
}
static inline void string_advance(struct interp *v, const struct insn *in, enum x86_reg r, int64_t by)
{
    reg_write(v, (unsigned)offsetof(struct interp, c.st.gpr) + 8 * r, v->c.st.gpr[r] + (uint64_t)by,
              string_asz(in));
}
/* Linear address of the element at SI (segment overridable) or ES:DI. */
bool string_source(struct interp *v, const struct insn *in, uint64_t *lin);
bool string_dest(struct interp *v, const struct insn *in, unsigned acc, uint64_t *lin);

/*
 * The frame of a repeated instruction: calls `some` until the count is used up, it faults, or it says stop.
 * `some` does at most `most` elements (at least one) and returns how many it did; 0: cpu->fault. *stop ends
 * REPE/REPNE. Interrupts are looked at between calls: then the instruction is left with RIP on itself (SDM 2B
 * "REP").
 */
typedef uint64_t string_fn(struct interp *v, const struct insn *in, uint64_t most, bool *stop);
const struct insn *string_repeat(struct interp *v, const struct insn *in, string_fn *some);

#endif
