/*
 * gen.h: makes the cases.
 */
#ifndef TESTS_INSN_GEN_H
#define TESTS_INSN_GEN_H

#include "case.h"
#include "forms.h"

struct gen {
    const struct forms *forms;
    const struct cpuid_model *model;
    const uint8_t *base; /* AREA_SIZE */
    uint64_t seed;
    uint64_t foreign_xcr0; /* bits of the host's XCR0 that the guest's has not */
    bool fsgsbase;         /* FS and GS base may be set */
    bool misaligned_mode;  /* MXCSR.MM exists */
    bool amd;
};

/* Case `number` of form number number % forms->count: a pure function of seed and number. d: its decoded
 * instruction. */
void gen_case(const struct gen *g, uint64_t number, struct icase *k, struct x86_decoded *d);

#endif
