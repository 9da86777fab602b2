/*
 * flags.h: which of the status flags an instruction writes, leaves undefined, leaves alone: by the manual,
 * never by the decoder's data.
 */
#ifndef TESTS_INSN_FLAGS_H
#define TESTS_INSN_FLAGS_H

#include "case.h"
#include "x86/decode.h"

/* When a row holds. The first row of a mnemonic whose condition holds is taken. */
enum flag_when {
    ALWAYS,
    COUNT_0,    /* shift or rotate count, masked to the operand's width, is 0 */
    COUNT_1,    /* ... is 1 */
    COUNT_OVER, /* ... is not less than the operand's width (SHLD, SHRD: is above it) */
    REP_0,      /* repeated, with a count of 0 */
};

struct flag_row {
    uint16_t mnemonic;
    uint8_t when;
    uint32_t written, undefined; /* FL_*; the rest of FL_CC and DF is unchanged */
    const char *section;         /* SDM volume 2 unless it says APM */
};

/* The row for a case, or one that writes nothing for an instruction that has none. */
const struct flag_row *flag_row_for(const struct icase *k, const struct x86_decoded *d);

#endif
