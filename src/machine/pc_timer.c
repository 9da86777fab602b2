/*
 * pc_timer.c: runs the machine's timers on the event loop.
 *
 * The loop has one timer, which stands at the earliest deadline of the clock. Whoever arms an earlier one
 * moves it, from its own thread and without waking the loop: guests program their timers often. Reading the
 * deadline and setting the loop's timer are one step under a lock, so that of two who do it at once the later
 * knows of both. An arming while clock_run is at work is not reported, but that very call is followed by such
 * a step.
 */
#include "machine/pc_impl.h"

/* Any thread, under any device's lock; the lock here is outside the clock's own and inside all others. */
static void follow_clock(void *opaque)
{
    struct pc *pc = opaque;
    pthread_mutex_lock(&pc->timer_lock);
    uint64_t next = clock_earliest(pc->clock), now = clock_now(pc->clock), delay = UINT64_MAX;
    if (next != CLOCK_NO_DEADLINE)
        delay = next > now ? next - now : 0;
    loop_set_timer(pc->cfg.loop, delay);
    pthread_mutex_unlock(&pc->timer_lock);
}

static void on_timer(void *opaque)
{
    struct pc *pc = opaque;
    clock_run(pc->clock);
    follow_clock(pc);
}

void pc_timers_attach(struct pc *pc)
{
    loop_on_timer(pc->cfg.loop, on_timer, pc);
    clock_set_wake(pc->clock, follow_clock, pc);
    follow_clock(pc); /* what was armed already */
}

void pc_timers_detach(struct pc *pc)
{
    clock_set_wake(pc->clock, NULL, NULL);
    loop_on_timer(pc->cfg.loop, NULL, NULL);
    loop_set_timer(pc->cfg.loop, UINT64_MAX);
}
