/*
 * clock/clock.h: virtual time, and the timers that run on it.
 *
 * Host time enters the machine only here, so a test can step it. One number, the guest's TSC, is the source
 * of everything: nanoseconds are derived from it, so PIT, PM timer, APIC timer, kvm clock and TSC cannot
 * disagree.
 *
 * Threads: every function may be called from any thread. Callbacks run in the thread that calls clock_run
 * (the event loop's) or clock_step (a test's), with the timer's device lock held and no lock of the clock
 * held.
 */
#ifndef CLOCK_CLOCK_H
#define CLOCK_CLOCK_H

#include "base/base.h"
#include <pthread.h>

#define NS_PER_SEC        1000000000ull
#define CLOCK_NO_DEADLINE UINT64_MAX

struct clock;

/* A clock that follows the host: starts at 0 ns and TSC 0. NULL with `e` filled when the host has no usable
 * time. */
struct clock *clock_new_host(struct err *e);
/*
 * A clock on the host's TSC at the rate that somebody vouches for, where clock_new_host has found none: kvm,
 * whose guests count the host's TSC whatever it is. NULL as above.
 */
struct clock *clock_new_tsc(uint64_t khz, struct err *e);
/* A clock that stands still until clock_step; TSC frequency 1 GHz. wall_s: UTC seconds at its start. */
struct clock *clock_new_stepped(uint64_t wall_s);
/* No timer may be armed any more. */
void clock_free(struct clock *c);

/* Nanoseconds since the clock was made; never goes back. */
uint64_t clock_now(struct clock *c);
/* The guest's TSC before any guest-made offset; never goes back, same rate for the life of the clock. */
uint64_t clock_tsc(struct clock *c);
/* Does it count the host's TSC? Then it reads what the host's TSC reads, plus *offset. */
bool clock_counts_tsc(const struct clock *c, uint64_t *offset);
/* Its frequency in kHz. */
uint64_t clock_tsc_khz(struct clock *c);
/* ns since start at which the TSC reads `tsc` (rounded up; saturates at CLOCK_NO_DEADLINE). */
uint64_t clock_tsc_to_ns(struct clock *c, uint64_t tsc);
/* UTC in nanoseconds since 1970 at clock time 0; wall clock now is this plus clock_now(). */
uint64_t clock_wall_base(struct clock *c);

/* kvm paravirtual clock parameters: ns = (tsc << shift) * mul >> 32 (shift may be negative). */
void clock_pv_scale(struct clock *c, uint32_t *mul, int8_t *shift);

typedef void timer_fn(void *opaque);

/* Zero-initialised storage in the owner; fields are the clock's. */
struct timer {
    struct clock *clock;
    pthread_mutex_t *lock;
    timer_fn *fn;
    void *opaque;
    uint64_t deadline; /* ns; CLOCK_NO_DEADLINE = not armed */
    size_t heap_index;
};

/* `lock`: the owner's device lock, taken around `fn`; NULL for none. */
void timer_init(struct timer *t, struct clock *c, pthread_mutex_t *lock, timer_fn *fn, void *opaque);
/*
 * (Re-)arm for an absolute time in ns, or disarm. A deadline in the past fires at the next clock_run. Called
 * with the owner's lock held; after timer_disarm or a re-arm returns, the old deadline does not fire any
 * more.
 */
void timer_arm(struct timer *t, uint64_t deadline_ns);
void timer_disarm(struct timer *t);
bool timer_armed(const struct timer *t);

/*
 * Run what has expired, in order of deadlines (equal ones: in order of arming). Returns the earliest deadline
 * left (in the past when there was too much for one call: call again), or CLOCK_NO_DEADLINE. Not to be called
 * with a device lock held.
 */
uint64_t clock_run(struct clock *c);
/* The earliest deadline armed, or CLOCK_NO_DEADLINE. */
uint64_t clock_earliest(struct clock *c);
/*
 * `wake(opaque)` is called, from any thread, whenever a timer is armed that is earlier than all others; not
 * while a clock_run is under way, whose result says it.
 */
void clock_set_wake(struct clock *c, void (*wake)(void *opaque), void *opaque);

/* Stepped clocks only: advance by `ns`, stopping at each deadline on the way so that callbacks see exact
 * times. */
void clock_step(struct clock *c, uint64_t ns);

#endif
