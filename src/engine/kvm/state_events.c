/*
 * state_events.c: what is pending between two instructions, and whether the vCPU runs, halts or waits.
 *
 * The kernel may hold an event whose delivery has begun and was broken off ("injected"). Our form has no such
 * thing, and needs none: what was broken off is as good as not begun. A fault comes again with its
 * instruction, an NMI waits again, an interrupt goes back from the local APIC's ISR to its IRR.
 */
#include "engine/kvm/impl.h"

bool kvm_store_mp(struct engine_vcpu *v, unsigned groups)
{
    static const uint32_t states[] = {
        [X86_RUNNING] = KVM_MP_STATE_RUNNABLE,
        [X86_HALTED] = KVM_MP_STATE_HALTED,
        [X86_WAIT_SIPI] = KVM_MP_STATE_INIT_RECEIVED,
        [X86_SHUTDOWN] = KVM_MP_STATE_RUNNABLE, /* kept by us: run() does not enter the guest */
    };
    struct kvm_mp_state m = {states[v->st.mp]};
    return ioctl(v->fd, KVM_SET_MP_STATE, &m) == 0;
}

void kvm_load_mp(struct engine_vcpu *v, unsigned groups, struct x86_state *out)
{
    struct kvm_mp_state m = {KVM_MP_STATE_RUNNABLE};
    ioctl(v->fd, KVM_GET_MP_STATE, &m);
    switch (m.mp_state) {
    case KVM_MP_STATE_HALTED: out->mp = X86_HALTED; break;
    case KVM_MP_STATE_UNINITIALIZED:
    case KVM_MP_STATE_INIT_RECEIVED: out->mp = X86_WAIT_SIPI; break;
    default: out->mp = X86_RUNNING; break;
    }
}

bool kvm_store_events(struct engine_vcpu *v, unsigned groups)
{
    const struct x86_events *ev = &v->st.ev;
    struct kvm_vcpu_events k = {
        .flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_PAYLOAD,
        .interrupt.shadow = (ev->shadow & X86_SHADOW_STI ? KVM_X86_SHADOW_INT_STI : 0) |
                            (ev->shadow & X86_SHADOW_MOVSS ? KVM_X86_SHADOW_INT_MOV_SS : 0),
        .nmi = {.pending = ev->nmi_pending, .masked = ev->nmi_masked},
    };
    if (ev->debug_pending) {
        k.exception.nr = VEC_DB;
        k.exception.pending = 1;
        k.exception_has_payload = 1;
        k.exception_payload = ev->dr6_pending;
    }
    return ioctl(v->fd, KVM_SET_VCPU_EVENTS, &k) == 0;
}

static void take_back_interrupt(struct x86_apic *a, uint8_t vector)
{
    uint64_t bit = BIT(vector % 64);
    if (!(a->isr[vector / 64] & bit))
        return; /* the 8259's: acknowledged there, and not to be had back */
    a->isr[vector / 64] &= ~bit;
    a->irr[vector / 64] |= bit;
}

void kvm_load_events(struct engine_vcpu *v, unsigned groups, struct x86_state *out)
{
    struct kvm_vcpu_events k = {0};
    ioctl(v->fd, KVM_GET_VCPU_EVENTS, &k);
    bool debug = k.exception.nr == VEC_DB && (k.exception.pending || k.exception.injected);
    out->ev = (struct x86_events){
        .shadow = (uint8_t)((k.interrupt.shadow & KVM_X86_SHADOW_INT_STI ? X86_SHADOW_STI : 0) |
                            (k.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS ? X86_SHADOW_MOVSS : 0)),
        .nmi_pending = k.nmi.pending || k.nmi.injected,
        .nmi_masked = k.nmi.masked && !k.nmi.injected,
        .debug_pending = debug,
        .dr6_pending = debug && k.exception_has_payload ? k.exception_payload : 0,
    };
    if (k.interrupt.injected && !k.interrupt.soft && (groups & GROUP_APIC))
        take_back_interrupt(&out->apic, k.interrupt.nr);
}
