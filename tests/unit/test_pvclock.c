/*
 * test_pvclock.c: KVM's paravirtual clock as a guest computes it. Linux Documentation/virt/kvm/x86/msr.rst.
 */
#include "cpu/pvclock.h"
#include "cpu_fixture.h"

#define PAGE_AT 0x2000u
#define WALL_AT 0x3004u

struct vcpu_time {
    uint32_t version, pad0;
    uint64_t tsc_timestamp, system_time;
    uint32_t mul;
    int8_t shift;
    uint8_t flags, pad[2];
};

static struct vcpu_time page(struct fixture *f, uint64_t at)
{
    struct vcpu_time t;
    assert_true(mem_read(f->mem, at, &t, sizeof(t)));
    return t;
}

/* The guest's side of the protocol. */
static uint64_t guest_ns(const struct vcpu_time *t, uint64_t tsc)
{
    uint64_t delta = tsc - t->tsc_timestamp;
    delta = t->shift >= 0 ? delta << t->shift : delta >> -t->shift;
    return (uint64_t)((unsigned __int128)delta * t->mul >> 32) + t->system_time;
}

static void assert_time_is_right(struct fixture *f, unsigned cpu, uint64_t at)
{
    struct vcpu_time t = page(f, at);
    uint64_t got = guest_ns(&t, cpu_tsc(&f->cpu[cpu])), want = clock_now(f->clock);
    uint64_t error = got > want ? got - want : want - got;
    assert_true(error <= 1 + want / 1000000000);
}

static void the_page_gives_the_machines_time(void **state)
{
    struct fixture *f = *state;
    clock_step(f->clock, 123456789);
    assert_true(cpu_wrmsr(&f->cpu[0], MSR_KVM_SYSTEM_TIME_NEW, PAGE_AT | 1));
    struct vcpu_time t = page(f, PAGE_AT);
    assert_int_equal(t.version % 2, 0);
    assert_int_not_equal(t.version, 0);
    assert_int_equal(t.flags, 1); /* TSC_STABLE */
    assert_time_is_right(f, 0, PAGE_AT);
    clock_step(f->clock, 3600 * NS_PER_SEC);
    assert_time_is_right(f, 0, PAGE_AT);
    uint64_t v;
    assert_true(cpu_rdmsr(&f->cpu[0], MSR_KVM_SYSTEM_TIME_NEW, &v));
    assert_true(v == (PAGE_AT | 1));
    assert_true(cpu_rdmsr(&f->cpu[0], MSR_KVM_SYSTEM_TIME, &v)); /* the old number is the same register */
    assert_true(v == (PAGE_AT | 1));
}

static void the_page_follows_a_written_tsc(void **state)
{
    struct fixture *f = *state;
    assert_true(cpu_wrmsr(&f->cpu[0], MSR_KVM_SYSTEM_TIME, PAGE_AT | 1));
    clock_step(f->clock, 1000000);
    uint32_t version = page(f, PAGE_AT).version;
    assert_true(cpu_wrmsr(&f->cpu[0], MSR_TSC, 77));
    assert_time_is_right(f, 0, PAGE_AT);
    assert_int_equal(page(f, PAGE_AT).version, version + 2);
    assert_true(cpu_wrmsr(&f->cpu[0], MSR_TSC_ADJUST, 1ull << 62));
    assert_time_is_right(f, 0, PAGE_AT);
    f->cpu[0].st.tsc_offset = -(uint64_t)5000; /* pushed from outside */
    cpu_tsc_changed(&f->cpu[0]);
    assert_time_is_right(f, 0, PAGE_AT);
}

/* TSC_STABLE: the same TSC means the same time on every vCPU, whenever its page was written. */
static void all_vcpus_have_one_time(void **state)
{
    struct fixture *f = *state;
    assert_true(cpu_wrmsr(&f->cpu[0], MSR_KVM_SYSTEM_TIME_NEW, PAGE_AT | 1));
    clock_step(f->clock, 987654321);
    assert_true(cpu_wrmsr(&f->cpu[1], MSR_KVM_SYSTEM_TIME_NEW, (PAGE_AT + 64) | 1));
    struct vcpu_time a = page(f, PAGE_AT), b = page(f, PAGE_AT + 64);
    for (uint64_t tsc = 1000000000; tsc < 1ull << 60; tsc = tsc * 3 + 7)
        assert_true(guest_ns(&a, tsc) == guest_ns(&b, tsc));
}

static void a_disabled_page_is_not_written(void **state)
{
    struct fixture *f = *state;
    assert_true(cpu_wrmsr(&f->cpu[0], MSR_KVM_SYSTEM_TIME_NEW, PAGE_AT));
    assert_true(cpu_wrmsr(&f->cpu[0], MSR_TSC, 5));
    assert_int_equal(page(f, PAGE_AT).version, 0);
}

/* A version that the guest left odd must not stay odd. */
static void the_version_is_even_after_each_update(void **state)
{
    struct fixture *f = *state;
    static const uint32_t left[] = {0, 1, 2, 7, 0xfffffffe, 0xffffffff};
    for (unsigned i = 0; i < ARRAY_LEN(left); i++) {
        assert_true(mem_write(f->mem, PAGE_AT, &left[i], 4));
        assert_true(cpu_wrmsr(&f->cpu[0], MSR_KVM_SYSTEM_TIME_NEW, PAGE_AT | 1));
        assert_int_equal(page(f, PAGE_AT).version % 2, 0);
        assert_int_not_equal(page(f, PAGE_AT).version, left[i]);
    }
}

static void the_wall_clock_is_the_time_at_clock_time_0(void **state)
{
    struct fixture *f = *state;
    static const uint32_t msr[] = {MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK_NEW};
    clock_step(f->clock, 5 * NS_PER_SEC);
    for (unsigned i = 0; i < 2; i++) {
        struct {
            uint32_t version, sec, nsec;
        } w;
        assert_true(cpu_wrmsr(&f->cpu[0], msr[i], WALL_AT + i * 16));
        assert_true(mem_read(f->mem, WALL_AT + i * 16, &w, sizeof(w)));
        assert_int_equal(w.version, 2);
        assert_int_equal(w.sec, 1700000000);
        assert_int_equal(w.nsec, 0);
    }
    assert_true(cpu_wrmsr(&f->cpu[0], MSR_KVM_WALL_CLOCK, 0)); /* nowhere */
    assert_int_equal(page(f, 0).version, 0);
}

static void addresses_outside_memory_are_counted_and_harmless(void **state)
{
    struct fixture *f = *state;
    static const uint64_t at[] = {MIB(1), MIB(1) - 4, UINT64_MAX - 15, 1ull << 52};
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        assert_true(cpu_wrmsr(&f->cpu[0], MSR_KVM_SYSTEM_TIME_NEW, at[i] | 1));
        assert_true(cpu_wrmsr(&f->cpu[0], MSR_KVM_WALL_CLOCK_NEW, at[i]));
    }
    assert_true(f->cpu[0].bad_msr.count == 2 * ARRAY_LEN(at));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_page_gives_the_machines_time),
        T(the_page_follows_a_written_tsc),
        T(all_vcpus_have_one_time),
        T(a_disabled_page_is_not_written),
        T(the_version_is_even_after_each_update),
        T(the_wall_clock_is_the_time_at_clock_time_0),
        T(addresses_outside_memory_are_counted_and_harmless),
    };
    return cmocka_run_group_tests_name("pvclock", tests, NULL, NULL);
}
