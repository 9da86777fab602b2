/*
 * span.c: instructions that span two pages.
 *
 * Such an instruction is a block of its own, found by the physical addresses of both its parts. No store to
 * it is watched: its code begins by comparing the bytes in memory with those it was made from (span_verify).
 * It is entered from the run loop and by the jump table only, which a change of either page's mapping
 * empties.
 */
#include "engine/dbt/translate.h"

#include <stdlib.h>

#define SPANS 1024u

struct span {
    struct block *b; /* NULL: empty */
    uint8_t bytes[X86_MAX_INSN];
};

bool span_init(struct dbt_vcpu *d)
{
    d->span = calloc(SPANS, sizeof(struct span));
    return d->span;
}
void span_free(struct dbt_vcpu *d)
{
    free(d->span);
    d->span = NULL;
}
void span_flush(struct dbt_vcpu *d)
{
    memset(d->span, 0, SPANS * sizeof(struct span));
}

static const uint8_t *part(const struct dbt_vcpu *d, gpa_t gpa, unsigned len)
{
    return mem_ptr(d->ev.i.c.mem, gpa, len);
}

void span_bytes(const struct dbt_vcpu *d, const struct block *b, uint8_t bytes[X86_MAX_INSN])
{
    const unsigned rest = b->insns[0].len - b->bytes;
    memcpy(bytes, part(d, b->gpa, b->bytes), b->bytes);
    memcpy(bytes + b->bytes, part(d, b->second, rest), rest);
}

struct block *span_find(struct dbt_vcpu *d, uint64_t rip, const struct block *b)
{
    struct interp *v = &d->ev.i;
    const unsigned first = (unsigned)(PAGE_SIZE - (rip & ~PAGE_MASK)), len = b->insns[0].len;
    gpa_t gpa, second;
    bool special;
    if (len <= first || !block_insn_defined(&b->insns[0]) || !tlb_fetch(v, rip, &gpa))
        return NULL;
    special = v->fetch_special;
    if (!tlb_fetch(v, rip + first, &second) || !part(d, gpa, first) || !part(d, second, len - first))
        return NULL;
    v->fetch_special |= special;
    struct span *s = &d->span[(gpa >> PAGE_SHIFT ^ second >> PAGE_SHIFT << 3 ^ gpa) % SPANS];
    uint8_t bytes[X86_MAX_INSN];
    memcpy(bytes, part(d, gpa, first), first);
    memcpy(bytes + first, part(d, second, len - first), len - first);
    if (s->b && s->b->gpa == gpa && s->b->second == second && s->b->mode == b->mode &&
        s->b->insns[0].len == len && !memcmp(s->bytes, bytes, len))
        return s->b;
    struct block *made = block_solitary(v, gpa, second, b); /* may flush all others */
    memcpy(s->bytes, bytes, len);
    return s->b = made;
}

static void verify_part(struct tr *t, const uint8_t *p, unsigned len)
{
    struct emit *e = &t->e;
    emit_mov_imm64(e, SCRATCH_B, (uintptr_t)p);
    for (unsigned at = 0; at < len;) {
        const unsigned n = len - at >= 8 ? 8 : len - at >= 4 ? 4 : len - at >= 2 ? 2 : 1;
        const struct hmem m = mem_at(SCRATCH_B, (int32_t)at);
        uint64_t v = load_le(p + at, n);
        if (n == 8) {
            emit_mov_imm64(e, SCRATCH_C, v);
            emit_op_rm(e, OP64, 0x3b, SCRATCH_C, m);
        } else {
            emit_op_rm(e, n, n == 1 ? 0x80 : 0x81, 7, m);
            emit_bytes(e, &v, n);
        }
        emit_jcc(e, HC_NE, t->b->stale_code);
        at += n;
    }
}

void span_verify(struct tr *t)
{
    const struct block *b = t->b;
    flags_clobber(t);
    verify_part(t, part(t->d, b->gpa, b->bytes), b->bytes);
    verify_part(t, part(t->d, b->second, b->insns[0].len - b->bytes), b->insns[0].len - b->bytes);
}
