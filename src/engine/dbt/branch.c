/*
 * branch.c: jumps, calls and returns.
 *
 * A target on the same page, or of supervisor code, is reached by a direct jump, patched when the target is
 * known; a backward one looks at the poll word first, so that no loop is without it. Any other target is
 * looked up in the jump table, which also polls. What is not found there is left to the interpreter, and the
 * run loop enters the target into the table.
 *
 * Nothing of a branch has happened before its target is found, so that the interpreter can do the whole of
 * it.
 */
#include "engine/dbt/translate.h"

#include <stddef.h>

/* Offset in the page of the target of a relative branch. */
static int32_t relative(const struct tr *t)
{
    return tr_next(t) + (int32_t)tr_decoded(t)->op[0].imm.value.s;
}
/* Is there an instruction there that spans two pages? Those are entered by the jump table only. */
static bool may_span(int32_t target)
{
    return (target & (int32_t)~PAGE_MASK) > (int32_t)PAGE_SIZE - X86_MAX_INSN;
}
static bool same_page(int32_t target)
{
    return target >= 0 && target < (int32_t)PAGE_SIZE;
}
/* Does control go backward, so that the jump may close a loop? */
static bool backward(const struct tr *t, int32_t target)
{
    return t->n < t->b->n && target < tr_next(t);
}

/* Instructions retired when control goes on from here, where they are counted: those up to t->n. */
static void count(struct tr *t)
{
    struct emit *e = &t->e;
    if (!t->d->counted)
        return;
    emit_load(e, OP64, SCRATCH_B, GS(ev.i.insns));
    emit_lea(e, OP64, SCRATCH_B, mem_at(SCRATCH_B, (int32_t)MIN(t->n + 1, (unsigned)t->b->n)));
    emit_store(e, OP64, GS(ev.i.insns), SCRATCH_B);
}

/* ---- direct jumps ---- */

/* Here goes a jump until it is patched: to the run loop, which is told who asks. */
static void stub(struct tr *t, uint32_t site, int32_t target, bool crosses)
{
    const bool host = !(t->flags & IN_CC);
    const uint32_t n = link_new(t->d, site, t->e.at, host, crosses);
    if (!n)
        t->e.overflow = true;
    flags_to_cc(t);
    tr_exit(t, target, LEAVE_LINK + n);
}

/* A jump that is patched later; its stub comes right behind it. target: on the page that vpage says by then.
 */
static void chained(struct tr *t, int32_t target, bool crosses)
{
    struct emit *e = &t->e;
    if (!(t->flags & IN_CC))
        flags_to_host(t, false);
    stub(t, emit_jmp(e, e->at + 5), target, crosses);
}

void tr_taken(struct tr *t, uint32_t site, int32_t target)
{
    if (!same_page(target) || may_span(target) || backward(t, target) || t->d->counted)
        tr_edge(t, target);
    else
        stub(t, site, target, false);
}

/*
 * A backward jump looks at the poll word first. In two parts, so that nothing is jumped over as long as
 * nothing is pending: the test, and behind the jump itself what leaves for the run loop.
 */
struct poll {
    bool behind; /* poll_behind has something to do */
    uint32_t site;
    unsigned flags;
};

static struct poll poll_test(struct tr *t, int32_t target)
{
    struct emit *e = &t->e;
    if (t->flags & (IN_CC | IN_RECIPE)) {
        t->flags &= ~(unsigned)IN_HOST;
        emit_alu_imm_mem(e, OP32, 7, GS(ev.i.c.poll), 0);
        return (struct poll){true, emit_jcc(e, HC_NE, 0), t->flags};
    }
    /* JRCXZ tests without touching the flags. */
    const unsigned flags = t->flags;
    emit_mov_rr(e, OP64, SCRATCH_A, H_RCX);
    emit_load(e, OP32, H_RCX, GS(ev.i.c.poll));
    emit_u8(e, 0xe3);
    uint32_t where = e->at;
    emit_u8(e, 0);
    emit_mov_rr(e, OP64, H_RCX, SCRATCH_A);
    flags_to_cc(t);
    tr_exit(t, target, LEAVE_RIP);
    t->flags = flags;
    if (!e->overflow)
        e->buf[where] = (uint8_t)(e->at - (where + 1));
    emit_mov_rr(e, OP64, H_RCX, SCRATCH_A);
    return (struct poll){0};
}

static void poll_behind(struct tr *t, const struct poll *p, int32_t target)
{
    if (!p->behind)
        return;
    emit_patch(&t->e, p->site, t->e.at);
    t->flags = p->flags;
    flags_to_cc(t);
    tr_exit(t, target, LEAVE_RIP);
}

/* ---- the jump table ---- */

static struct hmem table(const struct tr *t, size_t field)
{
    struct hmem m = gs_at(field + t->bank * JT_SIZE * sizeof(uint64_t));
    m.base = H_NONE;
    m.index = SCRATCH_B;
    m.scale = 8;
    return m;
}

/*
 * SCRATCH_A: the target's linear address. Falls through with its code in SCRATCH_C, or goes to the
 * interpreter. The index is (rip ^ rip >> 8) modulo the table's size: see jump_table_add.
 */
static void look_up(struct tr *t)
{
    struct emit *e = &t->e;
    groups_drop(t);
    flags_to_cc(t);
    t->flags = IN_CC;
    emit_alu_imm_mem(e, OP32, 7, GS(ev.i.c.poll), 0);
    cold_rest(t, emit_jcc(e, HC_NE, 0));
    emit_mov_rr(e, OP32, SCRATCH_B, SCRATCH_A);
    emit_op_rr(e, OP32, 0xc1, 5, SCRATCH_B);
    emit_u8(e, 8);
    emit_op_rr(e, OP32, 0x33, SCRATCH_B, SCRATCH_A);
    emit_alu_imm(e, OP32, 4, SCRATCH_B, JT_SIZE - 1);
    emit_mov_rr(e, OP64, SCRATCH_C, SCRATCH_A);
    emit_op_rm(e, OP64, 0x33, SCRATCH_C, gs_at(offsetof(struct dbt_vcpu, genx) + 8 * t->bank));
    emit_op_rm(e, OP64, 0x3b, SCRATCH_C, table(t, offsetof(struct dbt_vcpu, jt_tag)));
    cold_rest(t, emit_jcc(e, HC_NE, 0));
    emit_load(e, OP64, SCRATCH_C, table(t, offsetof(struct dbt_vcpu, jt_code)));
}

/* To the target that was looked up. */
static void enter_page(struct tr *t)
{
    count(t);
    emit_alu_imm(&t->e, OP64, 4, SCRATCH_A, (int32_t)PAGE_MASK);
    emit_store(&t->e, OP64, GS(vpage), SCRATCH_A);
}

static void code_address(struct tr *t, enum hreg to, int32_t offset)
{
    emit_load(&t->e, OP64, to, GS(vpage));
    emit_lea(&t->e, OP64, to, mem_at(to, offset));
}

/*
 * Supervisor code is bound to its virtual page (block.vpage), and its mappings seldom change: it jumps to
 * other pages directly, until its translations are flushed.
 */
static bool may_cross(const struct tr *t, int32_t target)
{
    return t->bank != BANK_USER && !may_span(target) && is_canonical(t->b->vpage + (uint64_t)(int64_t)target);
}

void tr_edge(struct tr *t, int32_t target)
{
    if (!t->flags) /* nothing has touched them since the entry, to which both ways lead */
        t->flags = IN_CC;
    if (same_page(target) && !may_span(target)) {
        count(t);
        struct poll p = {0};
        if (backward(t, target))
            p = poll_test(t, target);
        chained(t, target, false);
        poll_behind(t, &p, target);
        return;
    }
    if (may_cross(t, target)) {
        count(t);
        struct poll p = {0};
        if (backward(t, target))
            p = poll_test(t, target);
        code_address(t, SCRATCH_A, target & (int32_t)PAGE_MASK);
        emit_store(&t->e, OP64, GS(vpage), SCRATCH_A);
        chained(t, target & (int32_t)~PAGE_MASK, true);
        poll_behind(t, &p, target);
        return;
    }
    code_address(t, SCRATCH_A, target);
    look_up(t);
    enter_page(t);
    emit_jmp_reg(&t->e, SCRATCH_C);
}

/* ---- instructions ---- */

/* SCRATCH_A = the target that the instruction's memory operand holds; groups end. */
static void target_from_memory(struct tr *t)
{
    struct access a;
    insn_access(t, t->n, &a);
    struct hmem m = tr_memory(t, &a);
    emit_load(&t->e, OP64, SCRATCH_A, m);
    groups_drop(t);
}

/* Opcodes 7x and 0F 8x: the condition is in the low four bits. */
void tr_jcc(struct tr *t)
{
    const struct x86_decoded *d = tr_decoded(t);
    flags_to_host(t, false);
    uint32_t site = emit_jcc(&t->e, (enum hcond)(d->i.opcode & 15), 0);
    cold_edge(t, site, relative(t));
}

void tr_jmp(struct tr *t)
{
    const struct x86_decoded *d = tr_decoded(t);
    struct emit *e = &t->e;
    switch (d->op[0].type) {
    case ZYDIS_OPERAND_TYPE_IMMEDIATE: tr_edge(t, relative(t)); return;
    case ZYDIS_OPERAND_TYPE_MEMORY: target_from_memory(t); break;
    default: tr_get(t, SCRATCH_A, guest_gpr(d->op[0].reg.value)); break;
    }
    look_up(t);
    enter_page(t);
    emit_jmp_reg(e, SCRATCH_C);
}

/* The return address to the stack. All scratch registers are used. */
static void push_return(struct tr *t)
{
    const struct access a = {.base = RSP, .lo = -8, .size = 8, .write = true};
    struct emit *e = &t->e;
    struct hmem m = tr_memory(t, &a);
    code_address(t, SCRATCH_B, tr_next(t));
    emit_store(e, OP64, m, SCRATCH_B);
    emit_lea(e, OP64, host_reg(RSP), mem_at(host_reg(RSP), -8));
}

void tr_call(struct tr *t)
{
    const struct x86_decoded *d = tr_decoded(t);
    struct emit *e = &t->e;
    switch (d->op[0].type) {
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        if ((same_page(relative(t)) && !may_span(relative(t))) || may_cross(t, relative(t))) {
            push_return(t);
            tr_edge(t, relative(t));
            return;
        }
        code_address(t, SCRATCH_A, relative(t));
        break;
    case ZYDIS_OPERAND_TYPE_MEMORY: target_from_memory(t); break;
    default: tr_get(t, SCRATCH_A, guest_gpr(d->op[0].reg.value)); break;
    }
    look_up(t);
    emit_store(e, OP64, GS(jump_rip), SCRATCH_A);
    emit_store(e, OP64, GS(jump_code), SCRATCH_C);
    push_return(t);
    emit_load(e, OP64, SCRATCH_A, GS(jump_rip));
    enter_page(t);
    emit_jmp_mem(e, GS(jump_code));
}

void tr_ret(struct tr *t)
{
    const struct x86_decoded *d = tr_decoded(t);
    struct emit *e = &t->e;
    int32_t pop = 8;
    if (d->i.operand_count_visible)
        pop += (int32_t)(uint16_t)d->op[0].imm.value.u;
    target_from_memory(t);
    look_up(t);
    emit_lea(e, OP64, host_reg(RSP), mem_at(host_reg(RSP), pop));
    enter_page(t);
    emit_jmp_reg(e, SCRATCH_C);
}
