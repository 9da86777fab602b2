/*
 * fp_x87.c: x87 instructions: the whole state goes to the host's unit and back; pointers, environments and
 * images are made here.
 *
 * FIP, FDP and FOP of the host would be those of the thunk: the guest's are kept in the image beside the
 * registers and never come from the host. What changes them differs by vendor. Intel: FIP with every
 * instruction that is no control instruction, FDP with its memory operand (or, CPUID 7 EBX[6], only with an
 * unmasked exception), FOP only with an unmasked exception (SDM 1 8.1.8, 8.1.9). AMD: all of them with every
 * instruction, and FXSAVE and XSAVE show them only while an exception is pending (APM 2 11.4.4).
 */
#include "engine/interp/fp.h"

/* The processor keeps as many bits of a pointer as its linear addresses can have. */
static uint64_t pointer(const struct interp *v, uint64_t a)
{
    return (uint64_t)sign_extend(a, v->thunks->pointer_bits);
}

/* ---- ordinary instructions ---- */

struct pointers {
    uint64_t fip, fdp;
    uint16_t fop;
};
static struct pointers pointers_of(const struct interp *v)
{
    return (struct pointers){v->c.st.fpu.fx.fip, v->c.st.fpu.fx.fdp, v->c.st.fpu.fx.fop};
}
static void set_pointers(struct interp *v, struct pointers p)
{
    v->c.st.fpu.fx.fip = p.fip;
    v->c.st.fpu.fx.fdp = p.fdp;
    v->c.st.fpu.fx.fop = p.fop;
}

/* What `in` (fop in src) leaves in them. */
static ALWAYS_INLINE struct pointers advance_pointers(struct interp *v, const struct insn *in, bool memory,
                                                      uint64_t ea, struct pointers p)
{
    const struct fp_thunks *t = v->thunks;
    bool error = ST(v)->fpu.fx.fsw & FSW_ES;
    p.fip = pointer(v, this_rip(v, in));
    fp_selectors(v)->fcs = t->no_selectors ? 0 : ST(v)->seg[SEG_CS].sel;
    if (memory && (error || !t->fdp_on_error)) {
        p.fdp = pointer(v, ea);
        fp_selectors(v)->fds = t->no_selectors ? 0 : ST(v)->seg[IN_SEG_NO(in->flags)].sel;
    }
    if (error || !t->intel)
        p.fop = in->src;
    return p;
}

enum operand { NONE, LOAD, STORE };
enum kind { ORDINARY, CONTROL, NO_WAIT };

static ALWAYS_INLINE const struct insn *x87(struct interp *v, const struct insn *in, enum operand operand,
                                            enum kind kind)
{
    if (UNLIKELY(!fp_usable(v, UNIT_X87)) && (kind != NO_WAIT || (ST(v)->cr0 & (CR0_EM | CR0_TS))))
        return fp_unusable(v, in, UNIT_X87);
    const struct fp_form *f = fp_form(v, in);
    void *mem = NULL;
    uint64_t ea = 0;
    if (operand != NONE) {
        ea = insn_ea(v, in);
        mem = operand == LOAD ? fp_load(v, in, f) : fp_store(v, in, f);
        if (UNLIKELY(!mem))
            return insn_fault(v, in);
    }
    struct pointers p = pointers_of(v);
    fp_run_x87(v, f->code, mem);
    if (operand == STORE)
        wr_end(v);
    set_pointers(v, kind == ORDINARY ? advance_pointers(v, in, operand != NONE, ea, p) : p);
    fp_touch(v, UNIT_X87);
    return in + 1;
}
OP(x87_register)
{
    return x87(v, in, NONE, ORDINARY);
}
OP(x87_load)
{
    return x87(v, in, LOAD, ORDINARY);
}
OP(x87_store)
{
    return x87(v, in, STORE, ORDINARY);
}
OP(x87_load_control)
{
    return x87(v, in, LOAD, CONTROL);
}
OP(x87_no_wait)
{
    return x87(v, in, NONE, NO_WAIT);
}

bool fp_select_x87(struct sel *s, struct insn *in, unsigned arg)
{
    const ZydisDecodedInstruction *i = &s->d.i;
    unsigned mod = i->raw.modrm.mod, reg = i->raw.modrm.reg, rm = i->raw.modrm.rm;
    int mem = -1;
    if (i->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || i->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT ||
        i->opcode < 0xd8 || i->opcode > 0xdf)
        return false;
    for (unsigned op = 0; op < i->operand_count; op++)
        if (sel_is_mem(s, op))
            mem = (int)op;
    if ((mod != 3) != (mem >= 0))
        return false;
    unsigned size = mem < 0 ? 0 : sel_size(s, (unsigned)mem);
    if (size > 10)
        return false;
    uint32_t form =
        fp_form_x87(s->v, i->opcode, (uint8_t)(mod == 3 ? 0xc0 | reg << 3 | rm : reg << 3 | 7), size);
    if (form == UINT32_MAX)
        return false;
    in->imm = (int32_t)form;
    in->src = (uint16_t)((i->opcode & 7) << 8 | mod << 6 | reg << 3 | rm);
    in->fn = x87_register;
    if (mem >= 0) {
        sel_mem(s, in, (unsigned)mem);
        in->fn = s->d.op[mem].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? x87_store : x87_load;
    }
    return true;
}

/* FLDCW changes what is pending, but no pointer. */
static bool select_load_control(struct sel *s, struct insn *in, unsigned arg)
{
    bool ok = fp_select_x87(s, in, 0);
    in->fn = x87_load_control;
    return ok;
}
/* FNCLEX, and the 8087's and 80287's FENI, FDISI, FSETPM, which do nothing now. */
static bool select_no_wait(struct sel *s, struct insn *in, unsigned arg)
{
    bool ok = fp_select_x87(s, in, 0);
    in->fn = x87_no_wait;
    return ok;
}

/* ---- FWAIT, FNINIT, FNSTCW, FNSTSW ---- */

OP(fwait)
{
    if ((ST(v)->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) {
        cpu_raise(&v->c, VEC_NM);
        return insn_fault(v, in);
    }
    return (ST(v)->fpu.fx.fsw & FSW_ES) && !v->ignne ? fp_pending(v, in) : in + 1;
}

/* Those that do not wait ask for the unit only. */
static bool switched_on(struct interp *v)
{
    return !(ST(v)->cr0 & (CR0_EM | CR0_TS)) || cpu_raise(&v->c, VEC_NM);
}
static void clear_pointers(struct interp *v)
{
    set_pointers(v, (struct pointers){0});
    *fp_selectors(v) = (struct fp_selectors){0};
}
OP(fninit)
{
    if (!switched_on(v))
        return insn_fault(v, in);
    fp_run_x87(v, fp_form(v, in)->code, NULL);
    clear_pointers(v);
    fp_touch(v, UNIT_X87);
    return in + 1;
}
static bool select_init(struct sel *s, struct insn *in, unsigned arg)
{
    bool ok = fp_select_x87(s, in, 0);
    in->fn = fninit;
    return ok;
}

/* imm: FSW instead of FCW */
OP(store_word)
{
    uint16_t a = in->imm ? ST(v)->fpu.fx.fsw : ST(v)->fpu.fx.fcw;
    if (!switched_on(v) || !st_op(v, in, &a, 2))
        return insn_fault(v, in);
    return in + 1;
}
OP(store_word_ax)
{
    if (!switched_on(v))
        return insn_fault(v, in);
    R16AT(v, offsetof(struct interp, c.st.gpr[RAX])) = ST(v)->fpu.fx.fsw;
    return in + 1;
}
static bool select_word(struct sel *s, struct insn *in, unsigned status)
{
    in->imm = (int32_t)status;
    in->fn = store_word_ax;
    if (sel_is_mem(s, 0)) {
        sel_mem(s, in, 0);
        in->fn = store_word;
    }
    return true;
}
static bool select_fwait(struct sel *s, struct insn *in, unsigned arg)
{
    in->fn = fwait;
    return true;
}

/* ---- environments: FNSTENV, FLDENV, FNSAVE, FRSTOR (SDM 1 8.1.10, figures 8-9 to 8-12) ---- */

#define ENV32     28u
#define REGISTERS 80u

/* The host's form, 32-bit protected, with the guest's pointers; from there to the form asked for. */
static void env_to_guest(struct interp *v, uint8_t *to, const uint8_t *env, bool wide)
{
    const struct pointers p = pointers_of(v);
    const struct fp_selectors sel = *fp_selectors(v);
    uint32_t word[7]; /* FCW, FSW, FTW, FIP, FCS and FOP, FDP, FDS */
    for (unsigned i = 0; i < 3; i++)
        word[i] = (uint32_t)load_le(env + 4 * i, 2) | 0xffff0000;
    if (x86_protected(ST(v))) {
        word[3] = (uint32_t)p.fip;
        word[4] = sel.fcs | (wide ? (uint32_t)p.fop << 16 : 0);
        word[5] = (uint32_t)p.fdp;
        word[6] = sel.fds | 0xffff0000;
    } else { /* linear addresses */
        uint32_t fip = (uint32_t)p.fip + ((uint32_t)sel.fcs << 4),
                 fdp = (uint32_t)p.fdp + ((uint32_t)sel.fds << 4);
        word[3] = wide ? fip | 0xffff0000 : fip;
        word[4] = p.fop | (wide ? fip >> 16 << 12 : (fip >> 16 & 15) << 12);
        word[5] = wide ? fdp | 0xffff0000 : fdp;
        word[6] = wide ? fdp >> 16 << 12 : (fdp >> 16 & 15) << 12;
    }
    for (unsigned i = 0; i < 7; i++)
        store_le(to + (wide ? 4 : 2) * i, word[i], wide ? 4 : 2);
}

/* The other way: *p and *sel, and an environment for the host without pointers. */
static void env_from_guest(struct interp *v, uint8_t *env, const uint8_t *from, bool wide, struct pointers *p,
                           struct fp_selectors *sel)
{
    uint32_t word[7];
    for (unsigned i = 0; i < 7; i++)
        word[i] = (uint32_t)load_le(from + (wide ? 4 : 2) * i, wide ? 4 : 2);
    memset(env, 0, ENV32);
    for (unsigned i = 0; i < 3; i++)
        store_le(env + 4 * i, (word[i] & 0xffff) | 0xffff0000, 4);
    if (x86_protected(ST(v))) {
        *p = (struct pointers){word[3], word[5], wide ? word[4] >> 16 & 0x7ff : 0};
        *sel = (struct fp_selectors){(uint16_t)word[4], (uint16_t)word[6]};
    } else {
        *p = (struct pointers){(word[3] & 0xffff) | (word[4] >> 12 << 16),
                               (word[5] & 0xffff) | (word[6] >> 12 << 16), word[4] & 0x7ff};
        *sel = (struct fp_selectors){0};
    }
    if (v->thunks->no_selectors)
        *sel = (struct fp_selectors){0};
}

/* osz: 4 or 2, of the image; imm: with the registers (FNSAVE, FRSTOR). */
OP(store_env)
{
    struct fp_thunks *t = v->thunks;
    unsigned env = in->osz == 4 ? ENV32 : ENV32 / 2, len = env + (in->imm ? REGISTERS : 0);
    uint8_t host[ENV32 + REGISTERS], image[ENV32 + REGISTERS];
    uint64_t lin;
    if (!switched_on(v) || !insn_address(v, in, in->osz, ACC_WRITE, &lin) ||
        !fp_alignment(v, lin, in->osz - 1u) || !fp_area(v, in, len, ACC_WRITE, &lin) ||
        !fp_probe_area(v, lin, len, in->osz, ACC_WRITE))
        return insn_fault(v, in);
    struct pointers p = pointers_of(v);
    fp_run_x87(v, t->form[t->x87[in->imm ? X87_SAVE : X87_STENV]].code, host);
    set_pointers(v, p);
    env_to_guest(v, image, host, in->osz == 4);
    memcpy(image + env, host + ENV32, REGISTERS);
    if (in->imm)
        clear_pointers(v);
    fp_touch(v, UNIT_X87);
    if (!fp_write(v, lin, image, len))
        return insn_fault(v, in);
    return in + 1;
}
OP(load_env)
{
    struct fp_thunks *t = v->thunks;
    unsigned env = in->osz == 4 ? ENV32 : ENV32 / 2, len = env + (in->imm ? REGISTERS : 0);
    uint8_t host[ENV32 + REGISTERS], image[ENV32 + REGISTERS];
    uint64_t lin;
    struct pointers p;
    if (!fp_usable(v, UNIT_X87))
        return fp_unusable(v, in, UNIT_X87);
    if (!insn_address(v, in, in->osz, ACC_READ, &lin) || !fp_alignment(v, lin, in->osz - 1u) ||
        !fp_area(v, in, len, ACC_READ, &lin) || !fp_probe_area(v, lin, len, in->osz, ACC_READ) ||
        !fp_read(v, lin, image, len))
        return insn_fault(v, in);
    env_from_guest(v, host, image, in->osz == 4, &p, fp_selectors(v));
    memcpy(host + ENV32, image + env, len - env);
    fp_run_x87(v, t->form[t->x87[in->imm ? X87_RSTOR : X87_LDENV]].code, host);
    set_pointers(v, p);
    fp_touch(v, UNIT_X87);
    return in + 1;
}
enum { ENV_LOAD = 1, ENV_REGISTERS = 2 };
static bool select_env(struct sel *s, struct insn *in, unsigned arg)
{
    for (unsigned op = 0; op < s->d.i.operand_count; op++)
        if (sel_is_mem(s, op)) {
            sel_mem(s, in, op);
            break;
        }
    in->imm = (arg & ENV_REGISTERS) != 0;
    in->osz = s->osz == 2 ? 2 : 4;
    in->fn = arg & ENV_LOAD ? load_env : store_env;
    return true;
}

/* ---- images of FXSAVE and XSAVE (SDM 1 10.5.1) ---- */

/* Have the host make of it what its unit can hold: reserved bits, ES and B. */
static void normalize(struct interp *v, struct pointers p)
{
    struct fp_thunks *t = v->thunks;
    fp_run_x87(v, t->form[t->x87[X87_NORMALIZE]].code, NULL);
    set_pointers(v, p);
}

void fp_x87_to_image(struct interp *v, uint8_t *buf, bool wide)
{
    const struct x86_fpu *fpu = &ST(v)->fpu;
    const struct fp_thunks *t = v->thunks;
    struct pointers p = pointers_of(v);
    struct fp_selectors sel = *fp_selectors(v);
    bool keep = false; /* the pointers' bytes stay as they are */
    if (!t->intel && !(fpu->fx.fsw & FSW_ES)) {
        keep = t->pointers_on_error;
        p = (struct pointers){0};
        sel = (struct fp_selectors){0};
    }
    store_le(buf, fpu->fx.fcw, 2);
    store_le(buf + 2, fpu->fx.fsw, 2);
    store_le(buf + 4, fpu->fx.ftw, 2);
    if (!keep) {
        store_le(buf + 6, p.fop, 2);
        store_le(buf + 8, wide ? p.fip : (uint32_t)p.fip | (uint64_t)sel.fcs << 32, 8);
        store_le(buf + 16, wide ? p.fdp : (uint32_t)p.fdp | (uint64_t)sel.fds << 32, 8);
    }
    for (unsigned r = 0; r < 8; r++) {
        memcpy(buf + 32 + 16 * r, fpu->fx.st[r], 10);
        memset(buf + 32 + 16 * r + 10, 0, 6);
    }
}

void fp_x87_from_image(struct interp *v, const uint8_t *buf, bool wide)
{
    struct x86_fpu *fpu = &ST(v)->fpu;
    const struct fp_thunks *t = v->thunks;
    struct pointers p = pointers_of(v);
    fpu->fx.fcw = (uint16_t)load_le(buf, 2);
    fpu->fx.fsw = (uint16_t)load_le(buf + 2, 2);
    fpu->fx.ftw = buf[4];
    memcpy(fpu->fx.st, buf + 32, sizeof(fpu->fx.st));
    bool error = fpu->fx.fsw & ~fpu->fx.fcw & 0x3f; /* what ES will be */
    if (t->intel || !t->pointers_on_error || error) {
        uint64_t fip = load_le(buf + 8, 8), fdp = load_le(buf + 16, 8);
        bool selectors = !wide && !t->no_selectors;
        p = (struct pointers){wide ? pointer(v, fip) : (uint32_t)fip, wide ? pointer(v, fdp) : (uint32_t)fdp,
                              load_le(buf + 6, 2) & 0x7ff};
        fp_selectors(v)->fcs = selectors ? (uint16_t)(fip >> 32) : 0;
        fp_selectors(v)->fds = selectors ? (uint16_t)(fdp >> 32) : 0;
    }
    normalize(v, p);
    fp_touch(v, UNIT_X87);
}

void fp_x87_init(struct interp *v)
{
    struct x86_fpu *fpu = &ST(v)->fpu;
    fpu->fx.fcw = 0x37f;
    fpu->fx.fsw = 0;
    fpu->fx.ftw = 0;
    memset(fpu->fx.st, 0, sizeof(fpu->fx.st));
    clear_pointers(v);
    if (v->ferr)
        fp_ferr_check(v);
}

bool fp_x87_initial(struct interp *v)
{
    const struct x86_fpu *fpu = &ST(v)->fpu;
    static const uint8_t zero[sizeof(fpu->fx.st)];
    return fpu->fx.fcw == 0x37f && !fpu->fx.fsw && !fpu->fx.ftw && !fpu->fx.fop && !fpu->fx.fip &&
           !fpu->fx.fdp && !fp_selectors(v)->fcs && !fp_selectors(v)->fds &&
           !memcmp(fpu->fx.st, zero, sizeof(zero));
}

const struct sel_row fp_x87_rows[] = {
    {ZYDIS_MNEMONIC_FWAIT, select_fwait, 0},
    {ZYDIS_MNEMONIC_FNINIT, select_init, 0},
    {ZYDIS_MNEMONIC_FNCLEX, select_no_wait, 0},
    {ZYDIS_MNEMONIC_FENI8087_NOP, select_no_wait, 0},
    {ZYDIS_MNEMONIC_FDISI8087_NOP, select_no_wait, 0},
    {ZYDIS_MNEMONIC_FSETPM287_NOP, select_no_wait, 0},
    {ZYDIS_MNEMONIC_FLDCW, select_load_control, 0},
    {ZYDIS_MNEMONIC_FNSTCW, select_word, false},
    {ZYDIS_MNEMONIC_FNSTSW, select_word, true},
    {ZYDIS_MNEMONIC_FNSTENV, select_env, 0},
    {ZYDIS_MNEMONIC_FNSAVE, select_env, ENV_REGISTERS},
    {ZYDIS_MNEMONIC_FLDENV, select_env, ENV_LOAD},
    {ZYDIS_MNEMONIC_FRSTOR, select_env, ENV_LOAD | ENV_REGISTERS},
    {0},
};
