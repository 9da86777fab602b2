/*
 * state_apic.c: the kernel's local APIC: its page of registers (KVM_GET_LAPIC) and the deadline.
 */
#include "engine/kvm/impl.h"

/* Offsets of the registers (SDM 3A table 11-1). */
enum {
    APIC_ID = 0x20,
    APIC_TPR = 0x80,
    APIC_LDR = 0xd0,
    APIC_DFR = 0xe0,
    APIC_SVR = 0xf0,
    APIC_ISR = 0x100,
    APIC_TMR = 0x180,
    APIC_IRR = 0x200,
    APIC_ESR = 0x280,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT = 0x320,
    APIC_INITIAL_COUNT = 0x380,
    APIC_CURRENT_COUNT = 0x390,
    APIC_DIVIDE = 0x3e0,
};

static uint32_t get(const struct kvm_lapic_state *k, unsigned at)
{
    return (uint32_t)load_le(k->regs + at, 4);
}

static void put(struct kvm_lapic_state *k, unsigned at, uint32_t value)
{
    store_le(k->regs + at, value, 4);
}

static void get_set(const struct kvm_lapic_state *k, unsigned at, uint64_t set[4])
{
    for (unsigned i = 0; i < 4; i++)
        set[i] = get(k, at + i * 0x20) | (uint64_t)get(k, at + i * 0x20 + 0x10) << 32;
}

static void put_set(struct kvm_lapic_state *k, unsigned at, const uint64_t set[4])
{
    for (unsigned i = 0; i < 4; i++) {
        put(k, at + i * 0x20, (uint32_t)set[i]);
        put(k, at + i * 0x20 + 0x10, (uint32_t)(set[i] >> 32));
    }
}

bool kvm_store_apic(struct engine_vcpu *v, unsigned groups)
{
    const struct x86_apic *a = &v->st.apic;
    struct kvm_lapic_state k;
    if (ioctl(v->fd, KVM_GET_LAPIC, &k) < 0)
        return false;
    put(&k, APIC_ID, v->id << 24);
    put(&k, APIC_TPR, a->tpr);
    put(&k, APIC_LDR, a->ldr);
    put(&k, APIC_DFR, a->dfr);
    put(&k, APIC_SVR, a->svr);
    put_set(&k, APIC_ISR, a->isr);
    put_set(&k, APIC_TMR, a->tmr);
    put_set(&k, APIC_IRR, a->irr);
    put(&k, APIC_ESR, a->esr);
    put(&k, APIC_ICR, a->icr);
    put(&k, APIC_ICR_HIGH, a->icr_high);
    for (unsigned i = 0; i < ARRAY_LEN(a->lvt); i++)
        put(&k, APIC_LVT + i * 0x10, a->lvt[i]);
    put(&k, APIC_INITIAL_COUNT, a->initial_count);
    put(&k, APIC_CURRENT_COUNT, a->current_count);
    put(&k, APIC_DIVIDE, a->divide);
    if (ioctl(v->fd, KVM_SET_LAPIC, &k) < 0)
        return false;
    return !v->en->cfg.cpuid->has_tsc_deadline || kvm_set_msr(v, MSR_TSC_DEADLINE, a->deadline);
}

/* The base came with the segment and control registers. */
void kvm_load_apic(struct engine_vcpu *v, unsigned groups, struct x86_state *out)
{
    struct x86_apic *a = &out->apic;
    struct kvm_lapic_state k = {0};
    uint64_t deadline;
    ioctl(v->fd, KVM_GET_LAPIC, &k);
    a->tpr = get(&k, APIC_TPR);
    a->ldr = get(&k, APIC_LDR);
    a->dfr = get(&k, APIC_DFR);
    a->svr = get(&k, APIC_SVR);
    get_set(&k, APIC_ISR, a->isr);
    get_set(&k, APIC_TMR, a->tmr);
    get_set(&k, APIC_IRR, a->irr);
    a->esr = get(&k, APIC_ESR);
    a->icr = get(&k, APIC_ICR);
    a->icr_high = get(&k, APIC_ICR_HIGH);
    for (unsigned i = 0; i < ARRAY_LEN(a->lvt); i++)
        a->lvt[i] = get(&k, APIC_LVT + i * 0x10);
    a->initial_count = get(&k, APIC_INITIAL_COUNT);
    a->current_count = get(&k, APIC_CURRENT_COUNT);
    a->divide = get(&k, APIC_DIVIDE);
    a->deadline = kvm_get_msr(v, MSR_TSC_DEADLINE, &deadline) ? deadline : 0;
}
