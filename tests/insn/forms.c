/*
 * forms.c: the forms list, made by decoding the whole opcode space: every map, mandatory prefix, REX.W or
 * VEX field and ModRM that can mean another instruction.
 */
#include "forms.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the form of a decoded instruction ---- */

enum kind { K_REG, K_FIXED, K_MEM, K_VSIB, K_MOFFS, K_IMM, K_REL, K_ONE };

static uint64_t operand_word(const struct x86_decoded *d, unsigned n)
{
    const ZydisDecodedOperand *o = &d->op[n];
    bool fixed =
        o->visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT || o->encoding == ZYDIS_OPERAND_ENCODING_NONE;
    switch (o->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        if (fixed)
            return K_FIXED << 16 | (uint64_t)o->reg.value;
        return K_REG << 16 | (uint64_t)ZydisRegisterGetClass(o->reg.value);
    case ZYDIS_OPERAND_TYPE_MEMORY:
        if (o->mem.type == ZYDIS_MEMOP_TYPE_VSIB)
            return K_VSIB << 16 | o->size;
        if (o->encoding == ZYDIS_OPERAND_ENCODING_DISP16_32_64)
            return K_MOFFS << 16 | o->size;
        return K_MEM << 16 | o->size;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        if (fixed)
            return K_ONE << 16;
        if (o->imm.is_relative)
            return K_REL << 16 | d->i.raw.imm[0].size;
        /* ENTER, EXTRQ and INSERTQ have two: told apart by place. */
        return K_IMM << 16 |
               (uint64_t)(n && d->op[n - 1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? d->i.raw.imm[1].size
                                                                                 : d->i.raw.imm[0].size);
    default: return (uint64_t)o->type << 20;
    }
}

static const ZydisInstructionAttributes repeats =
    ZYDIS_ATTRIB_HAS_LOCK | ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;

uint64_t form_key(const struct x86_decoded *d)
{
    uint64_t h = 0xcbf29ce484222325ull ^ d->i.mnemonic;
    h = (h ^ (d->i.attributes & repeats)) * 0x100000001b3ull;
    h ^= h >> 29;
    h = (h ^ d->i.meta.isa_set ^ (uint64_t)d->i.meta.branch_type << 20) * 0x100000001b3ull;
    for (unsigned n = 0; n < d->i.operand_count_visible; n++) {
        h = (h ^ (operand_word(d, n) + 1)) * 0x9e3779b97f4a7c15ull;
        h ^= h >> 31;
    }
    /* Widths that no visible operand shows: PUSHF, IRET, string instructions. */
    if (!d->i.operand_count_visible && d->i.meta.isa_set <= ZYDIS_ISA_SET_MAX_VALUE)
        h ^= (uint64_t)(d->i.meta.category == ZYDIS_CATEGORY_NOP ? 0 : d->i.operand_width) << 40;
    return h;
}

static const char *class_name(ZydisRegister r)
{
    switch (ZydisRegisterGetClass(r)) {
    case ZYDIS_REGCLASS_GPR8: return "r8";
    case ZYDIS_REGCLASS_GPR16: return "r16";
    case ZYDIS_REGCLASS_GPR32: return "r32";
    case ZYDIS_REGCLASS_GPR64: return "r64";
    case ZYDIS_REGCLASS_X87: return "st";
    case ZYDIS_REGCLASS_MMX: return "mm";
    case ZYDIS_REGCLASS_XMM: return "xmm";
    case ZYDIS_REGCLASS_YMM: return "ymm";
    case ZYDIS_REGCLASS_SEGMENT: return "sreg";
    case ZYDIS_REGCLASS_CONTROL: return "cr";
    case ZYDIS_REGCLASS_DEBUG: return "dr";
    default: return ZydisRegisterGetString(r);
    }
}

/* Returns the length of the name, without operands. */
static uint8_t form_text(const struct x86_decoded *d, char *text, size_t size)
{
    const ZydisInstructionAttributes a = d->i.attributes;
    int n = snprintf(text, size, "%s%s%s%s%s", a & ZYDIS_ATTRIB_HAS_LOCK ? "lock " : "",
                     a & ZYDIS_ATTRIB_HAS_REP ? "rep " : "", a & ZYDIS_ATTRIB_HAS_REPE ? "repe " : "",
                     a & ZYDIS_ATTRIB_HAS_REPNE ? "repne " : "", ZydisMnemonicGetString(d->i.mnemonic));
    if (d->i.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
        n += snprintf(text + n, size - (size_t)n, " far");
    if (!d->i.operand_count_visible && d->i.operand_width != 32)
        n += snprintf(text + n, size - (size_t)n, " o%u", d->i.operand_width);
    const uint8_t name_len = (uint8_t)n;
    for (unsigned k = 0; k < d->i.operand_count_visible; k++) {
        uint64_t w = operand_word(d, k);
        unsigned bits_wide = w & 0xffff;
        const char *sep = k ? ", " : " ";
        char s[24];
        switch (w >> 16) {
        case K_REG: snprintf(s, sizeof(s), "%s", class_name(d->op[k].reg.value)); break;
        case K_FIXED: snprintf(s, sizeof(s), "%s", ZydisRegisterGetString(d->op[k].reg.value)); break;
        case K_MEM: snprintf(s, sizeof(s), "m%u", bits_wide); break;
        case K_VSIB: snprintf(s, sizeof(s), "vm%u", bits_wide); break;
        case K_MOFFS: snprintf(s, sizeof(s), "moffs%u", bits_wide); break;
        case K_IMM: snprintf(s, sizeof(s), "imm%u", bits_wide); break;
        case K_REL: snprintf(s, sizeof(s), "rel%u", bits_wide); break;
        case K_ONE: snprintf(s, sizeof(s), "1"); break;
        default: snprintf(s, sizeof(s), "ptr"); break;
        }
        n += snprintf(text + n, size - (size_t)n, "%s%s", sep, s);
    }
    return name_len;
}

/* Done by the host's x87 or vector unit inside the interpreter: what works on such registers or their state.
 */
static bool on_host_unit(const struct x86_decoded *d)
{
    for (unsigned n = 0; n < d->i.operand_count; n++) {
        if (d->op[n].type != ZYDIS_OPERAND_TYPE_REGISTER)
            continue;
        switch (ZydisRegisterGetClass(d->op[n].reg.value)) {
        case ZYDIS_REGCLASS_X87:
        case ZYDIS_REGCLASS_MMX:
        case ZYDIS_REGCLASS_XMM:
        case ZYDIS_REGCLASS_YMM: return true;
        default: break;
        }
    }
    return d->i.meta.isa_set == ZYDIS_ISA_SET_X87;
}

/* ---- templates ---- */

unsigned template_bytes(const struct template *t, uint8_t fill, uint8_t bytes[15])
{
    unsigned n = 0;
    memset(bytes, fill, 15);
    for (unsigned i = 0; i < 2; i++)
        if (t->prefix[i])
            bytes[n++] = t->prefix[i];
    if (t->vex) {
        bytes[n++] = 0xc4;
        bytes[n++] = (uint8_t)(0xe0 | t->map);
        bytes[n++] = (uint8_t)(t->w << 7 | (~t->vvvv & 15) << 3 | t->l << 2 | t->pp);
    } else {
        if (t->w)
            bytes[n++] = 0x48;
        if (t->map)
            bytes[n++] = 0x0f;
        if (t->map == 2)
            bytes[n++] = 0x38;
        if (t->map == 3)
            bytes[n++] = 0x3a;
    }
    bytes[n++] = t->opcode;
    if (t->has_modrm) {
        bytes[n++] = t->modrm;
        if ((t->modrm & 0xc7) == 0x04)
            bytes[n++] = t->sib;
    }
    return n;
}

struct finder {
    struct forms *f;
    const struct cpuid_model *m;
    unsigned room;
    uint32_t hash[1u << 14]; /* form number + 1, by key */
    bool was_modrm;          /* of the last decoded instruction */
};

static struct form *form_of(struct finder *x, const struct x86_decoded *d)
{
    struct forms *f = x->f;
    uint64_t key = form_key(d);
    for (uint32_t i = (uint32_t)key;; i++) {
        uint32_t *slot = &x->hash[i % ARRAY_LEN(x->hash)];
        if (*slot && f->form[*slot - 1].key != key)
            continue;
        if (*slot)
            return &f->form[*slot - 1];
        if (f->count == x->room) {
            x->room = x->room ? 2 * x->room : 1024;
            f->form = realloc(f->form, x->room * sizeof(*f->form));
            assert(f->form && x->room < ARRAY_LEN(x->hash));
        }
        *slot = f->count + 1;
        struct form *form = &f->form[f->count++];
        *form = (struct form){.key = key, .mnemonic = d->i.mnemonic, .isa_set = (uint16_t)d->i.meta.isa_set};
        form->name_len = form_text(d, form->text, sizeof(form->text));
        form->width = (uint8_t)d->i.operand_width;
        form->host_unit = on_host_unit(d);
        form->excluded = form_excluded(d);
        return form;
    }
}

static bool same_shape(const struct template *a, const struct template *b)
{
    return a->vex == b->vex && !memcmp(a->prefix, b->prefix, 2) && a->map == b->map &&
           a->opcode == b->opcode && a->w == b->w && a->pp == b->pp && a->l == b->l &&
           (!a->has_modrm || (a->modrm >> 6 == 3) == (b->modrm >> 6 == 3));
}

static void try_template(struct finder *x, const struct template *t)
{
    uint8_t bytes[15];
    struct x86_decoded d;
    template_bytes(t, 0, bytes);
    x->was_modrm = true;
    if (x86_decode(&x->f->decoder, x->f->code_bits, bytes, sizeof(bytes), &d) != X86_DECODED)
        return;
    x->was_modrm = d.i.attributes & ZYDIS_ATTRIB_HAS_MODRM;
    if (d.i.encoding != (t->vex ? ZYDIS_INSTRUCTION_ENCODING_VEX : ZYDIS_INSTRUCTION_ENCODING_LEGACY) ||
        d.i.opcode != t->opcode || !isa_offered(x->m, d.i.meta.isa_set))
        return;
    struct form *form = form_of(x, &d);
    for (unsigned i = 0; i < form->ntemplates; i++)
        if (same_shape(&form->templates[i], t))
            return;
    if ((form->ntemplates & (form->ntemplates - 1)) == 0) {
        form->templates = realloc(form->templates, MAX(1u, 2 * form->ntemplates) * sizeof(*form->templates));
        assert(form->templates);
    }
    form->templates[form->ntemplates++] = *t;
}

/* Opcodes where rm of a register form chooses the instruction. */
static bool rm_matters(const struct template *t)
{
    if (t->vex)
        return false;
    return t->map == 0 ? t->opcode >= 0xd8 && t->opcode <= 0xdf
                       : t->map == 1 && (t->opcode == 0x01 || t->opcode == 0xae || t->opcode == 0x1e ||
                                         t->opcode == 0xc7 || t->opcode == 0x18);
}

static void try_modrms(struct finder *x, struct template *t)
{
    t->has_modrm = false;
    t->modrm = t->sib = 0;
    try_template(x, t);
    if (!x->was_modrm)
        return;
    t->has_modrm = true;
    for (unsigned reg = 0; reg < 8; reg++) {
        const uint8_t r = (uint8_t)(reg << 3);
        t->modrm = r | 7; /* [rdi] */
        try_template(x, t);
        t->modrm = r | 4; /* [rdi+rsi], or a vector of indices */
        t->sib = 0x37;
        try_template(x, t);
        for (unsigned rm = 0; rm < 8; rm++) {
            t->modrm = (uint8_t)(0xc0 | r | rm);
            if (rm_matters(t) || rm == 1)
                try_template(x, t);
        }
    }
}

static void find_legacy(struct finder *x)
{
    static const uint8_t prefixes[][2] = {{0, 0},       {0x66, 0},    {0xf2, 0}, {0xf3, 0},
                                          {0x66, 0xf2}, {0x66, 0xf3}, {0xf0, 0}, {0x66, 0xf0}};
    for (unsigned map = 0; map < 4; map++)
        for (unsigned p = 0; p < ARRAY_LEN(prefixes); p++)
            for (unsigned w = 0; w < (x->f->code_bits == 64 ? 2 : 1); w++)
                for (unsigned op = 0; op < 256; op++) {
                    struct template t = {.map = (uint8_t)map, .opcode = (uint8_t)op, .w = (uint8_t)w};
                    memcpy(t.prefix, prefixes[p], 2);
                    try_modrms(x, &t);
                }
}

static void find_vex(struct finder *x)
{
    for (unsigned map = 1; map < 4; map++)
        for (unsigned wlp = 0; wlp < 16; wlp++)
            for (unsigned op = 0; op < 256; op++)
                for (unsigned v = 0; v < 2; v++) {
                    struct template t = {.vex = true, .map = (uint8_t)map, .opcode = (uint8_t)op};
                    t.w = wlp >> 3;
                    t.l = wlp >> 2 & 1;
                    t.pp = wlp & 3;
                    t.vvvv = v ? 2 : 0; /* none (1111 inverted), or register 2 */
                    try_modrms(x, &t);
                }
}

void forms_find(struct forms *f, const struct cpuid_model *m, bool amd, unsigned code_bits)
{
    struct finder *x = calloc(1, sizeof(*x));
    assert(x);
    *f = (struct forms){.code_bits = code_bits};
    x86_decoder_init(&f->decoder, amd);
    x->f = f;
    x->m = m;
    find_legacy(x);
    find_vex(x);
    free(x);
}

void forms_free(struct forms *f)
{
    for (unsigned i = 0; i < f->count; i++)
        free(f->form[i].templates);
    free(f->form);
}
