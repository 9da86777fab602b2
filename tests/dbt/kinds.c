/*
 * kinds.c: the kinds of sequences. Each aims at one thing that a translator can get wrong; the instructions
 * around it are random.
 */
#include "maker.h"

#include "../insn/values.h"

/* ---- where pointers lead ---- */

static uint64_t page_va(unsigned n)
{
    return (uint64_t)LOW(DATA_AT) + n * PAGE_SIZE;
}

/* Pages 0, 1, 2 can be read and written. */
static uint64_t good_place(struct maker *m)
{
    uint64_t at = page_va(0) + 512 + rng_below(&m->r, 3 * PAGE_SIZE - 1536);
    return rng_chance(&m->r, 75) ? at & ~63ull : at;
}
/* Near the border of two pages, of whatever kind they are. */
static uint64_t border_place(struct maker *m)
{
    return page_va(rng_below(&m->r, DATA_PAGES + 1)) + rng_below(&m->r, 96) - 64;
}
static uint64_t bad_place(struct maker *m)
{
    switch (rng_below(&m->r, 6)) {
    case 0: return 0x0000800000000000ull + (rng64(&m->r) >> 17); /* non-canonical */
    case 1: return 0x00007fffffffffe0ull + rng_below(&m->r, 64);
    case 2: return ~0ull - rng_below(&m->r, 64); /* wraps around */
    case 3: return SYS(rng_below(&m->r, 5)) + rng_below(&m->r, 64) * 16 + 2048;
    default: return page_va(rng_below(&m->r, DATA_PAGES)) + (rng64(&m->r) & 0xff0);
    }
}

static void point(struct maker *m, unsigned reg, uint64_t at)
{
    m->s->gpr[reg] = at;
    m->pointer[m->npointers++] = (uint8_t)reg;
}

/* Registers and flags at random, RSP on the stack, four pointers to good places. */
static void begin(struct maker *m, bool user)
{
    static const uint8_t candidates[] = {RBX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15};
    struct seq *s = m->s;
    struct rng *r = &m->r;
    s->user = user;
    for (unsigned i = 0; i < X86_NGPR; i++)
        s->gpr[i] = rng_chance(r, 40) ? rng_below(r, 64) : value_gpr(r);
    s->gpr[RSP] = LOW(STACK_AT) + PAGE_SIZE + (rng64(r) & 0x3f8);
    for (unsigned i = 0; i < 4; i++)
        point(m, candidates[3 * i + rng_below(r, 3)], good_place(m));
    s->rflags = value_flags(r) & (FL_CC | FL_DF);
    s->rflags &= rng_chance(r, 80) ? ~(uint64_t)FL_DF : ~0ull;
    s->fs_base = page_va(0) + rng_below(r, PAGE_SIZE) - s->gpr[m->pointer[0]];
    s->gs_base = rng_chance(r, 50) ? 0 : s->fs_base;
    s->start = (uint16_t)rng_below(r, 2048);
    s->fcw = 0x37f;
    s->mxcsr = 0x1f80 | (rng64(r) & 0xe03f);
    s->vector_seed = rng64(r);
    m->spoil = 4;
    m->weight[POOL_INTEGER] = 60;
    m->weight[POOL_VECTOR] = 33;
    m->weight[POOL_X87] = 7;
}
static bool coin(struct maker *m)
{
    return rng_chance(&m->r, 50);
}
static void repoint(struct maker *m, uint64_t (*place)(struct maker *m), unsigned percent)
{
    for (unsigned i = 0; i < m->npointers; i++)
        if (rng_chance(&m->r, percent))
            m->s->gpr[m->pointer[i]] = place(m);
}

/* Jumps forward over a few instructions. */
static void add_skip(struct maker *m, uint32_t add)
{
    const unsigned from = m->s->n;
    add_indirect(m, AT_END, add);
    add_some(m, 0, 2);
    for (unsigned i = from; i < m->s->n; i++)
        if (m->s->item[i].fix == FIX_ABS)
            patch_target(m, i, m->s->n);
}
static void add_jcc_skip(struct maker *m)
{
    const unsigned jump = add_jcc(m, rng_below(&m->r, 16), 0);
    add_some(m, 0, 3);
    patch_target(m, jump, m->s->n);
}

/* ---- the kinds ---- */

static void make_straight(struct maker *m)
{
    begin(m, coin(m));
    const bool loop = rng_chance(&m->r, 30);
    const uint32_t k = loop ? add_counter(m, 3 + rng_below(&m->r, 3)) : 0;
    const unsigned top = m->s->n;
    add_some(m, 3, 24);
    if (loop)
        add_loop(m, k, top);
}

static void make_faults(struct maker *m)
{
    begin(m, coin(m));
    repoint(m, bad_place, 40);
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

/* Accesses with few bases, around the borders of pages. */
static void make_pages(struct maker *m)
{
    begin(m, coin(m));
    m->npointers = 1 + rng_below(&m->r, 3);
    repoint(m, border_place, 85);
    if (rng_chance(&m->r, 30))
        m->s->gpr[RSP] = rng_chance(&m->r, 50) ? LOW(STACK_AT) + rng_below(&m->r, 64) : border_place(m);
    m->spoil = 8;
    for (unsigned n = 4 + rng_below(&m->r, 20); n > 0; n--) {
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
}

/* Code that lies across the border of its two pages. */
static void make_across(struct maker *m)
{
    begin(m, coin(m));
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
    return page_va(rng_chance(&m->r, 85) ? 9 : 10) + rng_below(&m->r, 500) * 8;
}

static void make_device(struct maker *m)
{
    begin(m, coin(m));
    repoint(m, device_place, 45);
    if (rng_chance(&m->r, 60)) {
        m->s->apic = m->s->irqs_vary = true;
        m->s->rflags |= FL_IF;
    }
    const bool loop = rng_chance(&m->r, 50);
    const uint32_t k = loop ? add_counter(m, 3 + rng_below(&m->r, 3)) : 0;
    const unsigned top = m->s->n;
    for (unsigned n = 4 + rng_below(&m->r, 14); n > 0; n--) {
        if (coin(m))
            add_random_of(m, POOL_MEMORY);
        else
            add_random(m);
    }
    if (loop)
        add_loop(m, k, top);
}

/* ---- code that changes ---- */

/* An instruction with a 32-bit immediate in its last bytes. */
static unsigned add_victim(struct maker *m)
{
    static const uint8_t ops[][2] = {{0x81, 0xc0}, {0x81, 0xf0}, {0x81, 0xe8}, {0xc7, 0xc0}};
    const unsigned how = rng_below(&m->r, 4), reg = coin(m) ? RAX : coin(m) ? RCX : RDX;
    uint8_t b[6] = {ops[how][0], (uint8_t)(ops[how][1] | reg)};
    store_le(b + 2, rng64(&m->r), 4);
    return add_bytes(m, b, sizeof(b));
}

/* A store into the victim's immediate; `through`: added to the address. */
static void add_store_into(struct maker *m, unsigned victim, uint32_t through)
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
static unsigned add_only_at(struct maker *m, uint32_t counter, unsigned when)
{
    uint8_t b[8] = {0x83, 0x3c, 0x25};
    store_le(b + 3, counter, 4);
    b[7] = (uint8_t)when;
    add_bytes(m, b, sizeof(b));
    return add_jcc(m, 5, 0);
}

static void modifying(struct maker *m, bool alias)
{
    begin(m, coin(m));
    m->npointers = 3;
    if (rng_chance(&m->r, 30))
        m->s->start = (uint16_t)(PAGE_SIZE - rng_below(&m->r, 160));
    const unsigned times = 3 + rng_below(&m->r, 6);
    const uint32_t k = add_counter(m, times), to_alias = (ALIAS_AT - CODE_AT) * PAGE_SIZE;
    unsigned victims[4], nvictims = 0, stores = 0, at[4];
    const unsigned top = m->s->n;
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
                add_skip(m, coin(m) ? to_alias : 0);
            break;
        case 4:
            if (stores < ARRAY_LEN(at))
                at[stores++] = m->s->n;
            {
                const unsigned skip = coin(m) ? add_only_at(m, k, 1 + rng_below(&m->r, times)) : MAX_ITEMS;
                add_store_into(m, 0, alias && coin(m) ? to_alias : 0);
                if (skip < MAX_ITEMS)
                    patch_target(m, skip, m->s->n);
            }
            break;
        default: add_some(m, 1, 4); break;
        }
    }
    if (!nvictims)
        victims[nvictims++] = add_victim(m);
    const bool end_alias = alias && coin(m);
    if (end_alias)
        add_skip(m, to_alias);
    add_loop(m, k, top);
    for (unsigned i = top; i < m->s->n; i++) {
        struct item *x = &m->s->item[i];
        if (x->fix == FIX_ABS && x->target == 0)
            x->target = (uint16_t)victims[rng_below(&m->r, nvictims)];
    }
}
static void make_modify(struct maker *m)
{
    modifying(m, false);
}
static void make_alias(struct maker *m)
{
    modifying(m, true);
    repoint(m, good_place, 10);
    if (coin(m))
        m->s->gpr[m->pointer[0]] = page_va(12) + 1024; /* page 0 again */
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

static void make_flow(struct maker *m)
{
    unsigned calls[12], ncalls = 0;
    begin(m, coin(m));
    m->weight[POOL_INTEGER] = 90;
    m->weight[POOL_VECTOR] = 10;
    m->spoil = 1;
    m->s->start = (uint16_t)(coin(m) ? PAGE_SIZE - rng_below(&m->r, 250) : rng_below(&m->r, 2048));
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

/* ---- page tables ---- */

/* global: the page may be, so that loading CR3 is not enough. */
static void add_pte(struct maker *m, unsigned page, uint64_t value, bool global)
{
    const unsigned from = m->s->n;
    add_mov64(m, RAX, SYS(SYS_PT) + 8 * page);
    uint8_t b[7] = {0x48, 0xc7, 0x00};
    store_le(b + 3, value, 4);
    add_bytes(m, b, sizeof(b));
    uint8_t invlpg[8] = {0x0f, 0x01, 0x3c, 0x25};
    store_le(invlpg + 4, LOW(page), 4);
    switch (global ? 1 + rng_below(&m->r, 3) : rng_below(&m->r, 4)) {
    case 0:
        ADD(m, 0x0f, 0x20, 0xd8); /* mov rax, cr3 */
        ADD(m, 0x0f, 0x22, 0xd8);
        break;
    case 1:
        ADD(m, 0x0f, 0x20, 0xe0); /* mov rax, cr4; CR4.PGE off and on */
        ADD(m, 0x48, 0x34, 0x80); /* xor al, 80 */
        ADD(m, 0x0f, 0x22, 0xe0);
        ADD(m, 0x48, 0x34, 0x80);
        ADD(m, 0x0f, 0x22, 0xe0);
        break;
    default: add_bytes(m, invlpg, sizeof(invlpg)); break;
    }
    add_mov32(m, RAX, 8); /* accessed bits are not read by what follows: see machine.c */
    m->groups++;
    for (unsigned i = from; i < m->s->n; i++)
        m->s->item[i].group = m->groups;
}

static void make_paging(struct maker *m)
{
    static const uint8_t frames[] = {20, 21, 22, 23, 24, 25, 27, 28, 29, 30, 31};
    struct rng *r = &m->r;
    const bool global = rng_chance(r, 40);
    begin(m, false);
    m->s->flush = true;
    repoint(m, border_place, 20);
    const uint32_t k = add_counter(m, 3 + rng_below(r, 4));
    const unsigned top = m->s->n;
    if (coin(m))
        m->s->start = (uint16_t)(PAGE_SIZE - rng_below(r, 120));
    for (unsigned n = 2 + rng_below(r, 4); n > 0; n--) {
        add_some(m, 1, 5);
        const uint64_t flags = (rng_chance(r, 85) ? PTE_P : 0) | (rng_chance(r, 80) ? PTE_W : 0) |
                               (rng_chance(r, 70) ? PTE_U : 0) | (coin(m) ? PTE_A : 0) |
                               (rng_chance(r, 30) ? PTE_D | PTE_A : 0) | (global && coin(m) ? PTE_G : 0);
        const unsigned skip = coin(m) ? add_only_at(m, k, 1 + rng_below(r, 4)) : MAX_ITEMS;
        if (rng_chance(r, 30)) /* the second page of code lies elsewhere now, with the same in it at first */
            add_pte(m, CODE_AT + 1,
                    (uint64_t)(coin(m) ? PG_SPARE : PG_CODE2) * PAGE_SIZE | PTE_P | PTE_W | PTE_U, global);
        else
            add_pte(m, DATA_AT + rng_below(r, 4),
                    (uint64_t)frames[rng_below(r, sizeof(frames))] * PAGE_SIZE | flags, global);
        if (skip < MAX_ITEMS)
            patch_target(m, skip, m->s->n);
        if (rng_chance(r, 30)) {
            const unsigned victim = add_victim(m);
            add_store_into(m, victim, coin(m) ? (ALIAS_AT - CODE_AT) * PAGE_SIZE : 0);
        }
    }
    add_loop(m, k, top);
}

/* ---- interrupts ---- */

static void make_irq(struct maker *m)
{
    begin(m, false);
    m->s->apic = true;
    m->s->rflags |= coin(m) ? FL_IF : 0;
    m->s->boundaries = rng64(&m->r) & rng64(&m->r) & rng64(&m->r);
    m->spoil = 1;
    const bool loop = coin(m);
    const uint32_t k = loop ? add_counter(m, 3 + rng_below(&m->r, 3)) : 0;
    const unsigned top = m->s->n;
    for (unsigned n = 3 + rng_below(&m->r, 8); n > 0; n--) {
        switch (rng_below(&m->r, 7)) {
        case 0:
        case 1: /* to ourselves */
            add_mov32(m, RCX, 0x83f);
            add_mov32(m, RAX, VEC_IRQ);
            ADD(m, 0x31, 0xd2);
            ADD(m, 0x0f, 0x30);
            break;
        case 2: ADD(m, 0xfb); break; /* sti */
        case 3: ADD(m, 0xfa); break; /* cli */
        case 4:                      /* pushfq; set or clear IF; popfq */
            ADD(m, 0x9c);
            if (coin(m))
                ADD(m, 0x81, 0x0c, 0x24, 0, 2, 0, 0);
            else
                ADD(m, 0x81, 0x24, 0x24, 0xff, 0xfd, 0xff, 0xff);
            ADD(m, 0x9d);
            break;
        case 5: /* mov ss, eax: a shadow */
            add_mov32(m, RAX, SEL_KDATA);
            ADD(m, 0x8e, 0xd0);
            break;
        default: add_some(m, 1, 3); break;
        }
        if (coin(m))
            add_random(m);
    }
    if (loop)
        add_loop(m, k, top);
}

/* ---- unmasked exceptions ---- */

static void add_mxcsr(struct maker *m, uint32_t value)
{
    uint8_t store[11] = {0xc7, 0x04, 0x25}, load[8] = {0x0f, 0xae, 0x14, 0x25};
    const uint32_t at = (uint32_t)LOW(SCRATCH_AT) + 0xff0;
    store_le(store + 3, at, 4);
    store_le(store + 7, value, 4);
    store_le(load + 4, at, 4);
    add_bytes(m, store, sizeof(store));
    add_bytes(m, load, sizeof(load));
}

static void make_unmasked(struct maker *m)
{
    struct rng *r = &m->r;
    begin(m, coin(m));
    m->s->mxcsr = (uint32_t)(rng64(r) & 0xffc0);
    m->s->fcw = (uint16_t)(0x340 | (rng64(r) & 0xc3f));
    m->s->clear_mf = coin(m);
    m->weight[POOL_INTEGER] = 20;
    m->weight[POOL_VECTOR] = 50;
    m->weight[POOL_X87] = 30;
    const bool loop = coin(m);
    const uint32_t k = loop ? add_counter(m, 3) : 0;
    const unsigned top = m->s->n;
    add_some(m, 3, 12);
    if (coin(m))
        add_mxcsr(m, rng64(r) & 0xffbf);
    add_some(m, 1, 8);
    if (loop)
        add_loop(m, k, top);
}

/* ---- flags over everything that can leave translated code ---- */

static void add_reader(struct maker *m)
{
    struct rng *r = &m->r;
    const unsigned cc = rng_below(r, 16), reg = coin(m) ? RAX : RDX;
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
    begin(m, coin(m));
    m->s->gpr[m->pointer[2]] = device_place(m);
    m->s->gpr[m->pointer[3]] = coin(m) ? bad_place(m) : border_place(m);
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
        if (coin(m))
            add_reader(m);
    }
    ADD(m, 0x90);
    ADD(m, 0x90);
    add_loop(m, k, top);
}

/* ---- modes ---- */

static void make_modes(struct maker *m)
{
    struct rng *r = &m->r;
    const bool user = coin(m);
    begin(m, user);
    m->s->cr0 = rng_chance(r, 30) ? CR0_TS : 0;
    m->s->cr4 = m->pools->smap && !user && coin(m) ? CR4_SMAP : 0;
    m->s->rflags |= rng_chance(r, 30) ? FL_AC : 0;
    m->weight[POOL_INTEGER] = 40;
    m->weight[POOL_VECTOR] = 45;
    m->weight[POOL_X87] = 15;
    const uint32_t k = add_counter(m, 3 + rng_below(r, 3));
    const unsigned top = m->s->n;
    for (unsigned n = 3 + rng_below(r, 5); n > 0; n--) {
        add_some(m, 0, 4);
        switch (rng_below(r, user ? 4 : 8)) {
        case 0: add_mxcsr(m, coin(m) ? 0x1f80 : rng64(r) & 0xffbf); break;
        case 1: /* AC */
            ADD(m, 0x9c);
            ADD(m, 0x81, 0x34, 0x24, 0, 0, 4, 0);
            ADD(m, 0x9d);
            break;
        case 2:
            if (user)
                ADD(m, 0x0f, 0x05); /* syscall, which comes straight back */
            else
                ADD(m, 0x0f, 0x01, coin(m) ? 0xca : 0xcb); /* clac, stac */
            break;
        case 3: /* TF, which the handler clears */
            ADD(m, 0x9c);
            ADD(m, 0x81, 0x0c, 0x24, 0, 1, 0, 0);
            ADD(m, 0x9d);
            break;
        case 4: ADD(m, 0x0f, 0x06); break; /* clts */
        case 5:                            /* TS */
            ADD(m, 0x0f, 0x20, 0xc0);
            ADD(m, 0x83, 0xc8, 0x08);
            ADD(m, 0x0f, 0x22, 0xc0);
            break;
        case 6: /* XCR0.AVX */
            ADD(m, 0x31, 0xc9);
            ADD(m, 0x31, 0xd2);
            add_mov32(m, RAX, coin(m) ? 7 : 3);
            ADD(m, 0x0f, 0x01, 0xd1);
            break;
        default: /* CR4.OSFXSR or OSXSAVE */
            ADD(m, 0x0f, 0x20, 0xe0);
            if (coin(m))
                ADD(m, 0x35, 0, 2, 0, 0);
            else
                ADD(m, 0x35, 0, 0, 4, 0);
            ADD(m, 0x0f, 0x22, 0xe0);
            break;
        }
    }
    add_loop(m, k, top);
}

const struct kind kinds[] = {
    {"straight", make_straight, 18}, {"faults", make_faults, 10},
    {"pages", make_pages, 14},       {"across", make_across, 5},
    {"device", make_device, 8},      {"modify", make_modify, 9},
    {"alias", make_alias, 5},        {"flow", make_flow, 8},
    {"paging", make_paging, 6},      {"irq", make_irq, 5},
    {"unmasked", make_unmasked, 4},  {"flags", make_flags, 5},
    {"modes", make_modes, 3},
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
