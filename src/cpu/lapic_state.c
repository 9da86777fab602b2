/*
 * lapic_state.c: a local APIC's state out and in.
 */
#include "cpu/lapic_impl.h"

void lapic_get_state(struct lapic *a, struct x86_apic *out)
{
    uint32_t count = lapic_timer_count(a); /* first: what has run out meanwhile sets its bit in IRR */
    *out = (struct x86_apic){
        .base = a->base,
        .deadline = lapic_deadline(a),
        .tpr = a->tpr,
        .ldr = a->ldr,
        .dfr = a->dfr,
        .svr = a->svr,
        .esr = a->esr,
        .icr = a->icr,
        .icr_high = a->icr_high,
        .initial_count = a->initial_count,
        .current_count = count,
        .divide = a->divide,
    };
    for (unsigned i = 0; i < LVT_COUNT; i++)
        out->lvt[i] = a->lvt[i];
    for (unsigned i = 0; i < ARRAY_LEN(out->irr); i++) {
        out->isr[i] = a->isr[i];
        out->tmr[i] = a->tmr[i];
        out->irr[i] = a->irr[i];
    }
}

void lapic_set_state(struct lapic *a, const struct x86_apic *in)
{
    for (unsigned i = 0; i < ARRAY_LEN(in->irr); i++) {
        atomic_store(&a->isr[i], in->isr[i]);
        atomic_store(&a->tmr[i], in->tmr[i]);
        atomic_store(&a->irr[i], in->irr[i]);
    }
    atomic_store(&a->in_service, lapic_highest(a->isr));
    atomic_store(&a->base, in->base);
    a->tpr = in->tpr;
    a->ldr = in->ldr;
    a->dfr = in->dfr;
    a->svr = in->svr;
    a->esr = in->esr;
    a->icr = in->icr;
    a->icr_high = in->icr_high;
    for (unsigned i = 0; i < LVT_COUNT; i++)
        if (i != LVT_TIMER)
            a->lvt[i] = in->lvt[i];
    lapic_timer_load(a, in);
    if (a->cpu)
        cpu_recheck(a->cpu);
}
