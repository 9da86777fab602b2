/*
 * control.c: control registers, EFER, XCR0, and the TLB instructions (SDM 3A 2.5, 4.1, 4.10.4, 9.8.5; APM
 * 2 3.1, 14.6).
 */
#include "cpu/cpu_internal.h"

#define CR0_DEFINED \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

/* Load the PDPTEs if PAE paging is used with these values (SDM 3A 4.4.1). False: #GP(0). */
static bool load_pdptes(struct cpu *c, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer)
{
    uint64_t p[4];
    if (!pae_paging(cr0, cr4, efer))
        return true;
    if (!pdptes_read(c, cr3, p))
        return cpu_raise_gp0(c);
    memcpy(c->pdpte, p, sizeof(p));
    return true;
}

/* ---- CR0 ---- */

/* May paging be switched on? *efer gets LMA (SDM 3A 9.8.5). */
static bool paging_on(struct cpu *c, uint64_t *efer)
{
    const struct x86_state *s = &c->st;
    if (!(s->efer & EFER_LME))
        return true;
    bool tss16 = !((s->seg[SEG_TR].attr & SEG_TYPE) & 8);
    if (!(s->cr4 & CR4_PAE) || (s->seg[SEG_CS].attr & SEG_L) || (tss16 && vendor(c)->long_mode_wants_tss32))
        return cpu_raise_gp0(c);
    *efer |= EFER_LMA;
    return true;
}
static bool paging_off(struct cpu *c, uint64_t *efer)
{
    if (x86_64bit(&c->st) || (c->st.cr4 & CR4_PCIDE))
        return cpu_raise_gp0(c);
    *efer &= ~(uint64_t)EFER_LMA;
    return true;
}

bool cpu_set_cr0(struct cpu *c, uint64_t v)
{
    struct x86_state *s = &c->st;
    uint64_t efer = s->efer;
    if (v >> 32)
        return cpu_raise_gp0(c);
    v = (v & CR0_DEFINED) | CR0_ET;
    if (((v & CR0_PG) && !(v & CR0_PE)) || ((v & CR0_NW) && !(v & CR0_CD)))
        return cpu_raise_gp0(c);
    uint64_t changed = s->cr0 ^ v;
    if ((changed & CR0_PG) && !(v & CR0_PG ? paging_on : paging_off)(c, &efer))
        return false;
    if ((changed & (CR0_PG | CR0_CD | CR0_NW)) && !load_pdptes(c, v, s->cr3, s->cr4, efer))
        return false;
    s->cr0 = v;
    s->efer = efer;
    if (changed & (CR0_PG | CR0_WP))
        c->ops->flush_all(c);
    mode_changed(c);
    return true;
}

/* ---- CR3 ---- */

bool cpu_set_cr3(struct cpu *c, uint64_t v)
{
    struct x86_state *s = &c->st;
    bool keep = false;
    if (s->cr4 & CR4_PCIDE) {
        keep = v & BIT(63);
        v &= ~BIT(63);
    }
    if (x86_lma(s) && v >> c->cpuid->phys_bits)
        return cpu_raise_gp0(c);
    if (!load_pdptes(c, s->cr0, v, s->cr4, s->efer))
        return false;
    s->cr3 = v;
    c->ops->cr3_loaded(c, keep);
    return true;
}

/* ---- CR4 ---- */

bool cpu_set_cr4(struct cpu *c, uint64_t v)
{
    struct x86_state *s = &c->st;
    uint64_t changed = s->cr4 ^ v;
    if (v & ~c->cpuid->cr4_mask)
        return cpu_raise_gp0(c);
    if (x86_lma(s) && (changed & (CR4_LA57 | CR4_PAE)))
        return cpu_raise_gp0(c);
    if ((changed & v & CR4_PCIDE) && (!x86_lma(s) || (s->cr3 & 0xfff)))
        return cpu_raise_gp0(c);
    if ((changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) && !load_pdptes(c, s->cr0, s->cr3, v, s->efer))
        return false;
    s->cr4 = v;
    /* SDM 3A 4.10.4.1; SMAP too, as rights may be kept in an engine's TLB. */
    if (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_PCIDE | CR4_SMEP | CR4_SMAP))
        c->ops->flush_all(c);
    mode_changed(c);
    return true;
}

/* ---- CR8: the local APIC's task priority (SDM 3A 10.8.6) ---- */

bool cpu_set_cr8(struct cpu *c, uint64_t v)
{
    if (v > 15)
        return cpu_raise_gp0(c);
    lapic_set_tpr(c->apic, (uint8_t)(v << 4));
    cpu_recheck(c);
    return true;
}

uint64_t cpu_cr8(struct cpu *c)
{
    return lapic_tpr(c->apic) >> 4;
}

/* ---- EFER, XCR0 ---- */

bool cpu_set_efer(struct cpu *c, uint64_t v)
{
    struct x86_state *s = &c->st;
    uint64_t allowed = c->cpuid->efer_mask | EFER_LMA;
    v = (v & ~(uint64_t)EFER_LMA) | (s->efer & EFER_LMA); /* read-only */
    uint64_t changed = s->efer ^ v;
    if ((v & ~allowed) || ((changed & EFER_LME) && (s->cr0 & CR0_PG)))
        return cpu_raise_gp0(c);
    s->efer = v;
    if (changed & EFER_NXE)
        c->ops->flush_all(c);
    mode_changed(c);
    return true;
}

/* SDM 2C "XSETBV": x87 always, AVX only with SSE. */
bool cpu_set_xcr0(struct cpu *c, uint32_t index, uint64_t v)
{
    if (index || (v & ~c->cpuid->xcr0_mask) || !(v & XCR0_X87) || ((v & XCR0_AVX) && !(v & XCR0_SSE)))
        return cpu_raise_gp0(c);
    c->st.xcr0 = v;
    return true;
}

/* ---- INVLPG, INVPCID ---- */

bool cpu_invlpg(struct cpu *c, uint64_t lin)
{
    if (!x86_lma(&c->st) || is_canonical(lin)) /* else: no operation */
        c->ops->flush_page(c, lin);
    return true;
}

/* SDM 2A "INVPCID"; pcid: the first eight bytes of the descriptor. */
bool cpu_invpcid(struct cpu *c, uint64_t type, uint64_t pcid, uint64_t lin)
{
    bool one_pcid = type < 2;
    if (type > 3 || pcid >> 12 || (one_pcid && pcid && !(c->st.cr4 & CR4_PCIDE)))
        return cpu_raise_gp0(c);
    if (type == 0 && !is_canonical(lin))
        return cpu_raise_gp0(c);
    if (one_pcid)
        c->ops->flush_pcid(c, (unsigned)pcid, type == 0, lin);
    else if (type == 2)
        c->ops->flush_all(c);
    else
        c->ops->flush_nonglobal(c);
    return true;
}
