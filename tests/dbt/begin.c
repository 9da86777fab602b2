/*
 * begin.c: what a sequence starts from, and where its pointers lead.
 */
#include "maker.h"

#include "insn/values.h"

/* ---- where pointers lead ---- */

uint64_t data_va(unsigned n)
{
    return (uint64_t)LOW(DATA_AT) + n * PAGE_SIZE;
}

/* Pages 0, 1, 2 can be read and written. */
uint64_t maker_good_place(struct maker *m)
{
    uint64_t at = data_va(0) + 512 + rng_below(&m->r, 3 * PAGE_SIZE - 1536);
    return rng_chance(&m->r, 75) ? at & ~63ull : at;
}
/* Near the border of two pages, of whatever kind they are. */
uint64_t maker_border_place(struct maker *m)
{
    return data_va(rng_below(&m->r, DATA_PAGES + 1)) + rng_below(&m->r, 96) - 64;
}
uint64_t maker_bad_place(struct maker *m)
{
    switch (rng_below(&m->r, 6)) {
    case 0: return 0x0000800000000000ull + (rng64(&m->r) >> 17); /* non-canonical */
    case 1: return 0x00007fffffffffe0ull + rng_below(&m->r, 64);
    case 2: return ~0ull - rng_below(&m->r, 64); /* wraps around */
    case 3: return SYS(SYS_FAULT) + rng_below(&m->r, 64) * 16 + 2048;
    default: return data_va(rng_below(&m->r, DATA_PAGES)) + (rng64(&m->r) & 0xff0);
    }
}

static void point(struct maker *m, unsigned reg, uint64_t at)
{
    m->s->gpr[reg] = at;
    m->pointer[m->npointers++] = (uint8_t)reg;
}

/* Registers and flags at random, RSP on the stack, four pointers to good places. */
void maker_begin(struct maker *m, bool user)
{
    static const uint8_t candidates[] = {RBX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15};
    struct seq *s = m->s;
    struct rng *r = &m->r;
    s->user = user;
    for (unsigned i = 0; i < X86_NGPR; i++)
        s->gpr[i] = rng_chance(r, 40) ? rng_below(r, 64) : value_gpr(r);
    s->gpr[RSP] = LOW(STACK_AT) + PAGE_SIZE + (rng64(r) & 0x3f8);
    for (unsigned i = 0; i < 4; i++)
        point(m, candidates[3 * i + rng_below(r, 3)], maker_good_place(m));
    s->rflags = value_flags(r) & (FL_CC | FL_DF);
    s->rflags &= rng_chance(r, 80) ? ~(uint64_t)FL_DF : ~0ull;
    s->fs_base = data_va(0) + rng_below(r, PAGE_SIZE) - s->gpr[m->pointer[0]];
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
bool maker_coin(struct maker *m)
{
    return rng_chance(&m->r, 50);
}
void maker_repoint(struct maker *m, uint64_t (*place)(struct maker *m), unsigned percent)
{
    for (unsigned i = 0; i < m->npointers; i++)
        if (rng_chance(&m->r, percent))
            m->s->gpr[m->pointer[i]] = place(m);
}

/* Jumps forward over a few instructions. */
void add_skip(struct maker *m, uint32_t add)
{
    const unsigned from = m->s->n;
    add_indirect(m, AT_END, add);
    add_some(m, 0, 2);
    for (unsigned i = from; i < m->s->n; i++)
        if (m->s->item[i].fix == FIX_ABS)
            patch_target(m, i, m->s->n);
}
void add_jcc_skip(struct maker *m)
{
    const unsigned jump = add_jcc(m, rng_below(&m->r, 16), 0);
    add_some(m, 0, 3);
    patch_target(m, jump, m->s->n);
}

void add_mxcsr(struct maker *m, uint32_t value)
{
    uint8_t store[11] = {0xc7, 0x04, 0x25}, load[8] = {0x0f, 0xae, 0x14, 0x25};
    const uint32_t at = (uint32_t)LOW(SCRATCH_AT) + 0xff0;
    store_le(store + 3, at, 4);
    store_le(store + 7, value, 4);
    store_le(load + 4, at, 4);
    add_bytes(m, store, sizeof(store));
    add_bytes(m, load, sizeof(load));
}
