/*
 * state.c: a vCPU's state in and out, by group.
 */
#include "engine/kvm/impl.h"
#include <errno.h>
#include <stdio.h>

/*
 * In the order in which the kernel wants them stored: time before what compares with it; modes (which hold
 * the APIC's base) before what depends on them; what is pending last, since storing registers forgets it.
 */
static const struct state_part parts[] = {
    {"the clock", GROUP_CLOCK, kvm_store_clock, kvm_load_clock},
    {"segment and control registers", GROUP_SEGMENTS | GROUP_CONTROL | GROUP_MSRS | GROUP_APIC,
     kvm_store_sregs, kvm_load_sregs},
    {"model-specific registers", GROUP_MSRS, kvm_store_msrs, kvm_load_msrs},
    {"floating-point and vector registers", GROUP_FPU, kvm_store_fpu, kvm_load_fpu},
    {"debug registers", GROUP_DEBUG, kvm_store_debug, kvm_load_debug},
    {"general registers", GROUP_GENERAL, kvm_store_regs, kvm_load_regs},
    {"the local APIC", GROUP_APIC, kvm_store_apic, kvm_load_apic},
    {"the activity state", GROUP_MP, kvm_store_mp, kvm_load_mp},
    {"pending events", GROUP_EVENTS, kvm_store_events, kvm_load_events},
};

bool kvm_store_state(struct engine_vcpu *v, struct engine_exit_info *why)
{
    const unsigned dirty = v->dirty;
    if (LIKELY(!dirty))
        return true;
    for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
        if ((dirty & parts[i].groups) && !parts[i].store(v, dirty)) {
            snprintf(why->text, sizeof(why->text), "kvm refuses %s: %s", parts[i].what, strerror(errno));
            return false;
        }
    v->dirty = 0;
    return true;
}

void kvm_push(struct engine_vcpu *v, unsigned groups, const struct x86_state *in)
{
    engine_copy_groups(&v->st, in, groups);
    v->dirty |= groups;
    if (groups & GROUP_MP)
        v->shutdown = in->mp == X86_SHUTDOWN;
    if (groups & GROUP_GENERAL)
        v->step_over = false;
}

void kvm_pull(struct engine_vcpu *v, unsigned groups, struct x86_state *out)
{
    const unsigned kept = groups & v->dirty, wanted = groups & ~v->dirty;
    for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
        if (wanted & parts[i].groups)
            parts[i].load(v, wanted, out);
    engine_copy_groups(out, &v->st, kept);
    if ((groups & GROUP_MP) && v->shutdown)
        out->mp = X86_SHUTDOWN;
}

void kvm_reset(struct engine_vcpu *v)
{
    x86_reset(&v->st, false, v->en->cfg.cpuid->signature, v->id == 0);
    v->st.apic = v->en->power_on[v->id];
    v->dirty = GROUP_ALL;
    v->shutdown = v->step_over = false;
}
