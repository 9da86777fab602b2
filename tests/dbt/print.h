/*
 * print.h: sequences and outcomes to standard output.
 */
#ifndef TESTS_DBT_PRINT_H
#define TESTS_DBT_PRINT_H

#include "machine.h"

void seq_print(const struct seq *s, const struct x86_decoder *decoder);
void ending_print(const struct ending *o);

#endif
