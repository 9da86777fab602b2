/*
 * guard.h: see guard.c.
 */
#ifndef TESTS_DBT_GUARD_H
#define TESTS_DBT_GUARD_H

#include <stdint.h>

/* A stray access is reported with what was noted last, and ends the process with status 1. */
void guard_start(void);
void guard_note(const char *kind, uint64_t number);

#endif
