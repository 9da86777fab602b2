/*
 * interp.c: the interpreter as an engine.
 */
#include "engine/interp/run.h"
#include "engine/interp/soft.h"

static struct engine_probe probe(void)
{
    return (struct engine_probe){.usable = true};
}

static struct engine_vcpu *vcpu_create(struct engine *en, unsigned id, struct err *e)
{
    return soft_vcpu_create(en, id, sizeof(struct engine_vcpu), &interp_cpu_ops, e);
}

static enum engine_exit vcpu_run(struct engine_vcpu *ev, struct engine_exit_info *info)
{
    return run_loop(&ev->i, info);
}

struct cpu *interp_cpu(struct engine_vcpu *ev)
{
    return &ev->i.c;
}

enum engine_exit interp_step(struct engine_vcpu *ev, bool *faulted)
{
    struct interp *v = &ev->i;
    interp_mode_changed(&v->c);
    run_one(v);
    *faulted = v->faulted;
    v->faulted = false;
    return EXIT_KICK;
}

enum engine_exit interp_run_limited(struct engine_vcpu *ev, uint64_t limit, uint64_t *done,
                                    struct engine_exit_info *info)
{
    struct interp *v = &ev->i;
    uint64_t from = v->insns + v->faults;
    v->limited = true;
    v->stop_at = from + limit;
    v->calls_left = 4 * limit + 64;
    enum engine_exit why = run_loop(v, info);
    v->limited = false;
    *done = v->insns + v->faults - from;
    return why;
}

const struct engine_ops interp_engine = {
    .name = "interp",
    .summary = "interpreter: runs everywhere, states what every instruction means",
    .probe = probe,
    .vcpu_create = vcpu_create,
    .vcpu_destroy = soft_vcpu_destroy,
    .run = vcpu_run,
    .counters = soft_counters,
    SOFT_ENGINE_OPS,
};
