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
/*
 * As the engine's run, but returns EXIT_KICK when `limit` instructions have retired or faulted, in the middle
 * of a block if need be, with faults and one pending event delivered. Repeated string instructions count once
 * they are through; one that would not end does not keep the call either: it returns after 4 * limit + 64
 * handlers at most. For fuzzing and lockstep, where no other thread is there to kick. *done: how many it was.
 */
enum engine_exit interp_run_limited(struct engine_vcpu *v, uint64_t limit, uint64_t *done,
                                    struct engine_exit_info *info);

#endif
