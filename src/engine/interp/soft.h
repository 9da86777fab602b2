/*
 * engine/interp/soft.h: what the software engines have in common as engines (struct engine_ops): the
 * interpreter is one, the translator, which has an interpreter inside, another.
 */
#ifndef ENGINE_INTERP_SOFT_H
#define ENGINE_INTERP_SOFT_H

#include "engine/interp/insn.h"

/* One vCPU; the translator's begins with it. */
struct engine_vcpu {
    struct interp i;
};

struct engine *soft_open(const struct engine_config *cfg, struct err *e);
void soft_close(struct engine *en);
const struct engine_config *soft_config(const struct engine *en);
/* size: of the engine's own vCPU struct, which begins with struct engine_vcpu and is cleared. */
struct engine_vcpu *soft_vcpu_create(struct engine *en, unsigned id, size_t size, const struct cpu_ops *ops,
                                     struct err *e);
void soft_vcpu_destroy(struct engine_vcpu *ev);
void soft_vcpu_reset(struct engine_vcpu *ev);
void soft_kick(struct engine_vcpu *ev);
void soft_pull(struct engine_vcpu *ev, unsigned groups, struct x86_state *out);
void soft_push(struct engine_vcpu *ev, unsigned groups, const struct x86_state *in);
void soft_deliver_msi(struct engine *en, uint64_t addr, uint32_t data);
void soft_extint(struct engine *en, bool level);
bool soft_has_wakeup(struct engine_vcpu *ev);
void soft_flush_code(struct engine_vcpu *ev);
bool soft_dirty_log(struct engine *en, bool on, struct err *e);
bool soft_dirty_sync(struct engine *en, struct err *e);
void soft_single_step(struct engine_vcpu *ev, bool on);
bool soft_breakpoint(struct engine_vcpu *ev, uint64_t lin, bool set);
void soft_counters(struct engine_vcpu *ev, struct engine_counters *out);

/* The calls of struct engine_ops that are the same for both. */
#define SOFT_ENGINE_OPS                                                                           \
    .open = soft_open, .close = soft_close, .vcpu_reset = soft_vcpu_reset, .kick = soft_kick,     \
    .pull = soft_pull, .push = soft_push, .deliver_msi = soft_deliver_msi, .extint = soft_extint, \
    .has_wakeup = soft_has_wakeup, .flush_code = soft_flush_code, .dirty_log = soft_dirty_log,    \
    .dirty_sync = soft_dirty_sync, .single_step = soft_single_step, .breakpoint = soft_breakpoint

#endif
