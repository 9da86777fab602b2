/*
 * guest.h: a machine without devices whose one vCPU stands in 64-bit mode at CPL 3, with the address space
 * of case.h: the interpreter's side.
 */
#ifndef TESTS_INSN_GUEST_H
#define TESTS_INSN_GUEST_H

#include "case.h"
#include "cpu/cpuid.h"

struct guest;

/* base: AREA_SIZE bytes, the base image of the data and read-only pages. NULL: `e` says why. */
/* engine: "interp" or "dbt". */
struct guest *guest_new(const char *engine, const struct cpuid_model *m, const uint8_t *base, struct err *e);
void guest_free(struct guest *g);
/* Run one instruction (all iterations of a repeated one). */
void guest_run(struct guest *g, const struct icase *k, struct outcome *o);
/* Did the interpreter change the read-only page? */
bool guest_ro_changed(const struct guest *g);

#endif
