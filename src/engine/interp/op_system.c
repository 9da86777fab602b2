/*
 * op_system.c: control and debug registers, descriptor-table registers, MSRs, CPUID, time stamps, HLT, FS and
 * GS bases, XCR0, INVLPG and INVPCID, random numbers.
 *
 * The checks of privilege are here, everything behind them is cpu/'s.
 */
#include "engine/interp/fp.h"
#include "engine/interp/insn.h"
#include "engine/interp/select.h"

#include "cpu/cpuid.h"

#define REG(r) (unsigned)offsetof(struct interp, c.st.gpr[r])

static bool cpl0(struct interp *v)
{
    return !ST(v)->cpl || cpu_raise_gp0(&v->c);
}
/* Done; what follows may run in another mode, address space or with something pending. */
static const struct insn *changed(struct interp *v, const struct insn *in, uint64_t next)
{
    ST(v)->rip = next;
    return insn_continue(v, in);
}

/* ---- MOV CR, MOV DR; imm: number ---- */

OP(mov_from_cr)
{
    if (!cpl0(v))
        return insn_fault(v, in);
    uint64_t a = in->imm == 0   ? ST(v)->cr0
                 : in->imm == 2 ? ST(v)->cr2
                 : in->imm == 3 ? ST(v)->cr3
                 : in->imm == 4 ? ST(v)->cr4
                                : cpu_cr8(&v->c);
    reg_write(v, in->dst, a, in->osz);
    return in + 1;
}
OP(mov_to_cr)
{
    uint64_t a = reg_read(v, in->src, in->osz), next = next_rip(v, in);
    bool ok = cpl0(v);
    if (ok)
        switch (in->imm) {
        case 0: ok = cpu_set_cr0(&v->c, a); break;
        case 2: ST(v)->cr2 = a; break;
        case 3: ok = cpu_set_cr3(&v->c, a); break;
        case 4: ok = cpu_set_cr4(&v->c, a); break;
        default: ok = cpu_set_cr8(&v->c, a);
        }
    return ok ? changed(v, in, next) : insn_fault(v, in);
}
OP(mov_from_dr)
{
    uint64_t a;
    if (!cpl0(v) || !cpu_read_dr(&v->c, (unsigned)in->imm, &a))
        return insn_fault(v, in);
    reg_write(v, in->dst, a, in->osz);
    return in + 1;
}
OP(mov_to_dr)
{
    uint64_t next = next_rip(v, in);
    if (!cpl0(v) || !cpu_write_dr(&v->c, (unsigned)in->imm, reg_read(v, in->src, in->osz)))
        return insn_fault(v, in);
    return changed(v, in, next);
}

bool select_mov_control(struct sel *s, struct insn *in)
{
    ZydisRegisterClass to = ZydisRegisterGetClass(s->d.op[0].reg.value);
    bool write = to == ZYDIS_REGCLASS_CONTROL || to == ZYDIS_REGCLASS_DEBUG;
    ZydisRegister special = s->d.op[write ? 0 : 1].reg.value, general = s->d.op[write ? 1 : 0].reg.value;
    bool control = ZydisRegisterGetClass(special) == ZYDIS_REGCLASS_CONTROL;
    if (!control && ZydisRegisterGetClass(special) != ZYDIS_REGCLASS_DEBUG)
        return false;
    in->imm = (int32_t)ZydisRegisterGetId(special);
    in->src = in->dst = sel_reg(general);
    in->osz = s->code_bits == 64 ? 8 : 4;
    in->fn = control ? write ? mov_to_cr : mov_from_cr : write ? mov_to_dr : mov_from_dr;
    s->ends = write;
    if (control)
        return in->imm == 0 || (in->imm >= 2 && in->imm <= 4) || (in->imm == 8 && s->code_bits == 64);
    return in->imm < 8;
}

/* ---- LMSW, SMSW, CLTS ---- */

static bool umip(struct interp *v)
{
    return !(ST(v)->cr4 & CR4_UMIP) || cpl0(v);
}
OP(smsw_r)
{
    if (!umip(v))
        return insn_fault(v, in);
    reg_write(v, in->dst, ST(v)->cr0, in->osz);
    return in + 1;
}
OP(smsw_m)
{
    uint16_t a = (uint16_t)ST(v)->cr0;
    if (!umip(v) || !st_op(v, in, &a, 2))
        return insn_fault(v, in);
    return in + 1;
}
/* osz bit 7: from memory. PE, MP, EM, TS; PE cannot be cleared. */
OP(lmsw)
{
    uint64_t next = next_rip(v, in);
    uint16_t a = R16AT(v, in->src);
    if (!cpl0(v) || ((in->osz & 0x80) && !ld_op(v, in, &a, 2)) ||
        !cpu_set_cr0(&v->c, (ST(v)->cr0 & ~0xeull) | (a & 0xf)))
        return insn_fault(v, in);
    return changed(v, in, next);
}
OP(clts)
{
    uint64_t next = next_rip(v, in);
    if (!cpl0(v) || !cpu_set_cr0(&v->c, ST(v)->cr0 & ~(uint64_t)CR0_TS))
        return insn_fault(v, in);
    return changed(v, in, next);
}

/* ---- LGDT, LIDT, SGDT, SIDT; imm: 0 GDTR, 1 IDTR ---- */

OP(load_table)
{
    uint8_t image[10];
    unsigned len = is64(v) ? 10 : 6;
    uint64_t lin;
    if (!cpl0(v) || !insn_address(v, in, len, ACC_READ, &lin) || !ld_lin(v, lin, image, len))
        return insn_fault(v, in);
    uint64_t base = load_le(image + 2, len - 2);
    if (is64(v) && !is_canonical(base))
        return insn_gp0(v, in);
    struct x86_table *t = in->imm ? &ST(v)->idtr : &ST(v)->gdtr;
    t->limit = (uint16_t)load_le(image, 2);
    t->base = !is64(v) && in->osz == 2 ? base & 0xffffff : base;
    return in + 1;
}
OP(store_table)
{
    const struct x86_table *t = in->imm ? &ST(v)->idtr : &ST(v)->gdtr;
    uint8_t image[10];
    unsigned len = is64(v) ? 10 : 6;
    uint64_t lin;
    store_le(image, t->limit, 2);
    store_le(image + 2, t->base, 8);
    if (!umip(v) || !insn_address(v, in, len, ACC_WRITE, &lin) || !st_lin(v, lin, image, len))
        return insn_fault(v, in);
    return in + 1;
}

/* ---- TLB and caches ---- */

OP(invlpg)
{
    uint64_t next = next_rip(v, in);
    uint64_t lin = insn_ea(v, in);
    unsigned seg = IN_SEG_NO(in->flags);
    if (!is64(v) || seg == SEG_FS || seg == SEG_GS)
        lin += ST(v)->seg[seg].base;
    if (!cpl0(v) || !cpu_invlpg(&v->c, is64(v) ? lin : (uint32_t)lin))
        return insn_fault(v, in);
    return changed(v, in, next);
}
OP(invpcid)
{
    uint64_t desc[2], next = next_rip(v, in);
    if (!cpl0(v) || !ld_op(v, in, desc, 16) ||
        !cpu_invpcid(&v->c, reg_read(v, in->src, is64(v) ? 8 : 4), desc[0], desc[1]))
        return insn_fault(v, in);
    return changed(v, in, next);
}
/* WBINVD, INVD: memory is coherent and there is no cache to lose. */
OP(cache_op)
{
    return cpl0(v) ? in + 1 : insn_fault(v, in);
}

/* ---- MSRs, CPUID, time ---- */

OP(rdmsr)
{
    uint64_t a;
    if (!cpl0(v) || !cpu_rdmsr(&v->c, (uint32_t)ST(v)->gpr[RCX], &a))
        return insn_fault(v, in);
    ST(v)->gpr[RAX] = (uint32_t)a;
    ST(v)->gpr[RDX] = a >> 32;
    return in + 1;
}
OP(wrmsr)
{
    uint64_t next = next_rip(v, in);
    if (!cpl0(v) ||
        !cpu_wrmsr(&v->c, (uint32_t)ST(v)->gpr[RCX], ST(v)->gpr[RDX] << 32 | (uint32_t)ST(v)->gpr[RAX]))
        return insn_fault(v, in);
    return changed(v, in, next);
}
OP(cpuid)
{
    uint32_t out[4];
    cpuid_lookup(v->c.cpuid, &v->c, (uint32_t)ST(v)->gpr[RAX], (uint32_t)ST(v)->gpr[RCX], out);
    ST(v)->gpr[RAX] = out[0];
    ST(v)->gpr[RBX] = out[1];
    ST(v)->gpr[RCX] = out[2];
    ST(v)->gpr[RDX] = out[3];
    return in + 1;
}
/* imm: RDTSCP */
OP(rdtsc)
{
    if ((ST(v)->cr4 & CR4_TSD) && ST(v)->cpl)
        return insn_gp0(v, in);
    uint64_t t = cpu_tsc(&v->c);
    ST(v)->gpr[RAX] = (uint32_t)t;
    ST(v)->gpr[RDX] = t >> 32;
    if (in->imm)
        ST(v)->gpr[RCX] = (uint32_t)ST(v)->msr.tsc_aux;
    return in + 1;
}
/* No counter is offered: every index is out of range. */
OP(rdpmc)
{
    return insn_gp0(v, in);
}
OP(rdpid)
{
    R64AT(v, in->dst) = (uint32_t)ST(v)->msr.tsc_aux;
    return in + 1;
}

/* ---- XCR0 ---- */

OP(xgetbv)
{
    if (!(ST(v)->cr4 & CR4_OSXSAVE))
        return insn_ud(v, in);
    uint32_t index = (uint32_t)ST(v)->gpr[RCX];
    if (index > 1)
        return insn_gp0(v, in);
    uint64_t a = index ? ST(v)->xcr0 & fp_xinuse(v) : ST(v)->xcr0;
    ST(v)->gpr[RAX] = (uint32_t)a;
    ST(v)->gpr[RDX] = a >> 32;
    return in + 1;
}
OP(xsetbv)
{
    uint64_t next = next_rip(v, in);
    if (!(ST(v)->cr4 & CR4_OSXSAVE))
        return insn_ud(v, in);
    if (!cpl0(v) ||
        !cpu_set_xcr0(&v->c, (uint32_t)ST(v)->gpr[RCX], ST(v)->gpr[RDX] << 32 | (uint32_t)ST(v)->gpr[RAX]))
        return insn_fault(v, in);
    return changed(v, in, next);
}

/* ---- FS and GS bases ---- */

/* imm: segment; osz: 4 or 8 */
OP(rd_base)
{
    if (!(ST(v)->cr4 & CR4_FSGSBASE))
        return insn_ud(v, in);
    reg_write(v, in->dst, ST(v)->seg[in->imm].base, in->osz);
    return in + 1;
}
OP(wr_base)
{
    if (!(ST(v)->cr4 & CR4_FSGSBASE))
        return insn_ud(v, in);
    uint64_t a = reg_read(v, in->src, in->osz);
    if (!is_canonical(a))
        return insn_gp0(v, in);
    ST(v)->seg[in->imm].base = a;
    return in + 1;
}
OP(swapgs)
{
    if (!cpl0(v))
        return insn_fault(v, in);
    uint64_t a = ST(v)->seg[SEG_GS].base;
    ST(v)->seg[SEG_GS].base = ST(v)->msr.kernel_gs_base;
    ST(v)->msr.kernel_gs_base = a;
    return in + 1;
}

/* ---- HLT ---- */

OP(hlt)
{
    uint64_t next = next_rip(v, in);
    if (!cpl0(v))
        return insn_fault(v, in);
    ST(v)->mp = X86_HALTED;
    cpu_recheck(&v->c);
    return insn_leave(v, in, next);
}

/* ---- RDRAND, RDSEED: the host's own ---- */

/* imm: RDSEED. CF says that there was a number; the other flags are cleared (SDM 2B "RDRAND"). */
OP(rdrand)
{
    unsigned long long a = 0;
    bool ok;
    if (in->imm)
        __asm__ volatile("rdseed %0" : "=r"(a), "=@ccc"(ok));
    else
        __asm__ volatile("rdrand %0" : "=r"(a), "=@ccc"(ok));
    reg_write(v, in->dst, ok ? a : 0, in->osz);
    ST(v)->cc = x86_cc_from_rflags(ok ? FL_CF : 0);
    return in + 1;
}

/* ---- selection ---- */

enum {
    Y_CLTS,
    Y_INVLPG,
    Y_CACHE,
    Y_RDMSR,
    Y_WRMSR,
    Y_CPUID,
    Y_RDTSC,
    Y_RDTSCP,
    Y_RDPMC,
    Y_XGETBV,
    Y_XSETBV,
    Y_SWAPGS,
    Y_HLT,
};
static bool select_system(struct sel *s, struct insn *in, unsigned op)
{
    static const struct {
        insn_fn *fn;
        bool ends;
    } t[] = {
        [Y_CLTS] = {clts, true},      [Y_INVLPG] = {invlpg, true}, [Y_CACHE] = {cache_op, false},
        [Y_RDMSR] = {rdmsr, false},   [Y_WRMSR] = {wrmsr, true},   [Y_CPUID] = {cpuid, false},
        [Y_RDTSC] = {rdtsc, false},   [Y_RDTSCP] = {rdtsc, false}, [Y_RDPMC] = {rdpmc, false},
        [Y_XGETBV] = {xgetbv, false}, [Y_XSETBV] = {xsetbv, true}, [Y_SWAPGS] = {swapgs, false},
        [Y_HLT] = {hlt, true},
    };
    in->fn = t[op].fn;
    s->ends = t[op].ends;
    in->imm = op == Y_RDTSCP;
    if (op == Y_INVLPG)
        sel_mem(s, in, 0);
    return true;
}
static bool select_msw(struct sel *s, struct insn *in, unsigned load)
{
    bool mem = sel_is_mem(s, 0);
    in->osz = (uint8_t)s->osz;
    if (mem)
        sel_mem(s, in, 0);
    else
        in->src = in->dst = sel_reg(s->d.op[0].reg.value);
    in->fn = load ? lmsw : mem ? smsw_m : smsw_r;
    if (load)
        in->osz = mem ? 0x80 : 0;
    s->ends = load;
    return true;
}
static bool select_table(struct sel *s, struct insn *in, unsigned arg)
{
    sel_mem(s, in, 0);
    in->imm = arg & 1;
    in->osz = (uint8_t)s->osz;
    in->fn = arg & 2 ? store_table : load_table;
    return true;
}
static bool select_invpcid(struct sel *s, struct insn *in, unsigned arg)
{
    in->src = sel_reg(s->d.op[0].reg.value);
    sel_mem(s, in, 1);
    in->fn = invpcid;
    s->ends = true;
    return true;
}
/* arg: segment, bit 3: write */
static bool select_base(struct sel *s, struct insn *in, unsigned arg)
{
    in->src = in->dst = sel_reg(s->d.op[0].reg.value);
    in->osz = (uint8_t)sel_size(s, 0);
    in->imm = arg & 7;
    in->fn = arg & 8 ? wr_base : rd_base;
    return true;
}
static bool select_random(struct sel *s, struct insn *in, unsigned seed)
{
    in->dst = sel_reg(s->d.op[0].reg.value);
    in->osz = (uint8_t)sel_size(s, 0);
    in->imm = (int32_t)seed;
    in->fn = rdrand;
    return true;
}
static bool select_rdpid(struct sel *s, struct insn *in, unsigned arg)
{
    in->dst = sel_reg(s->d.op[0].reg.value);
    in->fn = rdpid;
    return true;
}

const struct sel_row op_system_rows[] = {
    {ZYDIS_MNEMONIC_CLTS, select_system, Y_CLTS},
    {ZYDIS_MNEMONIC_INVLPG, select_system, Y_INVLPG},
    {ZYDIS_MNEMONIC_WBINVD, select_system, Y_CACHE},
    {ZYDIS_MNEMONIC_INVD, select_system, Y_CACHE},
    {ZYDIS_MNEMONIC_RDMSR, select_system, Y_RDMSR},
    {ZYDIS_MNEMONIC_WRMSR, select_system, Y_WRMSR},
    {ZYDIS_MNEMONIC_CPUID, select_system, Y_CPUID},
    {ZYDIS_MNEMONIC_RDTSC, select_system, Y_RDTSC},
    {ZYDIS_MNEMONIC_RDTSCP, select_system, Y_RDTSCP},
    {ZYDIS_MNEMONIC_RDPMC, select_system, Y_RDPMC},
    {ZYDIS_MNEMONIC_XGETBV, select_system, Y_XGETBV},
    {ZYDIS_MNEMONIC_XSETBV, select_system, Y_XSETBV},
    {ZYDIS_MNEMONIC_SWAPGS, select_system, Y_SWAPGS},
    {ZYDIS_MNEMONIC_HLT, select_system, Y_HLT},
    {ZYDIS_MNEMONIC_SMSW, select_msw, false},
    {ZYDIS_MNEMONIC_LMSW, select_msw, true},
    {ZYDIS_MNEMONIC_LGDT, select_table, 0},
    {ZYDIS_MNEMONIC_LIDT, select_table, 1},
    {ZYDIS_MNEMONIC_SGDT, select_table, 2},
    {ZYDIS_MNEMONIC_SIDT, select_table, 3},
    {ZYDIS_MNEMONIC_INVPCID, select_invpcid, 0},
    {ZYDIS_MNEMONIC_RDFSBASE, select_base, SEG_FS},
    {ZYDIS_MNEMONIC_RDGSBASE, select_base, SEG_GS},
    {ZYDIS_MNEMONIC_WRFSBASE, select_base, SEG_FS | 8},
    {ZYDIS_MNEMONIC_WRGSBASE, select_base, SEG_GS | 8},
    {ZYDIS_MNEMONIC_RDRAND, select_random, false},
    {ZYDIS_MNEMONIC_RDSEED, select_random, true},
    {ZYDIS_MNEMONIC_RDPID, select_rdpid, 0},
    {0},
};
