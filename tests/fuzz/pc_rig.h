/*
 * pc_rig.h: the whole PC of machine/pc.c with the interpreter, a stepped clock and no threads.
 */
#ifndef TESTS_FUZZ_PC_RIG_H
#define TESTS_FUZZ_PC_RIG_H

#include "engine/interp/interp.h"
#include "machine/pc_impl.h"

struct pc_rig {
    struct pc *pc;
    struct engine_vcpu *vcpu;
    struct cpu *cpu;
};

/* A machine of `memory` bytes that starts a kernel of one page. Ends the process when the host refuses. */
void pc_rig_new(struct pc_rig *r, uint64_t memory);
/*
 * Devices, local APIC, clock and the vCPU's registers as they were when pc_rig_new returned; guest memory is
 * left alone.
 */
void pc_rig_reset(struct pc_rig *r);
/* What pc_take_event would say, and forgets it. */
enum pc_event_kind pc_rig_event(struct pc_rig *r);
/* Time passes without anything being looked at, as on a host that was busy; then expired timers are served.
 */
void pc_rig_late(struct pc_rig *r, uint64_t ns);

#endif
