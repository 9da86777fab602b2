/*
 * group.c: accesses with one base share one check.
 *
 * The first access through a base register checks a range that covers the ones to come, as far as can be
 * seen: up to where the register gets another value (adding a constant does no harm), the interpreter takes
 * over, or the range grows too wide. What the check gave, host address minus guest address, stays in a
 * scratch register; there are two such registers, so two groups live at a time.
 *
 * A check may also come earlier than its access: before flags are set that would have to be saved for it.
 */
#include "engine/dbt/translate.h"

#define MAX_SPAN 512

static const uint8_t group_reg[GROUPS] = {SCRATCH_A, SCRATCH_C};

void groups_drop(struct tr *t)
{
    for (unsigned i = 0; i < GROUPS; i++)
        t->group[i].live = false;
}

void group_drop_reg(struct tr *t, enum hreg r)
{
    for (unsigned i = 0; i < GROUPS; i++)
        if (group_reg[i] == r)
            t->group[i].live = false;
}

void groups_after(struct tr *t)
{
    struct effect f = insn_effect(t, t->n);
    for (unsigned i = 0; i < GROUPS; i++) {
        struct group *g = &t->group[i];
        if (!g->live || g->base >= X86_NGPR)
            continue;
        if (f.written >> g->base & 1)
            g->live = false;
        else if (f.adjusted == g->base)
            g->moved += f.by;
        if (g->moved < -65536 || g->moved > 65536)
            g->live = false;
    }
}

static struct group *find(struct tr *t, const struct access *a)
{
    for (unsigned i = 0; i < GROUPS; i++) {
        struct group *g = &t->group[i];
        if (g->live && g->base == a->base && a->lo + g->moved >= g->lo &&
            a->lo + g->moved + (int32_t)a->size <= g->hi && (g->write || !a->write))
            return g;
    }
    return NULL;
}

/* Widen [lo, hi) over the accesses behind instruction n. */
static void look_ahead(const struct tr *t, unsigned n, struct group *g)
{
    bool conditional =
        false; /* what comes may not be executed: it may widen the range, but asks for no write */
    int32_t moved = 0;
    for (; n + 1 < t->b->n; n++) {
        struct effect f = insn_effect(t, n);
        const uint8_t way = t->plan[n].way;
        if (way == WAY_INTERPRET || (g->base < X86_NGPR && (f.written >> g->base & 1)))
            return;
        if (f.adjusted == g->base)
            moved += f.by;
        conditional |= way == WAY_JCC;
        struct access a;
        if (!insn_access(t, n + 1, &a) || a.base != g->base || (a.write && conditional))
            continue;
        int32_t lo = MIN(g->lo, a.lo + moved), hi = MAX(g->hi, a.lo + moved + (int32_t)a.size);
        if (hi - lo > MAX_SPAN)
            return;
        g->lo = lo;
        g->hi = hi;
        g->write |= a.write;
    }
}

/* Open a group for an access that instruction n makes; the check runs at instruction t->n. */
static struct group *open_group(struct tr *t, unsigned n, const struct access *a, int32_t moved)
{
    unsigned i = 0;
    if (t->group[0].live && (!t->group[1].live || t->last_group == 0))
        i = 1;
    struct group *g = &t->group[i];
    *g = (struct group){.live = true,
                        .base = a->base,
                        .reg = group_reg[i],
                        .lo = a->lo + moved,
                        .hi = a->lo + moved + (int32_t)a->size,
                        .write = a->write,
                        .baked = a->base >= X86_NGPR || host_reg(a->base) == H_NONE};
    if (!t->b->unmerged && n == t->n)
        look_ahead(t, n, g);
    t->last_group = i;
    window_check(t, g, a->write && n == t->n && !a->align);
    return g;
}

/* An access soon to come whose check is better made here, before flags are set. */
static void open_early(struct tr *t)
{
    uint16_t written = 0;
    int32_t moved[X86_NGPR] = {0};
    bool flags_set = false;
    if (t->b->unmerged || (t->group[0].live && t->group[1].live))
        return;
    for (unsigned n = t->n; n + 1 < t->b->n; n++) {
        struct effect f = insn_effect(t, n);
        struct access a;
        const struct plan *p = &t->plan[n];
        if (p->way == WAY_INTERPRET || p->way == WAY_JCC)
            return;
        written |= f.written;
        if (f.adjusted < X86_NGPR)
            moved[f.adjusted] += f.by;
        flags_set |= p->flags == FLAGS_SET || p->flags == FLAGS_CHANGE;
        if (!flags_set || !insn_access(t, n + 1, &a) || a.base >= X86_NGPR || (written >> a.base & 1))
            continue;
        struct access here = a;
        here.lo += moved[a.base];
        if (!find(t, &here)) {
            open_group(t, n + 1, &a, moved[a.base]);
            return;
        }
    }
}

struct hmem tr_memory(struct tr *t, const struct access *a)
{
    struct hmem m;
    if (a->base == BASE_COMPLEX) {
        group_drop_reg(t, SCRATCH_C);
        m = window_check_complex(t, a);
    } else {
        struct group *g = find(t, a);
        if (!g) {
            g = open_group(t, t->n, a, 0);
            open_early(t);
        }
        t->last_group = (unsigned)(g - t->group);
        m = mem_at(g->reg, a->lo);
        if (g->baked)
            m.disp += g->moved;
        else
            m.index = host_reg(a->base);
    }
    if (a->align) { /* an address's low bits are the same on both sides */
        flags_clobber(t);
        enum hreg r = a->base == BASE_COMPLEX ? SCRATCH_C : SCRATCH_B;
        emit_lea(&t->e, OP64, r, m);
        if (a->base == BASE_COMPLEX)
            m = mem_at(r, 0);
        emit_op_rr(&t->e, OP8, 0xf6, 0, r); /* test r8, align-1 */
        emit_u8(&t->e, (uint8_t)(a->align - 1));
        cold_rest(t, emit_jcc(&t->e, HC_NE, 0));
    }
    return m;
}

enum hreg tr_scratch(struct tr *t, const struct hmem *m, unsigned used)
{
    static const uint8_t order[] = {SCRATCH_B, SCRATCH_C, SCRATCH_A};
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
            const uint8_t r = order[i];
            bool live = false;
            for (unsigned g = 0; g < GROUPS; g++)
                live |= t->group[g].live && t->group[g].reg == r;
            if ((used >> r & 1) || (m && (m->base == r || m->index == r)) || (live && !pass))
                continue;
            group_drop_reg(t, r);
            return r;
        }
    assert(false);
    return H_NONE;
}
