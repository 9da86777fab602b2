/*
 * engine/interp/run.h: the run loop, for interp.c, and its parts for the translator.
 */
#ifndef ENGINE_INTERP_RUN_H
#define ENGINE_INTERP_RUN_H

#include "engine/engine.h"

struct interp;

/* Run until there is something for the vCPU layer (struct engine_ops.run). */
enum engine_exit run_loop(struct interp *v, struct engine_exit_info *info);
/* Its parts, for the translator's loop. */
enum run_step { STEP_NOTHING, STEP_CHANGED, STEP_EXIT };
void run_start(struct interp *v);
/* Deliver what is pending: the state may have changed, or it is time to leave for *exit. */
enum run_step run_between(struct interp *v, enum engine_exit *exit);
/* One instruction under v->single or an interrupt shadow; true: EXIT_DEBUG. first: a breakpoint at RIP has
 * been reported already. */
bool run_single(struct interp *v, bool first);
/* Run one instruction at st.rip; v->faulted says that it raised cpu->fault instead. */
void run_one(struct interp *v);

#endif
