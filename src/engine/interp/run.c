/*
 * run.c: the interpreter's run loop: blocks until something is pending, events and faults between them, and
 * one instruction at a time where single steps, breakpoints or interrupt shadows ask for it.
 */
#include "engine/interp/run.h"
#include "engine/interp/block.h"
#include "engine/interp/insn.h"

/* ---- leaving handlers ---- */

const struct insn *insn_fault(struct interp *v, const struct insn *in)
{
    v->insns += (uint64_t)(in - v->blk->insns);
    v->c.st.rip = this_rip(v, in);
    v->wr.kind = WR_NONE;
    v->faulted = true;
    if (v->noncanonical && IN_SEG_NO(in->flags) == SEG_SS)
        v->c.fault.vector = VEC_SS; /* SDM 2A 1.3: memory operands in the stack segment */
    v->noncanonical = false;
    return NULL;
}
const struct insn *insn_ud(struct interp *v, const struct insn *in)
{
    cpu_raise(&v->c, VEC_UD);
    return insn_fault(v, in);
}
const struct insn *insn_gp0(struct interp *v, const struct insn *in)
{
    cpu_raise_gp0(&v->c);
    return insn_fault(v, in);
}

const struct insn *insn_leave(struct interp *v, const struct insn *in, uint64_t rip)
{
    count_block(v, in);
    v->c.st.rip = rip;
    return NULL;
}

const struct insn *insn_continue(struct interp *v, const struct insn *in)
{
    count_block(v, in);
    return insn_goto_slow(v, v->c.st.rip);
}

const struct insn *insn_goto_slow(struct interp *v, uint64_t rip)
{
    v->c.st.rip = rip;
    if (v->in_step || v->alone || v->single || atomic_load_explicit(&v->c.poll, memory_order_relaxed))
        return NULL;
    struct block *b = block_find(v, rip);
    if (!b) {
        v->faulted = true;
        return NULL;
    }
    v->blk = b;
    v->block_rip = rip;
    if (b->gpa) /* blocks that span pages are looked at each time */
        v->jc[(rip ^ rip >> 12) & (JC_SIZE - 1)] = (struct jump_cache){rip, v->key, b};
    return b->insns;
}

/* ---- mode ---- */

/* What translated code takes for granted beyond what decoding does. */
static uint32_t translator_mode(const struct x86_state *s)
{
    const uint64_t avx = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    const bool sse = !(s->cr0 & (CR0_EM | CR0_TS)) && (s->cr4 & CR4_OSFXSR) &&
                     (s->fpu.fx.mxcsr & MXCSR_ALL_MASKED) == MXCSR_ALL_MASKED;
    const bool all = sse && (s->cr4 & CR4_OSXSAVE) && (s->xcr0 & avx) == avx;
    const unsigned rights = s->cpl == 3 ? BANK_USER : s->rflags & FL_AC ? BANK_SUPER_AC : BANK_SUPER;
    return (sse ? MODE_SSE : 0) | (all ? MODE_AVX : 0) | rights << MODE_RIGHTS_SHIFT;
}

void interp_mode_changed(struct cpu *c)
{
    struct interp *v = CONTAINER_OF(c, struct interp, c);
    const struct x86_state *s = &c->st;
    const struct x86_seg *cs = &s->seg[SEG_CS];
    if (x86_64bit(s)) {
        v->mode = MODE_CODE64 | (v->translates ? translator_mode(s) : 0);
    } else {
        v->mode = (cs->attr & SEG_DB ? MODE_CODE32 : MODE_CODE16) |
                  (s->seg[SEG_SS].attr & SEG_DB ? MODE_STACK32 : 0);
        if (cs->base != v->cs_base || cs->limit != v->cs_limit)
            v->generation++;
        v->cs_base = cs->base;
        v->cs_limit = cs->limit;
    }
    v->rights = s->cpl == 3 ? BANK_USER : s->rflags & FL_AC ? BANK_SUPER_AC : BANK_SUPER;
    bool check_align = s->cpl == 3 && (s->cr0 & CR0_AM) && (s->rflags & FL_AC);
    bool exec_breakpoints = false, data_breakpoints = false;
    for (unsigned n = 0; n < 4; n++)
        if (bits(s->dr7, 2 * n, 2)) {
            exec_breakpoints |= bits(s->dr7, 16 + 4 * n, 2) == 0;
            data_breakpoints |= bits(s->dr7, 16 + 4 * n, 2) != 0;
        }
    v->tlb = v->tlbs[check_align || data_breakpoints ? BANK_CHECKED : v->rights];
    if (v->translates && v->tlb == v->tlbs[BANK_CHECKED])
        v->mode |= MODE_CHECKED;
    v->single = (s->rflags & (FL_TF | FL_RF)) || exec_breakpoints || data_breakpoints || v->stepping ||
                v->nbreakpoints;
    v->key = v->generation << 16 | v->rights << 12 | v->mode;
}

/* ---- one instruction ---- */

/*
 * Instruction breakpoints (SDM 3B 17.3.1.1): a fault before the instruction. Behind a load of SS there is
 * none, as if RF were set (SDM 3A 6.8.3).
 */
static bool exec_breakpoint(struct interp *v)
{
    struct x86_state *s = &v->c.st;
    uint64_t lin = is64(v) ? s->rip : (uint32_t)(s->seg[SEG_CS].base + s->rip), hit = 0;
    if ((s->rflags & FL_RF) || (s->ev.shadow & X86_SHADOW_MOVSS))
        return false;
    for (unsigned n = 0; n < 4; n++)
        if (bits(s->dr7, 2 * n, 2) && bits(s->dr7, 16 + 4 * n, 2) == 0 && s->dr[n] == lin)
            hit |= BIT(n);
    if (!hit)
        return false;
    v->c.fault = (struct cpu_fault){.vector = VEC_DB, .addr = hit};
    return true;
}

void step_trap(struct interp *v)
{
    struct x86_events *ev = &v->c.st.ev;
    ev->debug_pending = true;
    ev->dr6_pending |= DR6_BS;
    cpu_recheck(&v->c);
}

/*
 * Execute the instruction at st.rip. False: v->faulted. *next: the address behind it, or its own where it is
 * a repeated one that is not through.
 */
static bool execute_one(struct interp *v, uint64_t *next_at)
{
    struct x86_state *s = &v->c.st;
    uint64_t rip = s->rip;
    struct block *b = block_find(v, rip);
    if (!b) {
        v->faulted = true;
        return false;
    }
    v->blk = b;
    v->block_rip = rip;
    v->key = ~0ull; /* no handler goes on through the jump cache */
    const struct insn *in = b->insns;
    *next_at = next_rip(v, in);
    const struct insn *next = in->fn(v, in);
    if (next) /* fell through to the block's end */
        insn_leave(v, in, *next_at);
    if ((in->flags & (IN_REP | IN_REPNE)) && s->rip == rip)
        *next_at = rip;
    return !v->faulted;
}

/*
 * The single-step trap behind an instruction (SDM 3B 17.3.1.4), by TF as it was before it. A load of SS has
 * none (SDM 3A 6.8.3). With DEBUGCTL.BTF only what changed the course has one (SDM 3B 17.4.3).
 */
static bool single_steps(const struct interp *v, bool tf, uint64_t next)
{
    const struct x86_state *s = &v->c.st;
    if (v->tf_at_end)
        tf = s->rflags & FL_TF;
    if (!tf || v->no_trap || (s->ev.shadow & X86_SHADOW_MOVSS))
        return false;
    return !(s->msr.debugctl & DEBUGCTL_BTF) || s->rip != next;
}

void run_one(struct interp *v)
{
    struct x86_state *s = &v->c.st;
    if (exec_breakpoint(v)) {
        v->faulted = true;
        return;
    }
    struct x86_events before = s->ev;
    bool tf = s->rflags & FL_TF;
    uint64_t next = 0;
    s->rflags &= ~FL_RF; /* cleared by every instruction that completes; a fault sets it in what it pushes */
    s->ev.shadow = 0;    /* lasts for this one instruction, which may set it again */
    v->tf_at_end = v->no_trap = false;
    v->in_step = true;
    bool done = execute_one(v, &next);
    v->in_step = false;
    interp_mode_changed(&v->c);
    if (!done) {
        /* It has not happened, so it has met no data breakpoint. */
        s->ev.debug_pending = before.debug_pending;
        s->ev.dr6_pending = before.dr6_pending;
        return;
    }
    if (single_steps(v, tf, next))
        step_trap(v);
}

/* ---- the loop ---- */

/*
 * Handlers from `in` on. With a limit the run stops at it, wherever in a block that is, and as soon as
 * something is pending; a repeated string instruction stops after each stretch.
 */
static void run_handlers(struct interp *v, const struct insn *in)
{
    if (LIKELY(!v->limited)) {
        while (in)
            in = in->fn(v, in);
        return;
    }
    while (in) {
        uint64_t done = (uint64_t)(in - v->blk->insns);
        if (!block_is_end(in) && (v->insns + done + v->faults >= v->stop_at || !v->calls_left ||
                                  atomic_load_explicit(&v->c.poll, memory_order_relaxed))) {
            v->insns += done;
            v->c.st.rip = this_rip(v, in);
            return;
        }
        if (in->flags & (IN_REP | IN_REPNE))
            cpu_recheck(&v->c);
        v->calls_left--;
        in = in->fn(v, in);
    }
}

static bool limit_reached(const struct interp *v)
{
    return v->limited && (v->insns + v->faults >= v->stop_at || !v->calls_left);
}

static bool at_breakpoint(const struct interp *v)
{
    const struct x86_state *s = &v->c.st;
    uint64_t lin = is64(v) ? s->rip : (uint32_t)(s->seg[SEG_CS].base + s->rip);
    for (unsigned i = 0; i < v->nbreakpoints; i++)
        if (v->breakpoint[i] == lin)
            return true;
    return false;
}

void run_start(struct interp *v)
{
    interp_mode_changed(&v->c);
    if (v->c.st.mp != X86_RUNNING)
        cpu_recheck(&v->c); /* cpu_events says whether it goes on */
}

/* Fault and event, once each. Events may come one behind another, as an NMI behind a debug trap: true. */
static bool take_pending(struct interp *v, enum cpu_result *r, enum run_step *step, bool *kicked)
{
    struct cpu *c = &v->c;
    *r = CPU_GO_ON;
    if (v->faulted) {
        v->faulted = false;
        v->faults++;
        *r = cpu_deliver_fault(c);
        interp_mode_changed(c);
        *step = STEP_CHANGED;
    }
    /* Also behind a fault: a handler that faults at once would never be interrupted otherwise. */
    if (*r == CPU_GO_ON && atomic_load_explicit(&c->poll, memory_order_acquire)) {
        if (atomic_exchange(&c->kicked, false)) {
            *kicked = true;
            return false;
        }
        v->events++;
        v->calls_left -= v->calls_left > 0;
        *r = cpu_events(c);
        /* A kick that came since the look at it has lost its poll word to cpu_events, which clears that. */
        if (UNLIKELY(atomic_load(&c->kicked)))
            cpu_recheck(c);
        interp_mode_changed(c);
        *step = STEP_CHANGED;
    }
    return *r == CPU_GO_ON && !c->st.ev.shadow && !limit_reached(v) &&
           atomic_load_explicit(&c->poll, memory_order_relaxed);
}

enum run_step run_between(struct interp *v, enum engine_exit *exit)
{
    enum cpu_result r;
    enum run_step step = STEP_NOTHING;
    bool kicked = false;
    while (take_pending(v, &r, &step, &kicked))
        ;
    if (r == CPU_GO_ON && !kicked && !limit_reached(v))
        return step;
    v->halts += r == CPU_HALT;
    *exit = r == CPU_HALT ? EXIT_HALT : r == CPU_SHUTDOWN ? EXIT_SHUTDOWN : EXIT_KICK;
    return STEP_EXIT;
}

bool run_single(struct interp *v, bool first)
{
    if (!first && at_breakpoint(v))
        return true;
    v->calls_left -= v->calls_left > 0;
    run_one(v);
    return v->stepping && !v->faulted;
}

enum engine_exit run_loop(struct interp *v, struct engine_exit_info *info)
{
    enum engine_exit exit;
    run_start(v);
    for (bool first = true;; first = false) {
        if (run_between(v, &exit) == STEP_EXIT)
            return exit;
        if (v->single || v->c.st.ev.shadow) {
            if (run_single(v, first))
                return EXIT_DEBUG;
            continue;
        }
        /* insn_goto_slow leaves at once when something is pending. */
        run_handlers(v, insn_goto_slow(v, v->c.st.rip));
    }
}
