/*
 * lapic_timer.c: the local APIC's timer (SDM 3A 11.5.4): one-shot, periodic, TSC-deadline.
 *
 * A count is not kept but worked out: `start` is the time at which it stood at its initial value, so nothing
 * drifts. What has run out is noticed by the clock's callback, or by the vCPU that looks at the count first.
 */
#include "cpu/lapic_impl.h"

#define TICK_NS (NS_PER_SEC / LAPIC_TIMER_HZ)
_Static_assert(TICK_NS *LAPIC_TIMER_HZ == NS_PER_SEC, "a tick is a whole number of ns");

/*
 * Periodic interrupts closer together than this become one: the guest cannot see more anyway (one IRR bit),
 * and a period of a nanosecond must not occupy the clock's thread.
 */
#define PERIODIC_MIN_NS 10000u

static uint32_t timer_mode(const struct lapic *a)
{
    return a->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

/* SDM 3A figure 11-10: bits 0, 1 and 3 give 2, 4 ... 128, 1. */
static uint64_t tick_ns(const struct lapic *a)
{
    unsigned code = (a->divide & 3) | (a->divide >> 1 & 4);
    return TICK_NS << ((code + 1) & 7);
}

/* The vCPU may be changing its offset while the callback reads it; it calls lapic_tsc_changed afterwards. */
static uint64_t guest_tsc(const struct lapic *a, uint64_t clock)
{
    return clock + (a->cpu ? __atomic_load_n(&a->cpu->st.tsc_offset, __ATOMIC_RELAXED) : 0);
}

static void set_due(struct lapic *a, uint64_t ns)
{
    if (ns == a->due)
        return;
    a->due = ns;
    timer_arm(&a->timer, ns);
}

static void stop(struct lapic *a)
{
    a->counting = false;
    set_due(a, CLOCK_NO_DEADLINE);
}

/* Arm for the end of the count. */
static void arm_count(struct lapic *a, uint64_t now)
{
    uint64_t period = a->initial_count * tick_ns(a);
    if (!a->counting) {
        set_due(a, CLOCK_NO_DEADLINE);
    } else if (timer_mode(a) == TIMER_PERIODIC) {
        uint64_t next = MAX(now + 1, a->not_before) - a->start;
        set_due(a, a->start + (next + period - 1) / period * period);
    } else {
        set_due(a, a->start + period);
    }
}

/* Arm for the deadline, or fire at once when the TSC has passed it. */
static void arm_deadline(struct lapic *a, uint64_t tsc, bool own)
{
    uint64_t clock = clock_tsc(a->clock), now = guest_tsc(a, clock), at;
    if (tsc <= now) {
        a->deadline = 0;
        set_due(a, CLOCK_NO_DEADLINE);
        lapic_fire(a, LVT_TIMER, own);
        return;
    }
    a->deadline = tsc;
    if (!add_u64(clock, tsc - now, &at))
        at = UINT64_MAX;
    set_due(a, clock_tsc_to_ns(a->clock, at));
}

/* `due` has come. */
static void expire(struct lapic *a, uint64_t now, bool own)
{
    if (timer_mode(a) == TIMER_DEADLINE) {
        if (a->deadline)
            arm_deadline(a, a->deadline, own);
        return;
    }
    if (timer_mode(a) == TIMER_PERIODIC) {
        a->not_before = now + PERIODIC_MIN_NS;
        arm_count(a, now);
    } else {
        stop(a);
    }
    lapic_fire(a, LVT_TIMER, own);
}

/* The clock's thread, with the lock held. */
static void timer_callback(void *opaque)
{
    struct lapic *a = opaque;
    a->due = CLOCK_NO_DEADLINE;
    expire(a, clock_now(a->clock), false);
}

static void catch_up(struct lapic *a, uint64_t now)
{
    if (now >= a->due) {
        set_due(a, CLOCK_NO_DEADLINE);
        expire(a, now, true);
    }
}

static uint32_t count_at(const struct lapic *a, uint64_t now)
{
    if (!a->counting)
        return 0;
    uint64_t ticks = (now - a->start) / tick_ns(a);
    if (timer_mode(a) == TIMER_PERIODIC)
        ticks %= a->initial_count;
    return ticks < a->initial_count ? a->initial_count - (uint32_t)ticks : 0;
}

void lapic_timer_init(struct lapic *a)
{
    a->due = CLOCK_NO_DEADLINE;
    timer_init(&a->timer, a->clock, &a->lock, timer_callback, a);
}

void lapic_timer_reset(struct lapic *a)
{
    pthread_mutex_lock(&a->lock);
    a->lvt[LVT_TIMER] = LVT_MASKED;
    a->initial_count = a->divide = 0;
    a->deadline = 0;
    stop(a);
    pthread_mutex_unlock(&a->lock);
}

/*
 * Going to or from TSC-deadline mode disarms (SDM 3A 11.5.4.1). Between one-shot and periodic a count goes
 * on, as processors have it: one-shot ends at the end of the current period, and what has run out stays at 0.
 */
void lapic_timer_set_lvt(struct lapic *a, uint32_t lvt)
{
    pthread_mutex_lock(&a->lock);
    uint64_t now = clock_now(a->clock);
    catch_up(a, now);
    uint32_t from = timer_mode(a), to = lvt & LVT_TIMER_MODE;
    if (a->counting && from == TIMER_PERIODIC && to == TIMER_ONE_SHOT)
        a->start = now - (now - a->start) % (a->initial_count * tick_ns(a));
    a->lvt[LVT_TIMER] = lvt;
    if (from != to && (from == TIMER_ONE_SHOT || from == TIMER_PERIODIC) &&
        (to == TIMER_ONE_SHOT || to == TIMER_PERIODIC)) {
        a->not_before = 0;
        arm_count(a, now);
    } else if (from != to) {
        a->initial_count = 0;
        a->deadline = 0;
        stop(a);
    }
    pthread_mutex_unlock(&a->lock);
}

/* The count keeps its value and goes on at the new rate. */
void lapic_timer_set_divide(struct lapic *a, uint32_t divide)
{
    pthread_mutex_lock(&a->lock);
    uint64_t now = clock_now(a->clock);
    catch_up(a, now);
    uint32_t count = count_at(a, now);
    a->divide = divide;
    if (a->counting) {
        /* May lie before time 0: the arithmetic is modulo 2^64, and only differences count. */
        a->start = now - (a->initial_count - count) * tick_ns(a);
        arm_count(a, now);
    }
    pthread_mutex_unlock(&a->lock);
}

void lapic_timer_set_count(struct lapic *a, uint32_t count)
{
    pthread_mutex_lock(&a->lock);
    uint32_t mode = timer_mode(a);
    if (mode == TIMER_ONE_SHOT || mode == TIMER_PERIODIC) { /* else the register is not in use: 11.5.4.1 */
        uint64_t now = clock_now(a->clock);
        a->initial_count = count;
        a->counting = count != 0;
        a->start = now;
        a->not_before = 0;
        arm_count(a, now);
    }
    pthread_mutex_unlock(&a->lock);
}

uint32_t lapic_timer_count(struct lapic *a)
{
    pthread_mutex_lock(&a->lock);
    uint64_t now = clock_now(a->clock);
    catch_up(a, now);
    uint32_t count = count_at(a, now);
    pthread_mutex_unlock(&a->lock);
    return count;
}

void lapic_timer_load(struct lapic *a, const struct x86_apic *in)
{
    pthread_mutex_lock(&a->lock);
    uint64_t now = clock_now(a->clock);
    stop(a);
    a->lvt[LVT_TIMER] = in->lvt[LVT_TIMER];
    a->divide = in->divide;
    a->initial_count = in->initial_count;
    a->deadline = 0;
    a->not_before = 0;
    if (timer_mode(a) == TIMER_DEADLINE) {
        if (in->deadline)
            arm_deadline(a, in->deadline, true);
    } else if (in->initial_count && in->current_count) {
        a->counting = true;
        a->start = now - (in->initial_count - in->current_count) * tick_ns(a);
        arm_count(a, now);
    }
    pthread_mutex_unlock(&a->lock);
}

uint64_t lapic_deadline(const struct lapic *a)
{
    uint64_t tsc = a->deadline;
    return tsc > guest_tsc(a, clock_tsc(a->clock)) ? tsc : 0;
}

void lapic_set_deadline(struct lapic *a, uint64_t tsc)
{
    pthread_mutex_lock(&a->lock);
    if (timer_mode(a) == TIMER_DEADLINE) {
        if (tsc) {
            arm_deadline(a, tsc, true);
        } else {
            a->deadline = 0;
            set_due(a, CLOCK_NO_DEADLINE);
        }
    }
    pthread_mutex_unlock(&a->lock);
}

void lapic_tsc_changed(struct lapic *a)
{
    pthread_mutex_lock(&a->lock);
    if (timer_mode(a) == TIMER_DEADLINE && a->deadline)
        arm_deadline(a, a->deadline, true);
    pthread_mutex_unlock(&a->lock);
}
