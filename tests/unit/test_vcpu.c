/*
 * test_vcpu.c: the vCPU thread against a fake engine: no wake-up and no request is ever lost.
 *
 * A lost one shows as a test that hangs and is ended by the test runner.
 */
#include "vcpu/vcpu.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- an engine whose guest takes interrupts and halts ---- */

static struct fake {
    _Atomic uint32_t pending; /* interrupts sent */
    _Atomic uint32_t served;  /* interrupts taken by the "guest" */
    _Atomic uint32_t runs;
    _Atomic bool kicked;
    _Atomic bool busy;     /* the guest has no HLT: spins until kicked */
    _Atomic int next_exit; /* leave once with this reason; -1: none */
    pthread_t thread;      /* that ran last */
    sigset_t mask;
} fake;

static struct engine_vcpu *fake_create(struct engine *en, unsigned id, struct err *e)
{
    if (id == 99) {
        err_host(e, "no vCPU 99");
        return NULL;
    }
    return (struct engine_vcpu *)&fake;
}

static void fake_destroy(struct engine_vcpu *v)
{
}

static enum engine_exit fake_run(struct engine_vcpu *v, struct engine_exit_info *info)
{
    fake.thread = pthread_self();
    pthread_sigmask(SIG_BLOCK, NULL, &fake.mask);
    atomic_fetch_add(&fake.runs, 1);
    do {
        atomic_fetch_add(&fake.served, atomic_exchange(&fake.pending, 0));
        int forced = atomic_exchange(&fake.next_exit, -1);
        if (forced >= 0) {
            snprintf(info->text, sizeof(info->text), "reason %d", forced);
            return (enum engine_exit)forced;
        }
        if (atomic_exchange(&fake.kicked, false))
            return EXIT_KICK;
    } while (atomic_load(&fake.busy));
    return EXIT_HALT;
}

static void fake_kick(struct engine_vcpu *v)
{
    atomic_store(&fake.kicked, true);
}

static bool fake_has_wakeup(struct engine_vcpu *v)
{
    return atomic_load(&fake.pending) || atomic_load(&fake.next_exit) >= 0;
}

static const struct engine_ops fake_ops = {
    .name = "fake",
    .vcpu_create = fake_create,
    .vcpu_destroy = fake_destroy,
    .run = fake_run,
    .kick = fake_kick,
    .has_wakeup = fake_has_wakeup,
};

static _Atomic int stopped_why;
static char stopped_text[256];
static _Atomic unsigned stopped_times;

static void stopped(void *opaque, unsigned id, enum engine_exit why, const struct engine_exit_info *info)
{
    assert_int_equal(id, 3);
    memcpy(stopped_text, info->text, sizeof(stopped_text));
    atomic_store(&stopped_why, (int)why);
    atomic_fetch_add(&stopped_times, 1);
}

static struct vcpu *new_vcpu(void)
{
    struct err e;
    struct vcpu_config cfg = {.ops = &fake_ops, .id = 3, .stopped = stopped};

    memset(&fake, 0, sizeof(fake));
    atomic_store(&fake.next_exit, -1);
    atomic_store(&stopped_times, 0);
    struct vcpu *v = vcpu_new(&cfg, &e);
    assert_non_null(v);
    return v;
}

static struct vcpu *started_vcpu(void)
{
    struct err e;
    struct vcpu *v = new_vcpu();
    assert_true(vcpu_start(v, &e));
    return v;
}

static void end(struct vcpu *v)
{
    vcpu_stop(v);
    vcpu_free(v);
}

static void interrupt(struct vcpu *v)
{
    atomic_fetch_add(&fake.pending, 1);
    vcpu_wake(v);
}

/* Shifts the moment of an event against the other thread's, over all of its path from run to sleep. */
static void dither(unsigned i)
{
    for (volatile unsigned n = i * 7 % 191; n; n--)
        ;
}

static void await(const _Atomic uint32_t *counter, uint32_t value)
{
    while (atomic_load(counter) != value)
        sched_yield();
}

/* ---- tests ---- */

static void no_wakeup_is_lost(void **state)
{
    struct vcpu *v = started_vcpu();
    vcpu_resume(v);
    for (uint32_t i = 1; i <= 100000; i++) {
        interrupt(v);
        await(&fake.served, i);
        dither(i);
    }
    end(v);
}

struct sender {
    struct vcpu *v;
    uint32_t count;
};

static void *send_interrupts(void *opaque)
{
    struct sender *s = opaque;
    for (uint32_t i = 0; i < s->count; i++) {
        interrupt(s->v);
        dither(i);
    }
    return NULL;
}

static void count_call(const struct engine_ops *ops, struct engine_vcpu *ev, void *opaque)
{
    (*(uint32_t *)opaque)++;
}

static void no_request_is_lost_among_wakeups(void **state)
{
    struct vcpu *v = started_vcpu();
    struct sender s = {v, 100000};
    pthread_t t;
    uint32_t calls = 0;

    vcpu_resume(v);
    assert_int_equal(pthread_create(&t, NULL, send_interrupts, &s), 0);
    for (uint32_t i = 0; i < 5000; i++) {
        atomic_store(&fake.busy, i % 3 == 0);
        vcpu_call(v, count_call, &calls);
        vcpu_pause(v);
        dither(i);
        vcpu_resume(v);
    }
    assert_int_equal(calls, 5000);
    pthread_join(t, NULL);
    await(&fake.served, s.count);
    end(v);
}

static void new_vcpu_is_paused(void **state)
{
    struct vcpu *v = started_vcpu();
    uint32_t calls = 0;
    interrupt(v);
    vcpu_call(v, count_call, &calls); /* the thread has come as far as it will */
    assert_int_equal(calls, 1);
    assert_int_equal(fake.runs, 0);
    assert_true(vcpu_counts(v).first_insn_s == 0);
    vcpu_resume(v);
    await(&fake.served, 1);
    vcpu_pause(v);
    assert_true(vcpu_counts(v).first_insn_s > 0);
    end(v);
}

static void paused_vcpu_runs_no_guest_code(void **state)
{
    struct vcpu *v = started_vcpu();
    uint32_t calls = 0;

    atomic_store(&fake.busy, true);
    for (unsigned i = 1; i <= 1000; i++) {
        vcpu_resume(v);
        await(&fake.served, i - 1);
        vcpu_pause(v);
        uint32_t runs = fake.runs;
        interrupt(v);
        vcpu_call(v, count_call, &calls);
        sched_yield();
        assert_int_equal(fake.runs, runs);
        assert_int_equal(fake.served, i - 1);
    }
    end(v);
}

static void ask_pause(const struct engine_ops *ops, struct engine_vcpu *ev, void *opaque)
{
    vcpu_ask_pause(opaque);
}

static void vcpu_can_ask_itself_to_pause(void **state)
{
    struct vcpu *v = started_vcpu();
    atomic_store(&fake.busy, true);
    vcpu_resume(v);
    vcpu_call(v, ask_pause, v);
    vcpu_pause(v);
    uint32_t runs = fake.runs;
    interrupt(v);
    sched_yield();
    assert_int_equal(fake.runs, runs);
    vcpu_resume(v);
    await(&fake.served, 1);
    end(v);
}

static void which_thread(const struct engine_ops *ops, struct engine_vcpu *ev, void *opaque)
{
    assert_ptr_equal(ops, &fake_ops);
    assert_ptr_equal(ev, &fake);
    *(pthread_t *)opaque = pthread_self();
}

static void call_runs_in_the_vcpus_thread(void **state)
{
    struct vcpu *v = new_vcpu();
    struct err e;
    pthread_t t;

    vcpu_call(v, which_thread, &t);
    assert_true(pthread_equal(t, pthread_self()));

    assert_true(vcpu_start(v, &e));
    vcpu_call(v, which_thread, &t);
    assert_false(pthread_equal(t, pthread_self()));

    vcpu_resume(v);
    interrupt(v);
    await(&fake.served, 1);
    vcpu_call(v, which_thread, &t);
    vcpu_pause(v);
    assert_true(pthread_equal(t, fake.thread));

    vcpu_stop(v);
    vcpu_call(v, which_thread, &t);
    assert_true(pthread_equal(t, pthread_self()));
    vcpu_free(v);
}

static void what_ends_the_run_is_reported_once_and_pauses(void **state)
{
    static const enum engine_exit ends[] = {EXIT_SHUTDOWN, EXIT_DEBUG, EXIT_ERROR};
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
        struct vcpu *v = started_vcpu();
        char expected[32];

        snprintf(expected, sizeof(expected), "reason %d", (int)ends[i]);
        atomic_store(&fake.next_exit, (int)ends[i]);
        vcpu_resume(v);
        await(&stopped_times, 1);
        assert_int_equal(stopped_why, ends[i]);
        assert_string_equal(stopped_text, expected);
        vcpu_pause(v); /* it stands already: no further run */
        assert_int_equal(fake.runs, 1);
        assert_int_equal(vcpu_counts(v).exits[ends[i]].n, 1);

        vcpu_resume(v);
        interrupt(v);
        await(&fake.served, 1);
        assert_int_equal(stopped_times, 1);
        end(v);
    }
}

static void stops_from_wherever_it_is(void **state)
{
    for (unsigned i = 0; i < 500; i++) {
        struct vcpu *v = started_vcpu();
        atomic_store(&fake.busy, i & 1);
        if (i & 2)
            vcpu_resume(v);
        dither(i);
        end(v);
    }
    vcpu_free(new_vcpu()); /* without a thread */
}

static void thread_leaves_signals_to_the_event_loop(void **state)
{
    struct vcpu *v = started_vcpu();
    vcpu_resume(v);
    interrupt(v);
    await(&fake.served, 1);
    vcpu_pause(v);
    assert_true(sigismember(&fake.mask, SIGTERM));
    assert_true(sigismember(&fake.mask, SIGINT));
    assert_true(sigismember(&fake.mask, SIGUSR1));
    assert_false(sigismember(&fake.mask, SIGSEGV));
    end(v);
}

static void engine_that_refuses_is_an_error(void **state)
{
    struct err e = {0};
    struct vcpu_config cfg = {.ops = &fake_ops, .id = 99, .stopped = stopped};
    assert_null(vcpu_new(&cfg, &e));
    assert_int_equal(e.kind, ERR_HOST);
    assert_string_equal(e.text, "no vCPU 99");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_wakeup_is_lost),
        cmocka_unit_test(no_request_is_lost_among_wakeups),
        cmocka_unit_test(new_vcpu_is_paused),
        cmocka_unit_test(paused_vcpu_runs_no_guest_code),
        cmocka_unit_test(vcpu_can_ask_itself_to_pause),
        cmocka_unit_test(call_runs_in_the_vcpus_thread),
        cmocka_unit_test(what_ends_the_run_is_reported_once_and_pauses),
        cmocka_unit_test(stops_from_wherever_it_is),
        cmocka_unit_test(thread_leaves_signals_to_the_event_loop),
        cmocka_unit_test(engine_that_refuses_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
