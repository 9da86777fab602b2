/*
 * insn.c: random instructions whose memory operands go where the sequence has its pointers.
 *
 * A form's template is encoded with registers, addressing and immediates chosen at random, then decoded: what
 * has become another form, or overwrites a pointer, is made again.
 */
#include "maker.h"

#include "insn/values.h"
#include <stdlib.h>

/* ---- pools ---- */

static bool decode_template(const struct forms *f, const struct form *form, struct x86_decoded *d)
{
    uint8_t bytes[15];
    template_bytes(&form->templates[0], 0, bytes);
    return x86_decode(&f->decoder, 64, bytes, sizeof(bytes), d) == X86_DECODED;
}

static bool branches(const struct x86_decoded *d)
{
    switch (d->i.meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_INTERRUPT: return true;
    default: return false;
    }
}

static bool has_memory(const struct x86_decoded *d)
{
    for (unsigned i = 0; i < d->i.operand_count_visible; i++)
        if (d->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY && d->op[i].mem.type == ZYDIS_MEMOP_TYPE_MEM)
            return true;
    return false;
}

/* What cannot be compared with silicon can be compared here. */
static bool comparable(const struct form *form)
{
    switch (form->mnemonic) {
    case ZYDIS_MNEMONIC_CPUID:
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
    case ZYDIS_MNEMONIC_RDPID:
    case ZYDIS_MNEMONIC_SGDT:
    case ZYDIS_MNEMONIC_SIDT:
    case ZYDIS_MNEMONIC_SLDT:
    case ZYDIS_MNEMONIC_STR:
    case ZYDIS_MNEMONIC_SMSW:
    case ZYDIS_MNEMONIC_LAR:
    case ZYDIS_MNEMONIC_LSL:
    case ZYDIS_MNEMONIC_VERR:
    case ZYDIS_MNEMONIC_VERW:
    case ZYDIS_MNEMONIC_XGETBV: return true;
    default: return !form->excluded;
    }
}

/* Not one of the pools: POOLS. */
static enum pool_class pool_of(const struct form *form, const struct x86_decoded *d)
{
    if (!comparable(form) || branches(d))
        return POOLS;
    if (d->i.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED)
        return POOL_PRIVILEGED;
    if (d->i.meta.isa_ext == ZYDIS_ISA_EXT_X87)
        return POOL_X87;
    return form->host_unit ? POOL_VECTOR : POOL_INTEGER;
}

static void put(struct pools *p, enum pool_class c, uint32_t form)
{
    p->form[c][p->count[c]++] = form;
}

void pools_init(struct pools *p, const struct cpuid_model *m, uint64_t seed)
{
    *p = (struct pools){.seed = seed, .smap = m->has_smap, .pcid = m->has_pcid};
    forms_find(&p->forms, m, m->vendor == CPU_AMD, 64);
    for (unsigned c = 0; c < POOLS; c++) {
        p->form[c] = calloc(p->forms.count, sizeof(*p->form[c]));
        assert(p->form[c]);
    }
    for (unsigned i = 0; i < p->forms.count; i++) {
        const struct form *form = &p->forms.form[i];
        struct x86_decoded d;
        if (!decode_template(&p->forms, form, &d))
            continue;
        enum pool_class c = pool_of(form, &d);
        if (c == POOLS)
            continue;
        put(p, c, i);
        if (has_memory(&d) && (c == POOL_INTEGER || c == POOL_VECTOR))
            put(p, POOL_MEMORY, i);
        if (c == POOL_INTEGER && !has_memory(&d) && d.i.cpu_flags &&
            (d.i.cpu_flags->modified | d.i.cpu_flags->undefined))
            put(p, POOL_FLAGS, i);
    }
}

void pools_free(struct pools *p)
{
    for (unsigned c = 0; c < POOLS; c++)
        free(p->form[c]);
    forms_free(&p->forms);
}

/* ---- encoding ---- */

struct encoding {
    uint8_t bytes[ITEM_BYTES];
    unsigned len;    /* up to the memory operand's displacement, or the opcode */
    uint32_t rip_to; /* not 0: RIP-relative, to here */
    unsigned rip_at;
};

static void put8(struct encoding *e, unsigned v)
{
    e->bytes[e->len++] = (uint8_t)v;
}
static void put32(struct encoding *e, uint32_t v)
{
    store_le(e->bytes + e->len, v, 4);
    e->len += 4;
}

static int32_t displacement(struct rng *r)
{
    const unsigned how = rng_below(r, 10);
    if (how < 5)
        return ((int32_t)rng_below(r, 32) - 8) * 16;
    return how < 9 ? (int32_t)rng_below(r, 512) - 128 : (int32_t)rng_below(r, 4096) - 2048;
}

/* What a memory operand is addressed by. */
struct address {
    unsigned base, index, scale; /* X86_NGPR: none */
    bool rip;
    int32_t disp;
};

static struct address choose_address(struct maker *m, bool vsib)
{
    struct rng *r = &m->r;
    struct address a = {.base = m->pointer[rng_below(r, m->npointers)], .index = X86_NGPR};
    const unsigned how = rng_below(r, 100);
    a.disp = displacement(r);
    if (vsib || how < 12) {
        a.scale = rng_below(r, 4);
        do
            a.index = rng_below(r, X86_NGPR);
        while (a.index == RSP);
    } else if (how < 20) {
        a.rip = true;
        a.disp = (int32_t)(LOW(DATA_AT) + rng_below(r, 3 * PAGE_SIZE));
    } else if (how < 25) {
        a.base = X86_NGPR;
        a.disp = (int32_t)(LOW(DATA_AT) + rng_below(r, 3 * PAGE_SIZE));
    }
    return a;
}

static void put_address(struct encoding *e, struct maker *m, const struct address *a, unsigned reg)
{
    reg = (reg & 7) << 3;
    if (a->rip) {
        put8(e, reg | 5);
        e->rip_to = (uint32_t)a->disp;
        e->rip_at = e->len;
        put32(e, 0);
        return;
    }
    if (a->base == X86_NGPR) {
        put8(e, reg | 4);
        put8(e, a->scale << 6 | (a->index < X86_NGPR ? (a->index & 7) << 3 : 0x20) | 5);
        put32(e, (uint32_t)a->disp);
        return;
    }
    const bool narrow = a->disp == (int8_t)a->disp && !rng_chance(&m->r, 5);
    const bool sib = a->index < X86_NGPR || (a->base & 7) == 4;
    put8(e, (narrow ? 0x40u : 0x80u) | reg | (sib ? 4 : (a->base & 7)));
    if (sib)
        put8(e, a->scale << 6 | (a->index < X86_NGPR ? (a->index & 7) << 3 : 0x20) | (a->base & 7));
    if (narrow)
        put8(e, (uint8_t)a->disp);
    else
        put32(e, (uint32_t)a->disp);
}

static void prefixes(struct encoding *e, struct maker *m, const struct template *t, bool memory)
{
    if (memory && rng_chance(&m->r, 4))
        put8(e, rng_chance(&m->r, 50) ? 0x64 : 0x65);
    if (rng_chance(&m->r, 2))
        put8(e, 0x67);
    for (unsigned i = 0; i < 2; i++)
        if (t->prefix[i])
            put8(e, t->prefix[i]);
}

/* level: how little is varied: 0 all, 1 not the reg field of ModRM, 2 nothing. */
static void encode(struct maker *m, const struct template *t, unsigned level, struct encoding *e)
{
    struct rng *r = &m->r;
    const bool memory = t->has_modrm && t->modrm >> 6 != 3;
    const bool vsib = memory && t->vex && t->map == 2 && t->opcode >= 0x90 && t->opcode <= 0x93;
    struct address a = {.base = 0, .index = X86_NGPR};
    *e = (struct encoding){.len = 0};
    unsigned reg = t->modrm >> 3 & 7, rm = t->modrm & 7, vvvv = t->vvvv;
    if (memory)
        a = choose_address(m, vsib);
    if (level == 0)
        reg = rng_below(r, 16);
    if (level <= 1 && !memory)
        rm = rng_below(r, 16);
    if (level < 2 && t->vvvv)
        vvvv = rng_below(r, 16);
    const unsigned b = memory ? (a.rip || a.base == X86_NGPR ? 0 : a.base >> 3) : rm >> 3;
    const unsigned x = memory && a.index < X86_NGPR ? a.index >> 3 : 0;
    prefixes(e, m, t, memory);
    if (t->vex) {
        put8(e, 0xc4);
        put8(e, (~(reg >> 3) & 1) << 7 | (~x & 1) << 6 | (~b & 1) << 5 | t->map);
        put8(e, (unsigned)t->w << 7 | (~vvvv & 15) << 3 | (unsigned)t->l << 2 | t->pp);
    } else {
        const unsigned rex = (unsigned)t->w << 3 | (reg >> 3) << 2 | x << 1 | b;
        if (rex || rng_chance(r, 10))
            put8(e, 0x40 | rex);
        if (t->map)
            put8(e, 0x0f);
        if (t->map >= 2)
            put8(e, t->map == 2 ? 0x38 : 0x3a);
    }
    put8(e, t->opcode);
    if (memory)
        put_address(e, m, &a, reg);
    else if (t->has_modrm)
        put8(e, 0xc0 | (reg & 7) << 3 | (rm & 7));
    for (unsigned at = e->len; at < ITEM_BYTES; at++) /* immediates */
        e->bytes[at] = (uint8_t)rng64(r);
}

static unsigned gpr_number(ZydisRegister reg)
{
    switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR64:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR16: return (unsigned)ZydisRegisterGetId(reg);
    case ZYDIS_REGCLASS_GPR8:
        return reg >= ZYDIS_REGISTER_SPL ? (unsigned)(reg - ZYDIS_REGISTER_SPL) + 4
                                         : (unsigned)(reg - ZYDIS_REGISTER_AL) & 3;
    default: return X86_NGPR;
    }
}

/* Would it give a pointer, or RSP, another value? Stack instructions move RSP by what they may. */
static bool spoils(const struct maker *m, const struct x86_decoded *d)
{
    for (unsigned i = 0; i < d->i.operand_count; i++) {
        const ZydisDecodedOperand *o = &d->op[i];
        if (o->type != ZYDIS_OPERAND_TYPE_REGISTER || !(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            continue;
        const unsigned g = gpr_number(o->reg.value);
        if (g == RSP && o->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN)
            return true;
        for (unsigned k = 0; k < m->npointers; k++)
            if (g == m->pointer[k])
                return true;
    }
    return false;
}

static bool try_form(struct maker *m, const struct form *form, unsigned level)
{
    const struct forms *f = &m->pools->forms;
    const struct template *t = &form->templates[rng_below(&m->r, form->ntemplates)];
    struct encoding e;
    struct x86_decoded d;
    encode(m, t, level, &e);
    if (x86_decode(&f->decoder, 64, e.bytes, 15, &d) != X86_DECODED || form_key(&d) != form->key)
        return false;
    if (spoils(m, &d) && !rng_chance(&m->r, m->spoil))
        return false;
    if (m->no_repeat &&
        (d.i.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)))
        return false;
    struct item *i = &m->s->item[m->s->n++];
    *i = (struct item){.len = d.i.length};
    memcpy(i->bytes, e.bytes, d.i.length);
    if (e.rip_to && d.i.address_width == 64) {
        i->fix = FIX_RIP;
        i->at = (uint8_t)e.rip_at;
        i->add = e.rip_to;
    }
    return true;
}

void add_random_of(struct maker *m, enum pool_class pool)
{
    if (m->s->n == MAX_ITEMS)
        return;
    for (;;) {
        const uint32_t n = m->pools->form[pool][rng_below(&m->r, m->pools->count[pool])];
        for (unsigned level = 0; level < 3; level++)
            if (try_form(m, &m->pools->forms.form[n], level))
                return;
    }
}

void add_random(struct maker *m)
{
    unsigned at = rng_below(&m->r, 100);
    for (unsigned c = 0; c < POOLS; c++) {
        if (at < m->weight[c]) {
            add_random_of(m, (enum pool_class)c);
            return;
        }
        at -= m->weight[c];
    }
    add_random_of(m, POOL_INTEGER);
}

void add_some(struct maker *m, unsigned least, unsigned most)
{
    for (unsigned n = least + rng_below(&m->r, most - least + 1); n > 0; n--)
        add_random(m);
}
