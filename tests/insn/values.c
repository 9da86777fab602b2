/*
 * values.c: interesting values: limits of integers, small counts, the special numbers of each floating-point
 * format.
 */
#include "values.h"

uint64_t value_gpr(struct rng *r)
{
    static const uint64_t some[] = {
        0,
        1,
        2,
        3,
        7,
        8,
        15,
        16,
        31,
        32,
        33,
        63,
        64,
        65,
        0x7f,
        0x80,
        0x81,
        0xfe,
        0xff,
        0x100,
        0x7fff,
        0x8000,
        0x8001,
        0xffff,
        0x10000,
        0x7fffffff,
        0x80000000,
        0x80000001,
        0xffffffff,
        BIT(32),
        BIT(62),
        BIT(63) - 1,
        BIT(63),
        BIT(63) + 1,
        ~0ull,
        ~0ull - 1,
        0x5555555555555555ull,
        0xaaaaaaaaaaaaaaaaull,
        0x0123456789abcdefull,
        0x9999999999999999ull,
        0xff00ff00ff00ff00ull,
        0x8080808080808080ull,
    };
    uint64_t v = rng64(r);
    switch (v & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: return some[rng_below(r, ARRAY_LEN(some))];
    case 5: return (uint64_t)(int64_t)(int8_t)(v >> 8);
    case 6: return BIT(v >> 8 & 63);
    case 7: return ~0ull << (v >> 8 & 63);
    case 8: return v >> 32;
    case 9: return (uint64_t) - (int64_t)(v >> 60);
    case 10: return (v >> 4 & 0xffff) | (some[v >> 20 & 31] << 16);
    default: return rng64(r);
    }
}

static uint64_t special_double(struct rng *r)
{
    static const uint64_t some[] = {
        0,
        0x3ff0000000000000ull,
        0x4000000000000000ull,
        0x3fe0000000000000ull,
        0x0000000000000001ull,
        0x000fffffffffffffull,
        0x0010000000000000ull,
        0x7fefffffffffffffull,
        0x7ff0000000000000ull,
        0x7ff8000000000000ull,
        0x7ff4000000000000ull,
        0x7ff0000000000001ull,
        0x7fffffffffffffffull,
        0x41dfffffffc00000ull,
        0x41e0000000000000ull,
        0x43e0000000000000ull,
        0x43dfffffffffffffull,
        0x3cb0000000000000ull,
        0x400921fb54442d18ull,
        0x3ff8000000000000ull,
        0x36a0000000000000ull,
        0x47efffffe0000000ull,
        0x380fffffe0000000ull,
        0x3ff0000010000000ull,
    };
    uint64_t v = rng64(r), sign = v << 63;
    switch (v >> 1 & 3) {
    case 0:
    case 1: return some[rng_below(r, ARRAY_LEN(some))] | sign;
    case 2: return sign | (0x3ffull - 8 + (v >> 3 & 15)) << 52 | rng64(r) >> 12; /* around 1 */
    default: return rng64(r);
    }
}

static uint32_t special_single(struct rng *r)
{
    static const uint32_t some[] = {
        0,          0x3f800000, 0x40000000, 0x3f000000, 0x00000001, 0x007fffff, 0x00800000, 0x7f7fffff,
        0x7f800000, 0x7fc00000, 0x7fa00000, 0x7f800001, 0x7fffffff, 0x4f000000, 0x4effffff, 0x5f000000,
        0x34000000, 0x40490fdb, 0x3fc00000, 0x477fe000, 0x477ff000, 0x33000000, 0x38800000, 0x387fe000,
    };
    uint64_t v = rng64(r);
    uint32_t sign = (uint32_t)v << 31;
    switch (v >> 1 & 3) {
    case 0:
    case 1: return some[rng_below(r, ARRAY_LEN(some))] | sign;
    case 2: return sign | (uint32_t)(127 - 8 + (v >> 3 & 15)) << 23 | (uint32_t)(v >> 41);
    default: return (uint32_t)(v >> 32);
    }
}

static uint64_t special_half(struct rng *r)
{
    static const uint16_t some[] = {0,      0x3c00, 0x4000, 0x0001, 0x03ff, 0x0400,
                                    0x7bff, 0x7c00, 0x7e00, 0x7d00, 0x7c01, 0x7fff};
    uint64_t v = rng64(r);
    return v & 1 ? some[rng_below(r, ARRAY_LEN(some))] | (v >> 1 & 1) << 15 : v >> 48;
}

void value_vector(struct rng *r, uint8_t *to, unsigned n)
{
    unsigned kind = rng_below(r, 9), width = 8;
    for (unsigned at = 0; at < n; at += width) {
        uint64_t v;
        switch (kind) {
        case 0:
        case 1: v = special_double(r); break;
        case 2:
        case 3: v = special_single(r) | (uint64_t)special_single(r) << 32; break;
        case 4:
            v = special_half(r) | special_half(r) << 16 | special_half(r) << 32 | special_half(r) << 48;
            break;
        case 5: v = value_gpr(r); break;
        case 6: { /* bytes at their limits: masks, saturation, shuffles */
            static const uint8_t some[] = {0, 1, 0x7f, 0x80, 0xff, 2, 0x0f, 0x81};
            uint64_t pick = rng64(r);
            v = 0;
            for (unsigned i = 0; i < 8; i++, pick >>= 3)
                v = v << 8 | some[pick & 7];
            break;
        }
        case 7: { /* small integers: shift counts, lengths, characters */
            uint64_t pick = rng64(r);
            v = pick & (pick & 1 ? 0x3f3f3f3f3f3f3f3full : pick & 2 ? 0x7f : 0x0000001f0000001full);
            break;
        }
        default: v = rng64(r);
        }
        memcpy(to + at, &v, MIN(8u, n - at));
    }
}

void value_x87(struct rng *r, uint8_t to[16])
{
    static const struct {
        uint16_t exponent;
        uint64_t mantissa;
    } some[] = {
        {0, 0},                              /* zero */
        {0, 1},                              /* denormal */
        {0, BIT(63) - 1},                    /* largest denormal */
        {0, BIT(63)},                        /* pseudo-denormal */
        {0, BIT(63) | 5},                    /* the same */
        {1, BIT(63)},                        /* smallest normal */
        {0x3fff, BIT(63)},                   /* 1 */
        {0x4000, BIT(63)},                   /* 2 */
        {0x3ffe, BIT(63)},                   /* 1/2 */
        {0x3fff, BIT(63) | 1},               /* next to 1 */
        {0x4000, 0xc90fdaa22168c235ull},     /* pi */
        {0x7ffe, ~0ull},                     /* largest */
        {0x7fff, BIT(63)},                   /* infinity */
        {0x7fff, 3 * BIT(62)},               /* default NaN */
        {0x7fff, 3 * BIT(62) | 0x1234},      /* quiet NaN */
        {0x7fff, BIT(63) | 1},               /* signalling NaN */
        {0x7fff, 0},                         /* pseudo-infinity */
        {0x7fff, 1},                         /* pseudo-NaN */
        {0x3fff, 1},                         /* unnormal */
        {0x403e, BIT(63)},                   /* 2^63 */
        {0x401e, BIT(63)},                   /* 2^31 */
        {0x400e, BIT(63)},                   /* 2^15 */
        {0x403a, 0xde0b6b3a763fffffull},     /* around 10^18 */
        {0x407f, 0xfffffffffff00000ull},     /* near the largest double's exponent range of single */
        {0x43fe, 0xfffffffffffff800ull},     /* largest double */
        {0x3c00, BIT(63)},                   /* a denormal as double */
        {0x3f80, BIT(63) | 0x8000000000ull}, /* a denormal as single */
    };
    uint64_t v = rng64(r), mantissa;
    uint16_t exponent;
    switch (v & 7) {
    case 0:
    case 1:
    case 2: {
        unsigned i = rng_below(r, ARRAY_LEN(some));
        exponent = some[i].exponent;
        mantissa = some[i].mantissa;
        break;
    }
    case 3:
    case 4: /* around 1 */
        exponent = (uint16_t)(0x3fff - 8 + (v >> 8 & 15));
        mantissa = rng64(r) | BIT(63);
        break;
    case 5: /* an integer */
        exponent = (uint16_t)(0x3fff + (v >> 8 & 63));
        mantissa = BIT(63) | (rng64(r) & ~0ull << (63 - MIN(63u, (unsigned)(v >> 8 & 63))));
        break;
    case 6: /* any normal number */
        exponent = (uint16_t)(v >> 8 & 0x7fff);
        mantissa = rng64(r) | BIT(63);
        break;
    default: /* anything; as an MMX register leaves it */
        exponent = v & 8 ? 0x7fff : (uint16_t)(v >> 8 & 0x7fff);
        mantissa = value_gpr(r);
    }
    if (v >> 62 & 1)
        exponent |= 0x8000;
    if (exponent == 0x7fff && (v & 7) == 7)
        exponent = 0xffff;
    memcpy(to, &mantissa, 8);
    memcpy(to + 8, &exponent, 2);
    memset(to + 10, 0, 6);
}

/* SDM 1 10.2.3: flags 0-5, DAZ 6, masks 7-12, RC 13-14, FTZ 15; AMD: MM 17. */
uint32_t value_mxcsr(struct rng *r, bool misaligned_mode)
{
    uint32_t v = 0x1f80;
    if (rng_chance(r, 50))
        v |= (uint32_t)rng64(r) & 0x3f;
    if (rng_chance(r, 60))
        v |= rng_below(r, 4) << 13;
    if (rng_chance(r, 25))
        v |= (rng_chance(r, 70) ? 0x8000u : 0) | (rng_chance(r, 70) ? 0x40u : 0);
    if (rng_chance(r, 10))
        v &= ~((uint32_t)rng64(r) & 0x1f80);
    if (misaligned_mode && rng_chance(r, 5))
        v |= 1u << 17;
    return v;
}

/* FCW (SDM 1 8.1.5): masks 0-5, 6 always set, PC 8-9, RC 10-11, X 12. */
static uint16_t value_fcw(struct rng *r)
{
    uint16_t v = 0x37f;
    if (rng_chance(r, 50))
        v = (uint16_t)((v & ~0xf00) | rng_below(r, 4) << 10 |
                       (rng_chance(r, 60) ? 0x300 : rng_below(r, 4) << 8));
    if (rng_chance(r, 8))
        v &= (uint16_t) ~(rng64(r) & 0x3f);
    if (rng_chance(r, 4))
        v |= 0x1000;
    return v;
}

/* FSW with ES and B as flags and masks demand (SDM 1 8.1.3); an unmasked one is pending only rarely. */
static uint16_t value_fsw(struct rng *r, uint16_t fcw)
{
    uint16_t v = (uint16_t)(rng64(r) & 0x7f00);
    if (rng_chance(r, 40))
        v |= (uint16_t)(rng64(r) & 0x7f);
    if (v & ~fcw & 0x3f) {
        if (rng_chance(r, 30))
            v |= 0x8080;
        else
            v &= (uint16_t) ~(~fcw & 0x3f);
    }
    return v;
}

void value_xsave(struct rng *r, uint8_t image[XSAVE_SIZE], bool misaligned_mode)
{
    uint64_t v = rng64(r);
    uint16_t fcw = value_fcw(r), fsw = value_fsw(r, fcw), fop = (uint16_t)(v & 0x7ff);
    uint32_t mxcsr = value_mxcsr(r, misaligned_mode);
    uint64_t fip = v >> 17, fdp = rng64(r) >> 17, bv = 7;
    static const uint8_t tags[] = {0xff, 0xff, 0xff, 0x00, 0x0f, 0xf0, 0x55, 0x81};
    uint8_t ftw = rng_chance(r, 70) ? tags[v >> 11 & 7] : (uint8_t)(v >> 14);
    memset(image, 0, XSAVE_SIZE);
    memcpy(image + XS_FCW, &fcw, 2);
    memcpy(image + XS_FSW, &fsw, 2);
    image[XS_FTW] = ftw;
    memcpy(image + XS_FOP, &fop, 2);
    memcpy(image + XS_FIP, &fip, 8);
    memcpy(image + XS_FDP, &fdp, 8);
    memcpy(image + XS_MXCSR, &mxcsr, 4);
    for (unsigned i = 0; i < 8; i++)
        value_x87(r, image + XS_ST + 16 * i);
    for (unsigned i = 0; i < 16; i++) {
        value_vector(r, image + XS_XMM + 16 * i, 16);
        value_vector(r, image + XS_YMM_HI + 16 * i, 16);
    }
    if (rng_chance(r, 30)) /* two registers that are equal */
        memcpy(image + XS_XMM + 16 * (v >> 40 & 15), image + XS_XMM + 16 * (v >> 44 & 15), 16);
    memcpy(image + XS_BV, &bv, 8);
}

uint64_t value_flags(struct rng *r)
{
    uint64_t v = rng64(r), f = FL_ONE | FL_IF | (v & FL_CC);
    if (rng_chance(r, 15))
        f |= FL_DF;
    if (rng_chance(r, 3))
        f |= FL_AC;
    if (rng_chance(r, 10))
        f |= FL_ID;
    return f;
}

void value_area(struct rng *r, uint8_t area[AREA_SIZE])
{
    for (unsigned at = 0; at < AREA_SIZE; at += 64)
        value_vector(r, area + at, 64);
}
