/*
 * soft.c: what the software engines have in common as engines: a local APIC and an interpreter for each vCPU,
 * state in and out, interrupts.
 */
#include "engine/interp/soft.h"

#include "cpu/lapic.h"
#include <stdlib.h>

struct engine {
    struct engine_config cfg;
    struct lapic_bus *apics;
    struct engine_vcpu **vcpus;
};

struct engine *soft_open(const struct engine_config *cfg, struct err *e)
{
    struct engine *en = calloc(1, sizeof(*en));
    if (en) {
        en->cfg = *cfg;
        en->apics = lapic_bus_new(cfg->cpus);
        en->vcpus = calloc(cfg->cpus, sizeof(*en->vcpus));
    }
    if (!en || !en->apics || !en->vcpus) {
        err_host(e, "no memory for the interpreter");
        if (en) {
            free(en->vcpus);
            lapic_bus_free(en->apics);
        }
        free(en);
        return NULL;
    }
    return en;
}

void soft_close(struct engine *en)
{
    lapic_bus_free(en->apics);
    free(en->vcpus);
    free(en);
}

const struct engine_config *soft_config(const struct engine *en)
{
    return &en->cfg;
}

/* ---- memory changed under our feet ---- */

static void on_written(void *opaque, gpa_t gpa, uint64_t len)
{
    block_invalidate(opaque, gpa, len);
}
static void on_revoke(void *opaque, gpa_t page)
{
    tlb_revoke_write(opaque, page);
}

void soft_vcpu_destroy(struct engine_vcpu *ev)
{
    if (!ev)
        return;
    fp_free(&ev->i);
    tlb_free(&ev->i);
    block_cache_free(ev->i.blocks);
    lapic_free(ev->i.c.apic);
    free(ev);
}

void soft_vcpu_reset(struct engine_vcpu *ev)
{
    struct cpu *c = &ev->i.c;
    x86_reset(&c->st, false, c->cpuid->signature, c->id == 0);
    lapic_reset(c->apic, false);
    if (c->id == 0)
        lapic_virtual_wire(c->apic);
    cpu_state_loaded(c);
    block_flush_all(&ev->i);
    ev->i.faulted = false;
}

struct engine_vcpu *soft_vcpu_create(struct engine *en, unsigned id, size_t size, const struct cpu_ops *ops,
                                     struct err *e)
{
    struct engine_vcpu *ev = aligned_alloc(64, align_up(size, 64));
    if (!ev) {
        err_host(e, "no memory for a vCPU");
        return NULL;
    }
    memset(ev, 0, size);
    struct interp *v = &ev->i;
    const struct engine_config *cfg = &en->cfg;
    const struct cpu_wiring wiring = {
        .extint_ack = cfg->extint_ack,
        .eoi = cfg->eoi,
        .ferr = cfg->ferr,
        .wake = cfg->wake,
        .opaque = cfg->opaque,
    };
    struct lapic *apic = lapic_new(en->apics, cfg->clock, id);
    v->engine = en;
    v->blocks = block_cache_new(e);
    if (!apic || !v->blocks || !fp_init(v, e)) {
        if (!apic)
            err_host(e, "no memory for a local APIC");
        lapic_free(apic);
        block_cache_free(v->blocks);
        free(ev);
        return NULL;
    }
    cpu_init(&v->c, id, cfg->mem, cfg->bus, cfg->clock, apic, cfg->cpuid, ops, &wiring);
    lapic_bind(apic, &v->c);
    x86_decoder_init(&v->decoder, cfg->cpuid->vendor == CPU_AMD);
    v->listener = (struct mem_listener){.written = on_written, .revoke = on_revoke, .opaque = v};
    mem_listen(cfg->mem, &v->listener);
    tlb_init(v);
    soft_vcpu_reset(ev);
    en->vcpus[id] = ev;
    return ev;
}

void soft_kick(struct engine_vcpu *ev)
{
    atomic_store(&ev->i.c.kicked, true);
    atomic_store(&ev->i.c.poll, 1);
}

/* ---- state ---- */

void soft_pull(struct engine_vcpu *ev, unsigned groups, struct x86_state *out)
{
    engine_copy_groups(out, &ev->i.c.st, groups);
    if (groups & GROUP_APIC)
        lapic_get_state(ev->i.c.apic, &out->apic);
}

void soft_push(struct engine_vcpu *ev, unsigned groups, const struct x86_state *in)
{
    engine_copy_groups(&ev->i.c.st, in, groups);
    if (groups & GROUP_APIC)
        lapic_set_state(ev->i.c.apic, &in->apic);
    if (groups & (GROUP_CLOCK | GROUP_MSRS))
        cpu_tsc_changed(&ev->i.c);
    cpu_state_loaded(&ev->i.c);
}

/* ---- interrupts ---- */

void soft_deliver_msi(struct engine *en, uint64_t addr, uint32_t data)
{
    lapic_bus_msi(en->apics, addr, data);
}

/* The 8259 is wired to LINT0 of every local APIC; the boot processor's takes it. */
void soft_extint(struct engine *en, bool level)
{
    struct engine_vcpu *ev = en->vcpus[0];
    if (!ev)
        return;
    atomic_store(&ev->i.c.extint_line, level);
    if (level)
        cpu_kick(&ev->i.c);
}

bool soft_has_wakeup(struct engine_vcpu *ev)
{
    return cpu_has_wakeup(&ev->i.c);
}

/* ---- debugging and counters ---- */

void soft_flush_code(struct engine_vcpu *ev)
{
    block_flush_all(&ev->i);
}

/* All writes mark their pages; only those through write grants do it once, so those have to go. */
bool soft_dirty_log(struct engine *en, bool on, struct err *e)
{
    return true;
}
bool soft_dirty_sync(struct engine *en, struct err *e)
{
    for (unsigned i = 0; i < en->cfg.cpus; i++)
        if (en->vcpus[i])
            en->vcpus[i]->i.c.ops->flush_all(&en->vcpus[i]->i.c);
    return true;
}

void soft_single_step(struct engine_vcpu *ev, bool on)
{
    ev->i.stepping = on;
    interp_mode_changed(&ev->i.c);
}

bool soft_breakpoint(struct engine_vcpu *ev, uint64_t lin, bool set)
{
    struct interp *v = &ev->i;
    unsigned at = 0;
    while (at < v->nbreakpoints && v->breakpoint[at] != lin)
        at++;
    if (set && at == v->nbreakpoints) {
        if (at == ARRAY_LEN(v->breakpoint))
            return false;
        v->breakpoint[v->nbreakpoints++] = lin;
    } else if (!set && at < v->nbreakpoints) {
        v->breakpoint[at] = v->breakpoint[--v->nbreakpoints];
    }
    interp_mode_changed(&v->c);
    return true;
}

void soft_counters(struct engine_vcpu *ev, struct engine_counters *out)
{
    struct interp *v = &ev->i;
    struct bus_counts bus = bus_counts(v->c.bus);
    *out = (struct engine_counters){
        .insns = v->insns,
        .counts_insns = true,
        .insns_direct = 0,
        .counts_direct = true,
        .tlb_misses = v->tlb_misses,
        .exits = {{"halt", v->halts, 0}, {"event", v->events, 0}, {"pio", bus.pio, 0}, {"mmio", bus.mmio, 0}},
        .exit_kinds = 4,
    };
    block_counts(v->blocks, &out->blocks, &out->cache_bytes, &out->evict_max_s);
}
