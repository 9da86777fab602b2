/*
 * op_segment.c: segment registers, far transfers, interrupts and returns, system calls, descriptor tables.
 * The meaning of all of these is cpu/'s; here are their operands.
 */
#include "engine/interp/insn.h"
#include "engine/interp/select.h"

#define SREG_OFFSET(n)                                                            \
    (uint16_t)(offsetof(struct interp, c.st.seg) + (n) * sizeof(struct x86_seg) + \
               offsetof(struct x86_seg, sel))

static unsigned sreg_number(ZydisRegister r)
{
    return (unsigned)(r - ZYDIS_REGISTER_ES); /* ES CS SS DS FS GS: encoding order */
}

/* ---- MOV, PUSH, POP with segment registers; imm: which ---- */

/* To memory 16 bits always; to a register zero-extended to the operand size. */
OP(mov_from_sreg)
{
    reg_write(v, in->dst, R16AT(v, in->src), in->osz);
    return in + 1;
}
OP(mov_from_sreg_m)
{
    if (!st_op(v, in, &R16AT(v, in->src), 2))
        return insn_fault(v, in);
    return in + 1;
}

/* A load changed what later addresses mean, and SS holds interrupts back for one instruction. */
static const struct insn *sreg_loaded(struct interp *v, const struct insn *in, uint64_t next)
{
    if (in->imm == SEG_SS) {
        ST(v)->ev.shadow = X86_SHADOW_MOVSS;
        cpu_recheck(&v->c);
    }
    ST(v)->rip = next;
    return insn_continue(v, in);
}
OP(mov_to_sreg)
{
    uint64_t next = next_rip(v, in);
    if (!cpu_load_seg(&v->c, (enum x86_sreg)in->imm, R16AT(v, in->src)))
        return insn_fault(v, in);
    return sreg_loaded(v, in, next);
}
OP(mov_to_sreg_m)
{
    uint16_t sel;
    uint64_t next = next_rip(v, in);
    if (!ld_op(v, in, &sel, 2) || !cpu_load_seg(&v->c, (enum x86_sreg)in->imm, sel))
        return insn_fault(v, in);
    return sreg_loaded(v, in, next);
}
OP(push_sreg)
{
    /* 32 and 64 bits: zero-extended. */
    if (!stack_push(v, R16AT(v, in->src), in->osz))
        return insn_fault(v, in);
    return in + 1;
}
OP(pop_sreg)
{
    uint64_t sel, next = next_rip(v, in);
    if (!stack_peek(v, 0, &sel, in->osz))
        return insn_fault(v, in);
    /* SS's own load changes the size of the stack pointer: it moves by the old one. */
    uint64_t rsp = ST(v)->gpr[RSP];
    stack_move(v, in->osz);
    if (!cpu_load_seg(&v->c, (enum x86_sreg)in->imm, (uint16_t)sel)) {
        ST(v)->gpr[RSP] = rsp;
        return insn_fault(v, in);
    }
    return sreg_loaded(v, in, next);
}

/* LDS, LES, LSS, LFS, LGS */
OP(load_far)
{
    uint8_t ptr[10];
    uint64_t next = next_rip(v, in), lin;
    if (!insn_address(v, in, in->osz + 2u, ACC_READ, &lin) || !ld_lin(v, lin, ptr, in->osz + 2u) ||
        !cpu_load_seg(&v->c, (enum x86_sreg)in->imm, (uint16_t)load_le(ptr + in->osz, 2)))
        return insn_fault(v, in);
    reg_write(v, in->dst, load_le(ptr, in->osz), in->osz);
    ST(v)->rip = next;
    return insn_continue(v, in);
}

bool select_mov_segment(struct sel *s, struct insn *in)
{
    bool load = sel_is_reg(s, 0) && ZydisRegisterGetClass(s->d.op[0].reg.value) == ZYDIS_REGCLASS_SEGMENT;
    unsigned n = sreg_number(s->d.op[load ? 0 : 1].reg.value), other = load ? 1 : 0;
    bool mem = sel_is_mem(s, other);
    if (n >= 6 || (load && n == SEG_CS))
        return false;
    in->imm = (int32_t)n;
    if (mem)
        sel_mem(s, in, other);
    if (load) {
        if (!mem)
            in->src = sel_reg(s->d.op[1].reg.value);
        in->fn = mem ? mov_to_sreg_m : mov_to_sreg;
        s->ends = true;
        return true;
    }
    in->src = SREG_OFFSET(n);
    in->osz = (uint8_t)s->osz;
    if (!mem)
        in->dst = sel_reg(s->d.op[0].reg.value);
    in->fn = mem ? mov_from_sreg_m : mov_from_sreg;
    return true;
}

bool select_push_segment(struct sel *s, struct insn *in)
{
    in->src = SREG_OFFSET(sreg_number(s->d.op[0].reg.value));
    in->fn = push_sreg;
    return true;
}
bool select_pop_segment(struct sel *s, struct insn *in)
{
    in->imm = (int32_t)sreg_number(s->d.op[0].reg.value);
    in->fn = pop_sreg;
    s->ends = true;
    return true;
}
static bool select_load_far(struct sel *s, struct insn *in, unsigned sreg)
{
    in->dst = sel_reg(s->d.op[0].reg.value);
    in->osz = (uint8_t)sel_size(s, 0);
    in->imm = (int32_t)sreg;
    sel_mem(s, in, 1);
    in->fn = load_far;
    s->ends = true;
    return true;
}

/* ---- far JMP, CALL, RET ---- */

static const struct insn *far_transfer(struct interp *v, const struct insn *in, bool call, uint16_t sel,
                                       uint64_t off)
{
    uint64_t next = next_rip(v, in);
    if (!(call ? cpu_far_call : cpu_far_jmp)(&v->c, sel, off, in->osz, next))
        return insn_fault(v, in);
    return insn_continue(v, in);
}
/* Immediate: selector in src, offset in imm. dst: CALL. */
OP(far_imm)
{
    return far_transfer(v, in, in->dst, in->src, (uint32_t)in->imm);
}
/* src: CALL */
OP(far_mem)
{
    uint8_t ptr[10];
    uint64_t lin;
    if (!insn_address(v, in, in->osz + 2u, ACC_READ, &lin) || !ld_lin(v, lin, ptr, in->osz + 2u))
        return insn_fault(v, in);
    return far_transfer(v, in, in->src, (uint16_t)load_le(ptr + in->osz, 2), load_le(ptr, in->osz));
}
OP(far_ret)
{
    if (!cpu_far_ret(&v->c, in->osz, (unsigned)in->imm))
        return insn_fault(v, in);
    return insn_continue(v, in);
}

bool select_far(struct sel *s, struct insn *in, bool call)
{
    s->ends = true;
    in->osz = (uint8_t)s->osz;
    if (s->d.op[0].type == ZYDIS_OPERAND_TYPE_POINTER) {
        in->dst = call;
        in->src = s->d.op[0].ptr.segment;
        in->imm = (int32_t)s->d.op[0].ptr.offset;
        in->fn = far_imm;
        return true;
    }
    if (!sel_is_mem(s, 0))
        return false;
    sel_mem(s, in, 0);
    /* AMD has no 64-bit far pointer in memory: REX.W is ignored there (APM 3 "CALL (Far)"). */
    if (s->v->c.cpuid->vendor == CPU_AMD && in->osz == 8)
        in->osz = 4;
    in->src = call;
    in->fn = far_mem;
    return true;
}
bool select_far_ret(struct sel *s, struct insn *in)
{
    s->ends = true;
    in->osz = (uint8_t)s->osz;
    in->imm = s->nops ? (int32_t)(uint16_t)s->d.op[0].imm.value.u : 0;
    in->fn = far_ret;
    return true;
}

/* ---- software interrupts, IRET, system calls ---- */

/* imm: vector; src: INT3 or INTO */
OP(software_int)
{
    uint64_t next = next_rip(v, in);
    if (!cpu_software_int(&v->c, (uint8_t)in->imm, in->src, next))
        return insn_fault(v, in);
    v->no_trap = true;
    return insn_continue(v, in);
}
OP(into)
{
    if (!(ST(v)->cc & CC_OF))
        return in + 1;
    return software_int(v, in);
}
/* ICEBP: a #DB that no privilege check meets, with RIP behind it. */
OP(int1)
{
    uint64_t next = next_rip(v, in);
    cpu_raise(&v->c, VEC_DB);
    insn_fault(v, in);
    ST(v)->rip = next;
    v->insns++;
    return NULL;
}
/* #BR is a fault: RIP stays on the instruction (SDM 2A "BOUND"). Both bounds are read before either counts.
 */
OP(bound)
{
    uint8_t pair[8];
    unsigned bits_wide = in->osz * 8u;
    uint64_t lin;
    if (!insn_address(v, in, in->osz * 2u, ACC_READ, &lin) || !ld_lin(v, lin, pair, in->osz) ||
        !ld_lin(v, (uint32_t)(lin + in->osz), pair + in->osz, in->osz))
        return insn_fault(v, in);
    int64_t index = sign_extend(reg_read(v, in->src, in->osz), bits_wide),
            lower = sign_extend(load_le(pair, in->osz), bits_wide),
            upper = sign_extend(load_le(pair + in->osz, in->osz), bits_wide);
    if (index < lower || index > upper) {
        cpu_raise(&v->c, VEC_BR);
        return insn_fault(v, in);
    }
    return in + 1;
}
OP(iret)
{
    if (!cpu_iret(&v->c, in->osz, next_rip(v, in)))
        return insn_fault(v, in);
    return insn_continue(v, in);
}
OP(syscall)
{
    uint64_t next = next_rip(v, in);
    if (!cpu_syscall(&v->c, next))
        return insn_fault(v, in);
    v->tf_at_end = true;
    return insn_continue(v, in);
}
OP(sysret)
{
    if (!cpu_sysret(&v->c, in->osz))
        return insn_fault(v, in);
    v->tf_at_end = true;
    if (!v->in_step && (ST(v)->rflags & FL_TF)) /* it has just been set: run_one did not run this one */
        step_trap(v);
    return insn_continue(v, in);
}
OP(sysenter)
{
    uint64_t next = next_rip(v, in);
    if (!cpu_sysenter(&v->c, next))
        return insn_fault(v, in);
    return insn_continue(v, in);
}
OP(sysexit)
{
    if (!cpu_sysexit(&v->c, in->osz))
        return insn_fault(v, in);
    return insn_continue(v, in);
}

static bool select_int(struct sel *s, struct insn *in, unsigned kind)
{
    in->imm = kind ? (int32_t)kind : (int32_t)(s->d.op[0].imm.value.u & 0xff);
    in->src = kind != 0;
    in->fn = kind == VEC_OF ? into : kind == VEC_DB ? int1 : software_int;
    s->ends = true;
    return true;
}
static bool select_bound(struct sel *s, struct insn *in, unsigned arg)
{
    in->src = sel_reg(s->d.op[0].reg.value);
    in->osz = (uint8_t)sel_size(s, 0);
    sel_mem(s, in, 1);
    in->fn = bound;
    return true;
}
enum { T_IRET, T_SYSCALL, T_SYSRET, T_SYSENTER, T_SYSEXIT };
static bool select_transfer(struct sel *s, struct insn *in, unsigned op)
{
    static insn_fn *const fns[] = {[T_IRET] = iret,
                                   [T_SYSCALL] = syscall,
                                   [T_SYSRET] = sysret,
                                   [T_SYSENTER] = sysenter,
                                   [T_SYSEXIT] = sysexit};
    in->osz = (uint8_t)s->osz;
    if (op == T_SYSRET || op == T_SYSEXIT) /* the form is REX.W's, not the operand size's */
        in->osz = s->d.i.attributes & ZYDIS_ATTRIB_HAS_REX && s->d.i.raw.rex.W ? 8 : 4;
    in->fn = fns[op];
    s->ends = true;
    return true;
}

/* ---- LLDT, LTR, SLDT, STR, LAR, LSL, VERR, VERW, ARPL ---- */

/* The 16-bit selector operand: register (osz bit 7 clear) or memory. */
static bool selector(struct interp *v, const struct insn *in, uint16_t *sel)
{
    if (in->osz & 0x80)
        return ld_op(v, in, sel, 2);
    *sel = R16AT(v, in->src);
    return true;
}
static bool protected_only(struct interp *v, bool cpl0)
{
    if (!x86_protected(ST(v)))
        return cpu_raise(&v->c, VEC_UD);
    return !cpl0 || !ST(v)->cpl || cpu_raise_gp0(&v->c);
}
static void set_zf(struct interp *v, bool zf)
{
    ST(v)->cc = (uint16_t)((ST(v)->cc & ~CC_ZF) | (zf ? CC_ZF : 0));
}
OP(lldt)
{
    uint16_t sel;
    if (!protected_only(v, true) || !selector(v, in, &sel) || !cpu_lldt(&v->c, sel))
        return insn_fault(v, in);
    return in + 1;
}
OP(ltr)
{
    uint16_t sel;
    if (!protected_only(v, true) || !selector(v, in, &sel) || !cpu_ltr(&v->c, sel))
        return insn_fault(v, in);
    return in + 1;
}
/* imm: segment number of LDTR or TR */
OP(store_selector)
{
    uint16_t sel = ST(v)->seg[in->imm].sel;
    if (!protected_only(v, (ST(v)->cr4 & CR4_UMIP) != 0))
        return insn_fault(v, in);
    if (!(in->osz & 0x80))
        reg_write(v, in->dst, sel, in->osz);
    else if (!st_op(v, in, &sel, 2))
        return insn_fault(v, in);
    return in + 1;
}
OP(lar)
{
    uint16_t sel;
    uint32_t rights;
    bool ok;
    if (!protected_only(v, false) || !selector(v, in, &sel) || !cpu_lar(&v->c, sel, &rights, &ok))
        return insn_fault(v, in);
    set_zf(v, ok);
    if (ok)
        reg_write(v, in->dst, rights, in->osz & 0x7f);
    return in + 1;
}
OP(lsl)
{
    uint16_t sel;
    uint32_t limit;
    bool ok;
    if (!protected_only(v, false) || !selector(v, in, &sel) || !cpu_lsl(&v->c, sel, &limit, &ok))
        return insn_fault(v, in);
    set_zf(v, ok);
    if (ok)
        reg_write(v, in->dst, limit, in->osz & 0x7f);
    return in + 1;
}
/* imm: for writing */
OP(verify)
{
    uint16_t sel;
    bool ok;
    if (!protected_only(v, false) || !selector(v, in, &sel) || !cpu_verify(&v->c, sel, in->imm, &ok))
        return insn_fault(v, in);
    set_zf(v, ok);
    return in + 1;
}
OP(arpl_r)
{
    uint16_t rpl = R16AT(v, in->src) & 3;
    if (!protected_only(v, false))
        return insn_fault(v, in);
    bool raise = (R16AT(v, in->dst) & 3) < rpl;
    if (raise)
        R16AT(v, in->dst) = (uint16_t)((R16AT(v, in->dst) & ~3) | rpl);
    set_zf(v, raise);
    return in + 1;
}
/* Memory is written, and has to be writable, only where RPL is raised (seen on Zen 5). */
OP(arpl_m)
{
    uint16_t rpl = R16AT(v, in->src) & 3, sel;
    if (!protected_only(v, false) || !ld_op(v, in, &sel, 2))
        return insn_fault(v, in);
    bool raise = (sel & 3) < rpl;
    sel = (uint16_t)((sel & ~3) | rpl);
    if (raise && !st_op(v, in, &sel, 2))
        return insn_fault(v, in);
    set_zf(v, raise);
    return in + 1;
}

enum { G_LLDT, G_LTR, G_SLDT, G_STR, G_LAR, G_LSL, G_VERR, G_VERW };
static bool select_selector(struct sel *s, struct insn *in, unsigned op)
{
    static insn_fn *const fns[] = {
        [G_LLDT] = lldt, [G_LTR] = ltr, [G_SLDT] = store_selector, [G_STR] = store_selector,
        [G_LAR] = lar,   [G_LSL] = lsl, [G_VERR] = verify,         [G_VERW] = verify,
    };
    unsigned at = op == G_LAR || op == G_LSL ? 1 : 0; /* the selector operand */
    in->osz = (uint8_t)s->osz;
    if (sel_is_mem(s, at)) {
        sel_mem(s, in, at);
        in->osz |= 0x80;
    } else {
        in->src = in->dst = sel_reg(s->d.op[at].reg.value);
    }
    if (at)
        in->dst = sel_reg(s->d.op[0].reg.value);
    in->imm = op == G_SLDT ? SEG_LDTR : op == G_STR ? SEG_TR : op == G_VERW;
    in->fn = fns[op];
    return true;
}
static bool select_arpl(struct sel *s, struct insn *in, unsigned arg)
{
    in->src = sel_reg(s->d.op[1].reg.value);
    if (sel_is_mem(s, 0))
        sel_mem(s, in, 0);
    else
        in->dst = sel_reg(s->d.op[0].reg.value);
    in->fn = sel_is_mem(s, 0) ? arpl_m : arpl_r;
    return true;
}

const struct sel_row op_segment_rows[] = {
    {ZYDIS_MNEMONIC_LDS, select_load_far, SEG_DS},
    {ZYDIS_MNEMONIC_LES, select_load_far, SEG_ES},
    {ZYDIS_MNEMONIC_LSS, select_load_far, SEG_SS},
    {ZYDIS_MNEMONIC_LFS, select_load_far, SEG_FS},
    {ZYDIS_MNEMONIC_LGS, select_load_far, SEG_GS},
    {ZYDIS_MNEMONIC_INT, select_int, 0},
    {ZYDIS_MNEMONIC_INT3, select_int, VEC_BP},
    {ZYDIS_MNEMONIC_INTO, select_int, VEC_OF},
    {ZYDIS_MNEMONIC_INT1, select_int, VEC_DB},
    {ZYDIS_MNEMONIC_BOUND, select_bound, 0},
    {ZYDIS_MNEMONIC_IRET, select_transfer, T_IRET},
    {ZYDIS_MNEMONIC_IRETD, select_transfer, T_IRET},
    {ZYDIS_MNEMONIC_IRETQ, select_transfer, T_IRET},
    {ZYDIS_MNEMONIC_SYSCALL, select_transfer, T_SYSCALL},
    {ZYDIS_MNEMONIC_SYSRET, select_transfer, T_SYSRET},
    {ZYDIS_MNEMONIC_SYSENTER, select_transfer, T_SYSENTER},
    {ZYDIS_MNEMONIC_SYSEXIT, select_transfer, T_SYSEXIT},
    {ZYDIS_MNEMONIC_LLDT, select_selector, G_LLDT},
    {ZYDIS_MNEMONIC_LTR, select_selector, G_LTR},
    {ZYDIS_MNEMONIC_SLDT, select_selector, G_SLDT},
    {ZYDIS_MNEMONIC_STR, select_selector, G_STR},
    {ZYDIS_MNEMONIC_LAR, select_selector, G_LAR},
    {ZYDIS_MNEMONIC_LSL, select_selector, G_LSL},
    {ZYDIS_MNEMONIC_VERR, select_selector, G_VERR},
    {ZYDIS_MNEMONIC_VERW, select_selector, G_VERW},
    {ZYDIS_MNEMONIC_ARPL, select_arpl, 0},
    {0},
};
