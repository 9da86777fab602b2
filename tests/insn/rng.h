/*
 * rng.h: the pseudo-random numbers of one case: a pure function of seed and case number, so that any case
 * can be made again by itself (xoshiro256**, seeded by splitmix64).
 */
#ifndef TESTS_INSN_RNG_H
#define TESTS_INSN_RNG_H

#include "base/base.h"

struct rng {
    uint64_t s[4];
};

static inline uint64_t rng_mix(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15ull);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}
static inline void rng_init(struct rng *r, uint64_t seed, uint64_t n)
{
    uint64_t x = seed * 0xd1342543de82ef95ull + n;
    x = rng_mix(&x) ^ n;
    for (unsigned i = 0; i < 4; i++)
        r->s[i] = rng_mix(&x);
}
static inline uint64_t rng_rotl(uint64_t x, unsigned k)
{
    return x << k | x >> (64 - k);
}
static inline uint64_t rng64(struct rng *r)
{
    uint64_t *s = r->s, result = rng_rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rng_rotl(s[3], 45);
    return result;
}
/* 0 to n - 1. */
static inline unsigned rng_below(struct rng *r, unsigned n)
{
    return (unsigned)((rng64(r) >> 32) * n >> 32);
}
/* True in `percent` of 100 cases. */
static inline bool rng_chance(struct rng *r, unsigned percent)
{
    return rng_below(r, 100) < percent;
}

#endif
