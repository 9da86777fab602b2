/*
 * state_msr.c: model-specific registers, the guest's TSC and the paravirtual clock.
 */
#include "engine/kvm/impl.h"
#include <errno.h>

/* Which field of struct x86_state each MSR is. An older kernel may lack one: then it reads as 0, and only 0
 * can be stored. */
#define MSR(i, f)                                        \
    {                                                    \
        (uint32_t)(i), offsetof(struct x86_state, msr.f) \
    }
static const struct msr_field {
    uint32_t index;
    uint32_t field;
} fields[] = {
    MSR(MSR_STAR, star),
    MSR(MSR_LSTAR, lstar),
    MSR(MSR_CSTAR, cstar),
    MSR(MSR_SFMASK, sfmask),
    MSR(MSR_KERNEL_GS_BASE, kernel_gs_base),
    MSR(MSR_TSC_AUX, tsc_aux),
    MSR(MSR_SYSENTER_CS, sysenter_cs),
    MSR(MSR_SYSENTER_ESP, sysenter_esp),
    MSR(MSR_SYSENTER_EIP, sysenter_eip),
    MSR(MSR_PAT, pat),
    MSR(MSR_MISC_ENABLE, misc_enable),
    MSR(MSR_MTRR_DEF_TYPE, mtrr_def_type),
    MSR(MSR_MTRR_FIX64K, mtrr_fixed[0]),
    MSR(MSR_MTRR_FIX16K_8, mtrr_fixed[1]),
    MSR(MSR_MTRR_FIX16K_A, mtrr_fixed[2]),
    MSR(MSR_MCG_STATUS, mcg_status),
    MSR(MSR_MCG_CTL, mcg_ctl),
    MSR(MSR_SPEC_CTRL, spec_ctrl),
    MSR(MSR_DEBUGCTL, debugctl),
    MSR(MSR_AMD_HWCR, hwcr),
    MSR(MSR_AMD_SYSCFG, syscfg),
    MSR(MSR_KVM_WALL_CLOCK_NEW, kvm_wall_clock),
    MSR(MSR_KVM_SYSTEM_TIME_NEW, kvm_system_time),
};

/* The MTRRs that are numbered in a row. */
enum { FIX4K = 8, VARIABLE = 16, ALL_FIELDS = ARRAY_LEN(fields) + FIX4K + VARIABLE };

static struct msr_field field_at(unsigned i)
{
    if (i < ARRAY_LEN(fields))
        return fields[i];
    i -= ARRAY_LEN(fields);
    if (i < FIX4K)
        return (struct msr_field){MSR_MTRR_FIX4K_C0 + i,
                                  (uint32_t)(offsetof(struct x86_state, msr.mtrr_fixed) + (3 + i) * 8)};
    i -= FIX4K;
    return (struct msr_field){MSR_MTRR_PHYS_BASE0 + i,
                              (uint32_t)(offsetof(struct x86_state, msr.mtrr_var) + i * 8)};
}

static uint64_t *value_in(struct x86_state *s, struct msr_field f)
{
    return (uint64_t *)((uint8_t *)s + f.field);
}

struct one_msr {
    struct kvm_msrs head;
    struct kvm_msr_entry entry;
};

bool kvm_get_msr(struct engine_vcpu *v, uint32_t index, uint64_t *value)
{
    struct one_msr m = {.head.nmsrs = 1, .entry.index = index};
    if (ioctl(v->fd, KVM_GET_MSRS, &m) != 1)
        return false;
    *value = m.entry.data;
    return true;
}

bool kvm_set_msr(struct engine_vcpu *v, uint32_t index, uint64_t value)
{
    struct one_msr m = {.head.nmsrs = 1, .entry = {.index = index, .data = value}};
    return ioctl(v->fd, KVM_SET_MSRS, &m) == 1;
}

/* All at once; the kernel stops at the first that it does not take, and says how many it took. */
bool kvm_store_msrs(struct engine_vcpu *v, unsigned groups)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry[ALL_FIELDS];
    } m;
    for (unsigned next = 0; next < ALL_FIELDS; next++) {
        m.head = (struct kvm_msrs){.nmsrs = ALL_FIELDS - next};
        for (unsigned i = next; i < ALL_FIELDS; i++) {
            struct msr_field f = field_at(i);
            m.entry[i - next] = (struct kvm_msr_entry){.index = f.index, .data = *value_in(&v->st, f)};
        }
        int taken = ioctl(v->fd, KVM_SET_MSRS, &m);
        if (taken < 0)
            return false;
        next += (unsigned)taken;
        uint64_t is;
        if (next < ALL_FIELDS &&
            (kvm_get_msr(v, field_at(next).index, &is) ? is : 0) != m.entry[taken].data) {
            log_error("kvm: MSR 0x%x cannot be 0x%llx", m.entry[taken].index,
                      (unsigned long long)m.entry[taken].data);
            errno = EINVAL;
            return false;
        }
    }
    return true;
}

void kvm_load_msrs(struct engine_vcpu *v, unsigned groups, struct x86_state *out)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry[ALL_FIELDS];
    } m;
    for (unsigned next = 0; next < ALL_FIELDS; next++) {
        m.head = (struct kvm_msrs){.nmsrs = ALL_FIELDS - next};
        for (unsigned i = next; i < ALL_FIELDS; i++)
            m.entry[i - next] = (struct kvm_msr_entry){.index = field_at(i).index};
        int taken = ioctl(v->fd, KVM_GET_MSRS, &m);
        for (int i = 0; i < taken; i++)
            *value_in(out, field_at(next + (unsigned)i)) = m.entry[i].data;
        next += taken > 0 ? (unsigned)taken : 0;
        if (next < ALL_FIELDS)
            *value_in(out, field_at(next)) = 0;
    }
}

/* ---- time ---- */

/* The guest's TSC is the host's plus an offset, and so is the clock's, as a rule: then it is a sum, and
 * exact. */
static bool offset_is_exact(const struct engine_vcpu *v)
{
    return v->en->has_tsc_offset && v->en->clock_counts_tsc;
}

static bool tsc_offset(struct engine_vcpu *v, unsigned long request, uint64_t *offset)
{
    struct kvm_device_attr a = {
        .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)offset};
    return ioctl(v->fd, request, &a) == 0;
}

/* The paravirtual clock is one for all vCPUs, and shows the machine's time. */
static bool set_paravirtual_clock(struct engine *en)
{
    struct kvm_clock_data d = {.clock = clock_now(en->cfg.clock)};
    return ioctl(en->vm, KVM_SET_CLOCK, &d) == 0;
}

bool kvm_store_clock(struct engine_vcpu *v, unsigned groups)
{
    struct engine *en = v->en;
    uint64_t offset = v->st.tsc_offset + en->clock_offset, adjust;
    bool ok = offset_is_exact(v) ? tsc_offset(v, KVM_SET_DEVICE_ATTR, &offset)
                                 : kvm_set_msr(v, MSR_TSC, clock_tsc(en->cfg.clock) + v->st.tsc_offset);
    if (ok && kvm_get_msr(v, MSR_TSC_ADJUST, &adjust) && adjust != v->st.tsc_adjust)
        ok = kvm_set_msr(v, MSR_TSC_ADJUST, v->st.tsc_adjust);
    return ok && (v->id != 0 || set_paravirtual_clock(en));
}

void kvm_load_clock(struct engine_vcpu *v, unsigned groups, struct x86_state *out)
{
    struct engine *en = v->en;
    uint64_t value;
    if (offset_is_exact(v) && tsc_offset(v, KVM_GET_DEVICE_ATTR, &value))
        out->tsc_offset = value - en->clock_offset;
    else if (kvm_get_msr(v, MSR_TSC, &value))
        out->tsc_offset = value - clock_tsc(en->cfg.clock);
    out->tsc_adjust = kvm_get_msr(v, MSR_TSC_ADJUST, &value) ? value : 0;
}
