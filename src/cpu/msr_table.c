/*
 * msr_table.c: every model-specific register that a guest finds (SDM 4, APM 2 appendix A, Linux msr.rst for
 * KVM's).
 *
 * Machine check: MCG_CAP says that there are no banks, since nothing here can raise a hardware error; a guest
 * then has nothing to poll. Not here, and thus #GP: performance counters, APERF and MPERF, energy and thermal
 * registers, SMM.
 */
#include "cpu/cpuid.h"
#include "cpu/lapic.h"
#include "cpu/msr_impl.h"
#include "cpu/pvclock.h"

#define ST(member) offsetof(struct cpu, st.member)
#define MSR(m)     offsetof(struct cpu, st.msr.m)

#define HWCR_MCSTATUS_WR_EN BIT(18)
#define HWCR_TSC_FREQ_SEL   BIT(24) /* the TSC runs at the P0 frequency, whatever the core does */

/* ---- generic ---- */

static uint64_t *field(struct cpu *c, const struct msr_desc *d, uint32_t index)
{
    return (uint64_t *)((char *)c + d->field) + (index - d->first);
}

static bool read_field(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = *field(c, d, index);
    return true;
}

static bool write_field(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    if (v & ~d->mask)
        return false;
    *field(c, d, index) = v;
    return true;
}

static bool write_canonical(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    if (!is_canonical(v))
        return false;
    *field(c, d, index) = v;
    return true;
}

static bool read_value(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = d->value;
    return true;
}

/* Chipset and errata switches: nothing behind them, and firmware and kernels write them. */
static bool write_ignored(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    return true;
}

/* ---- time ---- */

static bool read_tsc(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = cpu_tsc(c);
    return true;
}

/* SDM 3B 18.17.3: what is added to the one is added to the other. */
static void move_tsc(struct cpu *c, uint64_t delta)
{
    c->st.tsc_offset += delta;
    c->st.tsc_adjust += delta;
    cpu_tsc_changed(c);
}

static bool write_tsc(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    move_tsc(c, v - cpu_tsc(c));
    return true;
}

static bool read_tsc_adjust(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = c->st.tsc_adjust;
    return c->cpuid->has_tsc_adjust;
}

static bool write_tsc_adjust(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    if (!c->cpuid->has_tsc_adjust)
        return false;
    if (v != c->st.tsc_adjust)
        move_tsc(c, v - c->st.tsc_adjust);
    return true;
}

static bool read_deadline(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = lapic_deadline(c->apic);
    return c->cpuid->has_tsc_deadline;
}

static bool write_deadline(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    if (!c->cpuid->has_tsc_deadline)
        return false;
    lapic_set_deadline(c->apic, v);
    return true;
}

static bool write_wall_clock(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    c->st.msr.kvm_wall_clock = v;
    pvclock_write_wall_clock(c, v);
    return true;
}

static bool write_system_time(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    c->st.msr.kvm_system_time = v;
    pvclock_update(c);
    return true;
}

/* ---- processor ---- */

static bool read_apic_base(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = lapic_base(c->apic);
    return true;
}

static bool write_apic_base(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    return lapic_set_base(c->apic, v);
}

static bool read_x2apic(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    return lapic_msr_read(c->apic, index, v);
}

static bool write_x2apic(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    return lapic_msr_write(c->apic, index, v);
}

static bool write_efer(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    return cpu_set_efer(c, v);
}

/* Changing a bit outside the mask is #GP; the others keep what they show (BTS and PEBS unavailable). */
static bool read_misc_enable(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = (c->st.msr.misc_enable & d->mask) | d->value;
    return true;
}

static bool write_misc_enable(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    if ((v & ~d->mask) != d->value)
        return false;
    c->st.msr.misc_enable = v & d->mask;
    return true;
}

/* A loader writes 0 here before it asks CPUID for the patch level (SDM 3A 10.11.7.1). */
static bool read_patch_level(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = c->cpuid->vendor == CPU_INTEL ? 1ull << 32 : 0x01000065;
    return true;
}

static bool read_spec_ctrl(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = c->st.msr.spec_ctrl;
    return c->cpuid->has_spec_ctrl;
}

static bool write_spec_ctrl(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    return c->cpuid->has_spec_ctrl && write_field(c, d, index, v);
}

static bool write_pred_cmd(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    return c->cpuid->has_spec_ctrl && !(v & ~d->mask);
}

static bool read_arch_capabilities(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = c->cpuid->arch_capabilities;
    return c->cpuid->has_arch_capabilities;
}

static bool read_xss(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = c->st.xss;
    return c->cpuid->has_xsaves;
}

static bool write_xss(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    return c->cpuid->has_xsaves && write_field(c, d, index, v);
}

/* 64 bits and canonical on Intel; AMD has 32 and drops the rest, as SYSENTER there is for legacy mode only.
 */
static bool write_sysenter(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    if (c->cpuid->vendor == CPU_AMD)
        v = (uint32_t)v;
    return write_canonical(c, d, index, v);
}

static bool write_sysenter_cs(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    c->st.msr.sysenter_cs = (uint32_t)v;
    return true;
}

static bool has_tsc_aux(const struct cpu *c)
{
    return c->cpuid->has_rdtscp || c->cpuid->has_rdpid;
}

static bool read_tsc_aux(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = c->st.msr.tsc_aux;
    return has_tsc_aux(c);
}

/* The upper half is reserved on Intel and dropped on AMD. */
static bool write_tsc_aux(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    if (!has_tsc_aux(c) || (v >> 32 && c->cpuid->vendor == CPU_INTEL))
        return false;
    c->st.msr.tsc_aux = (uint32_t)v;
    return true;
}

/* ---- AMD's ---- */

static bool read_hwcr(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = c->st.msr.hwcr | HWCR_TSC_FREQ_SEL;
    return true;
}

/* End of RAM below 4 GiB, or of all RAM when that lies higher (APM 2 7.9.4), 0 when there is none higher. */
static bool read_top_mem(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    const bool high = index == (uint32_t)MSR_AMD_TOP_MEM2;
    unsigned n;
    const struct mem_slot *s = mem_slots(c->mem, &n);
    *v = 0;
    for (unsigned i = 0; i < n; i++)
        if (!s[i].rom && (s[i].gpa >= GIB(4)) == high)
            *v = MAX(*v, s[i].gpa + s[i].size);
    return true;
}

/* ---- the table ---- */

#define ALL       UINT64_MAX
#define LOW32     0xffffffffull
#define ONE(i)    .first = (uint32_t)(i), .last = (uint32_t)(i)
#define RUN(i, n) .first = (uint32_t)(i), .last = (uint32_t)(i) + (n)-1

const struct msr_desc msr_table[] = {
    {RUN(MSR_P5_MC_ADDR, 2), "P5_MC", read_value, write_ignored},
    {ONE(MSR_TSC), "TSC", read_tsc, write_tsc},
    {ONE(MSR_KVM_WALL_CLOCK), "KVM_WALL_CLOCK", read_field, write_wall_clock, MSR(kvm_wall_clock)},
    {ONE(MSR_KVM_SYSTEM_TIME), "KVM_SYSTEM_TIME", read_field, write_system_time, MSR(kvm_system_time)},
    {ONE(MSR_PLATFORM_ID), "PLATFORM_ID", read_value, NULL, .vendor = MSR_INTEL},
    {ONE(MSR_APIC_BASE), "APIC_BASE", read_apic_base, write_apic_base},
    {ONE(MSR_TSC_ADJUST), "TSC_ADJUST", read_tsc_adjust, write_tsc_adjust},
    /* IBRS, STIBP; SSBD is not offered */
    {ONE(MSR_SPEC_CTRL), "SPEC_CTRL", read_spec_ctrl, write_spec_ctrl, MSR(spec_ctrl), .mask = 3},
    {ONE(MSR_PRED_CMD), "PRED_CMD", NULL, write_pred_cmd, .mask = 1},
    {ONE(MSR_BIOS_SIGN_ID), "BIOS_SIGN_ID", read_patch_level, write_ignored},
    {ONE(MSR_MTRRCAP), "MTRRCAP", mtrr_read_cap, NULL},
    {ONE(MSR_ARCH_CAPABILITIES), "ARCH_CAPABILITIES", read_arch_capabilities, NULL},
    {ONE(MSR_SYSENTER_CS), "SYSENTER_CS", read_field, write_sysenter_cs, MSR(sysenter_cs)},
    {ONE(MSR_SYSENTER_ESP), "SYSENTER_ESP", read_field, write_sysenter, MSR(sysenter_esp)},
    {ONE(MSR_SYSENTER_EIP), "SYSENTER_EIP", read_field, write_sysenter, MSR(sysenter_eip)},
    {ONE(MSR_MCG_CAP), "MCG_CAP", read_value, NULL},
    {ONE(MSR_MCG_STATUS), "MCG_STATUS", read_field, write_field, MSR(mcg_status), .mask = 7},
    {ONE(MSR_MISC_ENABLE), "MISC_ENABLE", read_misc_enable, write_misc_enable, .vendor = MSR_INTEL, .mask = 1,
     .value = BIT(11) | BIT(12)},
    {ONE(MSR_DEBUGCTL), "DEBUGCTL", read_field, write_field, MSR(debugctl), .mask = 3},
    {RUN(MSR_LAST_BRANCH, 4), "LAST_BRANCH", read_value, NULL},
    {RUN(MSR_MTRR_PHYS_BASE0, 16), "MTRR_PHYS", read_field, mtrr_write_variable, MSR(mtrr_var)},
    {ONE(MSR_MTRR_FIX64K), "MTRR_FIX64K", read_field, mtrr_write_fixed, MSR(mtrr_fixed)},
    {RUN(MSR_MTRR_FIX16K_8, 2), "MTRR_FIX16K", read_field, mtrr_write_fixed, MSR(mtrr_fixed[1])},
    {RUN(MSR_MTRR_FIX4K_C0, 8), "MTRR_FIX4K", read_field, mtrr_write_fixed, MSR(mtrr_fixed[3])},
    {ONE(MSR_PAT), "PAT", read_field, mtrr_write_pat, MSR(pat)},
    {ONE(MSR_MTRR_DEF_TYPE), "MTRR_DEF_TYPE", read_field, mtrr_write_def_type, MSR(mtrr_def_type)},
    {ONE(MSR_TSC_DEADLINE), "TSC_DEADLINE", read_deadline, write_deadline},
    {.first = MSR_X2APIC_FIRST, .last = MSR_X2APIC_LAST, "X2APIC", read_x2apic, write_x2apic},
    {ONE(MSR_XSS), "XSS", read_xss, write_xss, ST(xss), .mask = 0},
    {ONE(MSR_KVM_WALL_CLOCK_NEW), "KVM_WALL_CLOCK_NEW", read_field, write_wall_clock, MSR(kvm_wall_clock)},
    {ONE(MSR_KVM_SYSTEM_TIME_NEW), "KVM_SYSTEM_TIME_NEW", read_field, write_system_time,
     MSR(kvm_system_time)},
    {ONE(MSR_EFER), "EFER", read_field, write_efer, ST(efer)},
    {ONE(MSR_STAR), "STAR", read_field, write_field, MSR(star), .mask = ALL},
    {ONE(MSR_LSTAR), "LSTAR", read_field, write_canonical, MSR(lstar)},
    {ONE(MSR_CSTAR), "CSTAR", read_field, write_canonical, MSR(cstar)},
    {ONE(MSR_SFMASK), "SFMASK", read_field, write_field, MSR(sfmask), .mask = LOW32},
    {ONE(MSR_FS_BASE), "FS_BASE", read_field, write_canonical, ST(seg[SEG_FS].base)},
    {ONE(MSR_GS_BASE), "GS_BASE", read_field, write_canonical, ST(seg[SEG_GS].base)},
    {ONE(MSR_KERNEL_GS_BASE), "KERNEL_GS_BASE", read_field, write_canonical, MSR(kernel_gs_base)},
    {ONE(MSR_TSC_AUX), "TSC_AUX", read_tsc_aux, write_tsc_aux},
    /* fixed and variable ranges of DRAM, TOM2 and its type */
    {ONE(MSR_AMD_SYSCFG), "SYSCFG", read_field, write_field, MSR(syscfg), .vendor = MSR_AMD,
     .mask = 0x7c0000},
    /* SLOWFENCE, FFDIS, IGNNE_EM, McStatusWrEn, TscFreqSel: kept, of no effect */
    {ONE(MSR_AMD_HWCR), "HWCR", read_hwcr, write_field, MSR(hwcr), .vendor = MSR_AMD,
     .mask = BIT(3) | BIT(6) | BIT(8) | HWCR_MCSTATUS_WR_EN | HWCR_TSC_FREQ_SEL},
    {ONE(MSR_AMD_TOP_MEM), "TOP_MEM", read_top_mem, NULL, .vendor = MSR_AMD},
    {ONE(MSR_AMD_TOP_MEM2), "TOP_MEM2", read_top_mem, NULL, .vendor = MSR_AMD},
    {ONE(MSR_AMD_NB_CFG), "NB_CFG", read_value, write_ignored, .vendor = MSR_AMD},
    {ONE(MSR_AMD_MMIO_CONF_BASE), "MMIO_CONF_BASE", read_value, write_ignored, .vendor = MSR_AMD},
    {ONE(MSR_AMD_LS_CFG), "LS_CFG", read_value, write_ignored, .vendor = MSR_AMD},
    /* bit 1: LFENCE serializes dispatch */
    {ONE(MSR_AMD_DE_CFG), "DE_CFG", read_value, write_ignored, .vendor = MSR_AMD, .value = 2},
};
const unsigned msr_count = ARRAY_LEN(msr_table);
