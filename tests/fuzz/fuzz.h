/*
 * fuzz.h: what the fuzz targets share: the entry that libFuzzer calls, and a cursor over its bytes.
 *
 * A target is a file with fuzz_one. It is linked twice: with libFuzzer in a clang build that has coverage,
 * and in every build with replay.c, which runs files given by name.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/base.h"

/* libFuzzer's names (llvm.org/docs/LibFuzzer.html). */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads past the end give zeros, so that every input means something. */
struct cursor {
    const uint8_t *at, *end;
};
static inline uint64_t take(struct cursor *c, unsigned n)
{
    unsigned have = (unsigned)MIN((size_t)n, (size_t)(c->end - c->at));
    uint64_t v = have ? load_le(c->at, have) : 0;
    c->at += have;
    return v;
}
static inline size_t left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

/* A check of the target's own: says what is wrong and ends the process, as a sanitizer would. */
#define FUZZ_CHECK(cond, ...)                                  \
    do {                                                       \
        if (!(cond))                                           \
            fuzz_fail(__FILE__, __LINE__, #cond, __VA_ARGS__); \
    } while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *cond, const char *fmt, ...) PRINTF(4, 5);

#endif
