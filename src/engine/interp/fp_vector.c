/*
 * fp_vector.c: MMX, SSE and AVX instructions that have a thunk: operands in, run, faults out.
 */
#include "engine/interp/fp.h"

const struct insn *fp_pending(struct interp *v, const struct insn *in)
{
    if (ST(v)->cr0 & CR0_NE) {
        cpu_raise(&v->c, VEC_MF);
        return insn_fault(v, in);
    }
    v->ferr = true;
    if (v->c.wiring.ferr && v->c.wiring.ferr(v->c.wiring.opaque, true)) {
        v->ignne = true;
        const struct insn *next = in->fn(v, in);
        v->ignne = false;
        return next;
    }
    v->insns--; /* not executed */
    return insn_leave(v, in, this_rip(v, in));
}

void fp_ferr_check(struct interp *v)
{
    if (ST(v)->fpu.fx.fsw & FSW_ES)
        return;
    v->ferr = false;
    if (v->c.wiring.ferr)
        v->c.wiring.ferr(v->c.wiring.opaque, false);
}

const struct insn *fp_unusable(struct interp *v, const struct insn *in, enum fp_unit unit)
{
    const struct x86_state *s = ST(v);
    bool ud = (unit == UNIT_SSE || unit == UNIT_MMX_SSE || unit == UNIT_MMX) && (s->cr0 & CR0_EM);
    if (unit == UNIT_SSE || unit == UNIT_MMX_SSE)
        ud |= !(s->cr4 & CR4_OSFXSR);
    if (unit == UNIT_AVX)
        ud |= !(s->cr4 & CR4_OSXSAVE) || (~s->xcr0 & (XCR0_SSE | XCR0_AVX)) || !(is64(v) || x86_protected(s));
    if (ud)
        return insn_ud(v, in);
    if (s->cr0 & (unit == UNIT_X87 ? CR0_TS | CR0_EM : CR0_TS)) {
        cpu_raise(&v->c, VEC_NM);
        return insn_fault(v, in);
    }
    return fp_pending(v, in);
}

void *fp_load_slow(struct interp *v, uint64_t lin, const struct fp_form *f)
{
    struct fp_thunks *t = v->thunks;
    if ((lin & f->align) && !(ST(v)->fpu.fx.mxcsr & MXCSR_MM)) {
        cpu_raise_gp0(&v->c);
        return NULL;
    }
    return fp_aligned(v, lin, f->size) && ld_lin(v, lin, t->bounce, f->size) ? t->bounce : NULL;
}

bool fp_alignment(struct interp *v, uint64_t lin, unsigned bits)
{
    const struct x86_state *s = ST(v);
    if (s->cpl != 3 || !(s->cr0 & CR0_AM) || !(s->rflags & FL_AC) || !(lin & bits))
        return true;
    /* An address that is none comes first: the access itself finds it. */
    return (x86_lma(s) && !is_canonical(lin)) || cpu_raise_err(&v->c, VEC_AC, 0);
}

void fp_mmx_done(struct interp *v, uint8_t ftw)
{
    struct x86_fpu *fpu = &ST(v)->fpu;
    unsigned top = fpu->fx.fsw >> 11 & 7;
    if (top) { /* registers are kept from the top of the stack on */
        uint8_t st[8][16];
        memcpy(st, fpu->fx.st, sizeof(st));
        for (unsigned r = 0; r < 8; r++)
            memcpy(fpu->fx.st[r], st[(r - top) & 7], 16);
        fpu->fx.fsw &= (uint16_t)~FSW_TOP;
    }
    fpu->fx.ftw = ftw;
    fp_touch(v, UNIT_MMX);
}

/* An unmasked SIMD exception: #XM, or #UD where the system has not said that it takes it. */
static const struct insn *simd_exception(struct interp *v, const struct insn *in)
{
    cpu_raise(&v->c, ST(v)->cr4 & CR4_OSXMMEXCPT ? VEC_XM : VEC_UD);
    return insn_fault(v, in);
}

/* ---- handlers: unit, kind of memory operand, whether MXCSR counts ---- */

enum operand { NONE, LOAD, STORE };

static ALWAYS_INLINE const struct insn *run(struct interp *v, const struct insn *in, enum fp_unit unit,
                                            enum operand operand, bool fp)
{
    bool mmx = unit == UNIT_MMX || unit == UNIT_MMX_SSE;
    if (UNLIKELY(!fp_usable(v, unit)))
        return fp_unusable(v, in, unit);
    const struct fp_form *f = fp_form(v, in);
    void *mem = NULL;
    if (operand != NONE) {
        mem = operand == LOAD ? fp_load(v, in, f) : fp_store(v, in, f);
        if (UNLIKELY(!mem))
            return insn_fault(v, in);
    }
    void *r0 = mmx ? fp_operand(v, in->dst) : &R8AT(v, in->dst);
    void *r1 = mmx ? fp_operand(v, in->src) : &R8AT(v, in->src);
    void *r2 = operand == NONE ? &R8AT(v, in->base) : &R8AT(v, fp_vector(in->osz));
    void *r3 = &R8AT(v, in->index);
    fp_touch(v, unit);
    if (fp && UNLIKELY((ST(v)->fpu.fx.mxcsr & MXCSR_MASKS) != MXCSR_MASKS)) {
        void *const r[4] = {r0, r1, r2, r3};
        if (fp_run_unmasked(v, f->code, mem, r)) {
            if (mmx) /* entered all the same: seen on Zen 3 */
                fp_mmx_done(v, 0xff);
            return simd_exception(v, in);
        }
    } else {
        f->code(mem, r0, r1, r2, r3, v);
    }
    if (operand == STORE)
        wr_end(v);
    if (mmx)
        fp_mmx_done(v, 0xff);
    return in + 1;
}

#define FORM(name, unit, operand)                \
    OP(name)                                     \
    {                                            \
        return run(v, in, unit, operand, false); \
    }                                            \
    OP(name##_fp)                                \
    {                                            \
        return run(v, in, unit, operand, true);  \
    }
#define UNIT_FORMS(name, unit) \
    FORM(name##_r, unit, NONE) FORM(name##_load, unit, LOAD) FORM(name##_store, unit, STORE)
UNIT_FORMS(sse, UNIT_SSE)
UNIT_FORMS(avx, UNIT_AVX)
UNIT_FORMS(mmx, UNIT_MMX)
UNIT_FORMS(mix, UNIT_MMX_SSE)

#define FORM_ROW(name)                                          \
    {                                                           \
        {name##_r, name##_r_fp}, {name##_load, name##_load_fp}, \
        {                                                       \
            name##_store, name##_store_fp                       \
        }                                                       \
    }
static insn_fn *const handlers[][3][2] = {
    [UNIT_SSE] = FORM_ROW(sse),
    [UNIT_AVX] = FORM_ROW(avx),
    [UNIT_MMX] = FORM_ROW(mmx),
    [UNIT_MMX_SSE] = FORM_ROW(mix),
};

bool fp_select_vector(struct sel *s, struct insn *in, unsigned arg)
{
    struct fp_shape sh;
    if (!fp_shape(s, &sh))
        return false;
    uint16_t *const slots[4] = {&in->dst, &in->src, &in->base, &in->index};
    if (sh.mem >= 0)
        sel_mem(s, in, (unsigned)sh.mem);
    for (unsigned i = 0; i < sh.nregs; i++) {
        if (i < 2 || sh.mem < 0) {
            *slots[i] = sh.reg[i].offset;
        } else {
            if (i > 2 || sh.reg[i].kind != KIND_VECTOR)
                return false;
            in->osz = (uint8_t)((sh.reg[i].offset - fp_vector(0)) / 32);
        }
    }
    uint32_t form = fp_form_vector(s->v, &sh);
    if (form == UINT32_MAX)
        return false;
    in->imm = (int32_t)form;
    in->fn = handlers[sh.unit][sh.mem < 0 ? NONE : sh.store ? STORE : LOAD][sh.fp];
    return true;
}

/* ---- EXTRQ and INSERTQ with immediates (APM 4): the register forms, the field given by a register ---- */

static const struct insn *bit_field(struct interp *v, const struct insn *in, bool insert)
{
    if (UNLIKELY(!fp_usable(v, UNIT_SSE)))
        return fp_unusable(v, in, UNIT_SSE);
    uint64_t field[2];
    unsigned where = insert; /* the quadword of the operand that names the field */
    memcpy(field, &R8AT(v, in->src), 16);
    field[where] = (uint64_t)in->osz | (uint64_t)in->scale << 8;
    fp_form(v, in)->code(NULL, &R8AT(v, in->dst), field, NULL, NULL, v);
    fp_touch(v, UNIT_SSE);
    return in + 1;
}
OP(extrq_imm)
{
    return bit_field(v, in, false);
}
OP(insertq_imm)
{
    return bit_field(v, in, true);
}

static bool select_bit_field(struct sel *s, struct insn *in, unsigned insert)
{
    if (!s->d.i.raw.imm[1].size)
        return fp_select_vector(s, in, 0);
    struct fp_shape sh = {
        .reg = {{KIND_VECTOR, true, true, 0}, {KIND_VECTOR, true, false, 0}},
        .nregs = 2,
        .mem = -1,
        .bytes = {insert ? 0xf2 : 0x66, 0x0f, 0x79, 0xca}, /* op xmm1, xmm2 */
        .len = 4,
    };
    uint32_t form = fp_form_vector(s->v, &sh);
    if (form == UINT32_MAX)
        return false;
    in->imm = (int32_t)form;
    in->dst = in->src = fp_vector((unsigned)ZydisRegisterGetId(s->d.op[0].reg.value));
    if (insert)
        in->src = fp_vector((unsigned)ZydisRegisterGetId(s->d.op[1].reg.value));
    in->osz = s->d.i.raw.imm[0].value.u & 63;
    in->scale = s->d.i.raw.imm[1].value.u & 63;
    in->fn = insert ? insertq_imm : extrq_imm;
    return true;
}

const struct sel_row fp_vector_rows[] = {
    {ZYDIS_MNEMONIC_EXTRQ, select_bit_field, false},
    {ZYDIS_MNEMONIC_INSERTQ, select_bit_field, true},
    {0},
};
