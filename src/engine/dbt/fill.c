/*
 * fill.c: windows are filled here when the TLB has nothing for them, and emptied when something is flushed.
 */
#include "engine/dbt/translate.h"

static uint64_t base_value(const struct dbt_vcpu *d, unsigned base)
{
    const struct x86_state *s = &d->ev.i.c.st;
    switch (base) {
    case BASE_CODE: return d->vpage;
    case BASE_FS: return s->seg[SEG_FS].base;
    case BASE_GS: return s->seg[SEG_GS].base;
    default: return s->gpr[base];
    }
}

void windows_empty(struct dbt_vcpu *d, unsigned log)
{
    struct window_log *l = &d->log[log];
    for (unsigned i = 0; i < l->n; i++)
        d->window[l->slot[i]] = (struct window){0};
    l->n = 0;
}

/* The rest of the block by the interpreter. */
static uint32_t give_up(struct dbt_vcpu *d, struct block *b, unsigned insn)
{
    dbt_interpret_rest(d, b, insn);
    return 1;
}

uint32_t dbt_fill(struct dbt_vcpu *d, uint32_t slot)
{
    const struct window_site *s = &d->site[slot];
    struct interp *v = &d->ev.i;
    const uint64_t lin =
        s->base == BASE_COMPLEX ? d->fill_lin : base_value(d, s->base) + (uint64_t)(int64_t)s->lo;
    struct tlb_range r;
    d->fills++;
    /* Of a second page it is not certain that it is written: the range may have been widened over it. */
    const bool one_page = !((lin ^ (lin + s->span - 1)) & PAGE_MASK);
    if (!tlb_range(v, lin, s->span, s->write, s->certain && one_page, &r)) {
        /* Over the edge of a page that is no neighbour of the next in host memory: with checks of their own
         * most accesses of the block go through. */
        if (!one_page && !s->b->unmerged && ++s->b->crossings == 16) {
            s->b->unmerged = true;
            block_code_stale(d, s->b);
        }
        return give_up(d, s->b, s->insn);
    }
    const unsigned log = r.special ? LOG_SPECIAL : 2u * s->bank + s->write;
    struct window_log *l = &d->log[log];
    if (l->n == WINDOW_LOG)
        windows_empty(d, log);
    const unsigned bit = r.special ? WINDOW_LOGGED_SPECIAL : WINDOW_LOGGED;
    const uint64_t logged = d->window[slot].logged;
    if (!(logged & bit))
        l->slot[l->n++] = slot;
    d->window[slot] = (struct window){.lo = r.lo - (uint64_t)(int64_t)(s->base == BASE_COMPLEX ? 0 : s->lo),
                                      .len = r.hi - r.lo + 2 - s->span,
                                      .delta = r.addend,
                                      .logged = logged | bit};
    return 0;
}
