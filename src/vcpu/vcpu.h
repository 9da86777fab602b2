/*
 * vcpu/vcpu.h: one virtual processor and its thread: run, sleep in HLT, pause, resume, stop, and work done
 * for others at an instruction boundary. Sees of the engines only engine/engine.h.
 *
 * Life: vcpu_new (no thread yet, paused) - vcpu_start (a thread, still paused) - vcpu_resume / vcpu_pause as
 * often as wanted - vcpu_stop (the thread has ended) - vcpu_free. These six belong to one thread, the event
 * loop's, which holds no device lock when it calls them; the functions for all threads are named below.
 */
#ifndef VCPU_VCPU_H
#define VCPU_VCPU_H

#include "engine/engine.h"

struct vcpu;

struct vcpu_config {
    const struct engine_ops *ops;
    struct engine *engine;
    unsigned id;
    /*
     * The vCPU cannot go on by itself: EXIT_SHUTDOWN, EXIT_DEBUG or EXIT_ERROR. Called in the vCPU's thread,
     * once; the vCPU then stays paused until vcpu_resume. To be passed on to the event loop. `info` is valid
     * for the call.
     */
    void (*stopped)(void *opaque, unsigned id, enum engine_exit why, const struct engine_exit_info *info);
    void *opaque;
};

struct vcpu *vcpu_new(const struct vcpu_config *cfg, struct err *e);
/* The thread has been stopped, or was never started. */
void vcpu_free(struct vcpu *v);

bool vcpu_start(struct vcpu *v, struct err *e);
void vcpu_resume(struct vcpu *v);
/*
 * vcpu_pause returns when the vCPU stands at an instruction boundary. vcpu_ask_pause only asks, so that
 * several can come to a halt at once, or that a device handler can see to it that the guest runs no further;
 * any thread, the vCPU's own too, under any lock.
 */
void vcpu_pause(struct vcpu *v);
void vcpu_ask_pause(struct vcpu *v);
/* The thread ends at the next instruction boundary; returns when it has. */
void vcpu_stop(struct vcpu *v);

/*
 * Run fn in the vCPU's thread at an instruction boundary, paused or not, and wait for it; without a thread it
 * runs here. The one way to the engine functions that are the vCPU thread's: reset, pull, push, counters.
 */
typedef void vcpu_fn(const struct engine_ops *ops, struct engine_vcpu *ev, void *opaque);
void vcpu_call(struct vcpu *v, vcpu_fn *fn, void *opaque);

/*
 * Something is pending: if the vCPU is halted, it looks again. Any thread, under any lock. What the engine's
 * has_wakeup looks at must have been stored before. Costs an atomic increment when the vCPU is not halted.
 */
void vcpu_wake(struct vcpu *v);

struct vcpu_counts {
    struct {
        uint64_t n;
        double s; /* time until the vCPU could run again: for EXIT_HALT, asleep */
    } exits[EXIT_REASONS];
    double first_insn_s; /* age of the process when the first guest instruction was due; 0: none was */
};
/* Paused or stopped. */
struct vcpu_counts vcpu_counts(struct vcpu *v);

#endif
