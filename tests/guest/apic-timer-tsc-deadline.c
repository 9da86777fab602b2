/*
 * apic-timer-tsc-deadline.c: the timer comes when the TSC reaches IA32_TSC_DEADLINE, once, and writing 0
 * disarms it.
 *
 * SDM 3A 10.5.4.1. Linux takes every tick from it where CPUID has it.
 */
#include "frame.h"

static volatile unsigned ticks;
static volatile uint64_t seen_tsc;

static void handler(struct regs *r)
{
    seen_tsc = rdtsc();
    ticks++;
    apic_eoi();
}

static void arm(uint64_t deadline)
{
    wrmsr(MSR_TSC_DEADLINE, deadline);
}

/* Take what is pending, and count from 0 again. */
static void take_pending(void)
{
    sti();
    cpu_relax();
    cli();
    ticks = 0;
}

static unsigned ticks_until(uint64_t tsc)
{
    sti();
    wait_tsc(tsc);
    cli();
    return ticks;
}

int main(void)
{
    if (!cpu_has_tsc_deadline())
        exit_skip("no TSC deadline timer in CPUID");
    trap_set_handler(0x96, handler);

    /* In another mode the MSR reads as 0 and a write does nothing. */
    apic_write(APIC_LVT_TIMER, 0x96);
    arm(rdtsc());
    CHECK_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
    sti();
    delay_us(2000);
    cli();
    CHECK_EQ(ticks, 0);

    apic_write(APIC_LVT_TIMER, 0x96 | APIC_TIMER_DEADLINE);
    asm volatile("mfence" ::: "memory");
    uint64_t from = rdtsc();
    delay_us(10000);
    uint64_t ms = (rdtsc() - from) / 10; /* in ticks; on a busy host it is more, never less */

    for (unsigned i = 1; i <= 20; i++) {
        uint64_t deadline = rdtsc() + i * ms / 4;
        arm(deadline);
        uint64_t shown = rdmsr(MSR_TSC_DEADLINE);
        CHECK(shown == deadline || rdtsc() >= deadline);
        sti_hlt_cli();
        CHECK_EQ(ticks, i);
        CHECK(seen_tsc >= deadline);          /* never early */
        CHECK_EQ(rdmsr(MSR_TSC_DEADLINE), 0); /* fired: disarmed */
    }
    take_pending();

    /* In the past: at once. */
    arm(1);
    sti();
    CHECK(WAIT_FOR(ticks == 1, 10000));
    cli();
    CHECK_EQ(rdmsr(MSR_TSC_DEADLINE), 0);

    /* Disarmed by 0. Where the host was away until the deadline, it came rightly: once more. */
    uint64_t deadline;
    do {
        take_pending();
        deadline = rdtsc() + 10 * ms;
        arm(deadline);
        arm(0);
    } while (rdtsc() >= deadline);
    CHECK_EQ(ticks_until(deadline + 10 * ms), 0);

    /* Replaced by a new one. */
    arm(rdtsc() + 1000000 * ms);
    arm(rdtsc() + ms);
    sti();
    CHECK(WAIT_FOR(ticks == 1, 10000));
    cli();

    /* The other timer's registers do nothing in this mode; leaving the mode disarms. */
    apic_write(APIC_TIMER_COUNT, 1000);
    CHECK_EQ(apic_read(APIC_TIMER_CURRENT), 0);
    do {
        take_pending();
        apic_write(APIC_LVT_TIMER, 0x96 | APIC_TIMER_DEADLINE);
        deadline = rdtsc() + 10 * ms;
        arm(deadline);
        apic_write(APIC_LVT_TIMER, 0x96);
    } while (rdtsc() >= deadline);
    CHECK_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
    apic_write(APIC_LVT_TIMER, 0x96 | APIC_TIMER_DEADLINE);
    CHECK_EQ(ticks_until(deadline + 10 * ms), 0);
    return 0;
}
