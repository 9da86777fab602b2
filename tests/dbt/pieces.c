/*
 * pieces.c: instructions by name, jumps and counters.
 */
#include "maker.h"

unsigned add_fixed(struct maker *m, const void *bytes, unsigned len, enum fix fix, unsigned target,
                   uint32_t add)
{
    struct seq *s = m->s;
    if (s->n == MAX_ITEMS)
        return s->n - 1;
    struct item *i = &s->item[s->n];
    const unsigned more = fix ? 4 : 0;
    assert(len + more <= ITEM_BYTES);
    *i = (struct item){.len = (uint8_t)(len + more),
                       .fix = (uint8_t)fix,
                       .at = (uint8_t)len,
                       .target = (uint16_t)target,
                       .add = add};
    memcpy(i->bytes, bytes, len);
    return s->n++;
}
unsigned add_bytes(struct maker *m, const void *bytes, unsigned len)
{
    return add_fixed(m, bytes, len, FIX_NONE, 0, 0);
}

unsigned add_jmp(struct maker *m, unsigned target)
{
    return add_fixed(m, "\xe9", 1, FIX_REL, target, 0);
}
unsigned add_jcc(struct maker *m, unsigned cc, unsigned target)
{
    const uint8_t op[] = {0x0f, (uint8_t)(0x80 | (cc & 15))};
    return add_fixed(m, op, 2, FIX_REL, target, 0);
}
unsigned add_call(struct maker *m, unsigned target)
{
    return add_fixed(m, "\xe8", 1, FIX_REL, target, 0);
}
void patch_target(struct maker *m, unsigned item, unsigned target)
{
    if (item < m->s->n)
        m->s->item[item].target = (uint16_t)target;
}

void add_mov32(struct maker *m, unsigned reg, uint32_t value)
{
    uint8_t b[6] = {0x41, (uint8_t)(0xb8 | (reg & 7))};
    store_le(b + 2, value, 4);
    add_bytes(m, reg >> 3 ? b : b + 1, reg >> 3 ? 6 : 5);
}
void add_mov64(struct maker *m, unsigned reg, uint64_t value)
{
    uint8_t b[10] = {(uint8_t)(0x48 | reg >> 3), (uint8_t)(0xb8 | (reg & 7))};
    store_le(b + 2, value, 8);
    add_bytes(m, b, sizeof(b));
}

static uint32_t slot(struct maker *m)
{
    return (uint32_t)LOW(SCRATCH_AT) + 8 * (m->nslots++ & 511);
}

void add_indirect(struct maker *m, unsigned target, uint32_t add)
{
    const unsigned how = rng_below(&m->r, 4), reg = rng_chance(&m->r, 50) ? RAX : R11;
    if (how == 0) {
        add_fixed(m, "\x68", 1, FIX_ABS, target, add); /* push; ret */
        ADD(m, 0xc3);
        return;
    }
    if (how == 1) {
        uint8_t b[8] = {0xc7, 0x04, 0x25}, j[7] = {0xff, 0x24, 0x25};
        const uint32_t at = slot(m);
        store_le(b + 3, at, 4);
        store_le(j + 3, at, 4);
        add_fixed(m, b, 7, FIX_ABS, target, add); /* mov dword [slot], target; jmp [slot] */
        add_bytes(m, j, 7);
        return;
    }
    if (reg == RAX)
        add_fixed(m, "\xb8", 1, FIX_ABS, target, add);
    else
        add_fixed(m, "\x41\xbb", 2, FIX_ABS, target, add);
    if (how == 2)
        add_bytes(m, reg == RAX ? "\xff\xe0" : "\x41\xff\xe3", reg == RAX ? 2 : 3); /* jmp reg */
    else
        add_bytes(m, reg == RAX ? "\xff\xd0" : "\x41\xff\xd3", reg == RAX ? 2 : 3); /* call reg */
}

uint32_t add_counter(struct maker *m, uint32_t value)
{
    uint8_t b[11] = {0xc7, 0x04, 0x25};
    const uint32_t at = slot(m);
    store_le(b + 3, at, 4);
    store_le(b + 7, value, 4);
    add_bytes(m, b, sizeof(b));
    return at;
}
void add_loop(struct maker *m, uint32_t counter, unsigned target)
{
    uint8_t b[7] = {0xff, 0x0c, 0x25}; /* dec */
    store_le(b + 3, counter, 4);
    add_bytes(m, b, sizeof(b));
    add_jcc(m, 0xf, target);
}
