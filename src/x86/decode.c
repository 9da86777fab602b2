/*
 * decode.c: instruction decoding by Zydis.
 */
#include "x86/decode.h"

#include <stdio.h>

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
    for (unsigned i = 0; i < 3; i++) {
        ZydisDecoderInit(&d->z[i], modes[i].mode, modes[i].stack);
        ZydisDecoderEnableMode(&d->z[i], ZYDIS_DECODER_MODE_AMD_BRANCHES, amd);
        ZydisDecoderEnableMode(&d->z[i], ZYDIS_DECODER_MODE_MPX, false);
        ZydisDecoderEnableMode(&d->z[i], ZYDIS_DECODER_MODE_CET, false);
        ZydisDecoderEnableMode(&d->z[i], ZYDIS_DECODER_MODE_CLDEMOTE, false);
    }
}

enum x86_decode_result x86_decode(const struct x86_decoder *d, unsigned code_bits, const uint8_t *bytes,
                                  size_t len, struct x86_decoded *out)
{
    const ZydisDecoder *z = &d->z[code_bits == 64 ? 2 : code_bits == 32 ? 1 : 0];
    ZyanStatus s = ZydisDecoderDecodeFull(z, bytes, len, &out->i, out->op);
    if (ZYAN_SUCCESS(s))
        return X86_DECODED;
    if (s == ZYDIS_STATUS_NO_MORE_DATA)
        return len >= X86_MAX_INSN ? X86_TOO_LONG : X86_TRUNCATED;
    if (s == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
        return X86_TOO_LONG;
    return X86_INVALID;
}

void x86_format(const struct x86_decoded *in, uint64_t rip, char *text, size_t size)
{
    ZydisFormatter f;
    ZydisFormatterInit(&f, ZYDIS_FORMATTER_STYLE_INTEL);
    if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&f, &in->i, in->op, in->i.operand_count_visible, text,
                                                      size, rip, NULL)))
        snprintf(text, size, "(?)");
}
