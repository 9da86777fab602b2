/*
 * cpu_fixture.h: for tests of cpu/: processors of a made-up host, vCPUs with their local APICs on a stepped
 * clock, 1 MiB of memory, and counters where the vCPU calls out.
 */
#ifndef TESTS_UNIT_CPU_FIXTURE_H
#define TESTS_UNIT_CPU_FIXTURE_H

#include "cpu/cpuid.h"
#include "cpu/lapic.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- hosts: all features of the leaves that matter, so that only the table decides ---- */

struct fake_leaf {
    uint32_t leaf, sub, r[4];
};

static const struct fake_leaf amd_host[] = {
    {0, 0, {0xd, 0x68747541, 0x444d4163, 0x69746e65}},
    {1, 0, {0x00a00f11, 0x12345678, 0xffffffff, 0xffffffff}},
    {6, 0, {0, 0, 0, 0}},
    {7, 0, {5, 0xffffffff, 0xffffffff, 0xffffffff}},
    {0xd, 1, {0xffffffff, 0, 0, 0}},
    {0x80000000, 0, {0x80000021, 0x68747541, 0x444d4163, 0x69746e65}},
    {0x80000001, 0, {0x00a00f11, 0x40000000, 0xffffffff, 0xffffffff}},
    {0x80000002, 0, {0x20444d41, 0x43595045, 0, 0}},
    {0x80000005, 0, {1, 2, 3, 4}},
    {0x80000006, 0, {5, 6, 7, 8}},
    {0x80000007, 0, {0, 0, 0, 0xffffffff}},
    {0x80000008, 0, {0x3030, 0xffffffff, 0x7001, 0xffffffff}},
    {0x8000001d, 0, {0x121, 0x01c0003f, 0x3f, 0}},
    {0x8000001d, 1, {0x122, 0x01c0003f, 0x3f, 0}},
    {0x8000001d, 2, {0x143, 0x01c0003f, 0x3ff, 2}},
    {0x8000001d, 3, {0x1c163, 0x03c0003f, 0x7fff, 1}},
    {0x80000021, 0, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
};

static const struct fake_leaf intel_host[] = {
    {0, 0, {0x1f, 0x756e6547, 0x6c65746e, 0x49656e69}},
    {1, 0, {0x000606a6, 0x12345678, 0xffffffff, 0xffffffff}},
    {2, 0, {0x00feff01, 0xf0, 0, 0}},
    {4, 0, {0xfc004121, 0x02c0003f, 0x3f, 0}},
    {4, 1, {0xfc004122, 0x01c0003f, 0x3f, 0}},
    {4, 2, {0xfc004143, 0x04c0003f, 0x3ff, 0}},
    {4, 3, {0xfc0fc163, 0x02c0003f, 0xffff, 4}},
    {7, 0, {2, 0xffffffff, 0xffffffff, 0xffffffff}},
    {0xd, 1, {0xffffffff, 0, 0, 0}},
    {0x80000000, 0, {0x80000008, 0, 0, 0}},
    {0x80000001, 0, {0, 0, 0xffffffff, 0xffffffff}},
    {0x80000006, 0, {0, 0, 0x01007040, 0}},
    {0x80000007, 0, {0, 0, 0, 0xffffffff}},
    {0x80000008, 0, {0x302e, 0xffffffff, 0, 0}},
};

struct fake_host {
    const struct fake_leaf *leaves;
    unsigned count;
};
static const struct fake_host amd = {amd_host, ARRAY_LEN(amd_host)},
                              intel = {intel_host, ARRAY_LEN(intel_host)};

static inline void fake_cpuid(const void *opaque, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    const struct fake_host *h = opaque;
    memset(out, 0, 4 * sizeof(out[0]));
    for (unsigned i = 0; i < h->count; i++)
        if (h->leaves[i].leaf == leaf && h->leaves[i].sub == sub)
            memcpy(out, h->leaves[i].r, 4 * sizeof(out[0]));
}

static inline void compose(struct cpuid_model *m, const struct fake_host *h, unsigned cpus, bool mitigations)
{
    const struct cpuid_config cfg = {.cpus = cpus, .tsc_khz = 1000000, .mitigations = mitigations};
    const struct cpuid_host host = {.cpuid = fake_cpuid, .opaque = h, .xcr0 = 0xe7};
    cpuid_compose_from(m, &cfg, &host);
}

/* ---- vCPUs ---- */

#define FIXTURE_CPUS 4

struct fixture {
    struct clock *clock;
    struct mem *mem;
    struct bus *bus;
    struct lapic_bus *apics;
    struct cpuid_model model;
    struct cpu cpu[FIXTURE_CPUS];
    struct lapic *apic[FIXTURE_CPUS];
    unsigned eois;
    _Atomic unsigned wakes; /* counted from any thread */
    uint8_t eoi_vector;
};

static inline void fixture_eoi(void *opaque, uint8_t vector)
{
    struct fixture *f = opaque;
    f->eois++;
    f->eoi_vector = vector;
}

static inline void fixture_wake(void *opaque, unsigned cpu_id)
{
    struct fixture *f = opaque;
    f->wakes++;
}

/* No engine: no TLB to flush, no mode to work out. */
static inline void no_flush(struct cpu *c)
{
}
static inline void no_flush_page(struct cpu *c, uint64_t lin)
{
}
static inline void no_cr3_loaded(struct cpu *c, bool keep)
{
}
static inline void no_flush_pcid(struct cpu *c, unsigned pcid, bool one_page, uint64_t lin)
{
}

static const struct cpu_ops no_engine = {
    .flush_all = no_flush,
    .flush_nonglobal = no_flush,
    .flush_page = no_flush_page,
    .cr3_loaded = no_cr3_loaded,
    .flush_pcid = no_flush_pcid,
    .mode_changed = no_flush,
};

static inline struct fixture *fixture_new(const struct fake_host *h)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->clock = clock_new_stepped(1700000000);
    f->mem = mem_new();
    assert_true(mem_add_ram(f->mem, 0, MIB(1), NULL));
    f->bus = bus_new();
    f->apics = lapic_bus_new(FIXTURE_CPUS);
    compose(&f->model, h, FIXTURE_CPUS, false);
    const struct cpu_wiring wiring = {.eoi = fixture_eoi, .wake = fixture_wake, .opaque = f};
    for (unsigned i = 0; i < FIXTURE_CPUS; i++) {
        f->apic[i] = lapic_new(f->apics, f->clock, i);
        cpu_init(&f->cpu[i], i, f->mem, f->bus, f->clock, f->apic[i], &f->model, &no_engine, &wiring);
        lapic_bind(f->apic[i], &f->cpu[i]);
        atomic_store(&f->cpu[i].poll, 0);
    }
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    for (unsigned i = 0; i < FIXTURE_CPUS; i++)
        lapic_free(f->apic[i]);
    lapic_bus_free(f->apics);
    bus_free(f->bus);
    mem_free(f->mem);
    clock_free(f->clock);
    free(f);
}

static inline int fixture_setup(void **state)
{
    *state = fixture_new(&amd);
    return 0;
}
static inline int fixture_setup_intel(void **state)
{
    *state = fixture_new(&intel);
    return 0;
}
static inline int fixture_teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

#endif
