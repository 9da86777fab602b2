/*
 * values.h: operands worth trying, mixed with random ones.
 */
#ifndef TESTS_INSN_VALUES_H
#define TESTS_INSN_VALUES_H

#include "case.h"
#include "rng.h"

uint64_t value_gpr(struct rng *r);
/* n bytes of what a vector may hold: elements of one kind (single, double, half, integers of one width). */
void value_vector(struct rng *r, uint8_t *to, unsigned n);
/* An x87 register: 10 bytes, and 6 zeros. */
void value_x87(struct rng *r, uint8_t to[16]);
uint32_t value_mxcsr(struct rng *r, bool misaligned_mode);
/* An XSAVE image in standard form, every component in use; consistent, so that XRSTOR takes it. */
void value_xsave(struct rng *r, uint8_t image[XSAVE_SIZE], bool misaligned_mode);
uint64_t value_flags(struct rng *r);
/* The base image of data and read-only pages. */
void value_area(struct rng *r, uint8_t area[AREA_SIZE]);

#endif
