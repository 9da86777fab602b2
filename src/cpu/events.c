/*
 * events.c: which pending event comes next at an instruction boundary (SDM 3A table 6-2), INIT and SIPI, HLT.
 *
 * A source of events stores what happened first and sets poll (or wakes) afterwards; cpu_events clears poll
 * first and looks afterwards. So whatever is missed by the look has poll set behind it.
 */
#include "cpu/cpu_internal.h"

/* ---- INIT and SIPI (SDM 3A 8.4) ---- */

static void take_init(struct cpu *c)
{
    bool bsp = lapic_base(c->apic) & BIT(8);
    x86_reset(&c->st, true, c->cpuid->signature, bsp);
    lapic_reset(c->apic, true);
    cpu_state_loaded(c);
}

static void take_sipi(struct cpu *c, uint8_t vector)
{
    struct x86_state *s = &c->st;
    if (s->mp != X86_WAIT_SIPI)
        return;
    seg_set_real(c, SEG_CS, (uint16_t)(vector << 8));
    s->rip = 0;
    s->mp = X86_RUNNING;
    mode_changed(c);
}

static void take_signals(struct cpu *c)
{
    uint8_t vector = 0;
    unsigned signals = lapic_take_signals(c->apic, &vector);
    if (signals & LAPIC_INIT)
        take_init(c);
    if (signals & LAPIC_SIPI)
        take_sipi(c, vector);
    if (signals & LAPIC_NMI)
        c->st.ev.nmi_pending = true;
}

/* ---- what is there ---- */

static bool extint_waits(const struct cpu *c)
{
    return atomic_load_explicit(&c->extint_line, memory_order_acquire) && c->wiring.extint_ack &&
           (!c->apic || lapic_takes_extint(c->apic));
}
static bool interrupt_waits(struct cpu *c)
{
    return extint_waits(c) || (c->apic && lapic_pending(c->apic) >= 0);
}
static bool nmi_waits(const struct cpu *c)
{
    return c->st.ev.nmi_pending && !c->st.ev.nmi_masked;
}

bool cpu_has_wakeup(struct cpu *c)
{
    const struct x86_state *s = &c->st;
    unsigned signals = c->apic ? lapic_peek_signals(c->apic) : 0;
    if (s->mp == X86_WAIT_SIPI)
        return signals & (LAPIC_INIT | LAPIC_SIPI);
    if (s->mp == X86_SHUTDOWN)
        return signals & LAPIC_INIT;
    if (s->mp == X86_RUNNING || s->ev.debug_pending || nmi_waits(c))
        return true;
    if ((signals & LAPIC_INIT) || ((signals & LAPIC_NMI) && !s->ev.nmi_masked))
        return true;
    return (s->rflags & FL_IF) && interrupt_waits(c);
}

/* The vector of the interrupt to take, or -1: it has gone. */
static int acknowledge(struct cpu *c)
{
    if (extint_waits(c))
        return c->wiring.extint_ack(c->wiring.opaque);
    return c->apic && lapic_pending(c->apic) >= 0 ? lapic_accept(c->apic) : -1;
}

/* ---- the decision ---- */

static enum cpu_result take_debug_trap(struct cpu *c)
{
    struct x86_events *ev = &c->st.ev;
    c->fault = (struct cpu_fault){.vector = VEC_DB, .addr = ev->dr6_pending};
    ev->debug_pending = false;
    ev->dr6_pending = 0;
    return cpu_deliver_fault(c);
}

static enum cpu_result take_nmi(struct cpu *c)
{
    c->st.ev.nmi_pending = false;
    c->st.ev.nmi_masked = true;
    return deliver_interrupt(c, VEC_NMI);
}

static enum cpu_result take_one(struct cpu *c)
{
    struct x86_state *s = &c->st;
    /* A halted vCPU executes nothing that could end a shadow: HLT itself was what it lasted for. */
    uint8_t shadow = s->mp == X86_HALTED ? 0 : s->ev.shadow;
    bool movss = shadow & X86_SHADOW_MOVSS;

    if (s->ev.debug_pending && !movss) {
        s->mp = X86_RUNNING;
        return take_debug_trap(c);
    }
    if (nmi_waits(c) && !movss) {
        s->mp = X86_RUNNING;
        return take_nmi(c);
    }
    if ((s->rflags & FL_IF) && !shadow) {
        int vector = acknowledge(c);
        if (vector >= 0) {
            s->mp = X86_RUNNING;
            return deliver_interrupt(c, (uint8_t)vector);
        }
    }
    return s->mp == X86_HALTED ? CPU_HALT : CPU_GO_ON;
}

enum cpu_result cpu_events(struct cpu *c)
{
    struct x86_state *s = &c->st;
    atomic_exchange(&c->poll, 0); /* a full barrier: what is looked at below is looked at after */
    if (UNLIKELY(c->apic && lapic_peek_signals(c->apic)))
        take_signals(c);
    if (UNLIKELY(s->mp == X86_SHUTDOWN))
        return CPU_SHUTDOWN;
    if (UNLIKELY(s->mp == X86_WAIT_SIPI))
        return CPU_HALT;
    enum cpu_result r = take_one(c);
    c->held = !(s->rflags & FL_IF) && interrupt_waits(c);
    /* What waits behind a shadow, or behind the event taken: for the next boundary. */
    if (r == CPU_GO_ON &&
        (s->ev.debug_pending || nmi_waits(c) || ((s->rflags & FL_IF) && interrupt_waits(c))))
        cpu_recheck(c);
    return r;
}
