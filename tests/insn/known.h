/*
 * known.h: results that the manuals give, or that can be worked out by hand: the table and how it is written.
 *
 * What comes before and after an instruction is text, "name=value" with values in hexadecimal:
 *
 *   rax ... rdi       general registers (before: 0, but RDI, which points at mem, and RSP)
 *   cf pf af zf sf of df ac   one flag each (before: clear)
 *   x0 ... x3         vector registers, of up to 64 digits
 *   m0 ... m7         MMX registers
 *   st0 ... st7       x87 registers, "exponent:significand"; before: naming one makes it valid
 *   fcw fsw ftw mxcsr as FXSAVE has them (before: 37f, 0, by the registers named, 1f80)
 *   mem               bytes at [rdi], in the order of memory
 *   fault error       exception number and error code; without "fault" none is expected
 *
 * After the instruction only what is named is looked at; RIP always is.
 */
#ifndef TESTS_INSN_KNOWN_H
#define TESTS_INSN_KNOWN_H

#include <stdint.h>

struct known {
    const char *text;  /* the instruction, as an assembler has it */
    const char *bytes; /* in hexadecimal */
    uint8_t bits;      /* code size */
    const char *before, *after;
    const char *source; /* which manual's section says so */
};

extern const struct known known_integer[], known_x87[], known_vector[];
extern const unsigned known_integer_count, known_x87_count, known_vector_count;

#endif
