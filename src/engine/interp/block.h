/*
 * engine/interp/block.h: what the run loop asks of blocks beyond insn.h.
 */
#ifndef ENGINE_INTERP_BLOCK_H
#define ENGINE_INTERP_BLOCK_H

#include "base/base.h"

struct insn;

/* The closing pseudo-instruction of a block? */
bool block_is_end(const struct insn *in);

#endif
