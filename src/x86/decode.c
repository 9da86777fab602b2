/*
 * decode.c: instruction decoding by Zydis.
 */
#include "x86/decode.h"

#include <stdio.h>
#include <string.h>

void x86_decoder_init(struct x86_decoder *d, bool amd)
{
    static const struct {
        ZydisMachineMode mode;
        ZydisStackWidth stack;
    } modes[3] = {
        {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
        {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
        {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
    };
    d->amd = amd;
    for (unsigned i = 0; i < 3; i++) {
        ZydisDecoderInit(&d->z[i], modes[i].mode, modes[i].stack);
        ZydisDecoderEnableMode(&d->z[i], ZYDIS_DECODER_MODE_AMD_BRANCHES, amd);
        ZydisDecoderEnableMode(&d->z[i], ZYDIS_DECODER_MODE_MPX, false);
        ZydisDecoderEnableMode(&d->z[i], ZYDIS_DECODER_MODE_CET, false);
        ZydisDecoderEnableMode(&d->z[i], ZYDIS_DECODER_MODE_CLDEMOTE, false);
    }
}

/*
 * AMD: an operand-size prefix makes a near branch in 64-bit mode one of 16 bits (APM 3 1.2.3, 1.2.7). Zydis
 * knows it only of branches with an immediate of the operand's size.
 */
static void short_branch(struct x86_decoded *out)
{
    const bool rexw = out->i.attributes & ZYDIS_ATTRIB_HAS_REX && out->i.raw.rex.W;
    bool prefix = false;
    for (unsigned k = 0; k < out->i.raw.prefix_count; k++)
        prefix |= out->i.raw.prefixes[k].value == 0x66;
    if (!prefix || rexw || out->i.operand_width != 64)
        return;
    out->i.operand_width = 16;
    for (unsigned k = 0; k < out->i.operand_count; k++) {
        ZydisDecodedOperand *o = &out->op[k];
        bool general = o->type == ZYDIS_OPERAND_TYPE_REGISTER &&
                       o->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT &&
                       ZydisRegisterGetClass(o->reg.value) == ZYDIS_REGCLASS_GPR64;
        if (general)
            o->reg.value =
                ZydisRegisterEncode(ZYDIS_REGCLASS_GPR16, (ZyanU8)ZydisRegisterGetId(o->reg.value));
        if (general || (o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->size == 64))
            o->size = 16;
    }
}

/*
 * [disp32 + index] with a 32-bit address and REX.B: base 101b means "none" whatever REX.B says (SDM 2A table
 * 2-5). Zydis makes it R13D.
 */
static void no_base(struct x86_decoded *out)
{
    for (unsigned k = 0; k < out->i.operand_count; k++) {
        ZydisDecodedOperand *o = &out->op[k];
        if (o->type != ZYDIS_OPERAND_TYPE_MEMORY || o->mem.base != ZYDIS_REGISTER_R13D)
            continue;
        o->mem.base = ZYDIS_REGISTER_NONE;
        o->mem.disp.has_displacement = true;
        o->mem.disp.value = out->i.raw.disp.value;
    }
}

static void mend(const struct x86_decoder *d, unsigned code_bits, struct x86_decoded *out)
{
    const ZydisDecodedInstructionRaw *raw = &out->i.raw;
    if (code_bits != 64)
        return;
    if (d->amd && (out->i.meta.branch_type == ZYDIS_BRANCH_TYPE_SHORT ||
                   out->i.meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR))
        short_branch(out);
    if (out->i.address_width == 32 && out->i.attributes & ZYDIS_ATTRIB_HAS_SIB && raw->modrm.mod == 0 &&
        raw->sib.base == 5)
        no_base(out);
}

static bool legacy_prefix(uint8_t byte)
{
    return memchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", byte, 11);
}
static size_t count_prefixes(unsigned code_bits, const uint8_t *bytes, size_t len)
{
    size_t n = 0;
    while (n < len && (legacy_prefix(bytes[n]) || (code_bits == 64 && (bytes[n] & 0xf0) == 0x40)))
        n++;
    return n;
}

/* AMD's UD0 and UD1 end with the opcode: no page behind it is looked at. */
static bool ud_alone(unsigned code_bits, const uint8_t *bytes, size_t len)
{
    size_t n = count_prefixes(code_bits, bytes, len);
    return len >= n + 2 && bytes[n] == 0x0f && (bytes[n + 1] == 0xb9 || bytes[n + 1] == 0xff);
}

/* More bytes are needed, or would be: they are fetched, and may fault, up to the fifteenth. */
static enum x86_decode_result too_few(size_t len)
{
    return len >= X86_MAX_INSN ? X86_TOO_LONG : X86_TRUNCATED;
}

/*
 * Make of bytes that are no instruction some that are one of the same length: `pass` says how hard to try.
 * Zydis stops at what makes an instruction invalid.
 */
static void make_valid(unsigned code_bits, uint8_t *bytes, size_t n, unsigned pass)
{
    const size_t at = count_prefixes(code_bits, bytes, n);
    bool vex = at < n && (bytes[at] == 0xc4 || bytes[at] == 0xc5);
    for (size_t k = 0; k < at; k++)
        if (bytes[k] >= 0xf0 || (bytes[k] == 0x66 && (vex || pass)))
            bytes[k] = 0x3e;
    if (vex && code_bits == 64 && at && (bytes[at - 1] & 0xf0) == 0x40)
        bytes[at] = 0x8b; /* right behind REX it is no VEX prefix, but an undefined opcode with ModRM */
    else if (vex && pass && at + 3 < n && bytes[at] == 0xc4 && (bytes[at + 1] & 31) == 2)
        bytes[at + 3] = 0x40; /* a gather without SIB: any other instruction of its map */
}

/* A processor has fetched the whole instruction, and found it not too long, before it says #UD. */
static enum x86_decode_result why_invalid(const ZydisDecoder *z, unsigned code_bits, const uint8_t *bytes,
                                          size_t len)
{
    uint8_t other[X86_MAX_INSN];
    const size_t n = MIN(len, sizeof(other));
    for (unsigned pass = 0; pass < 2; pass++) {
        ZydisDecodedInstruction i;
        memcpy(other, bytes, n);
        make_valid(code_bits, other, n, pass);
        ZyanStatus s = ZydisDecoderDecodeInstruction(z, NULL, other, n, &i);
        if (s == ZYDIS_STATUS_NO_MORE_DATA || s == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
            return too_few(len);
        if (ZYAN_SUCCESS(s))
            break;
    }
    return X86_INVALID;
}

enum x86_decode_result x86_decode(const struct x86_decoder *d, unsigned code_bits, const uint8_t *bytes,
                                  size_t len, struct x86_decoded *out)
{
    const ZydisDecoder *z = &d->z[code_bits == 64 ? 2 : code_bits == 32 ? 1 : 0];
    ZyanStatus s = ZydisDecoderDecodeFull(z, bytes, len, &out->i, out->op);
    if (ZYAN_SUCCESS(s)) {
        mend(d, code_bits, out);
        return X86_DECODED;
    }
    if (s != ZYDIS_STATUS_NO_MORE_DATA && s != ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
        return why_invalid(z, code_bits, bytes, len);
    if (d->amd && ud_alone(code_bits, bytes, MIN(len, (size_t)X86_MAX_INSN)))
        return X86_INVALID;
    return too_few(len);
}

void x86_format(const struct x86_decoded *in, uint64_t rip, char *text, size_t size)
{
    ZydisFormatter f;
    ZydisFormatterInit(&f, ZYDIS_FORMATTER_STYLE_INTEL);
    if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&f, &in->i, in->op, in->i.operand_count_visible, text,
                                                      size, rip, NULL)))
        snprintf(text, size, "(?)");
}
