/*
 * test_clock.c: the stepped clock, timers, the host clock's consistency, and timers armed from several
 * threads.
 */
#include "clock/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* A timer that writes its name and time into a record shared by a test's timers. */
struct record {
    unsigned count;
    struct {
        int name;
        uint64_t at;
    } fired[64];
};

struct probe {
    struct timer timer;
    struct clock *clock;
    pthread_mutex_t lock;
    struct record *record;
    int name;
    uint64_t period; /* re-arms itself when not 0 */
    bool saw_lock, saw_disarmed;
};

static void probe_fire(void *opaque)
{
    struct probe *p = opaque;
    p->saw_lock = pthread_mutex_trylock(&p->lock) != 0;
    p->saw_disarmed = !timer_armed(&p->timer);
    if (p->record->count < ARRAY_LEN(p->record->fired)) {
        p->record->fired[p->record->count].name = p->name;
        p->record->fired[p->record->count].at = clock_now(p->clock);
    }
    p->record->count++;
    if (p->period)
        timer_arm(&p->timer, clock_now(p->clock) + p->period);
}

static void probe_init(struct probe *p, struct clock *c, struct record *r, int name)
{
    *p = (struct probe){.clock = c, .record = r, .name = name};
    pthread_mutex_init(&p->lock, NULL);
    timer_init(&p->timer, c, &p->lock, probe_fire, p);
}

static void stepped_clock_stands_still_between_steps(void **state)
{
    struct clock *c = clock_new_stepped(1700000000);
    assert_int_equal(clock_now(c), 0);
    assert_int_equal(clock_tsc(c), 0);
    assert_int_equal(clock_tsc_khz(c), 1000000);
    assert_int_equal(clock_wall_base(c), 1700000000ull * NS_PER_SEC);
    clock_step(c, 12345);
    assert_int_equal(clock_now(c), 12345);
    assert_int_equal(clock_tsc(c), 12345);
    clock_step(c, 10 * 365 * 86400 * NS_PER_SEC); /* ten years on it is exact to the nanosecond */
    assert_int_equal(clock_now(c), 10 * 365 * 86400 * NS_PER_SEC + 12345);
    clock_free(c);
}

static void step_stops_at_each_deadline(void **state)
{
    struct clock *c = clock_new_stepped(0);
    struct record r = {0};
    struct probe a, b;
    probe_init(&a, c, &r, 1);
    probe_init(&b, c, &r, 2);
    a.period = 100;
    timer_arm(&a.timer, 100);
    timer_arm(&b.timer, 250);
    clock_step(c, 300);
    static const struct {
        int name;
        uint64_t at;
    } want[] = {{1, 100}, {1, 200}, {2, 250}, {1, 300}};
    assert_int_equal(r.count, ARRAY_LEN(want));
    for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
        assert_int_equal(r.fired[i].name, want[i].name);
        assert_int_equal(r.fired[i].at, want[i].at);
    }
    assert_true(timer_armed(&a.timer));
    assert_false(timer_armed(&b.timer));
    timer_disarm(&a.timer);
    clock_free(c);
}

static void callback_runs_disarmed_with_its_lock(void **state)
{
    struct clock *c = clock_new_stepped(0);
    struct record r = {0};
    struct probe p;
    probe_init(&p, c, &r, 1);
    timer_arm(&p.timer, 1);
    clock_step(c, 1);
    assert_int_equal(r.count, 1);
    assert_true(p.saw_lock);
    assert_true(p.saw_disarmed);
    clock_free(c);
}

static void count_up(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void a_timer_needs_no_lock(void **state)
{
    struct clock *c = clock_new_stepped(0);
    unsigned n = 0;
    struct timer t;
    timer_init(&t, c, NULL, count_up, &n);
    timer_arm(&t, 5);
    clock_step(c, 4);
    assert_int_equal(n, 0);
    clock_step(c, 1);
    assert_int_equal(n, 1);
    clock_free(c);
}

static void equal_deadlines_fire_in_order_of_arming(void **state)
{
    struct clock *c = clock_new_stepped(0);
    struct record r = {0};
    struct probe p[20];
    for (int i = 0; i < 20; i++) {
        probe_init(&p[i], c, &r, i);
        timer_arm(&p[i].timer, 1000);
    }
    timer_arm(&p[3].timer, 1000); /* armed anew: now the last */
    clock_step(c, 1000);
    assert_int_equal(r.count, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(r.fired[i].name, i < 3 ? i : i < 19 ? i + 1 : 3);
    clock_free(c);
}

static void random_timers_fire_in_order_and_only_when_armed(void **state)
{
    enum { N = 200, ROUNDS = 20000 };
    struct clock *c = clock_new_stepped(0);
    struct record r = {0};
    static struct probe p[N];
    uint64_t due[N];
    uint32_t seed = 1;
    unsigned expected = 0;
    for (int i = 0; i < N; i++) {
        probe_init(&p[i], c, &r, i);
        due[i] = CLOCK_NO_DEADLINE;
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        seed = seed * 1664525 + 1013904223;
        unsigned i = (seed >> 8) % N, what = (seed >> 20) % 8;
        uint64_t now = clock_now(c);
        if (what < 5) {
            due[i] = now + 1 + (seed >> 24) * 7;
            timer_arm(&p[i].timer, due[i]);
        } else if (what < 7) {
            due[i] = CLOCK_NO_DEADLINE;
            timer_disarm(&p[i].timer);
        } else {
            uint64_t step = seed >> 27;
            r.count = 0;
            clock_step(c, step);
            expected = 0;
            for (int k = 0; k < N; k++) {
                if (due[k] <= now + step) {
                    due[k] = CLOCK_NO_DEADLINE;
                    expected++;
                }
                assert_int_equal(timer_armed(&p[k].timer), due[k] != CLOCK_NO_DEADLINE);
            }
            assert_int_equal(r.count, expected);
            for (unsigned k = 1; k < MIN(r.count, ARRAY_LEN(r.fired)); k++)
                assert_true(r.fired[k].at >= r.fired[k - 1].at);
        }
    }
    for (int i = 0; i < N; i++)
        timer_disarm(&p[i].timer);
    assert_int_equal(clock_run(c), CLOCK_NO_DEADLINE);
    clock_free(c);
}

static void disarmed_and_moved_timers_do_not_fire_at_the_old_deadline(void **state)
{
    struct clock *c = clock_new_stepped(0);
    struct record r = {0};
    struct probe a, b;
    probe_init(&a, c, &r, 1);
    probe_init(&b, c, &r, 2);
    timer_disarm(&a.timer); /* of one that is not armed: nothing */
    timer_arm(&a.timer, 10);
    timer_arm(&b.timer, 10);
    timer_disarm(&a.timer);
    timer_arm(&b.timer, 30);
    clock_step(c, 29);
    assert_int_equal(r.count, 0);
    clock_step(c, 1);
    assert_int_equal(r.count, 1);
    timer_arm(&a.timer, 100);
    timer_arm(&a.timer, CLOCK_NO_DEADLINE);
    assert_false(timer_armed(&a.timer));
    clock_step(c, 1000);
    assert_int_equal(r.count, 1);
    clock_free(c);
}

static void past_deadlines_fire_at_the_next_run(void **state)
{
    struct clock *c = clock_new_stepped(0);
    struct record r = {0};
    struct probe p;
    clock_step(c, 1000);
    probe_init(&p, c, &r, 1);
    timer_arm(&p.timer, 10);
    assert_int_equal(r.count, 0);
    assert_int_equal(clock_run(c), CLOCK_NO_DEADLINE);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.fired[0].at, 1000);
    clock_free(c);
}

static void run_returns_the_earliest_deadline_left(void **state)
{
    struct clock *c = clock_new_stepped(0);
    struct record r = {0};
    struct probe a, b;
    probe_init(&a, c, &r, 1);
    probe_init(&b, c, &r, 2);
    assert_int_equal(clock_run(c), CLOCK_NO_DEADLINE);
    timer_arm(&a.timer, 700);
    timer_arm(&b.timer, 600);
    assert_int_equal(clock_run(c), 600);
    clock_step(c, 600);
    assert_int_equal(clock_run(c), 700);
    assert_int_equal(r.count, 1);
    timer_disarm(&a.timer);
    clock_free(c);
}

static void arm_in_the_past(void *opaque)
{
    struct probe *p = opaque;
    p->record->count++;
    timer_arm(&p->timer, 0);
}

static void a_timer_that_is_always_late_cannot_hold_run(void **state)
{
    struct clock *c = clock_new_stepped(0);
    struct record r = {0};
    struct probe p;
    probe_init(&p, c, &r, 1);
    p.timer.fn = arm_in_the_past;
    timer_arm(&p.timer, 0);
    assert_int_equal(clock_run(c), 0);
    assert_true(r.count >= 1 && r.count < 1000);
    timer_disarm(&p.timer);
    clock_free(c);
}

static void wake_comes_with_a_new_earliest_deadline_only(void **state)
{
    struct clock *c = clock_new_stepped(0);
    struct record r = {0};
    struct probe a, b;
    unsigned wakes = 0;
    probe_init(&a, c, &r, 1);
    probe_init(&b, c, &r, 2);
    clock_set_wake(c, count_up, &wakes);
    timer_arm(&a.timer, 100);
    assert_int_equal(wakes, 1);
    timer_arm(&b.timer, 200);
    assert_int_equal(wakes, 1);
    timer_arm(&b.timer, 50);
    assert_int_equal(wakes, 2);
    timer_disarm(&b.timer);
    assert_int_equal(wakes, 2);
    timer_disarm(&a.timer);
    a.period = 10;
    timer_arm(&a.timer, 0);
    assert_int_equal(wakes, 3);
    assert_int_equal(clock_run(c), 10); /* armed in the callback: the result says it, no wake */
    assert_int_equal(wakes, 3);
    timer_disarm(&a.timer);
    clock_free(c);
}

static void pv_scale_gives_the_clocks_nanoseconds(void **state)
{
    struct clock *clocks[] = {clock_new_stepped(0), clock_new_host(NULL)};
    for (unsigned i = 0; i < ARRAY_LEN(clocks); i++) {
        struct clock *c = clocks[i];
        assert_non_null(c);
        uint32_t mul = 0;
        int8_t shift = 0;
        clock_pv_scale(c, &mul, &shift);
        assert_true(mul >= 0x80000000);                /* all bits are in use */
        uint64_t tsc = clock_tsc_khz(c) * 1000 * 1000; /* 1000 s */
        uint64_t shifted = shift >= 0 ? tsc << shift : tsc >> -shift;
        uint64_t ns = (uint64_t)((unsigned __int128)shifted * mul >> 32);
        uint64_t exact = 1000 * NS_PER_SEC;
        assert_true((ns > exact ? ns - exact : exact - ns) <= 1000); /* 1 ppb */
        clock_free(c);
    }
}

static void host_clock_never_goes_back_and_agrees_with_its_tsc(void **state)
{
    struct err e = {0};
    struct clock *c = clock_new_host(&e);
    assert_non_null(c);
    uint64_t khz = clock_tsc_khz(c), last_now = 0, last_tsc = 0;
    assert_true(khz >= 100000 && khz <= 20000000);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t tsc = clock_tsc(c), now = clock_now(c);
        assert_true(now >= last_now && tsc >= last_tsc);
        /* now was read after tsc: it is not before the time of that tsc, but for rounding. */
        assert_true(now + 1 >= clock_tsc_to_ns(c, tsc));
        last_now = now;
        last_tsc = tsc;
    }
    assert_true(clock_wall_base(c) > 1700000000ull * NS_PER_SEC);
    clock_free(c);
}

static void a_tsc_deadline_is_never_early(void **state)
{
    struct clock *c = clock_new_host(NULL);
    assert_non_null(c);
    uint64_t khz = clock_tsc_khz(c);
    for (uint64_t tsc = 1; tsc < 1ull << 62; tsc = tsc * 3 + 1) {
        uint64_t ns = clock_tsc_to_ns(c, tsc);
        assert_true((unsigned __int128)ns * khz >= (unsigned __int128)tsc * 1000000);
        assert_true((unsigned __int128)(ns - 1) * khz < (unsigned __int128)tsc * 1000000);
    }
    assert_int_equal(clock_tsc_to_ns(c, 0), 0);
    clock_free(c);
}

static void tsc_to_ns_saturates(void **state)
{
    struct clock *c = clock_new_stepped(0);
    assert_int_equal(clock_tsc_to_ns(c, UINT64_MAX), CLOCK_NO_DEADLINE);
    assert_int_equal(clock_tsc_to_ns(c, UINT64_MAX - 1), UINT64_MAX - 1);
    clock_free(c);
}

/* Two threads arm and disarm under the timer's lock while a third runs the clock: what is disarmed must not
 * fire. */
struct contest {
    struct clock *clock;
    struct timer timer;
    pthread_mutex_t lock;
    bool wanted; /* under lock: the timer is armed as far as its owner knows */
    unsigned fired, wrong;
    bool stop; /* atomic */
};

static void contest_fire(void *opaque)
{
    struct contest *k = opaque;
    k->fired++;
    k->wrong += !k->wanted;
    k->wanted = false;
}

static void *contest_runner(void *opaque)
{
    struct contest *k = opaque;
    while (!__atomic_load_n(&k->stop, __ATOMIC_RELAXED))
        clock_run(k->clock);
    return NULL;
}

static void *contest_owner(void *opaque)
{
    struct contest *k = opaque;
    for (unsigned i = 0; i < 20001; i++) {
        pthread_mutex_lock(&k->lock);
        k->wanted = i % 3 == 0;
        if (k->wanted)
            timer_arm(&k->timer, clock_now(k->clock));
        else if (i % 3 == 1)
            timer_disarm(&k->timer);
        else
            timer_arm(&k->timer, clock_now(k->clock) + 3600 * NS_PER_SEC);
        pthread_mutex_unlock(&k->lock);
    }
    return NULL;
}

static void disarming_and_moving_win_against_a_run_in_another_thread(void **state)
{
    struct contest k = {.clock = clock_new_host(NULL)};
    assert_non_null(k.clock);
    pthread_mutex_init(&k.lock, NULL);
    timer_init(&k.timer, k.clock, &k.lock, contest_fire, &k);
    pthread_t runner, owners[2];
    pthread_create(&runner, NULL, contest_runner, &k);
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&owners[i], NULL, contest_owner, &k);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(owners[i], NULL);
    __atomic_store_n(&k.stop, true, __ATOMIC_RELAXED);
    pthread_join(runner, NULL);
    assert_int_equal(k.wrong, 0);
    timer_disarm(&k.timer);
    clock_free(k.clock);
}

/* The runner has seen the timer due and waits for its lock; the owner, who holds it, moves the timer away. */
static void a_timer_moved_while_the_run_waits_for_its_lock_does_not_fire(void **state)
{
    for (unsigned i = 0; i < 20; i++) {
        struct contest k = {.clock = clock_new_stepped(0)};
        pthread_t runner;
        pthread_mutex_init(&k.lock, NULL);
        timer_init(&k.timer, k.clock, &k.lock, contest_fire, &k);
        pthread_mutex_lock(&k.lock);
        timer_arm(&k.timer, 0);
        pthread_create(&runner, NULL, contest_runner, &k);
        usleep(1000); /* for the runner to get there; the result holds either way */
        timer_arm(&k.timer, 1000);
        __atomic_store_n(&k.stop, true, __ATOMIC_RELAXED);
        pthread_mutex_unlock(&k.lock);
        pthread_join(runner, NULL);
        assert_int_equal(k.fired, 0);
        assert_true(timer_armed(&k.timer));
        timer_disarm(&k.timer);
        clock_free(k.clock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stepped_clock_stands_still_between_steps),
        cmocka_unit_test(step_stops_at_each_deadline),
        cmocka_unit_test(callback_runs_disarmed_with_its_lock),
        cmocka_unit_test(a_timer_needs_no_lock),
        cmocka_unit_test(equal_deadlines_fire_in_order_of_arming),
        cmocka_unit_test(random_timers_fire_in_order_and_only_when_armed),
        cmocka_unit_test(disarmed_and_moved_timers_do_not_fire_at_the_old_deadline),
        cmocka_unit_test(past_deadlines_fire_at_the_next_run),
        cmocka_unit_test(run_returns_the_earliest_deadline_left),
        cmocka_unit_test(a_timer_that_is_always_late_cannot_hold_run),
        cmocka_unit_test(wake_comes_with_a_new_earliest_deadline_only),
        cmocka_unit_test(pv_scale_gives_the_clocks_nanoseconds),
        cmocka_unit_test(host_clock_never_goes_back_and_agrees_with_its_tsc),
        cmocka_unit_test(a_tsc_deadline_is_never_early),
        cmocka_unit_test(tsc_to_ns_saturates),
        cmocka_unit_test(a_timer_moved_while_the_run_waits_for_its_lock_does_not_fire),
        cmocka_unit_test(disarming_and_moving_win_against_a_run_in_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
