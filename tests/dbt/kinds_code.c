/*
 * kinds_code.c: sequences that change their own code, and those that jump about in it.
 */
#include "maker.h"

/* ---- code that changes ---- */

/* An instruction with a 32-bit immediate in its last bytes. */
unsigned add_victim(struct maker *m)
{
    static const uint8_t ops[][2] = {{0x81, 0xc0}, {0x81, 0xf0}, {0x81, 0xe8}, {0xc7, 0xc0}};
    const unsigned how = rng_below(&m->r, 4), reg = maker_coin(m) ? RAX : maker_coin(m) ? RCX : RDX;
    uint8_t b[6] = {ops[how][0], (uint8_t)(ops[how][1] | reg)};
    store_le(b + 2, rng64(&m->r), 4);
    return add_bytes(m, b, sizeof(b));
}

/* A store into the victim's immediate; `through`: added to the address. */
void add_store_into(struct maker *m, unsigned victim, uint32_t through)
{
    const uint32_t add = 2 + rng_below(&m->r, 3) + through;
    switch (rng_below(&m->r, 7)) {
    case 0: add_fixed(m, "\x89\x04\x25", 3, FIX_ABS, victim, through + 2); break;     /* mov [], eax */
    case 1: add_fixed(m, "\x88\x0c\x25", 3, FIX_ABS, victim, add); break;             /* mov [], cl */
    case 2: add_fixed(m, "\xf0\xff\x04\x25", 4, FIX_ABS, victim, through + 2); break; /* lock inc */
    case 3: add_fixed(m, "\x30\x14\x25", 3, FIX_ABS, victim, add); break;             /* xor [], dl */
    case 4:                                                                           /* by a register */
        add_fixed(m, "\xb9", 1, FIX_ABS, victim, through + 2);
        ADD(m, 0x89, 0x11); /* mov [rcx], edx */
        break;
    case 5: /* push over instruction and neighbour is too wide: xchg */
        add_fixed(m, "\x87\x14\x25", 3, FIX_ABS, victim, through + 2);
        break;
    default: /* by a string instruction, two bytes */
        ADD(m, 0x57);
        add_fixed(m, "\xbf", 1, FIX_ABS, victim, through + 3);
        ADD(m, 0xfc);
        ADD(m, 0x66, 0xab);
        ADD(m, 0x5f);
        break;
    }
}

/* At the count `when` only: what is in between. Returns the jump to be patched. */
unsigned add_only_at(struct maker *m, uint32_t counter, unsigned when)
{
    uint8_t b[8] = {0x83, 0x3c, 0x25};
    store_le(b + 3, counter, 4);
    b[7] = (uint8_t)when;
    add_bytes(m, b, sizeof(b));
    return add_jcc(m, 5, 0);
}

static void modifying(struct maker *m, bool alias)
{
    maker_begin(m, maker_coin(m));
    m->npointers = 3;
    m->no_repeat = true; /* over itself it depends on when it is kicked */
    if (rng_chance(&m->r, 30))
        m->s->start = (uint16_t)(PAGE_SIZE - rng_below(&m->r, 160));
    const unsigned times = 3 + rng_below(&m->r, 6);
    const uint32_t k = add_counter(m, times), to_alias = (ALIAS_AT - CODE_AT) * PAGE_SIZE;
    unsigned victims[4], nvictims = 0, stores = 0, at[4];
    const unsigned top = m->s->n;
    if (maker_coin(m)) {
        ADD(m, 0x0f, 0x90 | rng_below(&m->r, 16), 0xc2); /* setcc dl */
        victims[nvictims++] = add_victim(m);
    }
    for (unsigned n = 3 + rng_below(&m->r, 5); n > 0; n--) {
        switch (rng_below(&m->r, 6)) {
        case 0:
        case 1:
            if (nvictims < ARRAY_LEN(victims))
                victims[nvictims++] = add_victim(m);
            break;
        case 2: /* another block, chained */ add_jmp(m, m->s->n + 1); break;
        case 3:
            if (alias)
                add_skip(m, maker_coin(m) ? to_alias : 0);
            break;
        case 4:
            if (stores < ARRAY_LEN(at))
                at[stores++] = m->s->n;
            {
                const unsigned skip =
                    maker_coin(m) ? add_only_at(m, k, 1 + rng_below(&m->r, times)) : MAX_ITEMS;
                add_store_into(m, 0, alias && maker_coin(m) ? to_alias : 0);
                if (skip < MAX_ITEMS)
                    patch_target(m, skip, m->s->n);
            }
            break;
        default: add_some(m, 1, 4); break;
        }
    }
    if (!nvictims)
        victims[nvictims++] = add_victim(m);
    const bool end_alias = alias && maker_coin(m);
    if (end_alias)
        add_skip(m, to_alias);
    add_loop(m, k, top);
    for (unsigned i = top; i < m->s->n; i++) {
        struct item *x = &m->s->item[i];
        if (x->fix == FIX_ABS && x->target == 0)
            x->target = (uint16_t)victims[rng_below(&m->r, nvictims)];
    }
}
void make_modify(struct maker *m)
{
    modifying(m, false);
}
void make_alias(struct maker *m)
{
    modifying(m, true);
    maker_repoint(m, maker_good_place, 10);
    if (maker_coin(m))
        m->s->gpr[m->pointer[0]] = data_va(12) + 1024; /* page 0 again */
}

/* ---- control flow ---- */

static void add_function(struct maker *m, uint32_t fuel)
{
    uint8_t b[7] = {0xff, 0x0c, 0x25};
    store_le(b + 3, fuel, 4);
    add_bytes(m, b, sizeof(b));
    add_jcc(m, 8, AT_END); /* out of fuel */
    add_some(m, 0, 4);
    if (rng_chance(&m->r, 30)) {
        add_jcc(m, rng_below(&m->r, 16), m->s->n + 2);
        add_random(m);
    }
    if (rng_chance(&m->r, 15))
        ADD(m, 0xc2, 8 * (uint8_t)rng_below(&m->r, 3), 0); /* ret n */
    else
        ADD(m, 0xc3);
}

void make_flow(struct maker *m)
{
    unsigned calls[12], ncalls = 0;
    maker_begin(m, maker_coin(m));
    m->weight[POOL_INTEGER] = 90;
    m->weight[POOL_VECTOR] = 10;
    m->spoil = 1;
    m->s->start = (uint16_t)(maker_coin(m) ? PAGE_SIZE - rng_below(&m->r, 250) : rng_below(&m->r, 2048));
    const uint32_t fuel = add_counter(m, 60), outer = add_counter(m, 2 + rng_below(&m->r, 4));
    const unsigned top = m->s->n;
    for (unsigned n = 3 + rng_below(&m->r, 6); n > 0; n--) {
        uint32_t inner;
        unsigned back;
        switch (rng_below(&m->r, 7)) {
        case 0: add_jcc_skip(m); break;
        case 1: add_skip(m, 0); break;
        case 2:
        case 3:
            if (ncalls < ARRAY_LEN(calls))
                calls[ncalls++] = add_call(m, 0);
            break;
        case 4:
            inner = add_counter(m, 2 + rng_below(&m->r, 4));
            back = m->s->n;
            add_some(m, 1, 3);
            add_loop(m, inner, back);
            break;
        case 5: /* a loop by RCX that leaves the flags alone */
            add_mov32(m, RCX, 1 + rng_below(&m->r, 4));
            back = m->s->n;
            m->pointer[m->npointers++] = RCX;
            m->spoil = 0;
            add_random_of(m, POOL_FLAGS);
            m->npointers--;
            m->spoil = 1;
            ADD(m, 0x8d, 0x49, 0xff); /* lea ecx, [rcx - 1] */
            ADD(m, 0xe3, 5);          /* jrcxz over the jump */
            add_jmp(m, back);
            break;
        default: break;
        }
        add_some(m, 0, 4);
    }
    add_loop(m, outer, top);
    add_jmp(m, AT_END);
    for (unsigned f = 0; f < 3; f++) {
        const unsigned at = m->s->n;
        add_function(m, fuel);
        for (unsigned i = 0; i < ncalls; i++)
            if (i % 3 == f)
                patch_target(m, calls[i], at);
    }
}
