/*
 * test_lapic_timer.c: the local APIC's timer on a stepped clock, and the APIC between threads. SDM 3A 11.5.4
 * (10.5.4 in older editions).
 */
#include "lapic_fixture.h"

/* Figure 11-10; one tick is 1 ns. */
static void divide_configuration(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t tdcr, by;
    } row[] = {{0, 2}, {1, 4}, {2, 8}, {3, 16}, {8, 32}, {9, 64}, {0xa, 128}, {0xb, 1}};
    enable(f, 0);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        wr(f, 0, TDCR, row[i].tdcr);
        wr(f, 0, TMICT, 1000);
        clock_step(f->clock, row[i].by * 10);
        assert_int_equal(rd(f, 0, TMCCT), 990);
        clock_step(f->clock, row[i].by - 1);
        assert_int_equal(rd(f, 0, TMCCT), 990);
        clock_step(f->clock, 1);
        assert_int_equal(rd(f, 0, TMCCT), 989);
    }
}

static void one_shot_fires_once(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    wr(f, 0, TDCR, DIV1);
    wr(f, 0, LVT_T, 0x40);
    wr(f, 0, TMICT, 100000);
    assert_int_equal(rd(f, 0, TMCCT), 100000);
    clock_step(f->clock, 99999);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
    assert_int_equal(rd(f, 0, TMCCT), 1);
    unsigned wakes = f->wakes;
    clock_step(f->clock, 1);
    assert_int_equal(f->wakes, wakes + 1);
    assert_int_equal(lapic_accept(f->apic[0]), 0x40);
    wr(f, 0, EOI, 0);
    assert_int_equal(rd(f, 0, TMCCT), 0);
    assert_int_equal(rd(f, 0, TMICT), 100000);
    clock_step(f->clock, 1000000);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
}

static void periodic_does_not_drift(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    clock_step(f->clock, 777);
    wr(f, 0, TDCR, DIV1);
    wr(f, 0, LVT_T, PERIODIC | 0x41);
    wr(f, 0, TMICT, 30000);
    for (unsigned i = 1; i <= 1000; i++) {
        clock_step(f->clock, 29999);
        assert_int_equal(rd(f, 0, TMCCT), 1);
        assert_int_equal(lapic_pending(f->apic[0]), -1);
        clock_step(f->clock, 1);
        assert_int_equal(rd(f, 0, TMCCT), 30000);
        assert_int_equal(lapic_accept(f->apic[0]), 0x41);
        wr(f, 0, EOI, 0);
    }
}

/* A guest's period of one tick costs a bounded number of callbacks. */
static void a_tiny_period_does_not_occupy_the_clock(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    wr(f, 0, TDCR, DIV1);
    wr(f, 0, LVT_T, PERIODIC | 0x41);
    wr(f, 0, TMICT, 1);
    unsigned fired = 0;
    for (unsigned i = 0; i < 1000; i++) {
        clock_step(f->clock, 1000);
        if (lapic_pending(f->apic[0]) >= 0) {
            fired++;
            forget(f);
        }
    }
    assert_in_range(fired, 90, 110); /* 1 ms: every 10 us */
}

static void an_initial_count_of_0_stops(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    wr(f, 0, LVT_T, PERIODIC | 0x41);
    wr(f, 0, TMICT, 50000);
    clock_step(f->clock, 10);
    wr(f, 0, TMICT, 0);
    assert_int_equal(rd(f, 0, TMCCT), 0);
    clock_step(f->clock, 1000000);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
}

static void a_masked_timer_counts_and_stays_silent(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    wr(f, 0, TDCR, DIV1);
    wr(f, 0, LVT_T, MASKED | 0x41);
    wr(f, 0, TMICT, 50000);
    clock_step(f->clock, 20000);
    assert_int_equal(rd(f, 0, TMCCT), 30000);
    clock_step(f->clock, 40000);
    assert_int_equal(rd(f, 0, TMCCT), 0);
    wr(f, 0, LVT_T, 0x41);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
}

/* 11.5.4: as processors have it; only TSC-deadline mode disarms. */
static void changing_between_one_shot_and_periodic(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    wr(f, 0, TDCR, DIV1);
    wr(f, 0, LVT_T, 0x41);
    wr(f, 0, TMICT, 50000);
    clock_step(f->clock, 20000);
    wr(f, 0, LVT_T, PERIODIC | 0x41);
    assert_int_equal(rd(f, 0, TMCCT), 30000);
    clock_step(f->clock, 30000);
    assert_int_equal(lapic_pending(f->apic[0]), 0x41);
    forget(f);
    clock_step(f->clock, 60000); /* in the second period after it */
    assert_int_equal(lapic_pending(f->apic[0]), 0x41);
    forget(f);
    wr(f, 0, LVT_T, 0x41);
    assert_int_equal(rd(f, 0, TMCCT), 40000);
    clock_step(f->clock, 40000);
    assert_int_equal(lapic_pending(f->apic[0]), 0x41);
    forget(f);
    clock_step(f->clock, 60000);
    assert_int_equal(rd(f, 0, TMCCT), 0);
    wr(f, 0, LVT_T, PERIODIC | 0x41);
    assert_int_equal(rd(f, 0, TMCCT), 0);
    clock_step(f->clock, 60000);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
}

static void changing_the_divider_keeps_the_count(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    wr(f, 0, TDCR, DIV1);
    wr(f, 0, LVT_T, 0x41);
    wr(f, 0, TMICT, 50000);
    clock_step(f->clock, 20000);
    wr(f, 0, TDCR, 0xa); /* 128, which would have begun before time 0 */
    assert_int_equal(rd(f, 0, TMCCT), 30000);
    clock_step(f->clock, 128 * 29999);
    assert_int_equal(rd(f, 0, TMCCT), 1);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
    clock_step(f->clock, 128);
    assert_int_equal(lapic_pending(f->apic[0]), 0x41);
}

/* 11.5.4.1 */
static void tsc_deadline_fires_when_the_guests_tsc_reaches_it(void **state)
{
    struct fixture *f = *state;
    struct lapic *a = f->apic[0];
    enable(f, 0);
    f->cpu[0].st.tsc_offset = 5000000;
    wr(f, 0, LVT_T, DEADLINE | 0x42);
    lapic_set_deadline(a, 5100000);
    assert_true(lapic_deadline(a) == 5100000);
    assert_int_equal(rd(f, 0, TMCCT), 0);
    clock_step(f->clock, 99999);
    assert_int_equal(lapic_pending(a), -1);
    clock_step(f->clock, 1);
    assert_int_equal(lapic_accept(a), 0x42);
    assert_true(lapic_deadline(a) == 0);
    wr(f, 0, EOI, 0);
    clock_step(f->clock, 1000000);
    assert_int_equal(lapic_pending(a), -1);
    lapic_set_deadline(a, 7000000);
    lapic_set_deadline(a, 0); /* disarm */
    clock_step(f->clock, 10000000);
    assert_int_equal(lapic_pending(a), -1);
    wr(f, 0, TMICT, 100); /* not in this mode */
    assert_int_equal(rd(f, 0, TMICT), 0);
}

static void a_deadline_in_the_past_fires_at_once(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    clock_step(f->clock, 1000);
    wr(f, 0, LVT_T, DEADLINE | 0x42);
    unsigned wakes = f->wakes;
    atomic_store(&f->cpu[0].poll, 0);
    lapic_set_deadline(f->apic[0], 1000);
    assert_int_equal(lapic_accept(f->apic[0]), 0x42);
    assert_int_equal(atomic_load(&f->cpu[0].poll), 1);
    assert_int_equal(f->wakes, wakes); /* its own thread: nobody to wake */
    assert_true(lapic_deadline(f->apic[0]) == 0);
}

static void deadlines_beyond_all_time_are_kept(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    wr(f, 0, LVT_T, DEADLINE | 0x42);
    lapic_set_deadline(f->apic[0], UINT64_MAX);
    clock_step(f->clock, 1ull << 60);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
    assert_true(lapic_deadline(f->apic[0]) == UINT64_MAX);
    f->cpu[0].st.tsc_offset = -(uint64_t)1000; /* the guest's TSC about to wrap */
    lapic_tsc_changed(f->apic[0]);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
}

static void a_moved_tsc_moves_the_deadline(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    wr(f, 0, LVT_T, DEADLINE | 0x42);
    lapic_set_deadline(f->apic[0], 1000000);
    f->cpu[0].st.tsc_offset = 900000;
    lapic_tsc_changed(f->apic[0]);
    clock_step(f->clock, 99999);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
    clock_step(f->clock, 1);
    assert_int_equal(lapic_accept(f->apic[0]), 0x42);
    wr(f, 0, EOI, 0);
    lapic_set_deadline(f->apic[0], 2000000);
    f->cpu[0].st.tsc_offset = 3000000;
    lapic_tsc_changed(f->apic[0]); /* jumped over it */
    assert_int_equal(lapic_pending(f->apic[0]), 0x42);
}

static void leaving_deadline_mode_disarms(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    lapic_set_deadline(f->apic[0], 1000); /* in another mode: ignored, reads 0 */
    assert_true(lapic_deadline(f->apic[0]) == 0);
    wr(f, 0, LVT_T, DEADLINE | 0x42);
    lapic_set_deadline(f->apic[0], 100000);
    wr(f, 0, LVT_T, 0x42);
    assert_true(lapic_deadline(f->apic[0]) == 0);
    wr(f, 0, TMICT, 500);
    wr(f, 0, LVT_T, DEADLINE | 0x42);
    clock_step(f->clock, 1000000);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
}

static void reset_and_init_stop_the_timer(void **state)
{
    struct fixture *f = *state;
    for (unsigned init = 0; init < 2; init++) {
        enable(f, 0);
        wr(f, 0, LVT_T, PERIODIC | 0x41);
        wr(f, 0, TMICT, 50000);
        lapic_reset(f->apic[0], init);
        enable(f, 0);
        wr(f, 0, LVT_T, 0x41);
        clock_step(f->clock, 1000000);
        assert_int_equal(lapic_pending(f->apic[0]), -1);
        assert_int_equal(rd(f, 0, TMICT), 0);
    }
}

/* The clock's thread fires while vCPU and another sender are busy: for the sanitizers. */
struct sender {
    struct fixture *f;
    _Atomic bool stop;
};
static void *send_many(void *opaque)
{
    struct sender *s = opaque;
    for (unsigned i = 0; !atomic_load(&s->stop); i++)
        msi(s->f, 0, (uint8_t)(32 + i % 200));
    return NULL;
}
static void *run_clock(void *opaque)
{
    struct sender *s = opaque;
    while (!atomic_load(&s->stop))
        clock_step(s->f->clock, 500);
    return NULL;
}
static void nothing_is_lost_between_threads(void **state)
{
    struct fixture *f = *state;
    struct sender s = {.f = f};
    pthread_t threads[2];
    unsigned timer = 0, others = 0;
    enable(f, 0);
    wr(f, 0, TDCR, DIV1);
    wr(f, 0, LVT_T, 0xfa);
    pthread_create(&threads[0], NULL, send_many, &s);
    pthread_create(&threads[1], NULL, run_clock, &s);
    while (timer < 2000 || others < 2000) { /* each count that is started ends in an interrupt */
        if (rd(f, 0, TMCCT) == 0 && !in_irr(f, 0, 0xfa))
            wr(f, 0, TMICT, 700);
        int v = lapic_pending(f->apic[0]);
        if (v < 0)
            continue;
        assert_true(lapic_accept(f->apic[0]) >= v);
        timer += v == 0xfa;
        others += v != 0xfa;
        wr(f, 0, EOI, 0);
    }
    atomic_store(&s.stop, true);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(divide_configuration),
        T(one_shot_fires_once),
        T(periodic_does_not_drift),
        T(a_tiny_period_does_not_occupy_the_clock),
        T(an_initial_count_of_0_stops),
        T(a_masked_timer_counts_and_stays_silent),
        T(changing_between_one_shot_and_periodic),
        T(changing_the_divider_keeps_the_count),
        T(tsc_deadline_fires_when_the_guests_tsc_reaches_it),
        T(a_deadline_in_the_past_fires_at_once),
        T(deadlines_beyond_all_time_are_kept),
        T(a_moved_tsc_moves_the_deadline),
        T(leaving_deadline_mode_disarms),
        T(reset_and_init_stop_the_timer),
        T(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests_name("lapic_timer", tests, NULL, NULL);
}
