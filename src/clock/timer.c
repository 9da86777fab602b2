/*
 * timer.c: timers, in a binary heap ordered by deadline and then by the order of arming.
 *
 * Two locks meet here: the owner's device lock and the clock's. timer_arm runs with the first held and takes
 * the second, so the other side must not hold the second while it takes the first. clock_fire_one therefore
 * looks at the heap, lets go, takes the device's lock, and looks again whether that very arming is still in
 * the heap.
 */
#include "clock/clock_impl.h"

/*
 * Callbacks one clock_run may call. A guest that programs a period shorter than its callback takes would keep
 * the event loop in here for good; after so many the caller gets a deadline in the past, serves its other
 * events and comes back.
 */
#define RUN_MAX 64

static bool before(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

static void place(struct clock *c, size_t i, struct heap_entry e)
{
    c->heap[i] = e;
    e.timer->heap_index = i;
}

static void sift_up(struct clock *c, size_t i, struct heap_entry e)
{
    while (i > 0 && before(&e, &c->heap[(i - 1) / 2])) {
        place(c, i, c->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(c, i, e);
}

static void sift_down(struct clock *c, size_t i, struct heap_entry e)
{
    for (size_t child; (child = 2 * i + 1) < c->count; i = child) {
        if (child + 1 < c->count && before(&c->heap[child + 1], &c->heap[child]))
            child++;
        if (!before(&c->heap[child], &e))
            break;
        place(c, i, c->heap[child]);
    }
    place(c, i, e);
}

/* timer_armed reads the deadline with no lock of ours. */
static void set_deadline(struct timer *t, uint64_t deadline)
{
    __atomic_store_n(&t->deadline, deadline, __ATOMIC_RELAXED);
}

static void heap_remove(struct clock *c, struct timer *t)
{
    size_t i = t->heap_index;
    assert(i < c->count && c->heap[i].timer == t);
    struct heap_entry last = c->heap[--c->count];
    if (i < c->count) {
        if (i > 0 && before(&last, &c->heap[(i - 1) / 2]))
            sift_up(c, i, last);
        else
            sift_down(c, i, last);
    }
    set_deadline(t, CLOCK_NO_DEADLINE);
}

void timer_init(struct timer *t, struct clock *c, pthread_mutex_t *lock, timer_fn *fn, void *opaque)
{
    *t = (struct timer){.clock = c, .lock = lock, .fn = fn, .opaque = opaque, .deadline = CLOCK_NO_DEADLINE};
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
    struct clock *c = t->clock;
    void (*wake)(void *opaque) = NULL;
    void *opaque = NULL;

    pthread_mutex_lock(&c->lock);
    if (t->deadline != CLOCK_NO_DEADLINE)
        heap_remove(c, t);
    if (deadline_ns != CLOCK_NO_DEADLINE) {
        assert(c->count < CLOCK_MAX_TIMERS);
        set_deadline(t, deadline_ns);
        sift_up(c, c->count++, (struct heap_entry){deadline_ns, c->next_order++, t});
        /* A clock_run under way reports the new deadline by its result. */
        if (t->heap_index == 0 && !c->runs) {
            wake = c->wake;
            opaque = c->wake_opaque;
        }
    }
    pthread_mutex_unlock(&c->lock);
    if (wake)
        wake(opaque);
}

void timer_disarm(struct timer *t)
{
    timer_arm(t, CLOCK_NO_DEADLINE);
}

bool timer_armed(const struct timer *t)
{
    return __atomic_load_n(&t->deadline, __ATOMIC_RELAXED) != CLOCK_NO_DEADLINE;
}

static uint64_t earliest_locked(const struct clock *c)
{
    return c->count ? c->heap[0].deadline : CLOCK_NO_DEADLINE;
}

uint64_t clock_earliest(struct clock *c)
{
    pthread_mutex_lock(&c->lock);
    uint64_t deadline = earliest_locked(c);
    pthread_mutex_unlock(&c->lock);
    return deadline;
}

bool clock_fire_one(struct clock *c, uint64_t limit)
{
    pthread_mutex_lock(&c->lock);
    if (!c->count || c->heap[0].deadline > limit) {
        pthread_mutex_unlock(&c->lock);
        return false;
    }
    struct timer *t = c->heap[0].timer;
    uint64_t order = c->heap[0].order;
    pthread_mutex_t *device = t->lock;
    pthread_mutex_unlock(&c->lock);

    if (device)
        pthread_mutex_lock(device);
    pthread_mutex_lock(&c->lock);
    bool due = t->deadline != CLOCK_NO_DEADLINE && c->heap[t->heap_index].order == order;
    if (due)
        heap_remove(c, t);
    pthread_mutex_unlock(&c->lock);
    if (due)
        t->fn(t->opaque);
    if (device)
        pthread_mutex_unlock(device);
    return true;
}

uint64_t clock_run(struct clock *c)
{
    uint64_t now = clock_now(c);
    pthread_mutex_lock(&c->lock);
    c->runs++;
    pthread_mutex_unlock(&c->lock);

    for (unsigned n = 0; n < RUN_MAX && clock_fire_one(c, now); n++)
        ;

    pthread_mutex_lock(&c->lock);
    c->runs--;
    uint64_t next = earliest_locked(c);
    pthread_mutex_unlock(&c->lock);
    return next;
}

void clock_set_wake(struct clock *c, void (*wake)(void *opaque), void *opaque)
{
    pthread_mutex_lock(&c->lock);
    c->wake = wake;
    c->wake_opaque = opaque;
    pthread_mutex_unlock(&c->lock);
}
