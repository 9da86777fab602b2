/*
 * stats.c: collects the figures of --stats.
 *
 * Over all vCPUs, counts are summed, first_insn_s is the first's. An exit reason comes from the engine, for
 * what it handles inside run(), or from the vCPU's thread, for what run() returns with; where both know a
 * reason, such as "halt", the engine counts it and the thread adds the time asleep. Keys that nothing is
 * known of are null.
 *
 * rss_extra_bytes is the process's peak resident set less the peak of resident guest memory, as mincore(2)
 * tells it at the resets and at the end. A guest gives no memory back, so that is when it holds most.
 */
#include "vmm/stats.h"
#include "host/host.h"
#include "vcpu/vcpu.h"
#include <jansson.h>

static void read_counters(const struct engine_ops *ops, struct engine_vcpu *ev, void *opaque)
{
    ops->counters(ev, opaque);
}

struct totals {
    struct engine_counters c; /* without its exits */
    double first_insn_s;      /* 0: none */
    json_t *exits;
};

/* n and s of `reason` grow. */
static void add_exit(json_t *exits, const char *reason, uint64_t n, double s)
{
    json_t *x = json_object_get(exits, reason);
    if (!x) {
        x = json_pack("{s:I, s:f}", "n", (json_int_t)0, "s", 0.0);
        json_object_set_new(exits, reason, x);
    }
    json_integer_set(json_object_get(x, "n"), json_integer_value(json_object_get(x, "n")) + (json_int_t)n);
    json_real_set(json_object_get(x, "s"), json_real_value(json_object_get(x, "s")) + s);
}

static bool engine_counts(const struct engine_counters *c, const char *reason)
{
    for (unsigned i = 0; i < c->exit_kinds; i++)
        if (!strcmp(c->exits[i].reason, reason))
            return true;
    return false;
}

static void add_vcpu(struct totals *t, struct vcpu *v)
{
    struct engine_counters c = {0};
    struct vcpu_counts vc = vcpu_counts(v);
    vcpu_call(v, read_counters, &c);

    for (unsigned i = 0; i < c.exit_kinds; i++)
        add_exit(t->exits, c.exits[i].reason, c.exits[i].n, c.exits[i].s);
    for (unsigned i = 0; i < EXIT_REASONS; i++)
        if (vc.exits[i].n)
            add_exit(t->exits, engine_exit_names[i],
                     engine_counts(&c, engine_exit_names[i]) ? 0 : vc.exits[i].n, vc.exits[i].s);

    t->c.insns += c.insns;
    t->c.insns_direct += c.insns_direct;
    t->c.counts_insns &= c.counts_insns;
    t->c.counts_direct &= c.counts_direct;
    t->c.tlb_misses += c.tlb_misses;
    t->c.blocks += c.blocks;
    t->c.cache_bytes += c.cache_bytes;
    t->c.evict_max_s = MAX(t->c.evict_max_s, c.evict_max_s);
    if (vc.first_insn_s > 0 && (t->first_insn_s == 0 || vc.first_insn_s < t->first_insn_s))
        t->first_insn_s = vc.first_insn_s;
}

static json_t *integer_or_null(bool known, uint64_t v)
{
    return known ? json_integer((json_int_t)v) : json_null();
}

static json_t *real_or_null(bool known, double v)
{
    return known ? json_real(v) : json_null();
}

char *vm_stats_text(const struct engine_ops *engine, struct pc *pc, unsigned cpus,
                    const struct vm_result *result)
{
    struct totals t = {.c = {.counts_insns = pc != NULL, .counts_direct = pc != NULL},
                       .exits = json_object()};
    uint64_t peak = host_peak_rss(), guest = 0;

    if (pc) {
        for (unsigned i = 0; i < cpus; i++)
            add_vcpu(&t, pc_vcpu(pc, i));
        guest = pc_resident_peak(pc);
    }
    json_t *o = json_pack("{s:s, s:s, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:f, s:I}", "engine",
                          engine->name, "end", vm_end_names[result->end], "wall_s", host_process_age(),
                          "cpu_s", host_cpu_seconds(), "debug_exit",
                          integer_or_null(result->end == VM_DEBUG_EXIT, result->debug_exit), "first_insn_s",
                          real_or_null(t.first_insn_s > 0, t.first_insn_s), "insns",
                          integer_or_null(t.c.counts_insns, t.c.insns), "insns_direct",
                          integer_or_null(t.c.counts_direct, t.c.insns_direct), "exits", t.exits,
                          "tlb_misses", (json_int_t)t.c.tlb_misses, "blocks", (json_int_t)t.c.blocks,
                          "cache_bytes", (json_int_t)t.c.cache_bytes, "evict_max_s", t.c.evict_max_s,
                          "rss_extra_bytes", (json_int_t)(peak > guest ? peak - guest : 0));
    char *text = o ? json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(o);
    return text;
}
