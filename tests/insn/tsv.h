/*
 * tsv.h: the committed list of forms (forms.tsv): code size, vendor, ISA set, mnemonic, operands, width.
 *
 * It has every ISA set that a guest's CPUID can offer (isa.c), whatever this host has: it comes from the
 * decoder alone.
 */
#ifndef TESTS_INSN_TSV_H
#define TESTS_INSN_TSV_H

#include "forms.h"

#include <stdio.h>

/* The whole list. */
void tsv_write(FILE *to);
/*
 * Is `file` what tsv_write would write, and are all of its rows of the code size and vendor of `f` whose ISA
 * set the model offers among `f`'s forms? Prints what is wrong, and the counts. *other: the file was made
 * with another version of the decoder, and is not compared.
 */
bool tsv_check(const char *file, const struct forms *f, const struct cpuid_model *m, bool *other);

#endif
