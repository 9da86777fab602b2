/*
 * state_regs.c: general, segment, control, debug and floating-point registers between the kernel's form and
 * ours.
 */
#include "engine/kvm/impl.h"

/* ---- general registers ---- */

static void gprs_of(struct kvm_regs *r, uint64_t *gpr[X86_NGPR])
{
    uint64_t *const all[X86_NGPR] = {
        (uint64_t *)&r->rax, (uint64_t *)&r->rcx, (uint64_t *)&r->rdx, (uint64_t *)&r->rbx,
        (uint64_t *)&r->rsp, (uint64_t *)&r->rbp, (uint64_t *)&r->rsi, (uint64_t *)&r->rdi,
        (uint64_t *)&r->r8,  (uint64_t *)&r->r9,  (uint64_t *)&r->r10, (uint64_t *)&r->r11,
        (uint64_t *)&r->r12, (uint64_t *)&r->r13, (uint64_t *)&r->r14, (uint64_t *)&r->r15};
    memcpy(gpr, all, sizeof(all));
}

bool kvm_store_regs(struct engine_vcpu *v, unsigned groups)
{
    struct kvm_regs r = {.rip = v->st.rip, .rflags = x86_rflags(&v->st)};
    uint64_t *gpr[X86_NGPR];
    gprs_of(&r, gpr);
    for (unsigned i = 0; i < X86_NGPR; i++)
        *gpr[i] = v->st.gpr[i];
    return ioctl(v->fd, KVM_SET_REGS, &r) == 0;
}

void kvm_load_regs(struct engine_vcpu *v, unsigned groups, struct x86_state *out)
{
    struct kvm_regs r = {0};
    uint64_t *gpr[X86_NGPR];
    ioctl(v->fd, KVM_GET_REGS, &r);
    gprs_of(&r, gpr);
    for (unsigned i = 0; i < X86_NGPR; i++)
        out->gpr[i] = *gpr[i];
    out->rip = r.rip;
    x86_set_rflags(out, (uint32_t)r.rflags);
}

/* ---- segments, control registers ---- */

static struct kvm_segment to_kvm(const struct x86_seg *s)
{
    bool unusable = s->attr & SEG_UNUSABLE;
    return (struct kvm_segment){
        .base = s->base,
        .limit = s->limit,
        .selector = s->sel,
        .type = s->attr & SEG_TYPE,
        .s = (s->attr & SEG_S) != 0,
        .dpl = (s->attr & SEG_DPL) >> SEG_DPL_SHIFT,
        .present = !unusable && (s->attr & SEG_P),
        .avl = (s->attr & SEG_AVL) != 0,
        .l = (s->attr & SEG_L) != 0,
        .db = (s->attr & SEG_DB) != 0,
        .g = (s->attr & SEG_G) != 0,
        .unusable = unusable,
    };
}

static struct x86_seg from_kvm(const struct kvm_segment *k)
{
    return (struct x86_seg){
        .base = k->base,
        .limit = k->limit,
        .sel = k->selector,
        .attr =
            (uint16_t)((k->type & SEG_TYPE) | (k->s ? SEG_S : 0) | (k->dpl << SEG_DPL_SHIFT & SEG_DPL) |
                       (k->present ? SEG_P : 0) | (k->unusable ? SEG_UNUSABLE : 0) | (k->avl ? SEG_AVL : 0) |
                       (k->l ? SEG_L : 0) | (k->db ? SEG_DB : 0) | (k->g ? SEG_G : 0)),
    };
}

static void segments_of(struct kvm_sregs *r, struct kvm_segment *seg[X86_NSEG])
{
    struct kvm_segment *const all[X86_NSEG] = {
        [SEG_ES] = &r->es, [SEG_CS] = &r->cs, [SEG_SS] = &r->ss,    [SEG_DS] = &r->ds,
        [SEG_FS] = &r->fs, [SEG_GS] = &r->gs, [SEG_LDTR] = &r->ldt, [SEG_TR] = &r->tr};
    memcpy(seg, all, sizeof(all));
}

bool kvm_store_sregs(struct engine_vcpu *v, unsigned groups)
{
    const struct x86_state *s = &v->st;
    struct kvm_sregs r;
    struct kvm_segment *seg[X86_NSEG];
    if (ioctl(v->fd, KVM_GET_SREGS, &r) < 0)
        return false;
    segments_of(&r, seg);
    if (groups & GROUP_SEGMENTS) {
        for (unsigned i = 0; i < X86_NSEG; i++)
            *seg[i] = to_kvm(&s->seg[i]);
        r.gdt = (struct kvm_dtable){.base = s->gdtr.base, .limit = s->gdtr.limit};
        r.idt = (struct kvm_dtable){.base = s->idtr.base, .limit = s->idtr.limit};
    }
    if (groups & GROUP_CONTROL) {
        r.cr0 = s->cr0;
        r.cr2 = s->cr2;
        r.cr3 = s->cr3;
        r.cr4 = s->cr4;
    }
    if (groups & GROUP_MSRS)
        r.efer = s->efer;
    if (groups & GROUP_APIC) {
        r.apic_base = s->apic.base;
        r.cr8 = s->apic.tpr >> 4;
    }
    memset(r.interrupt_bitmap, 0, sizeof(r.interrupt_bitmap));
    return ioctl(v->fd, KVM_SET_SREGS, &r) == 0;
}

void kvm_load_sregs(struct engine_vcpu *v, unsigned groups, struct x86_state *out)
{
    struct kvm_sregs r = {0};
    struct kvm_segment *seg[X86_NSEG];
    ioctl(v->fd, KVM_GET_SREGS, &r);
    segments_of(&r, seg);
    if (groups & GROUP_SEGMENTS) {
        for (unsigned i = 0; i < X86_NSEG; i++)
            out->seg[i] = from_kvm(seg[i]);
        out->gdtr = (struct x86_table){r.gdt.base, r.gdt.limit};
        out->idtr = (struct x86_table){r.idt.base, r.idt.limit};
        out->cpl = r.cr0 & CR0_PE ? (uint8_t)r.ss.dpl : 0;
    }
    if (groups & GROUP_CONTROL) {
        out->cr0 = r.cr0;
        out->cr2 = r.cr2;
        out->cr3 = r.cr3;
        out->cr4 = r.cr4;
    }
    if (groups & GROUP_MSRS)
        out->efer = r.efer;
    if (groups & GROUP_APIC)
        out->apic.base = r.apic_base;
}

/* ---- debug registers ---- */

bool kvm_store_debug(struct engine_vcpu *v, unsigned groups)
{
    struct kvm_debugregs d = {.dr6 = v->st.dr6, .dr7 = v->st.dr7};
    for (unsigned i = 0; i < 4; i++)
        d.db[i] = v->st.dr[i];
    return ioctl(v->fd, KVM_SET_DEBUGREGS, &d) == 0;
}

void kvm_load_debug(struct engine_vcpu *v, unsigned groups, struct x86_state *out)
{
    struct kvm_debugregs d = {0};
    ioctl(v->fd, KVM_GET_DEBUGREGS, &d);
    for (unsigned i = 0; i < 4; i++)
        out->dr[i] = d.db[i];
    out->dr6 = d.dr6;
    out->dr7 = d.dr7;
}

/* ---- x87, SSE, AVX: an XSAVE area in its standard form (SDM 1 13.4) ---- */

enum { XSAVE_XMM = 160, XSAVE_BV = 512, XSAVE_AVX = 576, XMM_BYTES = 16 };
_Static_assert(sizeof(struct kvm_xsave) >= XSAVE_AVX + 16 * XMM_BYTES, "room for AVX");

bool kvm_store_fpu(struct engine_vcpu *v, unsigned groups)
{
    const struct x86_fpu *f = &v->st.fpu;
    struct kvm_xcrs x = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = v->st.xcr0}}};
    struct kvm_xsave area = {0};
    uint8_t *p = (uint8_t *)area.region;
    /* SSE's is always said to be in use: MXCSR has no bit of its own. */
    uint64_t in_use = f->xinuse | XCR0_SSE;
    if (!v->en->cfg.cpuid->has_avx)
        in_use &= ~(uint64_t)XCR0_AVX;
    memcpy(p, &f->fx, XSAVE_XMM);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(p + XSAVE_XMM + i * XMM_BYTES, f->ymm[i], XMM_BYTES);
        memcpy(p + XSAVE_AVX + i * XMM_BYTES, f->ymm[i] + XMM_BYTES, XMM_BYTES);
    }
    store_le(p + XSAVE_BV, in_use, 8);
    return ioctl(v->fd, KVM_SET_XSAVE, &area) == 0 &&
           (!v->en->has_xcr || ioctl(v->fd, KVM_SET_XCRS, &x) == 0);
}

void kvm_load_fpu(struct engine_vcpu *v, unsigned groups, struct x86_state *out)
{
    struct x86_fpu *f = &out->fpu;
    struct kvm_xcrs x = {0};
    struct kvm_xsave area = {0};
    const uint8_t *p = (const uint8_t *)area.region;
    ioctl(v->fd, KVM_GET_XSAVE, &area);
    if (v->en->has_xcr)
        ioctl(v->fd, KVM_GET_XCRS, &x);
    f->xinuse = load_le(p + XSAVE_BV, 8);
    memcpy(&f->fx, p, XSAVE_XMM);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(f->ymm[i], p + XSAVE_XMM + i * XMM_BYTES, XMM_BYTES);
        if (f->xinuse & XCR0_AVX)
            memcpy(f->ymm[i] + XMM_BYTES, p + XSAVE_AVX + i * XMM_BYTES, XMM_BYTES);
        else
            memset(f->ymm[i] + XMM_BYTES, 0, XMM_BYTES);
    }
    out->xcr0 = XCR0_X87;
    for (uint32_t i = 0; i < x.nr_xcrs && i < KVM_MAX_XCRS; i++)
        if (x.xcrs[i].xcr == 0)
            out->xcr0 = x.xcrs[i].value;
    out->xss = 0; /* no state that it covers is offered */
}
