/*
 * encode.c: bytes of a form's encodings, with everything varied that leaves the form what it is.
 *
 * A template's bytes are varied blindly and decoded again; what has become another form is thrown away and
 * tried with less variation. After a few tries the template itself is taken.
 */
#include "forms.h"

static bool is_moffs(const struct template *t)
{
    return !t->vex && !t->map && t->opcode >= 0xa0 && t->opcode <= 0xa3;
}

/* Prefixes that change nothing, or only where the operand lies. */
static unsigned extra_prefixes(struct rng *r, bool segments, bool address, uint8_t *bytes)
{
    static const uint8_t flat[] = {0x26, 0x2e, 0x36, 0x3e};
    unsigned n = 0;
    if (rng_chance(r, 4))
        bytes[n++] = flat[rng_below(r, 4)];
    if (segments && address && rng_chance(r, 8))
        bytes[n++] = rng_chance(r, 50) ? 0x64 : 0x65;
    if (rng_chance(r, 6))
        bytes[n++] = 0x67;
    return n;
}

static uint8_t vary_modrm(const struct template *t, struct rng *r, unsigned level)
{
    uint8_t modrm = t->modrm;
    if (level == 0)
        modrm = (uint8_t)((modrm & 0xc7) | rng_below(r, 8) << 3);
    if (modrm >> 6 == 3)
        return level <= 1 ? (uint8_t)((modrm & 0xf8) | rng_below(r, 8)) : modrm;
    if (level > 2)
        return modrm;
    bool vsib = (t->modrm & 7) == 4;
    modrm = (uint8_t)((modrm & 0x38) | rng_below(r, 3) << 6 | rng_below(r, 8));
    return vsib && rng_chance(r, 50) ? (uint8_t)((modrm & 0xf8) | 4) : modrm;
}

/* level: how little is varied; 3 and more: nothing but immediates and extended registers; 5: nothing. */
static void vary(const struct template *t, struct rng *r, bool long_mode, bool segments, unsigned level,
                 uint8_t bytes[15])
{
    unsigned n = level < 4 ? extra_prefixes(r, segments, t->has_modrm || is_moffs(t), bytes) : 0;
    const uint8_t ext = long_mode && level < 5 ? (uint8_t)(rng64(r) & rng64(r) & 7) : 0; /* R X B */
    const uint8_t modrm = t->has_modrm ? vary_modrm(t, r, level) : 0;
    for (unsigned i = 0; i < 2; i++)
        if (t->prefix[i])
            bytes[n++] = t->prefix[i];
    if (t->vex) {
        uint8_t vvvv = level < 5 && t->vvvv ? (uint8_t)rng_below(r, long_mode ? 16 : 8) : t->vvvv;
        uint8_t last = (uint8_t)((~vvvv & 15) << 3 | t->l << 2 | t->pp);
        if (t->map == 1 && !t->w && !(ext & 3) && rng_chance(r, 50)) {
            bytes[n++] = 0xc5;
            bytes[n++] = (uint8_t)((~ext & 4) << 5 | last);
        } else {
            bytes[n++] = 0xc4;
            bytes[n++] = (uint8_t)((~ext & 7) << 5 | t->map);
            bytes[n++] = (uint8_t)(t->w << 7 | last);
        }
    } else {
        uint8_t rex = (uint8_t)(t->w << 3 | ext);
        if (rex || (long_mode && level < 4 && rng_chance(r, 15)))
            bytes[n++] = 0x40 | rex;
        if (t->map)
            bytes[n++] = 0x0f;
        if (t->map >= 2)
            bytes[n++] = t->map == 2 ? 0x38 : 0x3a;
    }
    bytes[n++] = t->opcode;
    if (t->has_modrm) {
        bytes[n++] = modrm;
        if ((modrm & 0xc7) == 0x04 && level >= 3)
            bytes[n++] = t->sib;
    }
    while (n < 15) /* SIB, displacement, immediate */
        bytes[n++] = (uint8_t)rng64(r);
}

unsigned form_encode(const struct forms *f, const struct form *form, struct rng *r, bool segments,
                     uint8_t bytes[15], struct x86_decoded *d)
{
    const struct template *t = &form->templates[rng_below(r, form->ntemplates)];
    for (unsigned tries = 0; tries < 10; tries++) {
        vary(t, r, f->code_bits == 64, segments, tries < 3 ? 0 : tries < 6 ? 1 : tries - 4, bytes);
        if (x86_decode(&f->decoder, f->code_bits, bytes, 15, d) == X86_DECODED && form_key(d) == form->key)
            return d->i.length;
    }
    template_bytes(t, 0, bytes);
    if (x86_decode(&f->decoder, f->code_bits, bytes, 15, d) != X86_DECODED)
        return 0;
    return d->i.length;
}
