/*
 * compare.h: is what the interpreter did what silicon did?
 */
#ifndef TESTS_INSN_COMPARE_H
#define TESTS_INSN_COMPARE_H

#include "case.h"
#include "x86/decode.h"

/* What may differ: bits. */
enum field {
    F_GPR = 1 << 0,
    F_RIP = 1 << 1,
    F_FLAGS = 1 << 2,       /* flags that the manual defines */
    F_UNDEF_FLAGS = 1 << 3, /* flags that it leaves undefined: the interpreter follows silicon there too */
    F_MEM = 1 << 4,
    F_VEC = 1 << 5,
    F_MXCSR = 1 << 6,
    F_FCW = 1 << 7,
    F_FSW = 1 << 8,
    F_FTW = 1 << 9,
    F_ST = 1 << 10,
    F_FPTR = 1 << 11, /* FOP, FIP, FDP */
    F_VECTOR = 1 << 12,
    F_ERROR = 1 << 13,
    F_CR2 = 1 << 14,
    F_SEGBASE = 1 << 15,
    F_TABLE = 1 << 16, /* the flag table says "unchanged" and silicon changed it */
};
#define F_NAMES 17
extern const char *const field_names[F_NAMES];

/* Differences that the list of exclusions allows (exclude.c). */
uint32_t differences_allowed(const struct icase *k, const struct x86_decoded *d, const struct outcome *native,
                             const struct outcome *interp);

/* All differences that are not allowed. d: the case's instruction, decoded. */
uint32_t compare_outcomes(const struct icase *k, const struct x86_decoded *d, const struct outcome *native,
                          const struct outcome *interp);

/* The case, both outcomes, and what differs, to standard output. */
void print_case(const struct icase *k, const struct x86_decoded *d, const char *form,
                const struct outcome *native, const struct outcome *interp, uint32_t differing);

#endif
