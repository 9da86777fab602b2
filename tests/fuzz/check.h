/*
 * check.h: what must hold between any two runs of the interpreter, whatever the guest did.
 */
#ifndef TESTS_FUZZ_CHECK_H
#define TESTS_FUZZ_CHECK_H

#include "cpu/cpu.h"

/* The register state is one that a processor can be in. */
void check_state(const struct cpu *c);
/* Each direct entry of the software TLB leads into a page of guest memory that may be accessed so. */
void check_tlb(const struct cpu *c);

#endif
