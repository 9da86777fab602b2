/*
 * engine/interp/select.h: selectors that one op_*.c file lends to another.
 */
#ifndef ENGINE_INTERP_SELECT_H
#define ENGINE_INTERP_SELECT_H

#include "engine/interp/insn.h"

/* MOV to and from segment registers (op_segment.c), control and debug registers (op_system.c). */
bool select_mov_segment(struct sel *s, struct insn *in);
bool select_mov_control(struct sel *s, struct insn *in);
/* XCHG with memory, which is locked always (op_atomic.c). */
bool select_xchg_memory(struct sel *s, struct insn *in);
/* PUSH and POP of segment registers (op_segment.c). */
bool select_push_segment(struct sel *s, struct insn *in);
bool select_pop_segment(struct sel *s, struct insn *in);
/* Far forms of JMP, CALL, RET (op_segment.c). */
bool select_far(struct sel *s, struct insn *in, bool call);
bool select_far_ret(struct sel *s, struct insn *in);

#endif
