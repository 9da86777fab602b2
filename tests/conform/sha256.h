/*
 * sha256.h: SHA-256 (FIPS 180-4) of one block, for a guest without a library and for the test that checks it.
 */
#ifndef CONFORM_SHA256_H
#define CONFORM_SHA256_H

#include <stdint.h>

static const uint32_t sha256_initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                           0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static inline uint32_t sha256_rotate(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

/*
 * The round constants are the first 32 bits of the fractional parts of the cube roots of the first 64 primes
 * (section 4.2.2): worked out here, by integers, so that no table is copied.
 */
static inline void sha256_constants(uint32_t k[64])
{
    unsigned n = 0;
    for (uint64_t p = 2; n < 64; p++) {
        int prime = 1;
        for (uint64_t d = 2; d * d <= p; d++)
            prime &= p % d != 0;
        if (!prime)
            continue;
        /* The largest r with r^3 <= p 2^96: bit by bit. */
        unsigned __int128 limit = (unsigned __int128)p << 96;
        uint64_t r = 0;
        for (int bit = 34; bit >= 0; bit--) {
            uint64_t t = r | 1ull << bit;
            if ((unsigned __int128)t * t * t <= limit)
                r = t;
        }
        k[n++] = (uint32_t)r;
    }
}

/* One block of sixteen big-endian words into the state (section 6.2.2). */
static inline void sha256_block(uint32_t h[8], const uint32_t m[16], const uint32_t k[64])
{
    uint32_t w[64], s[8];
    for (unsigned i = 0; i < 64; i++) {
        if (i < 16) {
            w[i] = m[i];
            continue;
        }
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (sha256_rotate(a, 7) ^ sha256_rotate(a, 18) ^ a >> 3) +
               (sha256_rotate(b, 17) ^ sha256_rotate(b, 19) ^ b >> 10);
    }
    for (unsigned i = 0; i < 8; i++)
        s[i] = h[i];
    for (unsigned i = 0; i < 64; i++) {
        uint32_t a = s[0], e = s[4];
        uint32_t t1 = s[7] + (sha256_rotate(e, 6) ^ sha256_rotate(e, 11) ^ sha256_rotate(e, 25)) +
                      ((e & s[5]) ^ (~e & s[6])) + k[i] + w[i];
        uint32_t t2 = (sha256_rotate(a, 2) ^ sha256_rotate(a, 13) ^ sha256_rotate(a, 22)) +
                      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        for (unsigned j = 7; j; j--)
            s[j] = s[j - 1];
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (unsigned i = 0; i < 8; i++)
        h[i] += s[i];
}

/* A chain: the state goes on from block to block, and each block is made from the number of its round. */
static inline void sha256_round(uint32_t h[8], uint32_t n, const uint32_t k[64])
{
    uint32_t m[16];
    for (unsigned i = 0; i < 16; i++)
        m[i] = n * 0x9e3779b9u + i;
    sha256_block(h, m, k);
}

#endif
