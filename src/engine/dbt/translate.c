/*
 * translate.c: a block of decoded instructions becomes host code.
 *
 * A block has two entries: entry_h for who comes with the guest's flags in the host's flags, entry_m for who
 * has them in st.cc. The one runs into the other, with what the block needs first done in between.
 */
#include "engine/dbt/translate.h"

#include <stddef.h>

/* What a block does first with the flags. */
enum first_use { FIRST_CLOBBER, FIRST_NEEDS, FIRST_SETS };

static bool decode_all(struct tr *t)
{
    const struct block *b = t->b;
    const uint8_t *bytes = mem_ptr(t->d->ev.i.c.mem, b->gpa, b->bytes);
    uint8_t spanning[X86_MAX_INSN];
    unsigned avail = b->bytes;
    if (b->second) {
        span_bytes(t->d, b, spanning);
        bytes = spanning;
        avail = b->insns[0].len;
    }
    for (t->n = 0; t->n < b->n; t->n++) {
        const struct insn *in = &b->insns[t->n];
        struct x86_decoded *d = &t->d->decoded[t->n];
        struct plan *p = &t->plan[t->n];
        *p = (struct plan){.way = WAY_INTERPRET, .mem = -1};
        if (!block_insn_defined(in))
            continue; /* raises its fault in the interpreter */
        if (in->off + in->len > avail ||
            x86_decode(&t->d->ev.i.decoder, 64, bytes + in->off, in->len, d) != X86_DECODED)
            return false;
        *p = plan_instruction(d, b->mode);
    }
    return true;
}

static enum first_use first_use(const struct tr *t)
{
    if (t->b->second)
        return FIRST_CLOBBER; /* span_verify */
    for (unsigned i = 0; i < t->b->n; i++) {
        const struct plan *p = &t->plan[i];
        switch (p->way) {
        case WAY_NOTHING:
        case WAY_LEA: continue;
        case WAY_COPY: break;
        case WAY_JCC: return FIRST_NEEDS;
        default: return FIRST_CLOBBER;
        }
        if (p->mem >= 0)
            return FIRST_CLOBBER;
        if (p->flags == FLAGS_SET)
            return FIRST_SETS;
        if (p->flags != FLAGS_NONE)
            return FIRST_NEEDS;
    }
    return FIRST_CLOBBER;
}

static void entries(struct tr *t)
{
    struct block *b = t->b;
    switch (first_use(t)) {
    case FIRST_CLOBBER:
        b->entry_h = t->e.at;
        t->flags = IN_HOST;
        flags_to_cc(t);
        b->entry_m = t->e.at;
        t->flags = IN_CC;
        break;
    case FIRST_NEEDS:
        b->entry_m = t->e.at;
        t->flags = IN_CC;
        flags_to_host(t, false);
        b->entry_h = t->e.at;
        t->flags = IN_HOST;
        break;
    case FIRST_SETS:
        /* The entry is overwritten by a jump when the block becomes stale: it must have the room. */
        b->entry_h = b->entry_m = t->e.at;
        t->flags = 0;
        break;
    }
}

/* The components of the vector state that the block's instructions put in use. */
static void mark_vectors(struct tr *t)
{
    bool sse = false, avx = false;
    for (unsigned i = 0; i < t->b->n; i++) {
        const struct x86_decoded *d = &t->d->decoded[i];
        if (t->plan[i].way != WAY_COPY)
            continue;
        bool vector = false;
        for (unsigned k = 0; k < d->i.operand_count; k++)
            vector |= d->op[k].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                      (ZydisRegisterGetClass(d->op[k].reg.value) == ZYDIS_REGCLASS_XMM ||
                       ZydisRegisterGetClass(d->op[k].reg.value) == ZYDIS_REGCLASS_YMM);
        sse |= vector;
        avx |= vector && d->i.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
    }
    if (sse) {
        emit_op_rm(&t->e, OP8, 0xc6, 0, GS(used_sse));
        emit_u8(&t->e, 1);
    }
    if (avx) {
        emit_op_rm(&t->e, OP8, 0xc6, 0, GS(used_avx));
        emit_u8(&t->e, 1);
    }
}

static void instruction(struct tr *t)
{
    static void (*const ways[])(struct tr * t) = {
        [WAY_INTERPRET] = tr_interpret,
        [WAY_COPY] = tr_copy,
        [WAY_LEA] = tr_lea,
        [WAY_PUSH] = tr_push,
        [WAY_POP] = tr_pop,
        [WAY_LEAVE] = tr_leave,
        [WAY_DIV] = tr_div,
        [WAY_PUSHF] = tr_pushf,
        [WAY_CLI] = tr_cli,
        [WAY_STI] = tr_sti,
        [WAY_FROM_SREG] = tr_from_sreg,
        [WAY_JCC] = tr_jcc,
        [WAY_JMP] = tr_jmp,
        [WAY_CALL] = tr_call,
        [WAY_RET] = tr_ret,
    };
    if (t->plan[t->n].way != WAY_NOTHING)
        ways[t->plan[t->n].way](t);
}

/* Does control never come out at the end of the last instruction's code? */
static bool ends_in_branch(const struct tr *t)
{
    uint8_t way = t->plan[t->b->n - 1].way;
    return way == WAY_JMP || way == WAY_CALL || way == WAY_RET;
}

bool translate_block(struct dbt_vcpu *d, struct block *b)
{
    struct tr *t = d->tr;
    *t = (struct tr){.d = d, .b = b, .bank = d->ev.i.rights};
    t->e = (struct emit){
        .buf = d->code.rw, .at = (uint32_t)align_up(d->code_at, 16), .end = (uint32_t)d->code.size};
    if (!decode_all(t))
        return false;
    const uint32_t nlinks = d->nlinks, nwindows = d->nwindows;
    /* In front of the entries: the block's way to the callout, and where a stale block sends those who come.
     */
    t->callout = t->e.at;
    emit_mov_imm64(&t->e, SCRATCH_B, (uintptr_t)b);
    emit_jmp(&t->e, d->thunks.callout);
    t->rest = t->e.at;
    emit_mov_imm64(&t->e, SCRATCH_B, (uintptr_t)b);
    emit_jmp(&t->e, d->thunks.rest);
    b->stale_code = t->e.at;
    tr_exit(t, (int32_t)(b->gpa & ~PAGE_MASK), LEAVE_RIP);
    t->e.at = (uint32_t)align_up(t->e.at, 16);
    entries(t);
    uint32_t body = t->e.at;
    if (b->second)
        span_verify(t);
    mark_vectors(t);
    for (t->n = 0; t->n < b->n; t->n++) {
        flags_before(t);
        instruction(t);
        groups_after(t);
        flags_behind(t);
    }
    if (!ends_in_branch(t))
        tr_edge(t, (int32_t)(b->gpa & ~PAGE_MASK) + b->insns[b->n].off);
    while (t->e.at < body + 5) /* room for the jump of a stale entry */
        emit_u8(&t->e, 0xcc);
    cold_emit(t);
    if (t->e.overflow) {
        d->nlinks = nlinks;
        d->nwindows = nwindows;
        b->entry_m = b->entry_h = 0;
        return false;
    }
    d->code_at = t->e.at;
    d->translated++;
    d->translated_insns += b->n;
    return true;
}
