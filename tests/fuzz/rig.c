/*
 * rig.c: makes the machine of rig.h, and puts it back to power-on between two inputs.
 *
 * It is the same each time, to the bit, or a reproducer would not reproduce.
 */
#include "rig.h"
#include "fuzz.h"

#include "clock/clock_impl.h"
#include "cpu/lapic.h"
#include "engine/interp/insn.h"
#include <stdlib.h>
#include <sys/mman.h>

enum { GUARD = 0x100000 };

/* ---- the device: registers that change with each write; how often code is fetched from it is nobody's
 * business ---- */

static uint64_t device_read(void *opaque, uint64_t offset, unsigned size)
{
    struct rig *r = opaque;
    return (offset + r->writes) * 0x9e3779b97f4a7c15ull >> 7 & mask_bytes(size);
}
static void device_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct rig *r = opaque;
    r->writes += 1 + (value & 3);
}
static const struct bus_desc device = {
    .name = "fuzz", .read = device_read, .write = device_write, .min_size = 1, .max_size = 8};

static int extint_ack(void *opaque)
{
    struct rig *r = opaque;
    interp_engine.extint(r->engine, false);
    return r->extint_vector;
}

/* Nothing may be mapped in front of guest memory or behind it, so that a stray access faults. */
static void guard(const struct rig *r)
{
    unsigned n;
    const struct mem_slot *s = mem_slots(r->mem, &n);
    for (unsigned i = 0; i < n; i++) {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
        uint8_t *const sides[] = {s[i].hva - GUARD, s[i].hva + s[i].size};
        for (unsigned side = 0; side < 2; side++)
            for (unsigned at = 0; at < GUARD; at += PAGE_SIZE) /* what is taken already stays */
                (void)!mmap(sides[side] + at, PAGE_SIZE, PROT_NONE, flags, -1, 0);
        mprotect(sides[0] + GUARD - PAGE_SIZE, PAGE_SIZE, PROT_NONE);
        mprotect(sides[1], PAGE_SIZE, PROT_NONE);
    }
}

static void need(bool done, const struct err *e)
{
    FUZZ_CHECK(done, "%s", e->text);
}

/* Random numbers would differ between two runs of one input. */
static void no_random(struct cpuid_model *m)
{
    for (unsigned i = 0; i < m->count; i++) {
        if (m->leaf[i].leaf == 1)
            m->leaf[i].ecx &= ~(uint32_t)BIT(30);
        if (m->leaf[i].leaf == 7 && !m->leaf[i].sub)
            m->leaf[i].ebx &= ~(uint32_t)BIT(18);
    }
}

struct rig *rig_new(void)
{
    struct err e = {0};
    struct rig *r = aligned_alloc(64, align_up(sizeof(*r), 64));
    need(r, &e);
    memset(r, 0, sizeof(*r));
    pthread_mutex_init(&r->lock, NULL);
    const struct cpuid_config config = {.cpus = 1, .tsc_khz = 1000000};
    cpuid_compose(&r->model, &config);
    no_random(&r->model);
    r->mem = mem_new();
    r->bus = bus_new();
    r->clock = clock_new_stepped(0);
    /* A slot each with another's pages beside it would hide what runs over. */
    need(mem_add_ram(r->mem, RIG_RAM, RIG_RAM_SIZE, &e), &e);
    need(mem_add_rom(r->mem, RIG_ROM, RIG_ROM_SIZE, &e), &e);
    need(mem_add_ram(r->mem, RIG_HIGH, RIG_HIGH_SIZE, &e), &e);
    guard(r);
    bus_add_mmio(r->bus, RIG_MMIO, PAGE_SIZE, &device, r, &r->lock);
    bus_add_pio(r->bus, RIG_PORT, 16, &device, r, &r->lock);
    const struct engine_config cfg = {.mem = r->mem,
                                      .bus = r->bus,
                                      .clock = r->clock,
                                      .cpuid = &r->model,
                                      .cpus = 1,
                                      .extint_ack = extint_ack,
                                      .opaque = r};
    r->engine = interp_engine.open(&cfg, &e);
    need(r->engine, &e);
    r->vcpu = interp_engine.vcpu_create(r->engine, 0, &e);
    need(r->vcpu, &e);
    r->cpu = interp_cpu(r->vcpu);
    return r;
}

static void clear_memory(struct rig *r)
{
    unsigned n;
    const struct mem_slot *s = mem_slots(r->mem, &n);
    for (unsigned i = 0; i < n; i++)
        for (uint64_t at = 0; at < s[i].size; at += PAGE_SIZE)
            if (mem_dirty_test_clear(r->mem, s[i].gpa + at))
                memset(s[i].hva + at, 0, PAGE_SIZE);
}

void rig_reset(struct rig *r)
{
    const struct interp *v = (const struct interp *)r->cpu;
    interp_engine.single_step(r->vcpu, false);
    while (v->nbreakpoints)
        interp_engine.breakpoint(r->vcpu, v->breakpoint[0], false);
    atomic_store(&r->cpu->kicked, false);
    interp_engine.extint(r->engine, false);
    interp_engine.vcpu_reset(r->vcpu); /* drops write grants and blocks */
    clear_memory(r);
    FUZZ_CHECK(r->clock->count == 0, "a timer is armed after reset");
    r->clock->stepped_ns = 0;
    r->writes = 0;
}

void rig_msi(struct rig *r, unsigned delivery, uint8_t vector)
{
    interp_engine.deliver_msi(r->engine, LAPIC_BASE, (delivery & 7) << 8 | vector);
}
