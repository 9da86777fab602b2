/*
 * run.c: the translator's run loop, and the callout from translated code to the interpreter.
 *
 * Blocks are decoded and cached by the interpreter (interp/block.c), which also runs what is not worth
 * translating: blocks seen for the first times, code outside 64-bit mode, single steps, interrupt shadows.
 */
#include "engine/interp/run.h"
#include "engine/dbt/dbt.h"
#include "engine/dbt/vcpu.h"

#include <stddef.h>

/* A block is translated when it has been interpreted this often. */
#define HEAT 2u

/* ---- one instruction, or one block, by the interpreter ---- */

/* Run handlers from `in` until one leaves: they go on to no other block. */
static void interpret_block(struct dbt_vcpu *d, const struct insn *in)
{
    struct interp *v = &d->ev.i;
    const uint64_t before = v->insns + (uint64_t)(in - v->blk->insns);
    v->alone = true;
    v->key = ~0ull;
    while (in)
        in = in->fn(v, in);
    v->alone = false;
    d->interpreted += v->insns - before;
    interp_mode_changed(&v->c);
}

static void note_vectors(struct dbt_vcpu *d)
{
    struct x86_fpu *f = &d->ev.i.c.st.fpu;
    f->xinuse |= (d->used_sse ? XCR0_SSE : 0) | (d->used_avx ? XCR0_SSE | XCR0_AVX : 0);
    d->used_sse = d->used_avx = 0;
}

uint32_t dbt_callout(struct dbt_vcpu *d, struct block *b, uint32_t index)
{
    struct interp *v = &d->ev.i;
    const struct insn *in = &b->insns[index];
    d->callouts++;
    note_vectors(d);
    v->blk = b;
    v->block_rip = d->vpage + (b->gpa & ~PAGE_MASK);
    v->alone = true;
    v->key = ~0ull;
    const struct insn *next = in->fn(v, in);
    v->alone = false;
    d->interpreted += !v->faulted;
    interp_mode_changed(&v->c);
    if (next == in + 1 && v->blk == b) {
        if (v->mode == b->mode && b->entry_m && !v->single && !v->c.st.ev.shadow)
            return 0;
        v->insns += index + 1;
        v->c.st.rip = next_rip(v, in);
    } else if (next) {
        v->c.st.rip = this_rip(v, next);
    }
    return 1;
}

uint32_t dbt_interpret_rest(struct dbt_vcpu *d, struct block *b, uint32_t index)
{
    struct interp *v = &d->ev.i;
    d->rests++;
    note_vectors(d);
    v->blk = b;
    v->block_rip = d->vpage + (b->gpa & ~PAGE_MASK);
    interpret_block(d, &b->insns[index]);
    return 1;
}

/* ---- the loop ---- */

/* Not: what spans two pages, other modes than 64-bit, checked accesses. */
static bool translatable(const struct interp *v, const struct block *b)
{
    return b->gpa && is64(v) && !(v->mode & MODE_CHECKED);
}

/*
 * Supervisor code is translated for one virtual page; when it turns up at another, for that one. Code that
 * runs at two of them in turn is not worth it in the end.
 */
static bool bound(struct dbt_vcpu *d, struct block *b, uint64_t vpage)
{
    if (b->vpage != vpage && b->entry_m && d->ev.i.rights != BANK_USER) {
        if (b->rebound == 8)
            return false;
        b->rebound++;
        block_code_stale(d, b);
    }
    if (!b->entry_m)
        b->vpage = vpage;
    return true;
}

static uint32_t enter(struct dbt_vcpu *d, const struct block *b)
{
    uint32_t (*go)(struct dbt_vcpu *, const void *);
    const void *thunk = d->code.rx + d->thunks.enter;
    memcpy(&go, &thunk, sizeof(go));
    return go(d, d->code.rx + b->entry_m);
}

/*
 * The block at st.rip: translated code runs, or the interpreter does. link: who asks for the block, or 0; on
 * return, who asks for the next one.
 */
static uint32_t run_block(struct dbt_vcpu *d, uint32_t link)
{
    struct interp *v = &d->ev.i;
    const uint64_t rip = v->c.st.rip, flushes = d->flushes;
    struct block *b = block_find(v, rip);
    if (!b) {
        v->faulted = true;
        return 0;
    }
    if (!b->gpa && is64(v)) {
        struct block *s = span_find(d, rip, b);
        b = s ? s : b;
    }
    if (translatable(v, b) && bound(d, b, rip & PAGE_MASK)) {
        if (!b->entry_m && (b->second || b->heat++ >= HEAT) && !translate_block(d, b)) {
            block_flush_all(v); /* no room */
            return 0;
        }
        if (b->entry_m) {
            if (link && !b->second && d->flushes == flushes)
                link_connect(d, link, b);
            d->special_code |= v->fetch_special;
            jump_table_mode(d);
            jump_table_add(d, rip, b);
            d->vpage = rip & PAGE_MASK;
            d->dispatches++;
            uint32_t why = enter(d, b);
            note_vectors(d);
            return why >= LEAVE_LINK ? why - LEAVE_LINK : 0;
        }
    }
    v->blk = b;
    v->block_rip = rip;
    interpret_block(d, b->insns);
    return 0;
}

enum engine_exit dbt_step(struct engine_vcpu *ev, bool *faulted)
{
    struct dbt_vcpu *d = CONTAINER_OF(ev, struct dbt_vcpu, ev);
    struct interp *v = &ev->i;
    interp_mode_changed(&v->c);
    v->in_step = true;
    struct block *b = v->single || v->c.st.ev.shadow ? NULL : block_find(v, v->c.st.rip);
    v->in_step = false;
    if (b && translatable(v, b) && bound(d, b, v->c.st.rip & PAGE_MASK) &&
        (b->entry_m || translate_block(d, b))) {
        jump_table_mode(d);
        d->vpage = v->c.st.rip & PAGE_MASK; /* b->vpage is the supervisor's */
        enter(d, b);
        note_vectors(d);
        interp_mode_changed(&v->c);
    } else {
        run_one(v);
    }
    *faulted = v->faulted;
    v->faulted = false;
    return EXIT_KICK;
}

enum engine_exit dbt_run_loop(struct dbt_vcpu *d, struct engine_exit_info *info)
{
    struct interp *v = &d->ev.i;
    enum engine_exit exit;
    uint32_t link = 0;
    run_start(v);
    for (bool first = true;; first = false) {
        enum run_step step = run_between(v, &exit);
        if (step == STEP_EXIT)
            return exit;
        if (step == STEP_CHANGED)
            link = 0; /* what was asked for is no longer what comes next */
        if (v->single || v->c.st.ev.shadow) {
            link = 0;
            if (run_single(v, first))
                return EXIT_DEBUG;
            continue;
        }
        link = run_block(d, link);
    }
}
