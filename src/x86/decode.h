/*
 * x86/decode.h: the one face of the decoder library (Zydis 4). Others include this and never Zydis itself.
 *
 * Zydis's data on flags is not used (wrong in places); operands, prefixes, lengths and ISA sets are.
 */
#ifndef X86_DECODE_H
#define X86_DECODE_H

#include "base/base.h"
#include <Zydis/Zydis.h>

#define X86_MAX_INSN 15

struct x86_decoder {
    ZydisDecoder z[3]; /* code size 16, 32, 64 */
    bool amd;
};

/* One decoded instruction with all its operands, hidden ones included. */
struct x86_decoded {
    ZydisDecodedInstruction i;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

enum x86_decode_result {
    X86_DECODED,
    X86_TRUNCATED, /* more bytes are needed than were given */
    X86_INVALID,   /* #UD */
    X86_TOO_LONG,  /* more than 15 bytes: #GP(0) */
};

/* amd: the guest's vendor is AMD (0x66 before near branches counts in 64-bit mode). Read-only afterwards. */
void x86_decoder_init(struct x86_decoder *d, bool amd);
/* code_bits: 16, 32 or 64. */
enum x86_decode_result x86_decode(const struct x86_decoder *d, unsigned code_bits, const uint8_t *bytes,
                                  size_t len, struct x86_decoded *out);
/* Intel-syntax text of the instruction as if at rip. */
void x86_format(const struct x86_decoded *in, uint64_t rip, char *text, size_t size);

#endif
