/*
 * cpuid.c: the guest's CPUID: composed from the host's identity and the feature table, then looked up.
 */
#include "cpu/cpuid_impl.h"
#include "cpu/lapic.h"

#define CPUID_1_ECX_OSXSAVE 27
#define XSAVE_LEGACY_SIZE   576u /* FXSAVE area and header (SDM 1 13.4) */
#define AVX_OFFSET          576u
#define AVX_SIZE            256u

/* IA32_ARCH_CAPABILITIES (SDM 4 table 2-2): every statement of immunity, none of a control. */
#define ARCH_CAP_IMMUNE                                                                                   \
    (BIT(0) /* RDCL_NO: Meltdown, L1TF */ | BIT(1) /* IBRS_ALL */ | BIT(3) /* no L1D flush for L1TF */ |  \
     BIT(4) /* SSB_NO */ | BIT(5) /* MDS_NO */ | BIT(6) /* IF_PSCHANGE_MC_NO */ | BIT(8) /* TAA_NO */ |   \
     BIT(13) /* SBDR_SSDP_NO */ | BIT(14) /* FBSDP_NO */ | BIT(15) /* PSDP_NO */ | BIT(20) /* BHI_NO */ | \
     BIT(24) /* PBRSB_NO */ | BIT(26) /* GDS_NO */ | BIT(27) /* RFDS_NO */ | BIT(62) /* ITS_NO */)

/* ---- leaves ---- */

const struct cpuid_leaf *cpuid_find(const struct cpuid_model *m, uint32_t leaf, uint32_t sub)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->leaf[i].leaf == leaf && (!m->leaf[i].has_sub || m->leaf[i].sub == sub))
            return &m->leaf[i];
    return NULL;
}

struct cpuid_leaf *cpuid_leaf_at(struct cpuid_model *m, uint32_t leaf, uint32_t sub, bool has_sub)
{
    struct cpuid_leaf *l = (struct cpuid_leaf *)cpuid_find(m, leaf, sub);
    if (l)
        return l;
    assert(m->count < CPUID_MAX_LEAVES);
    l = &m->leaf[m->count++];
    *l = (struct cpuid_leaf){.leaf = leaf, .sub = sub, .has_sub = has_sub};
    return l;
}

uint32_t *cpuid_reg_of(struct cpuid_leaf *l, enum cpuid_reg reg)
{
    uint32_t *const r[4] = {&l->eax, &l->ebx, &l->ecx, &l->edx};
    return r[reg];
}

static bool has(const struct cpuid_model *m, const char *name)
{
    for (unsigned i = 0; i < cpuid_feature_count; i++) {
        const struct cpuid_feature *f = &cpuid_features[i];
        if (strcmp(f->name, name))
            continue;
        const struct cpuid_leaf *l = cpuid_find(m, f->leaf, f->sub);
        return l && (*cpuid_reg_of((struct cpuid_leaf *)l, f->reg) & BIT(f->bit));
    }
    assert(!"feature in the table");
    return false;
}

/* ---- composing ---- */

struct composer {
    struct cpuid_model *m;
    const struct cpuid_config *cfg;
    const struct cpuid_host *host;
    uint32_t host_max, host_max_ext;
    /* The host's last leaf: the table is ordered by leaf, and each CPUID may cost a VM exit. */
    uint32_t leaf, sub, regs[4];
};

static void host_leaf(struct composer *x, uint32_t leaf, uint32_t sub)
{
    if (leaf == x->leaf && sub == x->sub)
        return;
    x->leaf = leaf;
    x->sub = sub;
    memset(x->regs, 0, sizeof(x->regs)); /* beyond its maximum a processor answers with another leaf */
    if (leaf <= (leaf >= 0x80000000 ? x->host_max_ext : x->host_max))
        x->host->cpuid(x->host->opaque, leaf, sub, x->regs);
}

static void add_identity(struct composer *x)
{
    struct cpuid_model *m = x->m;
    uint32_t r[4];
    x->host->cpuid(x->host->opaque, 0, 0, r);
    x->host_max = r[0];
    struct cpuid_leaf *l = cpuid_leaf_at(m, 0, 0, false);
    l->eax = 0x16;
    l->ebx = r[1];
    l->ecx = r[2];
    l->edx = r[3];
    bool amd = r[1] == 0x68747541 /* Auth */ || r[1] == 0x6f677948 /* Hygo */;
    m->vendor = amd ? CPU_AMD : CPU_INTEL;

    x->host->cpuid(x->host->opaque, 0x80000000, 0, r);
    x->host_max_ext = r[0] & BIT(31) ? r[0] : 0;
    l = cpuid_leaf_at(m, 0x80000000, 0, false);
    l->eax = amd ? 0x80000021 : 0x80000008;
    l->ebx = r[1];
    l->ecx = r[2];
    l->edx = r[3];
    for (uint32_t leaf = 0x80000002; leaf <= 0x80000004; leaf++) { /* brand string */
        host_leaf(x, leaf, 0);
        l = cpuid_leaf_at(m, leaf, 0, false);
        l->eax = x->regs[0];
        l->ebx = x->regs[1];
        l->ecx = x->regs[2];
        l->edx = x->regs[3];
    }
    host_leaf(x, 1, 0);
    m->signature = cpuid_leaf_at(m, 1, 0, false)->eax = x->regs[0] & 0x0fff3fff;
    host_leaf(x, 0x80000001, 0);
    l = cpuid_leaf_at(m, 0x80000001, 0, false);
    if (amd) { /* EAX repeats the signature; EBX: brand and package */
        l->eax = m->signature;
        l->ebx = x->regs[1];
    }
    host_leaf(x, 0x80000008, 0);
    m->phys_bits = (uint8_t)(x->regs[0] & 0xff);
    if (m->phys_bits < 36 || m->phys_bits > 52)
        m->phys_bits = 36;
    cpuid_leaf_at(m, 0x80000008, 0, false)->eax = m->phys_bits | 48u << 8;
}

static void add_features(struct composer *x)
{
    struct cpuid_model *m = x->m;
    const unsigned family = (unsigned)(bits(m->signature, 8, 4) + bits(m->signature, 20, 8));
    const bool xsave = (x->host->xcr0 & 3) == 3, avx = xsave && (x->host->xcr0 & XCR0_AVX);
    for (unsigned i = 0; i < cpuid_feature_count; i++) {
        const struct cpuid_feature *f = &cpuid_features[i];
        struct cpuid_leaf *l = cpuid_leaf_at(m, f->leaf, f->sub, f->leaf == 7 || f->leaf == 0xd);
        bool source = f->source == FROM_US || (f->source == FROM_IMMUNITY && !x->cfg->mitigations);
        if (f->source == FROM_ZEN3) {
            source = family >= 0x19;
        } else if (f->source == FROM_HOST) {
            host_leaf(x, f->leaf, f->sub);
            source = x->regs[f->reg] & BIT(f->bit);
        }
        bool vendor = f->vendors == ANY_VENDOR || (f->vendors == ONLY_AMD) == (m->vendor == CPU_AMD);
        bool needs = f->needs == NEEDS_NOTHING || (f->needs == NEEDS_XSAVE ? xsave : avx);
        if (f->offered && source && vendor && needs)
            *cpuid_reg_of(l, f->reg) |= (uint32_t)BIT(f->bit);
    }
    if (m->vendor == CPU_AMD) /* APM 3 E.4.2: bits that leaf 8000_0001 repeats */
        cpuid_leaf_at(m, 0x80000001, 0, false)->edx |= cpuid_leaf_at(m, 1, 0, false)->edx & 0x0183f3ff;
}

/* Leaf 0xd (SDM 1 13.2); EBX of the first two is dynamic. */
static void add_xsave(struct composer *x)
{
    struct cpuid_model *m = x->m;
    struct cpuid_leaf *l = cpuid_leaf_at(m, 0xd, 0, true);
    if (!m->has_xsave)
        return;
    m->xcr0_mask = XCR0_X87 | XCR0_SSE | (m->has_avx ? XCR0_AVX : 0);
    l->eax = (uint32_t)m->xcr0_mask;
    l->ecx = m->has_avx ? AVX_OFFSET + AVX_SIZE : XSAVE_LEGACY_SIZE;
    if (m->has_avx) {
        l = cpuid_leaf_at(m, 0xd, 2, true);
        l->eax = AVX_SIZE;
        l->ebx = AVX_OFFSET;
    }
}

/*
 * Leaf 0x15: TSC = crystal * EBX / EAX, and the crystal is what the APIC timer counts (SDM 3A 11.5.4), so it
 * is LAPIC_TIMER_HZ. Linux multiplies crystal kHz and EBX in 32 bits, hence the best fraction with an EBX
 * that fits; leaf 0x40000010 has the exact frequency.
 */
static void add_frequencies(struct composer *x)
{
    const uint64_t khz = x->cfg->tsc_khz, crystal_khz = LAPIC_TIMER_HZ / 1000,
                   limit = UINT32_MAX / crystal_khz;
    x->m->tsc_khz = x->cfg->tsc_khz;
    struct cpuid_leaf *l = cpuid_leaf_at(x->m, 0x15, 0, false);
    uint64_t best = UINT64_MAX; /* error of the best fraction so far, in kHz / 2^20 */
    for (uint64_t den = 1; khz && best; den++) {
        uint64_t num = (khz * den + crystal_khz / 2) / crystal_khz;
        if (num > limit || den > limit)
            break;
        uint64_t exact = khz * den, near = num * crystal_khz;
        uint64_t error = ((exact > near ? exact - near : near - exact) << 20) / den;
        if (num && error < best) {
            best = error;
            l->eax = (uint32_t)den;
            l->ebx = (uint32_t)num;
            l->ecx = LAPIC_TIMER_HZ;
        }
    }
    l = cpuid_leaf_at(x->m, 0x16, 0, false);
    l->eax = l->ebx = (uint32_t)((khz + 500) / 1000);
    l->ecx = khz ? 100 : 0;
}

/* Linux Documentation/virt/kvm/x86/cpuid.rst; leaf 0x40000010 is VMware's, understood by many. */
static void add_hypervisor(struct composer *x)
{
    struct cpuid_leaf *l = cpuid_leaf_at(x->m, HYPERVISOR_LEAF, 0, false);
    l->eax = HYPERVISOR_MAX_LEAF;
    l->ebx = 0x4b4d564b; /* "KVMKVMKVM\0\0\0" */
    l->ecx = 0x564b4d56;
    l->edx = 0x0000004d;
    l = cpuid_leaf_at(x->m, HYPERVISOR_LEAF + 1, 0, false);
    l->eax = BIT(0) /* CLOCKSOURCE */ | BIT(1) /* NOP_IO_DELAY */ | BIT(3) /* CLOCKSOURCE2 */ |
             BIT(24) /* CLOCKSOURCE_STABLE */;
    l = cpuid_leaf_at(x->m, HYPERVISOR_MAX_LEAF, 0, false);
    l->eax = x->cfg->tsc_khz;
    l->ebx = LAPIC_TIMER_HZ / 1000;
}

static void derive_flags(struct cpuid_model *m)
{
    m->has_1g = has(m, "pdpe1gb");
    m->has_nx = has(m, "nx");
    m->has_pcid = has(m, "pcid");
    m->has_x2apic = has(m, "x2apic");
    m->has_tsc_deadline = has(m, "tsc_deadline_timer");
    m->has_rdtscp = has(m, "rdtscp");
    m->has_rdpid = has(m, "rdpid");
    m->has_smep = has(m, "smep");
    m->has_smap = has(m, "smap");
    m->has_umip = has(m, "umip");
    m->has_fsgsbase = has(m, "fsgsbase");
    m->has_avx = has(m, "avx");
    m->has_pge = has(m, "pge");
    m->has_xsave = has(m, "xsave");
    m->has_xsaves = has(m, "xsaves");
    m->has_tsc_adjust = has(m, "tsc_adjust");
    m->has_syscall = has(m, "syscall");
    m->has_spec_ctrl = has(m, "spec_ctrl");
    m->has_arch_capabilities = has(m, "arch_capabilities");
    m->arch_capabilities = m->has_arch_capabilities ? ARCH_CAP_IMMUNE : 0;
}

static void derive_masks(struct cpuid_model *m)
{
    const struct {
        const char *feature;
        uint32_t cr4;
    } cr4[] = {
        {"vme", CR4_VME | CR4_PVI}, {"tsc", CR4_TSD},   {"de", CR4_DE},      {"pse", CR4_PSE},
        {"pae", CR4_PAE},           {"mce", CR4_MCE},   {"pge", CR4_PGE},    {"fxsr", CR4_OSFXSR},
        {"sse", CR4_OSXMMEXCPT},    {"umip", CR4_UMIP}, {"pcid", CR4_PCIDE}, {"fsgsbase", CR4_FSGSBASE},
        {"xsave", CR4_OSXSAVE},     {"smep", CR4_SMEP}, {"smap", CR4_SMAP},
    };
    m->cr4_mask = CR4_PCE; /* RDPMC at CPL 3 may be allowed; that no counter exists is another matter */
    for (unsigned i = 0; i < ARRAY_LEN(cr4); i++)
        if (has(m, cr4[i].feature))
            m->cr4_mask |= cr4[i].cr4;
    m->efer_mask = (has(m, "syscall") ? EFER_SCE : 0) | (has(m, "lm") ? EFER_LME | EFER_LMA : 0) |
                   (has(m, "nx") ? EFER_NXE : 0) | (has(m, "fxsr_opt") ? EFER_FFXSR : 0) |
                   (has(m, "autoibrs") ? EFER_AUTOIBRS : 0);
}

void cpuid_compose_from(struct cpuid_model *m, const struct cpuid_config *cfg, const struct cpuid_host *host)
{
    struct composer x = {.m = m, .cfg = cfg, .host = host, .leaf = UINT32_MAX};
    assert(cfg->cpus >= 1 && cfg->cpus < 255);
    memset(m, 0, sizeof(*m));
    add_identity(&x);
    add_features(&x);
    derive_flags(m);
    derive_masks(m);
    add_xsave(&x);
    cpuid_add_topology(m, cfg, host);
    add_frequencies(&x);
    add_hypervisor(&x);
}

static void real_cpuid(const void *opaque, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(sub));
}

void cpuid_compose(struct cpuid_model *m, const struct cpuid_config *cfg)
{
    struct cpuid_host host = {.cpuid = real_cpuid};
    uint32_t r[4];
    real_cpuid(NULL, 1, 0, r);
    if (r[2] & BIT(CPUID_1_ECX_OSXSAVE)) {
        uint32_t lo, hi;
        __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
        host.xcr0 = (uint64_t)hi << 32 | lo;
    }
    cpuid_compose_from(m, cfg, &host);
}

/* ---- looking up ---- */

/* Leaves beyond the maximum: Intel answers with the highest basic one, AMD with zeros (SDM 2A, APM 3
 * "CPUID"). */
static const struct cpuid_leaf *resolve(const struct cpuid_model *m, uint32_t leaf, uint32_t sub)
{
    uint32_t max_basic = m->leaf[0].eax;
    bool hypervisor = leaf >> 28 == 4;
    uint32_t max_ext = m->vendor == CPU_AMD ? 0x80000021 : 0x80000008;
    bool beyond = leaf >= 0x80000000 ? leaf > max_ext : !hypervisor && leaf > max_basic;
    if (beyond)
        return m->vendor == CPU_INTEL ? cpuid_find(m, max_basic, sub) : NULL;
    return cpuid_find(m, leaf, sub);
}

/* Size of the XSAVE area for the components that are switched on; standard and compacted agree up to AVX. */
static uint32_t xsave_size(uint64_t components)
{
    return components & XCR0_AVX ? AVX_OFFSET + AVX_SIZE : XSAVE_LEGACY_SIZE;
}

void cpuid_lookup(const struct cpuid_model *m, struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    const struct cpuid_leaf *l = resolve(m, leaf, sub);
    out[0] = l ? l->eax : 0;
    out[1] = l ? l->ebx : 0;
    out[2] = l ? l->ecx : 0;
    out[3] = l ? l->edx : 0;
    switch (leaf) {
    case 0x1:
        out[1] |= c->id << 24;
        if (c->st.cr4 & CR4_OSXSAVE)
            out[2] |= (uint32_t)BIT(CPUID_1_ECX_OSXSAVE);
        if (!(lapic_base(c->apic) & BIT(11))) /* the APIC is switched off (SDM 3A 11.4.3) */
            out[3] &= ~(uint32_t)BIT(9);
        break;
    case 0xb:
        if (!l)
            out[2] = sub & 0xff; /* no such level: type 0, and the ID all the same */
        out[3] = c->id;
        break;
    case 0xd:
        if (m->has_xsave && sub == 0)
            out[1] = xsave_size(c->st.xcr0);
        else if (m->has_xsave && sub == 1 && (out[0] & (BIT(1) | BIT(3))))
            out[1] = xsave_size(c->st.xcr0 | c->st.xss);
        break;
    case 0x80000001:
        if (m->vendor == CPU_INTEL &&
            !x86_64bit(&c->st)) /* SDM 2A "CPUID": SYSCALL bit only in 64-bit mode */
            out[3] &= ~(uint32_t)BIT(11);
        else if (m->vendor == CPU_AMD && !(lapic_base(c->apic) & BIT(11)))
            out[3] &= ~(uint32_t)BIT(9);
        break;
    case 0x8000001e:
        if (m->vendor == CPU_AMD) {
            out[0] = c->id;
            out[1] = c->id & 0xff;
        }
        break;
    }
}
