/*
 * shrink.c: runs of items are left out, longest first; what jumps to an item that is gone goes to the next
 * one.
 */
#include "shrink.h"

static bool leave_out(struct seq *s, unsigned from, unsigned count)
{
    bool any = false;
    for (unsigned i = from; i < MIN(from + count, s->n); i++) {
        any |= s->item[i].len;
        s->item[i].len = 0;
        for (unsigned k = 0; s->item[i].group && k < s->n; k++)
            if (s->item[k].group == s->item[i].group)
                s->item[k].len = 0;
    }
    return any;
}

static bool try_items(struct seq *s, bool (*fails)(void *opaque, const struct seq *s), void *opaque)
{
    bool smaller = false;
    for (unsigned count = s->n; count > 0; count /= 2)
        for (unsigned from = 0; from < s->n; from += count) {
            struct seq t = *s;
            if (leave_out(&t, from, count) && fails(opaque, &t)) {
                *s = t;
                smaller = true;
            }
        }
    return smaller;
}

static void try_start(struct seq *s, bool (*fails)(void *opaque, const struct seq *s), void *opaque)
{
    struct seq t = *s;
    t.rflags &= ~(uint64_t)(FL_CC | FL_DF);
    if (fails(opaque, &t))
        *s = t;
    t = *s;
    t.mxcsr = 0x1f80;
    t.fcw = 0x37f;
    if (fails(opaque, &t))
        *s = t;
    for (unsigned i = 0; i < X86_NGPR; i++) {
        t = *s;
        t.gpr[i] = 0;
        if (i != RSP && s->gpr[i] && fails(opaque, &t))
            *s = t;
    }
}

void seq_shrink(struct seq *s, bool (*fails)(void *opaque, const struct seq *s), void *opaque)
{
    while (try_items(s, fails, opaque))
        continue;
    try_start(s, fails, opaque);
}
