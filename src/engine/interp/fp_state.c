/*
 * fp_state.c: saving and restoring vector state: FXSAVE, XSAVE and their kin (SDM 1 10.5, 13), MXCSR, EMMS.
 *
 * An area is checked as a whole, then written piece by piece, so that a fault leaves memory and registers as
 * they were. What "in use" means (XINUSE) is read from the contents themselves: a component is in its initial
 * configuration when its bytes are.
 */
#include "engine/interp/fp.h"

#include "cpu/cpuid.h"

#define LEGACY_SIZE 512u
#define HEADER_AT   512u
#define HEADER_SIZE 64u
#define AVX_AT      576u
#define AVX_SIZE    256u
#define XMM_AT      160u
#define MXCSR_AT    24u
#define FXSAVE_END  416u /* behind XMM15; the rest is not written */
#define COMPACTED   BIT(63)

/* ---- what the guest's processor is ---- */

static const struct cpuid_leaf *leaf(const struct interp *v, uint32_t number)
{
    const struct cpuid_model *m = v->c.cpuid;
    for (unsigned i = 0; i < m->count; i++)
        if (m->leaf[i].leaf == number && (!m->leaf[i].has_sub || !m->leaf[i].sub))
            return &m->leaf[i];
    return NULL;
}

void fp_learn(struct interp *v)
{
    struct fp_thunks *t = v->thunks;
    if (t->known)
        return;
    const struct cpuid_leaf *l7 = leaf(v, 7), *lx1 = leaf(v, 0x80000001), *lx8 = leaf(v, 0x80000008);
    t->known = true;
    t->intel = v->c.cpuid->vendor == CPU_INTEL;
    t->pointers_on_error = !t->intel && !(lx8 && lx8->ebx & BIT(2));
    t->fdp_on_error = l7 && l7->ebx & BIT(6);
    t->no_selectors = l7 && l7->ebx & BIT(13);
    t->mxcsr_mask = t->host_mxcsr_mask;
    if (!(lx1 && lx1->ecx & BIT(7)))
        t->mxcsr_mask &= ~MXCSR_MM;
}

/* ---- areas in guest memory ---- */

static unsigned rights(const struct interp *v, unsigned acc)
{
    return acc | (v->c.st.cpl == 3 ? ACC_USER : 0);
}
bool fp_area(struct interp *v, const struct insn *in, unsigned size, unsigned acc, uint64_t *lin)
{
    if (!insn_address(v, in, size, acc, lin))
        return false;
    if (x86_lma(ST(v)) && !(is_canonical(*lin) && is_canonical(*lin + size - 1))) {
        v->noncanonical = true;
        return cpu_raise_gp0(&v->c);
    }
    return true;
}
/* The fault of an access by ops: of a non-canonical address it is the segment's, #GP or #SS. */
static bool operand_fault(struct interp *v, uint64_t lin, unsigned len)
{
    v->noncanonical = x86_lma(ST(v)) && !(is_canonical(lin) && is_canonical(lin + len - 1));
    return false;
}
static uint64_t within(const struct interp *v, uint64_t lin)
{
    return x86_lma(&v->c.st) ? lin : (uint32_t)lin;
}
bool fp_read(struct interp *v, uint64_t lin, void *buf, unsigned len)
{
    return v->c.ops->read(&v->c, within(v, lin), buf, len, rights(v, ACC_READ)) || operand_fault(v, lin, len);
}
bool fp_write(struct interp *v, uint64_t lin, const void *buf, unsigned len)
{
    return v->c.ops->write(&v->c, within(v, lin), buf, len, rights(v, ACC_WRITE)) ||
           operand_fault(v, lin, len);
}
bool fp_probe(struct interp *v, uint64_t lin, unsigned len)
{
    return v->c.ops->probe_write(&v->c, within(v, lin), len, rights(v, ACC_WRITE)) ||
           operand_fault(v, lin, len);
}

bool fp_probe_area(struct interp *v, uint64_t lin, unsigned len, unsigned unit, unsigned acc)
{
    uint8_t bytes[8];
    if (acc == ACC_WRITE)
        return fp_probe(v, lin, unit) && fp_probe(v, lin + len - 1, 1);
    return fp_read(v, lin, bytes, unit) && fp_read(v, lin + len - 1, bytes, 1);
}

/* ---- registers to and from images ---- */

static unsigned registers(const struct interp *v)
{
    return is64(v) ? 16 : 8;
}
/* Halves of the vector registers: 0 XMM, 16 what AVX adds. */
static void halves_to(struct interp *v, uint8_t *to, unsigned half)
{
    for (unsigned r = 0; r < registers(v); r++)
        memcpy(to + 16 * r, ST(v)->fpu.ymm[r] + half, 16);
}
static void halves_from(struct interp *v, const uint8_t *from, unsigned half)
{
    for (unsigned r = 0; r < registers(v); r++)
        memcpy(ST(v)->fpu.ymm[r] + half, from + 16 * r, 16);
}
static bool halves_zero(struct interp *v, unsigned half)
{
    static const uint8_t zero[16];
    for (unsigned r = 0; r < 16; r++)
        if (memcmp(ST(v)->fpu.ymm[r] + half, zero, 16))
            return false;
    return true;
}
static const uint8_t initial[AVX_SIZE]; /* of XMM and AVX components */

uint64_t fp_xinuse(struct interp *v)
{
    return (fp_x87_initial(v) ? 0 : XCR0_X87) | (halves_zero(v, 0) ? 0 : XCR0_SSE) |
           (halves_zero(v, 16) ? 0 : XCR0_AVX);
}

static void mxcsr_to(struct interp *v, uint8_t *image)
{
    store_le(image + MXCSR_AT, ST(v)->fpu.fx.mxcsr, 4);
    store_le(image + MXCSR_AT + 4, v->thunks->mxcsr_mask, 4);
}
static bool mxcsr_valid(struct interp *v, uint32_t a)
{
    return !(a & ~v->thunks->mxcsr_mask) || cpu_raise_gp0(&v->c);
}

/* ---- LDMXCSR, STMXCSR; imm: unit ---- */

OP(ldmxcsr)
{
    uint32_t a;
    enum fp_unit unit = (enum fp_unit)in->imm;
    if (!fp_usable(v, unit))
        return fp_unusable(v, in, unit);
    if (!ld_op(v, in, &a, 4) || !mxcsr_valid(v, a))
        return insn_fault(v, in);
    ST(v)->fpu.fx.mxcsr = a;
    return in + 1;
}
OP(stmxcsr)
{
    enum fp_unit unit = (enum fp_unit)in->imm;
    if (!fp_usable(v, unit))
        return fp_unusable(v, in, unit);
    if (!st_op(v, in, &ST(v)->fpu.fx.mxcsr, 4))
        return insn_fault(v, in);
    return in + 1;
}

OP(emms)
{
    if (!fp_usable(v, UNIT_MMX))
        return fp_unusable(v, in, UNIT_MMX);
    fp_mmx_done(v, 0);
    return in + 1;
}

/* ---- FXSAVE, FXRSTOR; imm: 64-bit pointers ---- */

static bool fx_usable(struct interp *v)
{
    return !(ST(v)->cr0 & (CR0_EM | CR0_TS)) || cpu_raise(&v->c, VEC_NM);
}
/* AMD's EFER.FFXSR leaves the XMM registers out for the system's own switches (APM 2 3.1.7). */
static bool without_xmm(const struct interp *v)
{
    return (v->c.st.efer & EFER_FFXSR) && !v->c.st.cpl && is64(v);
}
/* Its area: aligned to 16; where alignment is checked AMD reports a multiple of less than four by #AC. */
static bool fx_area(struct interp *v, const struct insn *in, unsigned acc, uint64_t *lin)
{
    return fx_usable(v) && fp_area(v, in, LEGACY_SIZE, acc, lin) &&
           (v->thunks->intel || fp_alignment(v, *lin, 3)) && (!(*lin & 15) || cpu_raise_gp0(&v->c));
}
OP(fxsave)
{
    uint8_t image[FXSAVE_END];
    uint64_t lin;
    /* The last byte is looked at first, which shows in CR2 (Zen 3 to 5). Read: what is not written stays. It
     * can be read, since it can be written. */
    if (!fx_area(v, in, ACC_WRITE, &lin) || !fp_probe(v, lin + LEGACY_SIZE - 1, 1) ||
        !fp_probe(v, lin, LEGACY_SIZE) || !fp_read(v, lin, image, sizeof(image)))
        return insn_fault(v, in);
    fp_x87_to_image(v, image, in->imm);
    mxcsr_to(v, image);
    unsigned len = XMM_AT;
    if (!without_xmm(v)) {
        halves_to(v, image + XMM_AT, 0);
        len += 16 * registers(v);
    }
    if (!fp_write(v, lin, image, len))
        return insn_fault(v, in);
    return in + 1;
}
OP(fxrstor)
{
    uint8_t image[LEGACY_SIZE];
    uint64_t lin;
    if (!fx_area(v, in, ACC_READ, &lin) || !fp_read(v, lin + LEGACY_SIZE - 1, image, 1) ||
        !fp_read(v, lin, image, LEGACY_SIZE) || !mxcsr_valid(v, (uint32_t)load_le(image + MXCSR_AT, 4)))
        return insn_fault(v, in);
    ST(v)->fpu.fx.mxcsr = (uint32_t)load_le(image + MXCSR_AT, 4);
    fp_x87_from_image(v, image, in->imm);
    if (!without_xmm(v))
        halves_from(v, image + XMM_AT, 0);
    fp_touch(v, UNIT_SSE);
    return in + 1;
}

/* ---- XSAVE, XSAVEOPT, XSAVEC ---- */

static bool xsave_usable(struct interp *v)
{
    if (!(ST(v)->cr4 & CR4_OSXSAVE))
        return cpu_raise(&v->c, VEC_UD);
    return !(ST(v)->cr0 & CR0_TS) || cpu_raise(&v->c, VEC_NM);
}
/* RFBM (SDM 1 13.3). */
static uint64_t requested(const struct interp *v)
{
    return (v->c.st.gpr[RDX] << 32 | (uint32_t)v->c.st.gpr[RAX]) & v->c.st.xcr0;
}
static unsigned area_size(uint64_t components)
{
    return components & XCR0_AVX ? AVX_AT + AVX_SIZE : HEADER_AT + HEADER_SIZE;
}
/* Misaligned comes before non-canonical: a matter of #GP or #SS (seen on Zen 5). */
static bool xsave_area(struct interp *v, const struct insn *in, unsigned size, unsigned acc, uint64_t *lin)
{
    return xsave_usable(v) && insn_address(v, in, size, acc, lin) && (!(*lin & 63) || cpu_raise_gp0(&v->c)) &&
           fp_area(v, in, size, acc, lin);
}

/* Write the components of `which`, and MXCSR. The area has been probed. */
static bool save_components(struct interp *v, uint64_t lin, uint64_t which, bool mxcsr, bool wide)
{
    uint8_t image[LEGACY_SIZE];
    bool ok = true;
    if (which & XCR0_X87) {
        ok = fp_read(v, lin, image, XMM_AT);
        fp_x87_to_image(v, image, wide);
        ok = ok && fp_write(v, lin, image, MXCSR_AT) && fp_write(v, lin + 32, image + 32, XMM_AT - 32);
    }
    if (mxcsr) {
        mxcsr_to(v, image);
        ok = ok && fp_write(v, lin + MXCSR_AT, image + MXCSR_AT, 8);
    }
    if (which & XCR0_SSE) {
        halves_to(v, image, 0);
        ok = ok && fp_write(v, lin + XMM_AT, image, 16 * registers(v));
    }
    if (which & XCR0_AVX) {
        halves_to(v, image, 16);
        ok = ok && fp_write(v, lin + AVX_AT, image, 16 * registers(v));
    }
    return ok;
}

enum { X_PLAIN, X_OPT, X_COMPACT };
/* imm: bit 0 64-bit pointers, from bit 1 on X_* */
OP(xsave)
{
    unsigned form = (unsigned)in->imm >> 1;
    uint64_t rfbm = requested(v), used = fp_xinuse(v), lin, bv, comp;
    unsigned size = area_size(rfbm);
    if (!xsave_area(v, in, size, ACC_WRITE, &lin) || !fp_probe_area(v, lin, size, 1, ACC_WRITE) ||
        !fp_read(v, lin + HEADER_AT, &bv, 8))
        return insn_fault(v, in);
    bool mxcsr = rfbm & (XCR0_SSE | XCR0_AVX);
    if (form == X_COMPACT) { /* SDM 1 13.10: MXCSR belongs to the SSE component */
        if (ST(v)->fpu.fx.mxcsr != MXCSR_INIT)
            used |= XCR0_SSE;
        bv = used & rfbm;
        mxcsr = bv & XCR0_SSE;
        comp = rfbm | COMPACTED;
    } else {
        bv = (bv & ~rfbm) | (used & rfbm);
    }
    bool ok = save_components(v, lin, form == X_PLAIN ? rfbm : rfbm & used, mxcsr, in->imm & 1) &&
              fp_write(v, lin + HEADER_AT, &bv, 8) &&
              (form != X_COMPACT || fp_write(v, lin + HEADER_AT + 8, &comp, 8));
    return ok ? in + 1 : insn_fault(v, in);
}

/* ---- XRSTOR ---- */

static bool all_zero(const uint8_t *p, unsigned n)
{
    return !memcmp(p, initial, n);
}
/* SDM 1 13.8: the header of either format. */
static bool header_valid(struct interp *v, const uint8_t *header)
{
    uint64_t bv = load_le(header, 8), comp = load_le(header + 8, 8), xcr0 = ST(v)->xcr0;
    bool ok;
    if (comp & COMPACTED) {
        const struct cpuid_model *m = v->c.cpuid;
        bool offered = false;
        for (unsigned i = 0; i < m->count; i++)
            if (m->leaf[i].leaf == 0xd && m->leaf[i].sub == 1)
                offered = m->leaf[i].eax & BIT(1);
        ok = offered && !(comp & ~COMPACTED & ~xcr0) && !(bv & ~comp) && !(bv & COMPACTED) &&
             all_zero(header + 16, 48);
    } else {
        ok = !(bv & ~xcr0) && all_zero(header + 8, 16);
    }
    return ok || cpu_raise_gp0(&v->c);
}

/* imm: 64-bit pointers */
OP(xrstor)
{
    uint8_t image[AVX_AT + AVX_SIZE];
    const uint8_t *header = image + HEADER_AT;
    uint64_t rfbm = requested(v), lin;
    if (!xsave_area(v, in, area_size(rfbm), ACC_READ, &lin) || !fp_read(v, lin, image, LEGACY_SIZE) ||
        !fp_read(v, lin + HEADER_AT, image + HEADER_AT, HEADER_SIZE) || !header_valid(v, header))
        return insn_fault(v, in);
    uint64_t bv = load_le(header, 8) & rfbm;
    if ((bv & XCR0_AVX) && !fp_read(v, lin + AVX_AT, image + AVX_AT, AVX_SIZE))
        return insn_fault(v, in);
    bool compacted = load_le(header + 8, 8) & COMPACTED;
    /* The standard form takes MXCSR from memory whatever XSTATE_BV says, the compacted one with SSE. */
    bool load_mxcsr = compacted ? bv & XCR0_SSE : rfbm & (XCR0_SSE | XCR0_AVX);
    uint32_t mxcsr = load_mxcsr ? (uint32_t)load_le(image + MXCSR_AT, 4) : MXCSR_INIT;
    if (!mxcsr_valid(v, mxcsr))
        return insn_fault(v, in);
    if (load_mxcsr || (rfbm & XCR0_SSE))
        ST(v)->fpu.fx.mxcsr = mxcsr;
    if (bv & XCR0_X87)
        fp_x87_from_image(v, image, in->imm);
    else if (rfbm & XCR0_X87)
        fp_x87_init(v);
    if (rfbm & XCR0_SSE)
        halves_from(v, bv & XCR0_SSE ? image + XMM_AT : initial, 0);
    if (rfbm & XCR0_AVX)
        halves_from(v, bv & XCR0_AVX ? image + AVX_AT : initial, 16);
    ST(v)->fpu.xinuse = (ST(v)->fpu.xinuse & ~rfbm) | bv;
    return in + 1;
}

/* ---- selection ---- */

static bool select_area(struct sel *s, struct insn *in, insn_fn *fn, unsigned imm)
{
    sel_mem(s, in, 0);
    in->imm = (int32_t)imm;
    in->fn = fn;
    return true;
}
static bool select_fxsave(struct sel *s, struct insn *in, unsigned wide)
{
    return select_area(s, in, fxsave, wide);
}
static bool select_fxrstor(struct sel *s, struct insn *in, unsigned wide)
{
    return select_area(s, in, fxrstor, wide);
}
static bool select_xsave(struct sel *s, struct insn *in, unsigned arg)
{
    return select_area(s, in, xsave, arg);
}
static bool select_xrstor(struct sel *s, struct insn *in, unsigned wide)
{
    return select_area(s, in, xrstor, wide);
}
static bool select_ldmxcsr(struct sel *s, struct insn *in, unsigned unit)
{
    return select_area(s, in, ldmxcsr, unit);
}
static bool select_stmxcsr(struct sel *s, struct insn *in, unsigned unit)
{
    return select_area(s, in, stmxcsr, unit);
}
static bool select_emms(struct sel *s, struct insn *in, unsigned arg)
{
    in->fn = emms;
    return true;
}

const struct sel_row fp_state_rows[] = {
    {ZYDIS_MNEMONIC_FXSAVE, select_fxsave, false},
    {ZYDIS_MNEMONIC_FXSAVE64, select_fxsave, true},
    {ZYDIS_MNEMONIC_FXRSTOR, select_fxrstor, false},
    {ZYDIS_MNEMONIC_FXRSTOR64, select_fxrstor, true},
    {ZYDIS_MNEMONIC_XSAVE, select_xsave, X_PLAIN << 1},
    {ZYDIS_MNEMONIC_XSAVE64, select_xsave, X_PLAIN << 1 | 1},
    {ZYDIS_MNEMONIC_XSAVEOPT, select_xsave, X_OPT << 1},
    {ZYDIS_MNEMONIC_XSAVEOPT64, select_xsave, X_OPT << 1 | 1},
    {ZYDIS_MNEMONIC_XSAVEC, select_xsave, X_COMPACT << 1},
    {ZYDIS_MNEMONIC_XSAVEC64, select_xsave, X_COMPACT << 1 | 1},
    {ZYDIS_MNEMONIC_XRSTOR, select_xrstor, false},
    {ZYDIS_MNEMONIC_XRSTOR64, select_xrstor, true},
    {ZYDIS_MNEMONIC_LDMXCSR, select_ldmxcsr, UNIT_SSE},
    {ZYDIS_MNEMONIC_STMXCSR, select_stmxcsr, UNIT_SSE},
    {ZYDIS_MNEMONIC_VLDMXCSR, select_ldmxcsr, UNIT_AVX},
    {ZYDIS_MNEMONIC_VSTMXCSR, select_stmxcsr, UNIT_AVX},
    {ZYDIS_MNEMONIC_EMMS, select_emms, 0},
    {0},
};
