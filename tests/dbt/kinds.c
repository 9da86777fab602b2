/*
 * kinds.c: the kinds of sequences. Each aims at one thing that a translator can get wrong; the instructions
 * around it are random.
 */
#include "maker.h"

#include "insn/values.h"

/* ---- the kinds ---- */

static void make_straight(struct maker *m)
{
    maker_begin(m, maker_coin(m));
    const bool loop = rng_chance(&m->r, 30);
    const uint32_t k = loop ? add_counter(m, 3 + rng_below(&m->r, 3)) : 0;
    const unsigned top = m->s->n;
    add_some(m, 3, 24);
    if (loop)
        add_loop(m, k, top);
}

static void make_faults(struct maker *m)
{
    maker_begin(m, maker_coin(m));
    maker_repoint(m, maker_bad_place, 40);
    m->spoil = 20;
    for (unsigned n = 4 + rng_below(&m->r, 14); n > 0; n--) {
        switch (rng_below(&m->r, 12)) {
        case 0: ADD(m, 0x0f, 0x0b); break;                              /* ud2 */
        case 1: ADD(m, 0xcc); break;                                    /* int3 */
        case 2: ADD(m, 0xcd, (uint8_t)rng64(&m->r) | 0xc0); break;      /* int n: no gate */
        case 3: ADD(m, 0x48, 0xf7, 0xf0 | rng_below(&m->r, 16)); break; /* div, idiv */
        case 4: ADD(m, 0xf7, 0xf0 | rng_below(&m->r, 16)); break;
        case 5:
            if (m->s->user)
                add_random_of(m, POOL_PRIVILEGED);
            break;
        case 6: ADD(m, 0x50 | rng_below(&m->r, 16)); break; /* push, pop */
        case 7: add_random_of(m, POOL_MEMORY); break;
        default: add_random(m); break;
        }
    }
}

/* Pointers move on by a constant, towards the border of a page and over it. */
static void add_steps(struct maker *m)
{
    for (unsigned i = 0; i < m->npointers; i++) {
        const unsigned p = m->pointer[i];
        const uint8_t step = (uint8_t)(maker_coin(m) ? 8 : rng_below(&m->r, 32));
        if (maker_coin(m))
            ADD(m, 0x48 | p >> 3, 0x83, 0xc0 | (p & 7), step); /* add p, step */
        else if ((p & 7) != RSP)
            ADD(m, 0x48 | (p >> 3) * 5, 0x8d, 0x40 | (p & 7) << 3 | (p & 7), step); /* lea p, [p + step] */
    }
}

static uint64_t before_border(struct maker *m)
{
    return maker_border_place(m) - rng_below(&m->r, 320);
}

/* Accesses with few bases, around the borders of pages. */
static void make_pages(struct maker *m)
{
    maker_begin(m, maker_coin(m));
    const bool steps = rng_chance(&m->r, 60);
    m->npointers = 1 + rng_below(&m->r, 3);
    maker_repoint(m, steps ? before_border : maker_border_place, 85);
    if (rng_chance(&m->r, 30))
        m->s->gpr[RSP] = maker_coin(m) ? LOW(STACK_AT) + rng_below(&m->r, 64) : maker_border_place(m);
    m->spoil = steps ? 2 : 8;
    const uint32_t k = steps ? add_counter(m, 3 + rng_below(&m->r, 30)) : 0;
    const unsigned top = m->s->n;
    for (unsigned n = steps ? 1 + rng_below(&m->r, 7) : 4 + rng_below(&m->r, 20); n > 0; n--) {
        const unsigned p = m->pointer[rng_below(&m->r, m->npointers)];
        switch (rng_below(&m->r, 10)) {
        case 0: ADD(m, 0x48 | p >> 3, 0x83, 0xc0 | (p & 7), (uint8_t)rng64(&m->r)); break; /* add p, imm8 */
        case 1: ADD(m, 0x48 | p >> 3, 0xff, 0xc0 | (p & 7) | (unsigned)rng_below(&m->r, 2) << 3); break;
        case 2: ADD(m, 0x50 | rng_below(&m->r, 16)); break;
        case 3: add_random(m); break;
        case 4: add_jcc_skip(m); break;
        default: add_random_of(m, POOL_MEMORY); break;
        }
    }
    if (steps) {
        add_steps(m);
        add_loop(m, k, top);
    }
}

/* Code that lies across the border of its two pages. */
static void make_across(struct maker *m)
{
    maker_begin(m, maker_coin(m));
    m->s->start = (uint16_t)(PAGE_SIZE - rng_below(&m->r, 90));
    const uint32_t k = add_counter(m, 2 + rng_below(&m->r, 4));
    const unsigned top = m->s->n;
    add_some(m, 2, 8);
    const unsigned skip = add_jcc(m, rng_below(&m->r, 16), 0);
    add_some(m, 1, 6);
    patch_target(m, skip, m->s->n);
    add_some(m, 1, 8);
    add_loop(m, k, top);
    if (rng_chance(&m->r, 25)) { /* the second page is not there */
        m->s->pte[m->s->npte++] = (struct pte_change){CODE_AT + 1, 0};
    }
}

static uint64_t device_place(struct maker *m)
{
    return data_va(rng_chance(&m->r, 85) ? 9 : 10) + rng_below(&m->r, 500) * 8;
}

static void make_device(struct maker *m)
{
    maker_begin(m, maker_coin(m));
    maker_repoint(m, device_place, 45);
    if (rng_chance(&m->r, 60)) {
        m->s->apic = m->s->irqs_vary = true;
        m->s->rflags |= FL_IF;
    }
    const bool loop = rng_chance(&m->r, 50);
    const uint32_t k = loop ? add_counter(m, 3 + rng_below(&m->r, 3)) : 0;
    const unsigned top = m->s->n;
    for (unsigned n = 4 + rng_below(&m->r, 14); n > 0; n--) {
        if (maker_coin(m))
            add_random_of(m, POOL_MEMORY);
        else
            add_random(m);
    }
    if (loop)
        add_loop(m, k, top);
}

/* ---- unmasked exceptions ---- */

static void make_unmasked(struct maker *m)
{
    struct rng *r = &m->r;
    maker_begin(m, maker_coin(m));
    m->s->mxcsr = (uint32_t)(rng64(r) & 0xffc0);
    m->s->fcw = (uint16_t)(0x340 | (rng64(r) & 0xc3f));
    m->s->clear_mf = maker_coin(m);
    m->weight[POOL_INTEGER] = 20;
    m->weight[POOL_VECTOR] = 50;
    m->weight[POOL_X87] = 30;
    const bool loop = maker_coin(m);
    const uint32_t k = loop ? add_counter(m, 3) : 0;
    const unsigned top = m->s->n;
    add_some(m, 3, 12);
    if (maker_coin(m))
        add_mxcsr(m, rng64(r) & 0xffbf);
    add_some(m, 1, 8);
    if (loop)
        add_loop(m, k, top);
}

/* ---- flags over everything that can leave translated code ---- */

static void add_reader(struct maker *m)
{
    struct rng *r = &m->r;
    const unsigned cc = rng_below(r, 16), reg = maker_coin(m) ? RAX : RDX;
    switch (rng_below(r, 8)) {
    case 0: ADD(m, 0x0f, 0x90 | cc, 0xc0 | rng_below(r, 8)); break;      /* setcc, AH and its like too */
    case 1: ADD(m, 0x48, 0x0f, 0x40 | cc, 0xc0 | reg << 3 | RCX); break; /* cmovcc */
    case 2: ADD(m, 0x11, 0xc0 | reg); break;                             /* adc */
    case 3: ADD(m, 0x48, 0x19, 0xc0 | reg); break;                       /* sbb */
    case 4: ADD(m, 0x9c); break;                                         /* pushf */
    case 5: ADD(m, 0x9f); break;                                         /* lahf */
    case 6: ADD(m, 0xd1, 0xd0 | reg); break;                             /* rcl */
    default: add_jcc(m, cc, m->s->n + 2); break;
    }
}

static void make_flags(struct maker *m)
{
    struct rng *r = &m->r;
    maker_begin(m, maker_coin(m));
    m->s->gpr[m->pointer[2]] = device_place(m);
    m->s->gpr[m->pointer[3]] = maker_coin(m) ? maker_bad_place(m) : maker_border_place(m);
    m->spoil = 1;
    const uint32_t k = add_counter(m, 2 + rng_below(r, 3));
    const unsigned top = m->s->n;
    for (unsigned n = 3 + rng_below(r, 6); n > 0; n--) {
        add_random_of(m, POOL_FLAGS);
        switch (rng_below(r, 9)) {
        case 0:
        case 1: add_random_of(m, POOL_MEMORY); break;
        case 2: add_random_of(m, POOL_X87); break; /* the interpreter's */
        case 3: add_skip(m, 0); break;
        case 4: ADD(m, 0x50 | rng_below(r, 16)); break;
        case 5: add_jmp(m, m->s->n + 1); break;
        case 6: ADD(m, 0x0f, 0x0b); break;
        case 7: ADD(m, 0xfc); break; /* cld */
        default: break;
        }
        add_reader(m);
        if (maker_coin(m))
            add_reader(m);
    }
    ADD(m, 0x90);
    ADD(m, 0x90);
    add_loop(m, k, top);
}

const struct kind kinds[] = {
    {"straight", make_straight, 18}, {"faults", make_faults, 10},
    {"pages", make_pages, 14},       {"across", make_across, 5},
    {"device", make_device, 8},      {"modify", make_modify, 9},
    {"alias", make_alias, 5},        {"flow", make_flow, 8},
    {"paging", make_paging, 6},      {"irq", make_irq, 5},
    {"unmasked", make_unmasked, 4},  {"flags", make_flags, 5},
    {"modes", make_modes, 3},        {"bounds", make_bounds, 0},
    {"foreign", make_foreign, 0},
};
const unsigned kind_count = ARRAY_LEN(kinds);

void make_seq(const struct pools *p, uint64_t number, int kind, struct seq *s)
{
    struct maker m = {.pools = p, .s = s};
    rng_init(&m.r, p->seed, number);
    unsigned at = rng_below(&m.r, 100), k = 0;
    while (at >= kinds[k].share)
        at -= kinds[k++].share;
    if (kind >= 0)
        k = (unsigned)kind;
    *s = (struct seq){.number = number, .kind = k};
    kinds[k].make(&m);
    for (unsigned i = 0; i < s->n; i++)
        if (s->item[i].fix != FIX_NONE && s->item[i].target > s->n)
            s->item[i].target = (uint16_t)s->n;
}
