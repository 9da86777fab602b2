/*
 * lapic.c: the local APIC's heart: acceptance, priority, end of interrupt, signals, errors and modes.
 *
 * IRR is set from any thread and emptied by the vCPU's; ISR belongs to the vCPU. Whoever sets an IRR bit
 * kicks the vCPU afterwards, so the vCPU must clear its poll word before it looks at IRR.
 */
#include "cpu/lapic_impl.h"
#include <stdlib.h>

static int in_service(const struct lapic *a)
{
    return atomic_load_explicit(&a->in_service, memory_order_relaxed);
}

static void set_in_service(struct lapic *a, int vector)
{
    atomic_store_explicit(&a->in_service, vector, memory_order_relaxed);
}

/* ---- life ---- */

/* Registers after power-up, INIT, or the hardware disable (SDM 3A 11.4.7.1). */
static void reset_registers(struct lapic *a)
{
    for (unsigned i = 0; i < ARRAY_LEN(a->irr); i++) {
        atomic_store(&a->irr[i], 0);
        atomic_store(&a->isr[i], 0);
        atomic_store(&a->tmr[i], 0);
    }
    set_in_service(a, -1);
    atomic_store(&a->error, 0);
    a->esr = a->icr = a->icr_high = 0;
    a->tpr = a->ldr = 0;
    a->dfr = UINT32_MAX;
    a->svr = 0xff;
    for (unsigned i = 0; i < LVT_COUNT; i++)
        if (i != LVT_TIMER)
            a->lvt[i] = LVT_MASKED;
    lapic_timer_reset(a);
}

struct lapic *lapic_new(struct lapic_bus *b, struct clock *k, unsigned id)
{
    struct lapic *a = calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    a->bus = b;
    a->clock = k;
    a->id = id;
    a->has_x2apic = a->has_deadline = true;
    pthread_mutex_init(&a->lock, NULL);
    lapic_timer_init(a);
    lapic_reset(a, false);
    lapic_bus_join(b, a);
    return a;
}

void lapic_free(struct lapic *a)
{
    if (!a)
        return;
    lapic_bus_leave(a->bus, a);
    lapic_timer_reset(a);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void lapic_bind(struct lapic *a, struct cpu *c)
{
    const struct cpuid_model *m = c->cpuid;
    a->has_x2apic = m->has_x2apic;
    a->has_deadline = m->has_tsc_deadline;
    a->base_reserved =
        ~(BASE_BSP | BASE_ENABLE | (m->has_x2apic ? BASE_X2APIC : 0) | (BIT(m->phys_bits) - PAGE_SIZE));
    a->cpu = c;
}

void lapic_reset(struct lapic *a, bool init)
{
    reset_registers(a);
    if (init) /* an INIT leaves the mode, and what came after it (the SIPI) pending (SDM 3A 11.4.7.3, 11.12.5)
               */
        return;
    atomic_store(&a->signals, 0);
    atomic_store(&a->base, LAPIC_BASE | BASE_ENABLE | (a->id == 0 ? BASE_BSP : 0));
}

void lapic_virtual_wire(struct lapic *a)
{
    lapic_mmio_write(a, 0x0f0, 4, 0x1ff); /* SVR: enabled, spurious vector 0xff */
    lapic_mmio_write(a, 0x350, 4, 0x700); /* LINT0: ExtINT */
    lapic_mmio_write(a, 0x360, 4, 0x400); /* LINT1: NMI */
}

/* ---- IA32_APIC_BASE ---- */

uint64_t lapic_base(const struct lapic *a)
{
    return a->base;
}

/* The mode is EN (bit 1) and EXTD (bit 0). */
static unsigned mode_of(uint64_t base)
{
    return (unsigned)bits(base, 10, 2);
}

bool lapic_set_base(struct lapic *a, uint64_t v)
{
    enum { DISABLED = 0, XAPIC = 2, X2APIC = 3 };
    /* SDM 3A figure 11-27: [from][to]; 01b is invalid. */
    static const bool legal[4][4] = {
        [DISABLED] = {[DISABLED] = true, [XAPIC] = true},
        [XAPIC] = {[DISABLED] = true, [XAPIC] = true, [X2APIC] = true},
        [X2APIC] = {[DISABLED] = true, [X2APIC] = true},
    };
    unsigned from = mode_of(a->base), to = mode_of(v);
    if ((v & a->base_reserved) || !legal[from][to])
        return false;
    atomic_store(&a->base, v);
    if (from != to) {
        if (to == DISABLED)
            reset_registers(a);
        a->icr_high = 0;
        if (a->cpu)
            cpu_recheck(a->cpu); /* disabled, the INTR pin goes straight to the processor */
    }
    return true;
}

bool lapic_mmio_at(const struct lapic *a, gpa_t *gpa)
{
    uint64_t base = a->base;
    *gpa = base & PAGE_MASK;
    return (base & (BASE_ENABLE | BASE_X2APIC)) == BASE_ENABLE;
}

/* ---- vectors ---- */

int lapic_highest(const _Atomic uint64_t set[4])
{
    for (int i = 3; i >= 0; i--) {
        uint64_t w = atomic_load_explicit(&set[i], memory_order_acquire);
        if (w)
            return i * 64 + 63 - __builtin_clzll(w);
    }
    return -1;
}

static uint32_t relaxed(const _Atomic uint32_t *r)
{
    return atomic_load_explicit(r, memory_order_relaxed);
}

/* Processor priority (SDM 3A 11.8.3.1). */
uint8_t lapic_ppr(const struct lapic *a)
{
    int v = in_service(a);
    unsigned tpr = relaxed(&a->tpr), service = v < 0 ? 0 : (unsigned)v & 0xf0;
    return (uint8_t)((tpr & 0xf0) >= service ? tpr : service);
}

int lapic_pending(struct lapic *a)
{
    int v = lapic_highest(a->irr);
    return v >= 0 && (v & 0xf0) > (lapic_ppr(a) & 0xf0) ? v : -1;
}

/* After something in the vCPU's own thread may have made an interrupt deliverable. */
static void recheck(struct lapic *a)
{
    if (a->cpu && lapic_pending(a) >= 0)
        cpu_recheck(a->cpu);
}

/* Only the vCPU's thread writes ISR, so load and store need not be one operation. */
static void isr_write(struct lapic *a, unsigned vector, bool set)
{
    _Atomic uint64_t *w = &a->isr[vector / 64];
    uint64_t old = atomic_load_explicit(w, memory_order_relaxed), bit = BIT(vector % 64);
    atomic_store_explicit(w, set ? old | bit : old & ~bit, memory_order_relaxed);
}

int lapic_accept(struct lapic *a)
{
    int v = lapic_pending(a);
    if (v < 0)
        return (int)(relaxed(&a->svr) & 0xff); /* spurious: nothing goes into ISR (SDM 3A 11.9) */
    atomic_fetch_and(&a->irr[v / 64], ~BIT(v % 64));
    isr_write(a, (unsigned)v, true);
    set_in_service(a, v);
    return v;
}

void lapic_eoi(struct lapic *a)
{
    int v = in_service(a);
    if (v < 0)
        return;
    isr_write(a, (unsigned)v, false);
    set_in_service(a, lapic_highest(a->isr));
    if (atomic_load_explicit(&a->tmr[v / 64], memory_order_relaxed) & BIT(v % 64)) {
        uint32_t lint0 = a->lvt[LVT_LINT0];
        if ((lint0 & LVT_REMOTE_IRR) && (lint0 & LVT_VECTOR) == (unsigned)v) {
            atomic_fetch_and(&a->lvt[LVT_LINT0], ~LVT_REMOTE_IRR);
            if ((a->pins & 1) != ((lint0 & LVT_POLARITY_LOW) != 0))
                lapic_fire(a, LVT_LINT0, true);
        }
        if (a->cpu && a->cpu->wiring.eoi)
            a->cpu->wiring.eoi(a->cpu->wiring.opaque, (uint8_t)v);
    }
    recheck(a);
}

uint8_t lapic_tpr(const struct lapic *a)
{
    return (uint8_t)relaxed(&a->tpr);
}

void lapic_set_tpr(struct lapic *a, uint8_t tpr)
{
    atomic_store_explicit(&a->tpr, tpr, memory_order_relaxed);
    recheck(a);
}

/* ---- what arrives ---- */

static void notify(struct lapic *a, bool own)
{
    if (!a->cpu)
        return;
    if (own)
        cpu_recheck(a->cpu);
    else
        cpu_kick(a->cpu);
}

static void post(struct lapic *a, uint8_t vector, bool level, bool own)
{
    uint64_t bit = BIT(vector % 64);
    _Atomic uint64_t *tmr = &a->tmr[vector / 64];
    /* TMR first: who sees the IRR bit sees how the interrupt was triggered. */
    if (((atomic_load(tmr) & bit) != 0) != level) {
        if (level)
            atomic_fetch_or(tmr, bit);
        else
            atomic_fetch_and(tmr, ~bit);
    }
    if (!(atomic_fetch_or(&a->irr[vector / 64], bit) & bit))
        notify(a, own);
}

static void signal_cpu(struct lapic *a, uint32_t what, uint8_t sipi, bool own)
{
    uint32_t old = atomic_load(&a->signals), new;
    do {
        new = old | what;
        if (what == LAPIC_SIPI)
            new = (new &SIGNALS_MASK) | (uint32_t)sipi << SIPI_VECTOR_POS;
        else if (what == LAPIC_INIT) /* a SIPI from before the INIT is lost with the state it would start */
            new &= ~(uint32_t)LAPIC_SIPI;
    } while (!atomic_compare_exchange_weak(&a->signals, &old, new));
    notify(a, own);
}

void lapic_deliver(struct lapic *a, unsigned mode, uint8_t vector, bool level, bool own)
{
    if (!(a->base & BASE_ENABLE))
        return;
    switch (mode) {
    case MODE_FIXED:
    case MODE_LOWEST:
        if (!(relaxed(&a->svr) & SVR_ENABLE)) /* software disabled: only INIT, NMI, SMI, SIPI (11.4.7.2) */
            return;
        if (vector < 16)
            lapic_error(a, ESR_RECEIVE_ILLEGAL, own);
        else
            post(a, vector, level, own);
        return;
    case MODE_NMI: signal_cpu(a, LAPIC_NMI, 0, own); return;
    case MODE_INIT: signal_cpu(a, LAPIC_INIT, 0, own); return;
    case MODE_SIPI: signal_cpu(a, LAPIC_SIPI, vector, own); return;
    default: return; /* no SMM; ExtINT comes by LINT0's wire only; 3 is reserved */
    }
}

void lapic_fire(struct lapic *a, enum lapic_lvt which, bool own)
{
    uint32_t lvt = a->lvt[which];
    bool level = false;
    if (lvt & LVT_MASKED)
        return;
    unsigned mode = (lvt & LVT_MODE) >> 8;
    if (mode == MODE_LOWEST || mode == MODE_SIPI) /* not in a local vector table (SDM 3A 11.5.1) */
        return;
    if (which == LVT_LINT0 && mode == MODE_FIXED && (lvt & LVT_LEVEL)) {
        level = true;
        if (atomic_fetch_or(&a->lvt[which], LVT_REMOTE_IRR) & LVT_REMOTE_IRR)
            return;
    }
    lapic_deliver(a, mode, (uint8_t)(lvt & LVT_VECTOR), level, own);
}

void lapic_lint(struct lapic *a, unsigned pin, bool level)
{
    assert(pin < 2);
    enum lapic_lvt which = pin ? LVT_LINT1 : LVT_LINT0;
    uint32_t bit = 1u << pin;
    uint32_t old = level ? atomic_fetch_or(&a->pins, bit) : atomic_fetch_and(&a->pins, ~bit);
    bool active = level != ((a->lvt[which] & LVT_POLARITY_LOW) != 0);
    if (((old & bit) != 0) != level && active)
        lapic_fire(a, which, false);
}

/* Error bits gather until ESR is written; the interrupt comes with the event (SDM 3A 11.5.3). */
void lapic_error(struct lapic *a, uint32_t esr_bit, bool own)
{
    uint32_t lvt = a->lvt[LVT_ERROR];
    bool illegal = (lvt & LVT_VECTOR) < 16; /* the error interrupt may be an error itself */
    bool masked = lvt & LVT_MASKED;
    atomic_fetch_or(&a->error, esr_bit | (illegal && !masked ? ESR_RECEIVE_ILLEGAL : 0));
    if (!masked && !illegal)
        post(a, (uint8_t)(lvt & LVT_VECTOR), false, own);
}

bool lapic_takes_extint(const struct lapic *a)
{
    if (!(a->base & BASE_ENABLE))
        return true;
    uint32_t lvt = a->lvt[LVT_LINT0];
    return !(lvt & LVT_MASKED) && (lvt & LVT_MODE) >> 8 == MODE_EXTINT;
}

unsigned lapic_take_signals(struct lapic *a, uint8_t *sipi)
{
    if (!relaxed(&a->signals))
        return 0;
    uint32_t s = atomic_exchange(&a->signals, 0);
    *sipi = (uint8_t)(s >> SIPI_VECTOR_POS);
    return s & SIGNALS_MASK;
}

unsigned lapic_peek_signals(const struct lapic *a)
{
    return relaxed(&a->signals) & SIGNALS_MASK;
}
