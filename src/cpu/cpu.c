/*
 * cpu.c: making a vCPU's shared part, waking it, and the table of vendors.
 */
#include "cpu/cpu.h"
#include "cpu/cpu_internal.h"

const struct vendor_rules vendor_table[] = {
    [CPU_INTEL] = {.sysret_checks_rip = true,
                   .sysret_loads_ss = true,
                   .sysenter_in_long_mode = true,
                   .faulting_iret_unmasks_nmi = true,
                   .debug_clears_b0_b3 = true,
                   .long_mode_wants_tss32 = true},
    [CPU_AMD] = {.syscall_everywhere = true, .pml4e_reserved = PTE_G},
};

/*
 * Intel clears the base of a segment register with a null selector, AMD from Zen 2 on; older AMD processors
 * leave it, which FS and GS in 64-bit mode show. (CPUID 8000_0021 EAX bit 6 says so only from Zen 3 on.)
 */
static bool null_clears_base(const struct cpuid_model *m)
{
    unsigned family = (unsigned)(bits(m->signature, 8, 4) + bits(m->signature, 20, 8));
    unsigned model = (unsigned)(bits(m->signature, 4, 4) | bits(m->signature, 16, 4) << 4);
    return m->vendor == CPU_INTEL || family >= 0x19 || (family == 0x17 && model >= 0x30);
}

void cpu_init(struct cpu *c, unsigned id, struct mem *m, struct bus *b, struct clock *k, struct lapic *apic,
              const struct cpuid_model *model, const struct cpu_ops *ops, const struct cpu_wiring *w)
{
    memset(c, 0, sizeof(*c));
    c->ops = ops;
    c->wiring = *w;
    c->mem = m;
    c->bus = b;
    c->clock = k;
    c->apic = apic;
    c->cpuid = model;
    c->id = id;
    c->null_clears_base = null_clears_base(model);
    atomic_init(&c->poll, 1);
    atomic_init(&c->kicked, false);
    atomic_init(&c->extint_line, false);
    x86_reset(&c->st, false, model->signature, id == 0);
}

void cpu_kick(struct cpu *c)
{
    atomic_store(&c->poll, 1);
    if (c->wiring.wake)
        c->wiring.wake(c->wiring.opaque, c->id);
}

void cpu_state_loaded(struct cpu *c)
{
    uint64_t p[4];
    memset(c->pdpte, 0, sizeof(c->pdpte));
    if (pae_paging(c->st.cr0, c->st.cr4, c->st.efer) && pdptes_read(c, c->st.cr3, p))
        memcpy(c->pdpte, p, sizeof(p));
    c->ops->flush_all(c);
    c->ops->mode_changed(c);
    cpu_recheck(c);
}
