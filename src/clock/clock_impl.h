/*
 * clock/clock_impl.h: the inside of a clock, shared by clock.c (time) and timer.c (timers) and by nobody
 * else.
 */
#ifndef CLOCK_CLOCK_IMPL_H
#define CLOCK_CLOCK_IMPL_H

#include "clock/clock.h"

/* Timers armed at one time. A machine has a few a device and one a vCPU; more is a bug, not a load. */
#define CLOCK_MAX_TIMERS 1024

enum clock_source {
    SOURCE_TSC,       /* the host's invariant TSC */
    SOURCE_MONOTONIC, /* CLOCK_MONOTONIC, shown as a TSC of 1 GHz */
    SOURCE_STEPPED,   /* stands still until clock_step; a TSC of 1 GHz */
};

/* `order` counts up with each arming: equal deadlines fire in that order, and it tells a re-armed timer from
 * the old. */
struct heap_entry {
    uint64_t deadline, order;
    struct timer *timer;
};

struct clock {
    enum clock_source source;
    uint64_t start;   /* host TSC or CLOCK_MONOTONIC at clock time 0 */
    uint64_t khz;     /* of the guest's TSC: the only frequency there is; everything derives from it */
    uint64_t ns_mult; /* ns = tsc * ns_mult >> NS_SHIFT */
    uint64_t wall_base;
    uint64_t stepped_ns; /* SOURCE_STEPPED: atomic */

    /* The lock is a leaf: nothing is called and no other lock taken while it is held. It guards all below. */
    pthread_mutex_t lock;
    unsigned runs; /* clock_run calls under way */
    uint64_t next_order;
    void (*wake)(void *opaque);
    void *wake_opaque;
    size_t count;
    struct heap_entry heap[CLOCK_MAX_TIMERS];
};

/* Fire the earliest timer if its deadline is at most `limit`; False: there is none. */
bool clock_fire_one(struct clock *c, uint64_t limit);

/* host_tsc.c: the host's TSC. Is it usable as a clock, and at how many kHz does it run? 0 when it is not. */
uint64_t host_tsc_khz(void);

/*
 * LFENCE keeps the read behind earlier loads, so a time read after seeing another CPU's store is not older
 * than one which that CPU read before it: the kernel has checked that the TSCs of its CPUs agree (it drops
 * them as clocksource otherwise, and then host_tsc_khz refuses them), hence no shared "latest value" is
 * needed.
 */
static inline uint64_t host_tsc_read(void)
{
    uint32_t lo, hi;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return (uint64_t)hi << 32 | lo;
}

#endif
