/*
 * engine/interp/interp.h: the interpreter: the oracle for the other engines, and an engine of its own. It
 * runs in a test program as well as in a machine.
 */
#ifndef ENGINE_INTERP_INTERP_H
#define ENGINE_INTERP_INTERP_H

#include "cpu/cpu.h"
#include "engine/engine.h"

extern const struct engine_ops interp_engine;

/* The cpu inside, for tests: valid between runs. */
struct cpu *interp_cpu(struct engine_vcpu *v);
/*
 * Execute exactly one instruction (or take one pending event) at the current state and return what happened:
 * EXIT_KICK for "done", with *faulted true and cpu->fault filled when the instruction raised an exception,
 * which is then NOT delivered: state is as before the instruction. For tests and lockstep.
 */
enum engine_exit interp_step(struct engine_vcpu *v, bool *faulted);

#endif
