/*
 * known.c: insn-known: the interpreter against results known beforehand (known.h), without the host's
 * processor as judge.
 *
 * Exit status 0 when all hold and every family of forms that the interpreter executes on the host's own unit
 * has a row, 1 when not.
 */
#include "known.h"

#include "forms.h"
#include "guest.h"
#include "mode.h"
#include "values.h"
#include <stdio.h>
#include <stdlib.h>

#define MEM_VA (DATA_VA + 0x100)

struct check {
    struct guest *guest;
    struct x86_decoder decoder;
    const struct cpuid_model *model;
    bool covered[ZYDIS_ISA_SET_MAX_VALUE + 1];
    unsigned done, failed, not_offered;
};

/* ---- values as text ---- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
/* A number of up to 64 digits, lowest byte first. */
static void parse_number(const char *s, uint8_t to[32])
{
    unsigned n = 0;
    memset(to, 0, 32);
    while (digit(s[n]) >= 0)
        n++;
    for (unsigned i = 0; i < n && i < 64; i++)
        to[i / 2] |= (uint8_t)(digit(s[n - 1 - i]) << (i % 2 * 4));
}
/* gap: 1 where a blank stands between bytes. */
static unsigned parse_bytes(const char *s, unsigned gap, uint8_t *to, unsigned room)
{
    unsigned n = 0;
    for (; n < room && digit(s[0]) >= 0 && digit(s[1]) >= 0; s += s[2] ? 2 + gap : 2)
        to[n++] = (uint8_t)(digit(s[0]) << 4 | digit(s[1]));
    return n;
}

/* ---- places by name ---- */

struct place {
    void *at;
    unsigned size;
    uint32_t flag; /* or a flag */
};

static struct place place_of(struct regs *r, const char *name, unsigned len)
{
    static const char gpr[8][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"};
    static const struct {
        char name[3];
        uint32_t bit;
    } flags[] = {{"cf", FL_CF}, {"pf", FL_PF}, {"af", FL_AF}, {"zf", FL_ZF},
                 {"sf", FL_SF}, {"of", FL_OF}, {"df", FL_DF}, {"ac", FL_AC}};
    static const struct {
        char name[6];
        uint8_t at, size;
    } words[] = {{"fcw", XS_FCW, 2}, {"fsw", XS_FSW, 2}, {"ftw", XS_FTW, 1}, {"mxcsr", XS_MXCSR, 4}};
    for (unsigned i = 0; i < 8; i++)
        if (len == 3 && !memcmp(name, gpr[i], 3))
            return (struct place){&r->gpr[i], 8, 0};
    for (unsigned i = 0; i < ARRAY_LEN(flags); i++)
        if (len == 2 && !memcmp(name, flags[i].name, 2))
            return (struct place){&r->rflags, 4, flags[i].bit};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        if (len == strlen(words[i].name) && !memcmp(name, words[i].name, len))
            return (struct place){r->xsave + words[i].at, words[i].size, 0};
    if (len == 3 && !memcmp(name, "st", 2))
        return (struct place){r->xsave + XS_ST + 16 * (name[2] - '0'), 10, 0};
    if (len == 2 &&
        name[0] == 'm') /* TOP is 0 behind an MMX instruction, and before one unless FSW says so */
        return (struct place){r->xsave + XS_ST + 16 * (name[1] - '0'), 8, 0};
    if (len == 2 && name[0] == 'x')
        return (struct place){r->xsave + XS_XMM + 16 * (name[1] - '0'), 32, 0};
    return (struct place){0};
}

static bool is_vector(const char *name, unsigned len)
{
    return len == 2 && name[0] == 'x';
}
static bool is_x87(const char *name, unsigned len)
{
    return len == 3 && name[0] == 's' && name[1] == 't';
}
static void value_of(const char *name, unsigned len, const char *text, uint8_t v[32])
{
    parse_number(text, v);
    if (is_x87(name, len)) {
        uint8_t significand[32];
        parse_number(strchr(text, ':') + 1, significand);
        memcpy(v + 8, (uint8_t[2]){v[0], v[1]}, 2);
        memcpy(v, significand, 8);
    }
}

/* Call `each` for every "name=value"; false when one returned false. */
typedef bool each_fn(void *context, const char *name, unsigned len, const char *value);
static bool for_each(const char *text, each_fn *each, void *context)
{
    bool ok = true;
    for (const char *s = text; *s;) {
        unsigned len = (unsigned)strcspn(s, "=");
        const char *value = s + len + 1;
        ok &= each(context, s, len, value);
        s = value + strcspn(value, " ");
        s += strspn(s, " ");
    }
    return ok;
}

/* ---- before ---- */

static bool set_one(void *context, const char *name, unsigned len, const char *text)
{
    struct icase *k = context;
    uint8_t v[32];
    if (len == 3 && !memcmp(name, "mem", 3)) {
        struct patch *p = &k->patch[k->npatches++];
        *p = (struct patch){.off = MEM_VA - DATA_VA};
        p->len = (uint16_t)parse_bytes(text, 0, k->patch_bytes, PATCH_BYTES);
        return true;
    }
    value_of(name, len, text, v);
    struct place p = place_of(&k->in, name, len);
    assert(p.at);
    if (p.flag) {
        k->in.rflags = v[0] ? k->in.rflags | p.flag : k->in.rflags & ~(uint64_t)p.flag;
    } else if (is_vector(name, len)) {
        memcpy(p.at, v, 16);
        memcpy((uint8_t *)p.at - XS_XMM + XS_YMM_HI, v + 16, 16);
    } else {
        memcpy(p.at, v, p.size);
    }
    if (is_x87(name, len)) {
        unsigned top = (unsigned)load_le(k->in.xsave + XS_FSW, 2) >> 11 & 7;
        k->in.xsave[XS_FTW] |= (uint8_t)(1u << ((unsigned)(name[2] - '0' + (int)top) & 7));
    }
    return true;
}

static void make_case(const struct known *row, struct icase *k)
{
    memset(k, 0, sizeof(*k));
    k->code_bits = row->bits;
    k->len = (uint8_t)parse_bytes(row->bytes, 1, k->bytes, CASE_BYTES);
    k->in.rip = CODE_VA - mode_base(k, SEG_CS) + 0x200;
    k->in.rflags = FL_ONE | FL_IF;
    k->in.gpr[RDI] = MEM_VA;
    k->in.gpr[RSP] = DATA_VA + 0x1000;
    store_le(k->in.xsave + XS_FCW, 0x37f, 2);
    store_le(k->in.xsave + XS_MXCSR, 0x1f80, 4);
    k->in.xsave[XS_BV] = 7;
    for_each(row->before, set_one, k);
}

/* ---- after ---- */

struct result {
    const struct known *row;
    const struct icase *k;
    struct outcome *o;
    bool fault_named;
};

static void print_value(const uint8_t *v, unsigned n)
{
    while (n--)
        printf("%02x", v[n]);
}

/* What the data pages hold at `off` now. */
static uint8_t memory_byte(const struct result *r, const uint8_t *base, unsigned off)
{
    for (unsigned i = 0; i < r->o->nchunks; i++)
        if (r->o->chunk[i] == off / CHUNK)
            return r->o->data[i][off % CHUNK];
    const struct patch *p = &r->k->patch[0];
    return r->k->npatches && off >= p->off && off < p->off + p->len ? r->k->patch_bytes[off - p->off]
                                                                    : base[off];
}

static uint8_t base[AREA_SIZE];

static bool wrong(const struct result *r, const char *name, unsigned len, const uint8_t *is, unsigned n,
                  const uint8_t *should)
{
    printf("%s (%s): %.*s is ", r->row->text, r->row->before, (int)len, name);
    print_value(is, n);
    printf(", should be ");
    print_value(should, n);
    printf(" by %s\n", r->row->source);
    return false;
}

static bool check_one(void *context, const char *name, unsigned len, const char *text)
{
    struct result *r = context;
    uint8_t v[64], is[64];
    if (len == 3 && !memcmp(name, "mem", 3)) {
        unsigned n = parse_bytes(text, 0, v, sizeof(v));
        for (unsigned i = 0; i < n; i++)
            is[i] = memory_byte(r, base, MEM_VA - DATA_VA + i);
        return !memcmp(is, v, n) || wrong(r, name, len, is, n, v);
    }
    value_of(name, len, text, v);
    if (len == 5 && (!memcmp(name, "fault", 5) || !memcmp(name, "error", 5))) {
        bool fault = name[0] == 'f';
        r->fault_named |= fault;
        store_le(is, fault ? r->o->vector : r->o->error, 4);
        return !memcmp(is, v, 4) || wrong(r, name, len, is, 4, v);
    }
    struct place p = place_of(&r->o->out, name, len);
    assert(p.at);
    unsigned n = p.size;
    if (p.flag) {
        is[0] = (load_le(p.at, 4) & p.flag) != 0;
        n = 1;
    } else if (is_vector(name, len)) {
        memcpy(is, p.at, 16);
        memcpy(is + 16, (uint8_t *)p.at - XS_XMM + XS_YMM_HI, 16);
    } else {
        memcpy(is, p.at, n);
    }
    if (r->row->bits != 64 && n == 8)
        n = 4;
    return !memcmp(is, v, n) || wrong(r, name, len, is, n, v);
}

static void check_row(struct check *c, const struct known *row)
{
    static struct icase k;
    static struct outcome o;
    struct x86_decoded d;
    make_case(row, &k);
    if (x86_decode(&c->decoder, row->bits, k.bytes, k.len, &d) == X86_DECODED) {
        c->covered[d.i.meta.isa_set] = true;
        if (!isa_offered(c->model, d.i.meta.isa_set)) {
            c->not_offered++;
            return;
        }
    }
    guest_run(c->guest, &k, &o);
    struct result r = {row, &k, &o, false};
    bool ok = for_each(row->after, check_one, &r);
    if (!r.fault_named && o.vector != NO_FAULT) {
        printf("%s (%s): raises exception %u\n", row->text, row->before, o.vector);
        ok = false;
    }
    c->done++;
    c->failed += !ok;
}

/* Families of forms that the host's unit executes for the interpreter, and have no row. */
static unsigned families_without(struct check *c)
{
    struct forms f;
    unsigned missing = 0;
    forms_find(&f, c->model, c->model->vendor == CPU_AMD, 64);
    for (unsigned i = 0; i < f.count; i++) {
        unsigned set = f.form[i].isa_set;
        if (!f.form[i].host_unit || c->covered[set])
            continue;
        printf("no row for any form of %s, such as %s\n", ZydisISASetGetString((ZydisISASet)set),
               f.form[i].text);
        c->covered[set] = true;
        missing++;
    }
    forms_free(&f);
    return missing;
}

int main(void)
{
    static const struct {
        const struct known *row;
        const unsigned *count;
    } tables[] = {{known_integer, &known_integer_count},
                  {known_x87, &known_x87_count},
                  {known_vector, &known_vector_count}};
    static struct cpuid_model model;
    static struct check c;
    struct err e = {0};
    const struct cpuid_config cfg = {.cpus = 1, .tsc_khz = 1000000};
    cpuid_compose(&model, &cfg);
    c.model = &model;
    x86_decoder_init(&c.decoder, model.vendor == CPU_AMD);
    c.guest = guest_new("interp", &model, base, &e);
    if (!c.guest) {
        fprintf(stderr, "insn-known: %s\n", e.text);
        return 2;
    }
    for (unsigned t = 0; t < ARRAY_LEN(tables); t++)
        for (unsigned i = 0; i < *tables[t].count; i++)
            check_row(&c, &tables[t].row[i]);
    guest_free(c.guest);
    unsigned missing = families_without(&c);
    printf(
        "known results: %u hold, %u do not, %u of instructions that the guest is not offered; %u families "
        "without\n",
        c.done - c.failed, c.failed, c.not_offered, missing);
    return c.failed || missing;
}
