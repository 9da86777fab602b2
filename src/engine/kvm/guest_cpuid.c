/*
 * guest_cpuid.c: the guest's CPUID on kvm: the machine's model, less the features that this kernel and
 * processor do not carry.
 */
#include "cpu/cpuid.h"
#include "engine/kvm/impl.h"
#include <errno.h>
#include <stdlib.h>

#define SUPPORTED_MAX 256

#define ECX_X2APIC       BIT(21)
#define ECX_TSC_DEADLINE BIT(24)
#define ECX_HYPERVISOR   BIT(31)
#define EDX_ARCH_CAPS    BIT(29) /* leaf 7 */

enum reg { EAX, EBX, ECX, EDX };

/*
 * Registers that hold features. `ours`: bits that the kernel does not list and carries all the same, with the
 * local APIC in its hands (KVM_GET_SUPPORTED_CPUID's notes in Documentation/virt/kvm/api.rst).
 */
static const struct {
    uint32_t leaf, sub;
    enum reg reg;
    uint32_t ours;
} words[] = {
    {0x1, 0, ECX, ECX_X2APIC | ECX_TSC_DEADLINE | ECX_HYPERVISOR},
    {0x1, 0, EDX, 0},
    {0x7, 0, EBX, 0},
    {0x7, 0, ECX, 0},
    {0x7, 0, EDX, 0},
    {0xd, 0, EAX, 0},
    {0xd, 1, EAX, 0},
    {0x80000001, 0, ECX, 0},
    {0x80000001, 0, EDX, 0},
    {0x80000007, 0, EDX, 0},
    {0x80000008, 0, EBX, 0},
    {0x80000021, 0, EAX, 0},
    {0x80000021, 0, ECX, 0},
};

static struct kvm_cpuid2 *new_table(unsigned entries)
{
    struct kvm_cpuid2 *t = calloc(1, sizeof(*t) + entries * sizeof(t->entries[0]));
    if (t)
        t->nent = entries;
    return t;
}

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *t, uint32_t leaf, uint32_t sub)
{
    for (unsigned i = 0; i < t->nent; i++) {
        struct kvm_cpuid_entry2 *x = &t->entries[i];
        if (x->function == leaf && (!(x->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || x->index == sub))
            return x;
    }
    return NULL;
}

static uint32_t *reg_of(struct kvm_cpuid_entry2 *x, enum reg r)
{
    uint32_t *const regs[] = {&x->eax, &x->ebx, &x->ecx, &x->edx};
    return regs[r];
}

static void copy_model(struct kvm_cpuid2 *t, const struct cpuid_model *m)
{
    for (unsigned i = 0; i < m->count; i++) {
        const struct cpuid_leaf *l = &m->leaf[i];
        t->entries[i] = (struct kvm_cpuid_entry2){
            .function = l->leaf,
            .index = l->sub,
            .flags = l->has_sub ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
            .eax = l->eax,
            .ebx = l->ebx,
            .ecx = l->ecx,
            .edx = l->edx,
        };
    }
}

static void drop_unsupported(struct kvm_cpuid2 *t, struct kvm_cpuid2 *supported)
{
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        struct kvm_cpuid_entry2 *x = find(t, words[i].leaf, words[i].sub);
        struct kvm_cpuid_entry2 *s = find(supported, words[i].leaf, words[i].sub);
        if (x)
            *reg_of(x, words[i].reg) &= (s ? *reg_of(s, words[i].reg) : 0) | words[i].ours;
    }
}

/* What the kernel would say of the processor's immunity; 0 where it does not say. */
static uint64_t host_arch_capabilities(int device)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } m = {.head.nmsrs = 1, .entry.index = MSR_ARCH_CAPABILITIES};
    return ioctl(device, KVM_GET_MSRS, &m) == 1 ? m.entry.data : 0;
}

bool kvm_compose_cpuid(struct engine *en, struct err *e)
{
    const struct cpuid_model *m = en->cfg.cpuid;
    struct kvm_cpuid2 *supported = new_table(SUPPORTED_MAX);
    en->cpuid = new_table(m->count);
    bool ok = supported && en->cpuid;
    if (!ok) {
        err_host(e, "no memory for a machine");
    } else if (ioctl(en->device, KVM_GET_SUPPORTED_CPUID, supported) < 0) {
        ok = err_host(e, "kvm: the kernel does not say what processor it can show: %s", strerror(errno));
    } else {
        copy_model(en->cpuid, m);
        drop_unsupported(en->cpuid, supported);
        en->arch_capabilities = m->arch_capabilities & host_arch_capabilities(en->device);
    }
    free(supported);
    return ok;
}

/* What differs between vCPUs: the APIC ID. The kernel fills in what depends on control registers. */
static void number(struct kvm_cpuid2 *t, unsigned id)
{
    for (unsigned i = 0; i < t->nent; i++) {
        struct kvm_cpuid_entry2 *x = &t->entries[i];
        if (x->function == 0x1)
            x->ebx = (x->ebx & 0x00ffffff) | id << 24;
        else if (x->function == 0xb)
            x->edx = id;
        else if (x->function == 0x8000001e)
            x->eax = x->ebx = id;
    }
}

bool kvm_set_cpuid(struct engine_vcpu *v, struct err *e)
{
    struct engine *en = v->en;
    number(en->cpuid, v->id);
    if (ioctl(v->fd, KVM_SET_CPUID2, en->cpuid) < 0)
        return err_host(e, "kvm: the guest's processor is refused: %s; use --engine auto", strerror(errno));
    const struct kvm_cpuid_entry2 *l = find(en->cpuid, 7, 0);
    if (l && (l->edx & EDX_ARCH_CAPS) && !kvm_set_msr(v, MSR_ARCH_CAPABILITIES, en->arch_capabilities))
        return err_host(e, "kvm: IA32_ARCH_CAPABILITIES cannot be set to 0x%llx; use --engine auto",
                        (unsigned long long)en->arch_capabilities);
    return true;
}
