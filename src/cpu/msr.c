/*
 * msr.c: RDMSR and WRMSR: find the register, ask it, and fault where it refuses.
 */
#include "cpu/cpuid.h"
#include "cpu/lapic.h"
#include "cpu/msr_impl.h"
#include "cpu/pvclock.h"

static const struct msr_desc *find(const struct cpu *c, uint32_t index)
{
    unsigned lo = 0, hi = msr_count;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (msr_table[mid].last < index)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == msr_count || msr_table[lo].first > index)
        return NULL;
    const struct msr_desc *d = &msr_table[lo];
    if (d->vendor != MSR_ANY && (d->vendor == MSR_AMD) != (c->cpuid->vendor == CPU_AMD))
        return NULL;
    return d;
}

/* The messages are only for registers that we do not have: a guest may well try a reserved bit on purpose. */
static bool unknown(struct cpu *c, const char *what, uint32_t index)
{
    log_guest(&c->bad_msr, "CPU %u: %s of unknown MSR 0x%x gives #GP", c->id, what, index);
    return cpu_raise_gp0(c);
}

bool cpu_rdmsr(struct cpu *c, uint32_t index, uint64_t *v)
{
    const struct msr_desc *d = find(c, index);
    uint64_t r;
    if (!d)
        return unknown(c, "read", index);
    if (!d->read || !d->read(c, d, index, &r))
        return cpu_raise_gp0(c);
    *v = r;
    return true;
}

bool cpu_wrmsr(struct cpu *c, uint32_t index, uint64_t v)
{
    /* A kernel writes these two more often than all others together. */
    if (index - MSR_X2APIC_FIRST <= MSR_X2APIC_LAST - MSR_X2APIC_FIRST)
        return lapic_msr_write(c->apic, index, v) || cpu_raise_gp0(c);
    if (index == MSR_TSC_DEADLINE && c->cpuid->has_tsc_deadline) {
        lapic_set_deadline(c->apic, v);
        return true;
    }
    const struct msr_desc *d = find(c, index);
    if (!d)
        return unknown(c, "write", index);
    return (d->write && d->write(c, d, index, v)) || cpu_raise_gp0(c);
}

void cpu_tsc_changed(struct cpu *c)
{
    lapic_tsc_changed(c->apic);
    pvclock_update(c);
}
