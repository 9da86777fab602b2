/*
 * base/base.h: what every folder may use: errors, logging, checked arithmetic, bits.
 *
 * Four kinds of errors exist and are never mixed (docs/contracts.md, "Errors"):
 *   1. a host or configuration failure is returned, with a struct err that names the thing and the mend;
 *   2. an architectural fault of the guest is a returned value (cpu/cpu.h);
 *   3. our own bug is an assert;
 *   4. a guest that misbehaves towards a device is counted and logged at a limited rate (log_guest).
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)         ((a) < (b) ? (a) : (b))
#define MAX(a, b)         ((a) > (b) ? (a) : (b))
#define LIKELY(x)         __builtin_expect(!!(x), 1)
#define UNLIKELY(x)       __builtin_expect(!!(x), 0)
#define ALWAYS_INLINE     inline __attribute__((always_inline))
#define NOINLINE          __attribute__((noinline))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* The struct of `type` whose member `member` is at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

/* ---- errors of the host and of the configuration ---- */

/* Who has to act: the caller's configuration (exit status 2) or the host (exit status 1). */
enum err_kind { ERR_NONE, ERR_CONFIG, ERR_HOST };

/* A failure in words: one line, no newline at its end, naming the thing and the mend. */
struct err {
    enum err_kind kind;
    char text[512];
};

/*
 * Fill `e` and return false, so that `return err_config(e, ...)` leaves a function that returns "done".
 * `e` may be NULL: then nothing is written.
 */
bool err_config(struct err *e, const char *fmt, ...) PRINTF(2, 3);
bool err_host(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* ---- log: one line each to standard error, "trapeze: " in front; safe from any thread ---- */

void log_error(const char *fmt, ...) PRINTF(1, 2);
void log_warn(const char *fmt, ...) PRINTF(1, 2);
void log_info(const char *fmt, ...) PRINTF(1, 2);

/*
 * Rate limit for messages that a guest can provoke: at most 10 lines a limiter, then one line that says that
 * further ones are only counted. `count` goes on counting. Zero-initialise; one per device and kind of
 * message.
 */
struct log_limit {
    uint64_t count;
};
void log_guest(struct log_limit *limit, const char *fmt, ...) PRINTF(2, 3);

/* ---- checked arithmetic: true when the exact result fits, stored in *r ---- */

static inline bool add_u64(uint64_t a, uint64_t b, uint64_t *r)
{
    return !__builtin_add_overflow(a, b, r);
}
static inline bool mul_u64(uint64_t a, uint64_t b, uint64_t *r)
{
    return !__builtin_mul_overflow(a, b, r);
}
/* Does [at, at+len) lie within [0, size)? No overflow whatever the values. */
static inline bool range_within(uint64_t at, uint64_t len, uint64_t size)
{
    return at <= size && len <= size - at;
}
/* Do [a, a+alen) and [b, b+blen) share a byte? Neither may wrap. */
static inline bool ranges_overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
    return alen && blen && a < b + blen && b < a + alen;
}

/* ---- bits ---- */

#define BIT(n) (1ull << (n))

static inline uint64_t bits(uint64_t v, unsigned lo, unsigned n)
{
    return (v >> lo) & (n >= 64 ? ~0ull : (1ull << n) - 1);
}
/* The low n bytes set; n from 0 to 8. */
static inline uint64_t mask_bytes(unsigned n)
{
    return n >= 8 ? ~0ull : (1ull << (n * 8)) - 1;
}
static inline int64_t sign_extend(uint64_t v, unsigned width_bits)
{
    return (int64_t)(v << (64 - width_bits)) >> (64 - width_bits);
}
static inline uint64_t align_up(uint64_t v, uint64_t to)
{
    return (v + to - 1) & ~(to - 1);
}
static inline uint64_t align_down(uint64_t v, uint64_t to)
{
    return v & ~(to - 1);
}

/* ---- little-endian values at any alignment; n is 1, 2, 4 or 8 bytes ---- */

static inline uint64_t load_le(const void *p, unsigned n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}
static inline void store_le(void *p, uint64_t v, unsigned n)
{
    memcpy(p, &v, n);
}

#endif
