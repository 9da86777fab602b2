/*
 * forms.h: every instruction form that the guest's CPUID offers, found by going through the opcode space.
 *
 * A form is a mnemonic with the kinds and widths of its operands and its LOCK or REP ("add r32, m32",
 * "rep movsb"). Several encodings may give one form; each is kept as a template from which the cases'
 * bytes are made.
 */
#ifndef TESTS_INSN_FORMS_H
#define TESTS_INSN_FORMS_H

#include "cpu/cpuid.h"
#include "rng.h"
#include "x86/decode.h"

struct template
{
    bool vex, has_modrm;
    uint8_t prefix[2]; /* LOCK, 66, F2, F3: 0 when there is none */
    uint8_t map;       /* 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A */
    uint8_t opcode, modrm, sib;
    uint8_t w;           /* REX.W or VEX.W */
    uint8_t pp, l, vvvv; /* VEX; vvvv not inverted */
};

struct form {
    uint64_t key;
    char text[80];
    uint8_t name_len; /* of text: prefixes and mnemonic, before the operands */
    uint8_t width;    /* operand width in bits */
    uint16_t mnemonic, isa_set;
    bool host_unit;       /* the interpreter runs it on the host's x87 or vector unit */
    const char *excluded; /* why it is not run, or NULL */
    struct template *templates;
    unsigned ntemplates;
    uint64_t tested, faulted, undefined, failed;
    bool unsupported; /* silicon does it, the interpreter says #UD */
};

struct forms {
    struct form *form;
    unsigned count;
    unsigned code_bits;
    struct x86_decoder decoder;
};

/* m: NULL for the forms of every ISA set that isa.c knows. amd: as x86_decoder_init. */
void forms_find(struct forms *f, const struct cpuid_model *m, bool amd, unsigned code_bits);
void forms_free(struct forms *f);
/* What the decoded instruction's form is known by. */
uint64_t form_key(const struct x86_decoded *d);

/* Does the model offer an ISA set (isa.c)? m: NULL where any could. */
bool isa_offered(const struct cpuid_model *m, unsigned isa_set);

/*
 * Bytes of one encoding of the form, with registers, addressing and redundant prefixes chosen at random
 * (encode.c); decoded into *d. segments: FS and GS may be used. Returns the length.
 */
unsigned form_encode(const struct forms *f, const struct form *form, struct rng *r, bool segments,
                     uint8_t bytes[15], struct x86_decoded *d);
/* The template's own bytes, tail filled with `fill`; returns how many (at most 15). */
unsigned template_bytes(const struct template *t, uint8_t fill, uint8_t bytes[15]);

/* MOV to or from a control register. */
static inline bool form_has_control_register(const struct x86_decoded *d)
{
    for (unsigned n = 0; n < d->i.operand_count_visible; n++)
        if (d->op[n].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(d->op[n].reg.value) == ZYDIS_REGCLASS_CONTROL)
            return true;
    return false;
}
/* Why a form is not run natively (exclude.c), or NULL. */
const char *form_excluded(const struct x86_decoded *d);

#endif
