/*
 * cold.c: what lies behind a block's straight path: callouts after a missed check, jumps to elsewhere.
 */
#include "engine/dbt/translate.h"

#include <stddef.h>

static struct cold *cold_new(struct tr *t, enum cold_kind kind, uint32_t site)
{
    if (t->ncold == MAX_COLD) {
        t->e.overflow = true; /* never: MAX_COLD counts what an instruction can ask for */
        return &t->cold[MAX_COLD - 1];
    }
    struct cold *c = &t->cold[t->ncold++];
    *c = (struct cold){.kind = (uint8_t)kind,
                       .insn = (uint8_t)t->n,
                       .flags_in = (uint8_t)t->flags,
                       .sites = {site},
                       .nsites = 1};
    return c;
}

void cold_callout(struct tr *t, uint32_t site)
{
    struct cold *last = t->ncold ? &t->cold[t->ncold - 1] : NULL;
    if (last && last->kind == COLD_CALLOUT && last->insn == t->n && last->nsites < ARRAY_LEN(last->sites)) {
        last->sites[last->nsites++] = site;
        return;
    }
    cold_new(t, COLD_CALLOUT, site);
}

void cold_edge(struct tr *t, uint32_t site, int32_t target)
{
    cold_new(t, COLD_EDGE, site)->target = target;
}

void cold_resume_here(struct tr *t)
{
    for (unsigned i = t->ncold; i-- > 0 && t->cold[i].insn == t->n;)
        if (t->cold[i].kind == COLD_CALLOUT) {
            t->cold[i].resume = t->e.at;
            t->cold[i].to_host = t->flags == IN_HOST;
        }
}

static void call_interpreter(struct tr *t, unsigned insn)
{
    emit_mov_imm32(&t->e, SCRATCH_A, insn);
    emit_call(&t->e, t->callout);
}

void tr_interpret(struct tr *t)
{
    flags_to_cc(t);
    call_interpreter(t, t->n);
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
        if (c.kind == COLD_EDGE) {
            tr_edge(t, c.target);
            continue;
        }
        call_interpreter(t, c.insn);
        t->flags = IN_CC;
        if (c.to_host)
            flags_to_host(t);
        if (c.resume)
            emit_jmp(&t->e, c.resume);
        else /* the instruction ends the block: the callout does not come back */
            emit_u8(&t->e, 0xcc);
    }
}
