/*
 * op_string.c: MOVS, STOS, LODS, CMPS, SCAS with REP, REPE, REPNE.
 *
 * Each element is a whole step: registers are brought up to date before the next, so a fault or an interrupt
 * in the middle leaves the instruction ready to go on. MOVS and STOS going up do whole stretches within a
 * page at once.
 */
#include "engine/interp/host_alu.h"
#include "engine/interp/string.h"

bool string_source(struct interp *v, const struct insn *in, uint64_t *lin)
{
    return seg_address(v, IN_SEG_NO(in->flags), string_reg(v, in, RSI), in->osz, ACC_READ, lin);
}
bool string_dest(struct interp *v, const struct insn *in, unsigned acc, uint64_t *lin)
{
    return seg_address(v, SEG_ES, string_reg(v, in, RDI), in->osz, acc, lin);
}

const struct insn *string_repeat(struct interp *v, const struct insn *in, string_fn *some)
{
    bool stop = false;
    if (!(in->flags & (IN_REP | IN_REPNE)))
        return some(v, in, 1, &stop) ? in + 1 : insn_fault(v, in);
    for (;;) {
        uint64_t left = string_reg(v, in, RCX);
        if (!left)
            return in + 1;
        uint64_t done = some(v, in, v->in_step ? 1 : left, &stop);
        if (!done)
            return insn_fault(v, in);
        string_advance(v, in, RCX, -(int64_t)done);
        if (stop || done == left)
            return in + 1;
        if (v->in_step || atomic_load_explicit(&v->c.poll, memory_order_relaxed)) {
            v->insns--;             /* not retired: it goes on later */
            ST(v)->rflags |= FL_RF; /* and has met its breakpoint already (SDM 3B 17.3.1.1) */
            return insn_leave(v, in, this_rip(v, in));
        }
    }
}

/* How many elements from lin lie wholly on its page. */
static uint64_t on_page(const struct insn *in, uint64_t lin)
{
    return (PAGE_SIZE - (lin & ~PAGE_MASK)) / in->osz;
}
/* May a stretch of elements be done at once? Flat addresses going up, so that only the page ends it. */
static bool stretch(const struct interp *v, const struct insn *in, uint64_t most)
{
    return most > 1 && is64(v) && string_asz(in) == 8 && !(v->c.st.rflags & FL_DF);
}
static void advance(struct interp *v, const struct insn *in, bool si, bool di, uint64_t n)
{
    int64_t by = string_step(v, in) * (int64_t)n;
    if (si)
        string_advance(v, in, RSI, by);
    if (di)
        string_advance(v, in, RDI, by);
}

/* ---- MOVS ---- */

static uint64_t movs_stretch(struct interp *v, const struct insn *in, uint64_t from, uint64_t to,
                             uint64_t most)
{
    struct tlb_entry *f = tlb_at(v, from), *t = tlb_at(v, to);
    uint64_t n = MIN(most, MIN(on_page(in, from), on_page(in, to)));
    if (f->rd != (from & PAGE_MASK) || t->wr != (to & PAGE_MASK))
        return 0;
    uint8_t *src = (uint8_t *)(from + f->addend), *dst = (uint8_t *)(to + t->addend);
    /* A destination just ahead of the source repeats what lies between: only that far at once. */
    if (dst > src && (uint64_t)(dst - src) < n * in->osz)
        n = (uint64_t)(dst - src) / in->osz;
    if (n > 1)
        memmove(dst, src, n * in->osz);
    return n > 1 ? n : 0;
}
static uint64_t movs_some(struct interp *v, const struct insn *in, uint64_t most, bool *stop)
{
    uint64_t from, to, a = 0, n = 0;
    if (!string_source(v, in, &from) || !string_dest(v, in, ACC_WRITE, &to))
        return 0;
    if (stretch(v, in, most))
        n = movs_stretch(v, in, from, to, most);
    if (!n) {
        if (!ld_lin(v, from, &a, in->osz) || !st_lin(v, to, &a, in->osz))
            return 0;
        n = 1;
    }
    advance(v, in, true, true, n);
    return n;
}
OP(movs)
{
    return string_repeat(v, in, movs_some);
}

/* ---- STOS ---- */

static uint64_t stos_stretch(struct interp *v, const struct insn *in, uint64_t to, uint64_t most)
{
    struct tlb_entry *t = tlb_at(v, to);
    uint64_t n = MIN(most, on_page(in, to)), rax = ST(v)->gpr[RAX];
    if (t->wr != (to & PAGE_MASK))
        return 0;
    uint8_t *dst = (uint8_t *)(to + t->addend);
    if (in->osz == 1 || rax == 0)
        memset(dst, (int)(rax & 0xff), n * in->osz);
    else
        for (uint64_t i = 0; i < n; i++)
            store_le(dst + i * in->osz, rax, in->osz);
    return n;
}
static uint64_t stos_some(struct interp *v, const struct insn *in, uint64_t most, bool *stop)
{
    uint64_t to, n = 0;
    if (!string_dest(v, in, ACC_WRITE, &to))
        return 0;
    if (stretch(v, in, most))
        n = stos_stretch(v, in, to, most);
    if (!n) {
        if (!st_lin(v, to, &ST(v)->gpr[RAX], in->osz))
            return 0;
        n = 1;
    }
    advance(v, in, false, true, n);
    return n;
}
OP(stos)
{
    return string_repeat(v, in, stos_some);
}

/* ---- LODS ---- */

static uint64_t lods_some(struct interp *v, const struct insn *in, uint64_t most, bool *stop)
{
    uint64_t from, a = 0;
    if (!string_source(v, in, &from) || !ld_lin(v, from, &a, in->osz))
        return 0;
    reg_write(v, offsetof(struct interp, c.st.gpr[RAX]), a, in->osz);
    advance(v, in, true, false, 1);
    return 1;
}
OP(lods)
{
    return string_repeat(v, in, lods_some);
}

/* ---- CMPS, SCAS: flags of a - b; REPE goes on while equal, REPNE while not ---- */

static void compare(struct interp *v, const struct insn *in, uint64_t a, uint64_t b)
{
    uint16_t cc;
    switch (in->osz) {
    case 1: __asm__("cmpb %b[b],%b[a]" CC_OUT : "=&a"(cc) : [a] "q"(a), [b] "q"(b) : "cc"); break;
    case 2: __asm__("cmpw %w[b],%w[a]" CC_OUT : "=&a"(cc) : [a] "r"(a), [b] "r"(b) : "cc"); break;
    case 4: __asm__("cmpl %k[b],%k[a]" CC_OUT : "=&a"(cc) : [a] "r"(a), [b] "r"(b) : "cc"); break;
    default: __asm__("cmpq %[b],%[a]" CC_OUT : "=&a"(cc) : [a] "r"(a), [b] "r"(b) : "cc");
    }
    ST(v)->cc = cc;
}
static bool stops(const struct interp *v, const struct insn *in)
{
    bool equal = v->c.st.cc & CC_ZF;
    return in->flags & IN_REPNE ? equal : !equal;
}

static uint64_t cmps_some(struct interp *v, const struct insn *in, uint64_t most, bool *stop)
{
    uint64_t from, to, a = 0, b = 0;
    /* The order shows when both fault: this is Zen 5's. */
    if (!string_source(v, in, &from) || !ld_lin(v, from, &a, in->osz) || !string_dest(v, in, ACC_READ, &to) ||
        !ld_lin(v, to, &b, in->osz))
        return 0;
    compare(v, in, a, b);
    *stop = stops(v, in);
    advance(v, in, true, true, 1);
    return 1;
}
OP(cmps)
{
    return string_repeat(v, in, cmps_some);
}

static uint64_t scas_some(struct interp *v, const struct insn *in, uint64_t most, bool *stop)
{
    uint64_t to, b = 0;
    if (!string_dest(v, in, ACC_READ, &to) || !ld_lin(v, to, &b, in->osz))
        return 0;
    compare(v, in, ST(v)->gpr[RAX], b);
    *stop = stops(v, in);
    advance(v, in, false, true, 1);
    return 1;
}
OP(scas)
{
    return string_repeat(v, in, scas_some);
}

/* ---- selection ---- */

void select_string_common(struct sel *s, struct insn *in, unsigned size)
{
    /* The source operand, when there is one, carries the segment; SI and DI are known. */
    for (unsigned i = 0; i < s->d.i.operand_count; i++)
        if (sel_is_mem(s, i) && s->d.op[i].mem.base != ZYDIS_REGISTER_DI &&
            s->d.op[i].mem.base != ZYDIS_REGISTER_EDI && s->d.op[i].mem.base != ZYDIS_REGISTER_RDI)
            sel_mem(s, in, i);
    in->flags &= (uint8_t)~IN_ASZ;
    in->flags |= (uint8_t)((s->asz == 8 ? 2 : s->asz == 4 ? 1 : 0) << IN_ASZ_SHIFT);
    in->osz = (uint8_t)size;
    /* Where only REP is defined, both prefixes mean it; the last one counts for CMPS and SCAS. */
    for (unsigned i = 0; i < s->d.i.raw.prefix_count; i++) {
        uint8_t p = s->d.i.raw.prefixes[i].value;
        if (p == 0xf3 || p == 0xf2)
            in->flags = (uint8_t)((in->flags & ~(IN_REP | IN_REPNE)) | (p == 0xf3 ? IN_REP : IN_REPNE));
    }
}

enum { S_MOVS, S_STOS, S_LODS, S_CMPS, S_SCAS };
static bool select_string(struct sel *s, struct insn *in, unsigned arg)
{
    static insn_fn *const fns[] = {
        [S_MOVS] = movs, [S_STOS] = stos, [S_LODS] = lods, [S_CMPS] = cmps, [S_SCAS] = scas};
    /* MOVSD and CMPSD are SSE2's too: those have a vector register. */
    if (s->nops && sel_is_reg(s, 0) && ZydisRegisterGetClass(s->d.op[0].reg.value) == ZYDIS_REGCLASS_XMM)
        return fp_select(s, in);
    if (s->nops > 1 && sel_is_reg(s, 1) && ZydisRegisterGetClass(s->d.op[1].reg.value) == ZYDIS_REGCLASS_XMM)
        return fp_select(s, in);
    select_string_common(s, in, arg & 0xf);
    in->fn = fns[arg >> 4];
    return true;
}

#define ROWS(op, name)                                          \
    {ZYDIS_MNEMONIC_##name##B, select_string, op << 4 | 1},     \
        {ZYDIS_MNEMONIC_##name##W, select_string, op << 4 | 2}, \
        {ZYDIS_MNEMONIC_##name##D, select_string, op << 4 | 4}, \
    {                                                           \
        ZYDIS_MNEMONIC_##name##Q, select_string, op << 4 | 8    \
    }
const struct sel_row op_string_rows[] = {
    ROWS(S_MOVS, MOVS), ROWS(S_STOS, STOS), ROWS(S_LODS, LODS), ROWS(S_CMPS, CMPS), ROWS(S_SCAS, SCAS), {0},
};
