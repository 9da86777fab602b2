/*
 * engine/interp/fp.h: what the fp_*.c files share: x87, MMX, SSE and AVX on the host's own unit.
 *
 * An instruction form (opcode, immediate, kinds of operands; not which registers) is a small piece of host
 * code, its thunk: it loads the register operands from where pointers say into fixed host registers, executes
 * the guest's instruction re-encoded for those, and stores what was written. Forms are made when first
 * decoded and found again by their re-encoded bytes. Their number is bounded by the instruction set, whatever
 * a guest executes, and room for all of them is reserved: none is ever thrown away (tests/unit/test_fp.c
 * makes them all).
 *
 * Per vCPU and used by its thread only. Legacy SSE touches the lower 16 bytes of a vector register, VEX
 * forms write all 32.
 */
#ifndef ENGINE_INTERP_FP_H
#define ENGINE_INTERP_FP_H

#include "engine/interp/insn.h"
#include "host/host.h"

/* mem: the memory operand; r0 to r3: register operands in the order written. 1: stopped by an unmasked SIMD
 * exception, destinations unchanged and the flags in MXCSR; else 0. */
typedef int fp_code(void *mem, void *r0, void *r1, void *r2, void *r3, struct interp *v);

struct fp_form {
    fp_code *code;
    uint64_t key;  /* re-encoded bytes, their number in the highest byte */
    uint8_t size;  /* of the memory operand in bytes */
    uint8_t align; /* bits of its address that must be 0 */
};

/* Which parts of the unit an instruction belongs to: what must be switched on for it. */
enum fp_unit { UNIT_SSE, UNIT_AVX, UNIT_MMX, UNIT_MMX_SSE, UNIT_X87 };

/* x87 thunks with a use of their own. NORMALIZE executes nothing between FXRSTOR64 and FXSAVE64. */
enum { X87_NORMALIZE, X87_STENV, X87_LDENV, X87_SAVE, X87_RSTOR, X87_FIXED };

struct fp_thunks {
    _Alignas(64) uint8_t bounce[128]; /* memory operand that is not to be had directly */
    struct code_mem cm;
    size_t used;           /* bytes of cm */
    const uint8_t *escape; /* where a SIMD exception continues */
    struct fp_form *form;
    unsigned n, room;
    uint32_t *hash; /* index into form, or NO_FORM; open addressing */
    unsigned hash_size;
    uint32_t x87[X87_FIXED];
    uint32_t host_mxcsr_mask;
    unsigned pointer_bits; /* of FIP and FDP, that the host's unit keeps */
    /* From the guest's CPUID, once `known`. */
    bool known;
    bool intel;
    bool
        pointers_on_error; /* AMD before XSaveErPtr: FXSAVE and FXRSTOR move FIP, FDP, FOP only with FSW.ES */
    bool fdp_on_error;     /* CPUID 7 EBX[6]: FDP changes with unmasked exceptions only */
    bool no_selectors;     /* CPUID 7 EBX[13]: FCS and FDS are always 0 */
    uint32_t mxcsr_mask;
};

#define FSW_ES  0x0080u
#define FSW_B   0x8000u
#define FSW_TOP 0x3800u

#define MXCSR_INIT  0x1f80u
#define MXCSR_MASKS 0x1f80u
#define MXCSR_MM    0x20000u /* AMD: misaligned operands are allowed (APM 1 4.2.2) */

/* ---- is the unit there? (SDM 2A tables 2-18 on; SDM 3A 2.5, 13) ---- */

static ALWAYS_INLINE bool fp_usable(struct interp *v, enum fp_unit unit)
{
    const struct x86_state *s = &v->c.st;
    bool on = !(s->cr0 & (unit == UNIT_AVX ? CR0_TS : CR0_EM | CR0_TS));
    if (unit == UNIT_SSE || unit == UNIT_MMX_SSE)
        on &= (s->cr4 & CR4_OSFXSR) != 0;
    if (unit == UNIT_MMX || unit == UNIT_MMX_SSE || unit == UNIT_X87)
        on &= !(s->fpu.fx.fsw & FSW_ES) || v->ignne;
    if (unit == UNIT_AVX)
        on &= (s->cr4 & CR4_OSXSAVE) && (~s->xcr0 & (XCR0_SSE | XCR0_AVX)) == 0 &&
              (is64(v) || x86_protected(s));
    return on;
}
/* It is not: the fault. */
const struct insn *fp_unusable(struct interp *v, const struct insn *in, enum fp_unit unit);
/* An unmasked x87 exception is pending: #MF. With CR0.NE clear FERR# is asserted, and the processor waits for
 * an interrupt before the instruction, or executes it where IGNNE# says so (SDM 3A 2.5). */
const struct insn *fp_pending(struct interp *v, const struct insn *in);
/* The x87 state has changed while FERR# was asserted. */
void fp_ferr_check(struct interp *v);

/* The unit's components are in use from now on (x86_fpu.xinuse). */
static ALWAYS_INLINE void fp_touch(struct interp *v, enum fp_unit unit)
{
    v->c.st.fpu.xinuse |= unit == UNIT_AVX       ? XCR0_SSE | XCR0_AVX
                          : unit == UNIT_SSE     ? XCR0_SSE
                          : unit == UNIT_MMX_SSE ? XCR0_SSE | XCR0_X87
                                                 : XCR0_X87;
}

/* ---- registers ---- */

/* Offset of a vector register. */
static inline uint16_t fp_vector(unsigned n)
{
    return (uint16_t)(offsetof(struct interp, c.st.fpu.ymm) + n * 32);
}
/* An MMX register as an operand: its number with this bit. Its place depends on TOP. */
#define FP_MM 0x8000u
static ALWAYS_INLINE void *fp_operand(struct interp *v, unsigned o)
{
    if (!(o & FP_MM))
        return &R8AT(v, o);
    return v->c.st.fpu.fx.st[((o & 7) - (v->c.st.fpu.fx.fsw >> 11)) & 7];
}
/* After an MMX instruction: TOP 0 and all tags valid, or empty for EMMS (SDM 3A table 12-1). */
void fp_mmx_done(struct interp *v, uint8_t ftw);

/* FCS and FDS: not in the 64-bit image, kept in bytes of it that are left to software (SDM 1 10.5.1). */
struct fp_selectors {
    uint16_t fcs, fds;
};
static inline struct fp_selectors *fp_selectors(struct interp *v)
{
    return (struct fp_selectors *)(v->c.st.fpu.fx.unused + (464 - 160));
}

/* ---- memory operands ---- */

/*
 * #AC for operands that the TLB does not check: those of 16 and 32 bytes have to be aligned to 16, of 10 to
 * 8. Call it with the bits of the address that must be 0. False: cpu->fault.
 */
bool fp_alignment(struct interp *v, uint64_t lin, unsigned bits);
static ALWAYS_INLINE bool fp_aligned(struct interp *v, uint64_t lin, unsigned size)
{
    return LIKELY(v->tlb != v->tlbs[BANK_CHECKED]) || size <= 8 || fp_alignment(v, lin, size == 10 ? 7 : 15);
}

/* Where the operand is to be read: guest memory itself or the bounce buffer. NULL: cpu->fault. */
void *fp_load_slow(struct interp *v, uint64_t lin, const struct fp_form *f);
static ALWAYS_INLINE void *fp_load(struct interp *v, const struct insn *in, const struct fp_form *f)
{
    uint64_t lin;
    if (UNLIKELY(!insn_address(v, in, f->size, ACC_READ, &lin)))
        return NULL;
    struct tlb_entry *e = tlb_at(v, lin);
    if (LIKELY(((lin + f->size - 1) & PAGE_MASK) == e->rd && !(lin & f->align)))
        return (void *)(lin + e->addend);
    return fp_load_slow(v, lin, f);
}
/* Where it is to be stored; wr_end is to follow. */
static ALWAYS_INLINE void *fp_store(struct interp *v, const struct insn *in, const struct fp_form *f)
{
    uint64_t lin;
    if (UNLIKELY(!insn_address(v, in, f->size, ACC_WRITE, &lin)))
        return NULL;
    if (UNLIKELY(lin & f->align)) {
        cpu_raise_gp0(&v->c);
        return NULL;
    }
    return fp_aligned(v, lin, f->size) ? wr_begin(v, lin, f->size, true) : NULL;
}
/*
 * Linear address of an operand of any length, canonical as a whole; false: cpu->fault. Read and
 * written by fp_read, fp_write (at most 512 bytes a call, all or nothing), after fp_probe if the whole must
 * be known to succeed.
 */
bool fp_area(struct interp *v, const struct insn *in, unsigned size, unsigned acc, uint64_t *lin);
bool fp_read(struct interp *v, uint64_t lin, void *buf, unsigned len);
bool fp_write(struct interp *v, uint64_t lin, const void *buf, unsigned len);
bool fp_probe(struct interp *v, uint64_t lin, unsigned len);
/* Is the whole of an operand of at most a page there? Its first `unit` bytes are looked at before its last
 * byte, which shows in CR2 (Zen 5; the manuals name no order). */
bool fp_probe_area(struct interp *v, uint64_t lin, unsigned len, unsigned unit, unsigned acc);

/* ---- thunks (fp_thunk.c) ---- */

static ALWAYS_INLINE const struct fp_form *fp_form(struct interp *v, const struct insn *in)
{
    return &v->thunks->form[(uint32_t)in->imm];
}
/* Index of the form for a vector or MMX instruction (any that fp_shape describes), made if need be. */
struct fp_shape;
uint32_t fp_form_vector(struct interp *v, const struct fp_shape *sh);
/* The same for an x87 instruction of two bytes; memory operands are [rdi] there. */
uint32_t fp_form_x87(struct interp *v, uint8_t opcode, uint8_t modrm, unsigned size);
/* Run code of a form whose MXCSR has unmasked exceptions (fp_signal.c). */
int fp_run_unmasked(struct interp *v, fp_code *code, void *mem, void *const r[4]);
static ALWAYS_INLINE void fp_run_x87(struct interp *v, fp_code *code, void *mem)
{
    code(mem, &v->c.st.fpu.fx, NULL, NULL, NULL, v);
    if (UNLIKELY(v->ferr))
        fp_ferr_check(v);
}
/* Fill in what depends on the guest's CPUID: known only after fp_init. */
void fp_learn(struct interp *v);

/* What a vector instruction is made of (fp_shape.c). */
enum fp_kind { KIND_VECTOR, KIND_MMX, KIND_GPR };
struct fp_shape {
    struct {
        enum fp_kind kind;
        bool in, out;
        uint16_t offset; /* or FP_MM | number */
    } reg[4];
    unsigned nregs;
    int mem; /* visible operand that is memory, or -1 */
    bool store;
    uint8_t size, align;
    bool vex, wide;         /* wide: 32-byte registers are involved */
    bool fp;                /* depends on MXCSR */
    bool flags;             /* sets the arithmetic flags */
    bool xmm0_in, xmm0_out; /* beside the operands */
    bool lengths, index;    /* PCMPESTRx: RAX and RDX in; PCMPxSTRI: RCX out */
    enum fp_unit unit;
    uint8_t bytes[8]; /* re-encoded */
    unsigned len;
};
/* False: not an instruction that a thunk can do. */
bool fp_shape(const struct sel *s, struct fp_shape *sh);

/* ---- x87 (fp_x87.c) ---- */

/* Is the x87 state in its initial configuration? (SDM 1 13.6) */
bool fp_x87_initial(struct interp *v);
/* Bytes 0 to 23 and 32 to 159 of an FXSAVE image; wide: 64-bit pointers. `buf` holds the old contents. */
void fp_x87_to_image(struct interp *v, uint8_t *buf, bool wide);
void fp_x87_from_image(struct interp *v, const uint8_t *buf, bool wide);
void fp_x87_init(struct interp *v);

/* Components not in their initial configuration, by their contents. MXCSR does not count. */
uint64_t fp_xinuse(struct interp *v);

/* ---- selection: each file's rows, joined in fp_select.c ---- */

extern const struct sel_row fp_move_rows[], fp_vector_rows[], fp_mask_rows[], fp_state_rows[], fp_x87_rows[];
/* Any instruction for which there is a thunk. */
select_fn fp_select_vector, fp_select_x87;

#endif
