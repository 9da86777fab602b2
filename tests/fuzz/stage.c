/*
 * stage.c: from the header of a guest-code input to a machine that is about to run it.
 */
#include "stage.h"

#include "cpu/lapic.h"

/* Values that registers begin with: places worth to be pointed at, and limits. */
static const uint64_t values[16] = {
    0,
    1,
    0x10,
    STAGE_DATA + 0x40,
    STAGE_DATA + 0xffd,
    STAGE_CODE + 8,
    RIG_HIGH + RIG_HIGH_SIZE - 8,
    RIG_RAM_SIZE - 4,
    RIG_MMIO + 0x10,
    LAPIC_BASE + 0x300,
    0x00007ffffffffff8,
    0xffff800000000000,
    0xffffffffffffffff,
    0x8000000000000000,
    RIG_PORT,
    0xffff800000000000 + STAGE_DATA,
};

bool stage_read(struct stage_header *h, struct cursor *in)
{
    if (left(in) < sizeof(*h))
        return false;
    memcpy(h, in->at, sizeof(*h));
    in->at += sizeof(*h);
    h->mode %= STAGE_MODES;
    return true;
}

/* ---- the mode ---- */

struct mode {
    uint16_t cs, ss;
    bool paging, pae;
};
static const struct mode modes[STAGE_MODES] = {
    [STAGE_REAL] = {0},
    [STAGE_PROT16] = {SEL_CODE16, SEL_DATA16},
    [STAGE_PROT16_USER] = {SEL_CODE16_USER | 3, SEL_DATA16_USER | 3},
    [STAGE_PROT32] = {SEL_CODE32, SEL_DATA32},
    [STAGE_PROT32_USER] = {SEL_CODE32_USER | 3, SEL_DATA32_USER | 3},
    [STAGE_PAGED32] = {SEL_CODE32, SEL_DATA32, true},
    [STAGE_PAGED32_USER] = {SEL_CODE32_USER | 3, SEL_DATA32_USER | 3, true},
    [STAGE_PAE] = {SEL_CODE32, SEL_DATA32, true, true},
    [STAGE_PAE_USER] = {SEL_CODE32_USER | 3, SEL_DATA32_USER | 3, true, true},
    [STAGE_V86] = {0, 0, true},
    [STAGE_COMPAT16] = {SEL_CODE16, SEL_DATA16, true, true},
    [STAGE_COMPAT32] = {SEL_CODE32, SEL_DATA32, true, true},
    [STAGE_COMPAT32_USER] = {SEL_CODE32_USER | 3, SEL_DATA32_USER | 3, true, true},
    [STAGE_LONG] = {SEL_CODE64, SEL_DATA32, true, true},
    [STAGE_LONG_USER] = {SEL_CODE64_USER | 3, SEL_DATA32_USER | 3, true, true},
};

static void control_registers(struct rig *r, const struct stage_header *h)
{
    struct x86_state *s = &r->cpu->st;
    const struct mode *m = &modes[h->mode];
    const uint32_t free0 = CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_CD;
    const uint32_t fixed4 = CR4_PAE | CR4_PCIDE | CR4_LA57;
    s->cr0 = CR0_ET | CR0_NE | CR0_WP | (h->mode != STAGE_REAL ? CR0_PE : 0) | (m->paging ? CR0_PG : 0);
    s->cr0 ^= h->cr0 & free0;
    s->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_PSE | CR4_PGE | (m->pae ? CR4_PAE : 0);
    s->cr4 ^= h->cr4 & ~fixed4;
    if (stage_is_long(h))
        s->cr4 |= h->cr4 & CR4_PCIDE;
    s->cr4 &= r->model.cr4_mask;
    s->efer = (stage_is_long(h) ? EFER_LME | EFER_LMA : 0) | (h->efer & 1 ? EFER_SCE : 0) |
              (h->efer & 2 ? EFER_NXE : 0);
    s->efer &= r->model.efer_mask | EFER_LMA;
    s->cr3 = stage_page_tables(h) + (stage_is_long(h) ? 0 : m->pae ? 0x4000 : 0x5000);
    s->xcr0 = r->model.xcr0_mask;
}

static struct x86_seg from_gdt(struct rig *r, uint16_t sel)
{
    uint64_t d = 0;
    mem_read(r->mem, STAGE_GDT + (sel & ~7u), &d, 8);
    return (struct x86_seg){.base = desc_base(d), .limit = desc_limit(d), .sel = sel, .attr = desc_attr(d)};
}
static struct x86_seg real_segment(uint16_t sel, uint16_t attr)
{
    return (struct x86_seg){.base = (uint32_t)sel << 4,
                            .limit = 0xffff,
                            .sel = sel,
                            .attr = SEG_P | SEG_S | SEG_T_RW | SEG_T_ACCESSED | attr};
}

/* Data segments that the input asks for, where they may be loaded at this privilege. */
static void extra_segments(struct rig *r, const struct stage_header *h)
{
    static const uint8_t which[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    struct x86_state *s = &r->cpu->st;
    for (unsigned i = 0; i < ARRAY_LEN(h->segs); i++) {
        enum x86_sreg n = which[h->segs[i] >> 5 & 3];
        uint16_t sel = (uint16_t)((h->segs[i] & 31) << 3);
        if (h->mode == STAGE_REAL || h->mode == STAGE_V86) {
            s->seg[n] = real_segment((uint16_t)(h->segs[i] << 8), s->seg[n].attr & SEG_DPL);
            continue;
        }
        struct x86_seg g = from_gdt(r, sel | s->cpl);
        bool data =
            (g.attr & (SEG_P | SEG_S)) == (SEG_P | SEG_S) && (g.attr & (SEG_T_CODE | SEG_T_RW)) != SEG_T_CODE;
        if (sel && sel < SEL_END && data && (g.attr & SEG_DPL) >> SEG_DPL_SHIFT >= s->cpl)
            s->seg[n] = g;
        else
            s->seg[n] = (struct x86_seg){.attr = SEG_UNUSABLE};
    }
}

static void segments(struct rig *r, const struct stage_header *h)
{
    struct x86_state *s = &r->cpu->st;
    const struct mode *m = &modes[h->mode];
    uint16_t code = h->options & STAGE_ROM ? STAGE_CODE_ROM >> 4 : STAGE_CODE >> 4;
    s->gdtr = (struct x86_table){STAGE_GDT, SEL_END - 1};
    s->idtr = (struct x86_table){h->mode == STAGE_REAL ? STAGE_IVT : STAGE_IDT, 0x3ff};
    s->cpl = h->mode == STAGE_V86 ? 3 : m->cs & 3;
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        if (h->mode == STAGE_REAL || h->mode == STAGE_V86)
            s->seg[i] = real_segment(i == SEG_CS ? code : 0, (h->mode == STAGE_V86 ? SEG_DPL
                                                              : i == SEG_CS        ? SEG_T_CODE
                                                                                   : 0));
        else
            s->seg[i] = from_gdt(r, i == SEG_CS ? m->cs : m->ss);
    s->seg[SEG_LDTR] =
        (struct x86_seg){.base = STAGE_LDT, .limit = 0x3f, .sel = SEL_LDT, .attr = SEG_P | SYS_LDT};
    s->seg[SEG_TR] = from_gdt(r, SEL_TSS);
    if (h->options & STAGE_TABLES_16 && !stage_is_long(h))
        s->seg[SEG_TR].attr = SEG_P | SYS_TSS16_BUSY;
    extra_segments(r, h);
}

/* ---- registers ---- */

static void general(struct rig *r, const struct stage_header *h)
{
    struct x86_state *s = &r->cpu->st;
    const uint32_t settable =
        FL_CC | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_RF | FL_AC | FL_VIF | FL_VIP | FL_ID;
    for (unsigned i = 0; i < X86_NGPR; i++)
        s->gpr[i] = values[h->gpr >> 4 * i & 15];
    if (!(h->options & STAGE_RSP))
        s->gpr[RSP] = STAGE_STACKS + 0x1f00;
    x86_set_rflags(s, FL_ONE | (h->rflags & settable) | (h->mode == STAGE_V86 ? FL_VM : 0));
    s->rip = (h->options & STAGE_ROM ? STAGE_CODE_ROM : STAGE_CODE) - s->seg[SEG_CS].base +
             (h->at ? PAGE_SIZE - h->at : 0);
    if (!x86_64bit(s))
        s->rip = (uint32_t)s->rip;
    for (unsigned i = 0; i < 4; i++)
        s->dr[i] = (const uint64_t[]){STAGE_CODE + 4, STAGE_DATA + 0x40, STAGE_HANDLERS, RIG_PORT}[i];
    s->dr7 = (h->dr7 & 0xffff23ff) | DR7_FIXED;
    s->msr.star = (uint64_t)SEL_CODE64 << 48 | (uint64_t)SEL_CODE32 << 32 | STAGE_HANDLERS;
    s->msr.lstar = s->msr.cstar = STAGE_HANDLERS;
    s->msr.sysenter_cs = SEL_CODE32;
    s->msr.sysenter_eip = STAGE_HANDLERS;
    s->msr.sysenter_esp = STAGE_STACKS + 0x800;
    s->msr.kernel_gs_base = STAGE_DATA;
    s->ev = (struct x86_events){
        .nmi_pending = h->pending & 1,
        .nmi_masked = h->pending & 2,
        .shadow = h->pending >> 2 & 3,
        .debug_pending = h->pending & 16,
        .dr6_pending = h->pending & 16 ? DR6_BS : 0,
    };
    s->mp = h->pending & 32 && s->cpl == 0 ? X86_HALTED : X86_RUNNING;
}

static void fpu(struct rig *r, const struct stage_header *h)
{
    struct x86_fpu *f = &r->cpu->st.fpu;
    f->fx.fcw = 0x37f;
    f->fx.ftw = 0;
    if (h->options & STAGE_FPU) {
        f->fx.fcw = (h->fcw & 0x1f7f) | 0x40;
        f->fx.fsw = h->fsw & 0x7f7f;
        if (f->fx.fsw & ~f->fx.fcw & 0x3f)
            f->fx.fsw |= 0x8080;
        f->fx.ftw = (uint8_t)(h->fsw >> 7);
        f->fx.mxcsr = h->mxcsr & 0xffff;
    }
    for (unsigned i = 0; i < 8; i++) /* infinities, denormals, unsupported, ordinary */
        memcpy(f->fx.st[i], &(const uint64_t[]){0x8000000000000000ull >> (i & 3), 0x3fff ^ i << 12}, 10);
    for (unsigned i = 0; i < 16; i++)
        memset(f->ymm[i], (int)(i * 0x1f), 32);
    f->xinuse = r->cpu->st.xcr0;
}

/* ---- memory ---- */

static void patch(struct rig *r, const struct stage_header *h, struct cursor *in)
{
    const gpa_t t = stage_page_tables(h);
    const gpa_t tables[16] = {STAGE_IVT,      STAGE_GDT,
                              STAGE_IDT,      STAGE_LDT,
                              STAGE_TSS,      STAGE_TSS_OTHER,
                              STAGE_HANDLERS, STAGE_STACKS + 0x1000,
                              STAGE_DATA,     t,
                              t + 0x1000,     t + 0x2000,
                              t + 0x3000,     t + 0x4000,
                              t + 0x5000,     t + 0x6000};
    for (unsigned i = 0; i < (h->patches & 15); i++) {
        uint16_t where = (uint16_t)take(in, 2);
        uint64_t v = take(in, 8);
        mem_load(r->mem, tables[where >> 12] + MIN(where & 0xfffu, PAGE_SIZE - 8), &v, 8);
    }
}

void stage_set(struct rig *r, const struct stage_header *h, struct cursor in)
{
    gpa_t code = (h->options & STAGE_ROM ? STAGE_CODE_ROM : STAGE_CODE) + (h->at ? PAGE_SIZE - h->at : 0);
    stage_descriptors(r, h);
    stage_pages(r, h);
    control_registers(r, h);
    segments(r, h); /* before the tables are patched: what is loaded first must be possible */
    general(r, h);
    fpu(r, h);

    patch(r, h, &in);
    size_t n = MIN(left(&in), (size_t)(h->code ? MIN(h->code, STAGE_CODE_MAX) : STAGE_CODE_MAX));
    mem_load(r->mem, code, in.at, n);
    in.at += n;
    mem_load(r->mem, STAGE_DATA, in.at, MIN(left(&in), 3 * PAGE_SIZE));
    if (h->options & STAGE_MASKED)
        lapic_reset(r->cpu->apic, false);
    cpu_state_loaded(r->cpu);
}
