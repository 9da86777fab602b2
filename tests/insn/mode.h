/*
 * mode.h: code sizes that cases run in, and the segments that both sides give them.
 *
 * Linux lends 64- and 32-bit code; 16-bit code, and the segments with limits that all but 64-bit code has in
 * FS and GS, come from the local descriptor table of the child (modify_ldt).
 */
#ifndef TESTS_INSN_MODE_H
#define TESTS_INSN_MODE_H

#include "case.h"

/* Selectors: Linux's (arch/x86/include/asm/segment.h), and those of the LDT. */
#define SEL_USER32_CS 0x23
#define SEL_USER_DS   0x2b
#define SEL_USER_CS   0x33
#define SEL_LDT(n)    ((n) << 3 | 7)

struct mode_segment {
    uint16_t sel;
    uint32_t base, limit; /* limit in bytes */
    bool big, expand_down, code;
};

struct mode {
    unsigned bits;
    struct mode_segment seg[6]; /* by enum x86_sreg; of 64-bit code only the selectors count */
};

/* bits: 64, 32, 16. */
const struct mode *mode_of(unsigned bits);
/* What the segment register adds to an effective address; FS and GS of 64-bit code by the case. */
uint64_t mode_base(const struct icase *k, enum x86_sreg seg);
/* Linear address of the case's instruction. */
static inline uint64_t case_linear(const struct icase *k)
{
    return k->in.rip + mode_base(k, SEG_CS);
}
/* The instruction and, behind it, a jump that leads out of the case natively. Both sides have it in their
 * code pages, since a case may read them. Returns the length. */
#define CASE_CODE (CASE_BYTES + 8)
unsigned case_code(const struct icase *k, uint8_t code[CASE_CODE]);
/* Length of that jump. */
static inline unsigned case_exit_len(unsigned bits)
{
    return bits == 16 ? 8 : 7;
}

#endif
