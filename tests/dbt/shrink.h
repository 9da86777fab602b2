/*
 * shrink.h: makes a failing sequence smaller.
 */
#ifndef TESTS_DBT_SHRINK_H
#define TESTS_DBT_SHRINK_H

#include "seq.h"

/* Leave items out, and simplify the start, while fails(opaque, s) stays true. */
void seq_shrink(struct seq *s, bool (*fails)(void *opaque, const struct seq *s), void *opaque);

#endif
