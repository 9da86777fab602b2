/*
 * code.c: items become code bytes.
 */
#include "seq.h"

static const uint8_t end_code[] = {0xcd, VEC_END, 0xeb, 0xfc}; /* INT, and a jump back to it */

static uint32_t field(const struct seq *s, const struct code *c, unsigned n)
{
    const struct item *i = &s->item[n];
    const uint32_t end = LOW(CODE_AT) + c->at[n] + i->len, target = LOW(CODE_AT) + c->at[i->target];
    switch (i->fix) {
    case FIX_REL: return target - end;
    case FIX_ABS: return target + i->add;
    default: return i->add - end; /* FIX_RIP */
    }
}

bool seq_lay_out(const struct seq *s, struct code *c)
{
    unsigned at = s->start;
    for (unsigned n = 0; n < s->n; n++) {
        c->at[n] = (uint16_t)at;
        at += s->item[n].len;
    }
    c->at[s->n] = (uint16_t)at;
    if (at + sizeof(end_code) > sizeof(c->bytes))
        return false;
    memset(c->bytes, 0xcc, sizeof(c->bytes));
    memset(c->lengths, 0, sizeof(c->lengths));
    for (unsigned n = 0; n < s->n; n++) {
        const struct item *i = &s->item[n];
        if (!i->len)
            continue;
        memcpy(c->bytes + c->at[n], i->bytes, i->len);
        if (i->fix)
            store_le(c->bytes + c->at[n] + i->at, field(s, c, n), 4);
        c->lengths[c->at[n]] = i->len;
    }
    memcpy(c->bytes + at, end_code, sizeof(end_code));
    return true;
}
