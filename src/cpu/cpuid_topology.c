/*
 * cpuid_topology.c: CPUID leaves that describe cores and caches: every vCPU a core of one package, with the
 * host's caches, of which the last level is shared by all.
 */
#include "cpu/cpuid_impl.h"

#define CACHE_LEAVES 4
/* Fields of EAX in leaves 4 and 8000_001d (SDM 2A "CPUID", APM 3 E.4.15). */
#define CACHE_TYPE(eax)  ((eax)&0x1f)
#define CACHE_LEVEL(eax) ((eax) >> 5 & 7)
#define CACHE_KEEP       0x000003ffu /* type, level, self-initialising, fully associative */
#define SHARING_POS      14
#define CORES_POS        26

/* For a host that tells nothing: 32 KiB, 8 ways, twice; 512 KiB, 8 ways; 16 MiB, 16 ways. EAX, EBX, ECX, EDX.
 */
static const uint32_t plain_caches[CACHE_LEAVES][4] = {
    {0x121, 0x01c0003f, 0x3f, 0},
    {0x122, 0x01c0003f, 0x3f, 0},
    {0x143, 0x01c0003f, 0x3ff, 0},
    {0x163, 0x03c0003f, 0x3fff, 0},
};

/* Bits of an APIC ID that number n cores. */
static unsigned id_bits(unsigned n)
{
    unsigned b = 0;
    while ((1u << b) < n)
        b++;
    return b;
}

static void add_caches(struct cpuid_model *m, uint32_t leaf, unsigned cpus, const struct cpuid_host *host)
{
    unsigned ids = 1u << id_bits(cpus);
    uint32_t r[4];
    host->cpuid(host->opaque, leaf, 0, r);
    bool known = CACHE_TYPE(r[0]);
    for (unsigned i = 0; i < CACHE_LEAVES; i++) {
        if (known)
            host->cpuid(host->opaque, leaf, i, r);
        else
            memcpy(r, plain_caches[i], sizeof(r));
        if (!CACHE_TYPE(r[0]))
            break;
        struct cpuid_leaf *l = cpuid_leaf_at(m, leaf, i, true);
        uint32_t sharing = CACHE_LEVEL(r[0]) >= 3 ? ids - 1 : 0;
        l->eax = (r[0] & CACHE_KEEP) | sharing << SHARING_POS;
        if (leaf == 4)
            l->eax |= MIN(ids - 1, 63) << CORES_POS;
        l->ebx = r[1];
        l->ecx = r[2];
        l->edx = r[3];
    }
}

static void copy_leaf(struct cpuid_model *m, const struct cpuid_host *host, uint32_t leaf)
{
    uint32_t r[4];
    host->cpuid(host->opaque, leaf, 0, r);
    struct cpuid_leaf *l = cpuid_leaf_at(m, leaf, 0, false);
    l->eax = r[0];
    l->ebx = r[1];
    l->ecx = r[2];
    l->edx = r[3];
}

static void add_amd(struct cpuid_model *m, const struct cpuid_config *cfg, const struct cpuid_host *host,
                    uint32_t host_max_ext)
{
    static const uint32_t copied[] = {0x80000005, 0x80000006, 0x80000019,
                                      0x8000001a}; /* L1, L2 and L3, TLBs, FPU */
    for (unsigned i = 0; i < ARRAY_LEN(copied); i++)
        if (copied[i] <= host_max_ext)
            copy_leaf(m, host, copied[i]);
    /* APM 3 E.4.7: number of cores less one, width of the core's part of the APIC ID. */
    cpuid_leaf_at(m, 0x80000008, 0, false)->ecx = (cfg->cpus - 1) | id_bits(cfg->cpus) << 12;
    if (cfg->cpus > 1)
        cpuid_leaf_at(m, 0x80000001, 0, false)->ecx |=
            BIT(1); /* CmpLegacy: the logical processors are cores */
    add_caches(m, 0x8000001d, cfg->cpus, host);
    cpuid_leaf_at(m, 0x8000001e, 0, false); /* dynamic: APIC ID, core ID; one thread, one node */
}

void cpuid_add_topology(struct cpuid_model *m, const struct cpuid_config *cfg, const struct cpuid_host *host)
{
    uint32_t r[4];
    host->cpuid(host->opaque, 0x80000000, 0, r);
    uint32_t host_max_ext = r[0];

    struct cpuid_leaf *l = cpuid_leaf_at(m, 1, 0, false);
    l->ebx = 8u << 8; /* CLFLUSH line: 64 bytes */
    if (cfg->cpus > 1) {
        l->ebx |= (m->vendor == CPU_AMD ? cfg->cpus : 1u << id_bits(cfg->cpus)) << 16;
        l->edx |= BIT(28); /* HTT: the field above is valid */
    }

    /* Leaf 0xb (SDM 2A "CPUID"): level 0 threads, level 1 cores; EDX is dynamic. */
    l = cpuid_leaf_at(m, 0xb, 0, true);
    l->ebx = 1;
    l->ecx = 1u << 8;
    l = cpuid_leaf_at(m, 0xb, 1, true);
    l->eax = id_bits(cfg->cpus);
    l->ebx = cfg->cpus;
    l->ecx = 1 | 2u << 8;

    if (m->vendor == CPU_AMD) {
        add_amd(m, cfg, host, host_max_ext);
        return;
    }
    copy_leaf(m, host, 2);
    add_caches(m, 4, cfg->cpus, host);
    if (host_max_ext >= 0x80000006)
        copy_leaf(m, host, 0x80000006);
}
