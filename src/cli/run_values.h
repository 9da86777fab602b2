/*
 * cli/run_values.h: reads the values of options: sizes, counts, seconds, words. All errors are ERR_CONFIG,
 * name the option as the user wrote it, and say what it takes.
 */
#ifndef CLI_RUN_VALUES_H
#define CLI_RUN_VALUES_H

#include "cli/options.h"

/* Bytes from "512M", "1G", "65536K"; a plain number counts `unit` bytes. */
bool value_size(const struct option_use *use, uint64_t unit, uint64_t *bytes, struct err *e);
/* A whole number above 0. `text` is the value or a part of it. */
bool value_count(const struct option_use *use, const char *text, unsigned *n, struct err *e);
/* An I/O port, decimal or 0x..., in the first `len` characters of the value. */
bool value_port(const struct option_use *use, size_t len, uint16_t *port, struct err *e);
/* Seconds, whole or with a fraction ("2.5"). */
bool value_seconds(const struct option_use *use, double *s, struct err *e);
/* The index of the value among `words` (NULL at the end), which is also how the error lists them. */
bool value_word(const struct option_use *use, const char *const *words, unsigned *index, struct err *e);

#endif
