/*
 * engine/interp/run.h: the run loop, for interp.c.
 */
#ifndef ENGINE_INTERP_RUN_H
#define ENGINE_INTERP_RUN_H

#include "engine/engine.h"

struct interp;

/* Run until there is something for the vCPU layer (struct engine_ops.run). */
enum engine_exit run_loop(struct interp *v, struct engine_exit_info *info);
/* Run one instruction at st.rip; v->faulted says that it raised cpu->fault instead. */
void run_one(struct interp *v);

#endif
