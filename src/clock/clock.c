/*
 * clock.c: virtual time, derived from one number, the guest's TSC.
 */
#include "clock/clock_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>

/*
 * ns_mult is rounded down, so the time that clock_now gives is never ahead of the TSC, and a deadline from
 * clock_tsc_to_ns (rounded up) is never reached before the TSC has its value. 58 bits of fraction lose less
 * than 1 ns in some years and leave room for a TSC down to 16 MHz.
 */
#define NS_SHIFT 58

static struct clock *clock_new(enum clock_source source, uint64_t khz)
{
    struct clock *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->source = source;
    c->khz = khz;
    c->ns_mult = (uint64_t)(((unsigned __int128)1000000 << NS_SHIFT) / khz);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static bool read_ns(clockid_t id, uint64_t *ns)
{
    struct timespec ts;
    if (clock_gettime(id, &ts) != 0)
        return false;
    *ns = (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
    return true;
}

static struct clock *clock_start(uint64_t khz, struct err *e)
{
    struct clock *c = clock_new(khz ? SOURCE_TSC : SOURCE_MONOTONIC, khz ? khz : 1000000);
    if (!c) {
        err_host(e, "clock: %s; free some memory", strerror(ENOMEM));
        return NULL;
    }
    if (!read_ns(CLOCK_REALTIME, &c->wall_base) || !read_ns(CLOCK_MONOTONIC, &c->start)) {
        err_host(e, "clock: the host's clocks cannot be read: %s; allow clock_gettime", strerror(errno));
        clock_free(c);
        return NULL;
    }
    if (c->source == SOURCE_TSC)
        c->start = host_tsc_read();
    return c;
}

struct clock *clock_new_host(struct err *e)
{
    return clock_start(host_tsc_khz(), e);
}

struct clock *clock_new_tsc(uint64_t khz, struct err *e)
{
    assert(khz);
    return clock_start(khz, e);
}

struct clock *clock_new_stepped(uint64_t wall_s)
{
    struct clock *c = clock_new(SOURCE_STEPPED, 1000000);
    if (c)
        c->wall_base = wall_s * NS_PER_SEC;
    return c;
}

void clock_free(struct clock *c)
{
    if (!c)
        return;
    assert(c->count == 0);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

uint64_t clock_tsc(struct clock *c)
{
    if (LIKELY(c->source == SOURCE_TSC))
        return host_tsc_read() - c->start;
    if (c->source == SOURCE_STEPPED)
        return __atomic_load_n(&c->stepped_ns, __ATOMIC_RELAXED);
    uint64_t ns = c->start;
    read_ns(CLOCK_MONOTONIC, &ns);
    return ns - c->start;
}

uint64_t clock_now(struct clock *c)
{
    return (uint64_t)((unsigned __int128)clock_tsc(c) * c->ns_mult >> NS_SHIFT);
}

bool clock_counts_tsc(const struct clock *c, uint64_t *offset)
{
    *offset = -c->start;
    return c->source == SOURCE_TSC;
}

uint64_t clock_tsc_khz(struct clock *c)
{
    return c->khz;
}

uint64_t clock_tsc_to_ns(struct clock *c, uint64_t tsc)
{
    unsigned __int128 ns = ((unsigned __int128)tsc * 1000000 + c->khz - 1) / c->khz;
    return ns < CLOCK_NO_DEADLINE ? (uint64_t)ns : CLOCK_NO_DEADLINE;
}

uint64_t clock_wall_base(struct clock *c)
{
    return c->wall_base;
}

/*
 * The guest computes ns = (tsc << shift) * mul >> 32 (Linux Documentation/virt/kvm/x86/msr.rst,
 * MSR_KVM_SYSTEM_TIME_NEW). The shift brings the ratio ns/tsc into [1/2, 1), so mul uses all of its 32 bits
 * and is off by less than 0.3 ppb.
 */
void clock_pv_scale(struct clock *c, uint32_t *mul, int8_t *shift)
{
    int s = 0;
    unsigned __int128 num = 1000000, den = c->khz; /* ns/tsc = num/den */
    while (num >= den) {
        den <<= 1;
        s++;
    }
    while (num * 2 < den) {
        num <<= 1;
        s--;
    }
    uint64_t m = (uint64_t)(((num << 32) + den / 2) / den);
    *mul = (uint32_t)MIN(m, UINT32_MAX);
    *shift = (int8_t)s;
}

void clock_step(struct clock *c, uint64_t ns)
{
    assert(c->source == SOURCE_STEPPED);
    uint64_t now = clock_now(c), target = now + ns;
    assert(target >= now);
    for (;;) {
        uint64_t next = clock_earliest(c);
        if (next > target)
            break;
        if (next > now)
            __atomic_store_n(&c->stepped_ns, now = next, __ATOMIC_RELAXED);
        clock_fire_one(c, now);
    }
    __atomic_store_n(&c->stepped_ns, target, __ATOMIC_RELAXED);
}
