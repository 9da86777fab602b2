/*
 * cold.c: what lies behind a block's straight path: checks that failed, jumps to elsewhere.
 */
#include "engine/dbt/translate.h"

#include <stddef.h>

static struct cold *cold_new(struct tr *t)
{
    if (t->ncold == MAX_COLD) {
        t->e.overflow = true; /* never: MAX_COLD counts what an instruction can ask for */
        return &t->cold[MAX_COLD - 1];
    }
    return &t->cold[t->ncold++];
}

void cold_site(struct cold *c, uint32_t site)
{
    c->sites[c->nsites++] = site;
}

void cold_rest(struct tr *t, uint32_t site)
{
    struct cold *last = t->ncold ? &t->cold[t->ncold - 1] : NULL;
    if (!last || last->kind != COLD_REST || last->insn != t->n ||
        last->flags_in != (t->flags & ~(unsigned)IN_HOST) || last->nsites == ARRAY_LEN(last->sites)) {
        last = cold_new(t);
        *last = (struct cold){.kind = COLD_REST,
                              .insn = (uint8_t)t->n,
                              .flags_in = (uint8_t)(t->flags & ~(unsigned)IN_HOST),
                              .recipe = t->recipe};
    }
    cold_site(last, site);
}

void cold_edge(struct tr *t, uint32_t site, int32_t target)
{
    struct cold *c = cold_new(t);
    *c = (struct cold){.kind = COLD_EDGE,
                       .insn = (uint8_t)t->n,
                       .flags_in = (uint8_t)t->flags,
                       .recipe = t->recipe,
                       .target = target};
    cold_site(c, site);
}

struct cold *cold_window(struct tr *t)
{
    return cold_new(t);
}

void tr_interpret(struct tr *t)
{
    flags_to_cc(t);
    groups_drop(t);
    emit_mov_imm32(&t->e, SCRATCH_A, t->n);
    emit_call(&t->e, t->callout);
    t->flags = IN_CC;
}

void tr_exit(struct tr *t, int32_t target, uint32_t why)
{
    struct emit *e = &t->e;
    emit_load(e, OP64, SCRATCH_A, GS(vpage));
    emit_lea(e, OP64, SCRATCH_A, mem_at(SCRATCH_A, target));
    emit_store(e, OP64, GS(ev.i.c.st.rip), SCRATCH_A);
    emit_mov_imm32(e, SCRATCH_B, why);
    emit_jmp(e, t->d->thunks.leave);
}

void cold_emit(struct tr *t)
{
    /* An edge may bring new entries. */
    for (unsigned i = 0; i < t->ncold; i++) {
        struct cold c = t->cold[i];
        for (unsigned k = 0; k < c.nsites; k++)
            emit_patch(&t->e, c.sites[k], t->e.at);
        t->n = c.insn;
        t->flags = c.flags_in;
        t->recipe = c.recipe;
        groups_drop(t);
        switch (c.kind) {
        case COLD_EDGE: tr_taken(t, c.sites[0], c.target); break;
        case COLD_WINDOW: window_cold(t, &c); break;
        default:
            flags_to_cc(t);
            emit_mov_imm32(&t->e, SCRATCH_A, c.insn);
            emit_jmp(&t->e, t->rest);
            break;
        }
    }
}
