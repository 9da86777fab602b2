/*
 * debug.c: single steps and breakpoints, by the processor's debug registers. While any is set, the guest's
 * own debug registers do not act (KVM_SET_GUEST_DEBUG).
 */
#include "engine/kvm/impl.h"

#define DR7_LOCAL_ENABLE(n) (1ull << ((n)*2)) /* of an instruction breakpoint: type and length 0 */

static void apply(struct engine_vcpu *v)
{
    struct kvm_guest_debug d = {0};
    if (v->stepping)
        d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
    if (v->nbreakpoints)
        d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
    for (unsigned i = 0; i < v->nbreakpoints; i++) {
        d.arch.debugreg[i] = v->breakpoint[i];
        d.arch.debugreg[7] |= DR7_LOCAL_ENABLE(i);
    }
    if (v->nbreakpoints)
        d.arch.debugreg[7] |= DR7_FIXED;
    int refused = ioctl(v->fd, KVM_SET_GUEST_DEBUG, &d);
    assert(refused == 0 || v->st.ev.debug_pending);
}

void kvm_single_step(struct engine_vcpu *v, bool on)
{
    v->stepping = on;
    apply(v);
}

bool kvm_breakpoint(struct engine_vcpu *v, uint64_t lin, bool set)
{
    unsigned at = 0;
    while (at < v->nbreakpoints && v->breakpoint[at] != lin)
        at++;
    if (set && at == v->nbreakpoints) {
        if (at == MAX_BREAKPOINTS)
            return false;
        v->breakpoint[v->nbreakpoints++] = lin;
    } else if (!set && at < v->nbreakpoints) {
        v->breakpoint[at] = v->breakpoint[--v->nbreakpoints];
    }
    apply(v);
    return true;
}
