/*
 * apic-timer-oneshot-periodic.c: the local APIC's timer counts down at its divided rate, comes once or again
 * and again.
 *
 * SDM 3A 10.5.4, APM 2 16.4.1. Kernels without a TSC deadline take every tick from it.
 */
#include "frame.h"

static volatile unsigned ticks;

static void handler(struct regs *r)
{
    ticks++;
    apic_eoi();
}

static bool wait_ticks(unsigned n, unsigned ms)
{
    sti();
    bool ok = WAIT_FOR(ticks >= n, ms);
    cli();
    return ok;
}

/* What the timer counts in 2^24 ticks of the TSC: not less, not more. */
struct rate {
    uint64_t low, high;
};

/* Each reading lies between two of the TSC; where the host has drawn one of these pairs apart, once more. */
static struct rate rate(uint32_t divide)
{
    uint64_t before[2], behind[2];
    uint32_t v;
    apic_write(APIC_TIMER_DIVIDE, divide);
    do {
        before[0] = rdtsc();
        apic_write(APIC_TIMER_COUNT, 0xffffffff);
        behind[0] = rdtsc();
        delay_us(10000);
        before[1] = rdtsc();
        v = 0xffffffff - apic_read(APIC_TIMER_CURRENT);
        behind[1] = rdtsc();
        apic_write(APIC_TIMER_COUNT, 0);
    } while (v == 0xffffffff || (behind[1] - before[0]) * 4 > (before[1] - behind[0]) * 5);
    return (struct rate){((uint64_t)v << 24) / (behind[1] - before[0]),
                         ((v + 1ull) << 24) / (before[1] - behind[0])};
}
/* Counts of about a millisecond, at least. */
static uint32_t millisecond(void)
{
    apic_write(APIC_TIMER_DIVIDE, 0xb);
    apic_write(APIC_TIMER_COUNT, 0xffffffff);
    delay_us(1000);
    uint32_t v = 0xffffffff - apic_read(APIC_TIMER_CURRENT);
    apic_write(APIC_TIMER_COUNT, 0);
    return v;
}

int main(void)
{
    trap_set_handler(0x94, handler);
    apic_write(APIC_LVT_TIMER, 0x94 | APIC_LVT_MASKED);

    /* Each step of the divisor halves the rate (figure 10-10): by 1, 2, 4 ... 128. */
    static const uint8_t divide[] = {0xb, 0, 1, 2, 3, 8, 9, 0xa};
    struct rate first = rate(divide[0]);
    CHECK(first.low > 1000);
    for (unsigned i = 1; i < sizeof(divide); i++) {
        struct rate r = rate(divide[i]);
        CHECK((r.low << i) * 4 <= first.high * 5);
        CHECK((r.high << i) * 5 >= first.low * 4);
    }
    uint32_t ms = millisecond();
    apic_write(APIC_TIMER_DIVIDE, 0xb);
    CHECK_EQ(apic_read(APIC_TIMER_DIVIDE), 0xb);

    /* Once. */
    apic_write(APIC_LVT_TIMER, 0x94);
    apic_write(APIC_TIMER_COUNT, ms);
    CHECK(wait_ticks(1, 10000));
    CHECK(!wait_ticks(2, 10));
    CHECK_EQ(apic_read(APIC_TIMER_CURRENT), 0);

    /* A count of zero stops it. Where the host was away until the end, it came rightly: once more. */
    uint64_t from, lasts = ((uint64_t)ms << 28) / first.high; /* 16 ms, in ticks of the TSC */
    do {
        sti();
        cpu_relax();
        cli();
        ticks = 0;
        from = rdtsc();
        apic_write(APIC_TIMER_COUNT, 16 * ms);
        apic_write(APIC_TIMER_COUNT, 0);
    } while (rdtsc() - from >= lasts);
    CHECK_EQ(apic_read(APIC_TIMER_CURRENT), 0);
    sti();
    wait_tsc(from + 2 * lasts);
    cli();
    CHECK_EQ(ticks, 0);

    /* Again and again, until stopped. */
    apic_write(APIC_LVT_TIMER, 0x94 | APIC_TIMER_PERIODIC);
    apic_write(APIC_TIMER_COUNT, ms);
    CHECK(wait_ticks(20, 10000));
    CHECK(apic_read(APIC_TIMER_CURRENT) <= ms);
    apic_write(APIC_LVT_TIMER, 0x94 | APIC_TIMER_PERIODIC | APIC_LVT_MASKED);
    sti();
    delay_us(2000);
    ticks = 0;
    delay_us(10000);
    cli();
    CHECK_EQ(ticks, 0);
    apic_write(APIC_TIMER_COUNT, 0);

    /* Pending while interrupts are off: in IRR, then in ISR while its handler runs. */
    apic_write(APIC_LVT_TIMER, 0x94);
    apic_write(APIC_TIMER_COUNT, ms);
    CHECK(WAIT_FOR(apic_vector_bit(APIC_IRR, 0x94), 10000));
    CHECK_EQ(ticks, 0);
    CHECK(wait_ticks(1, 10000));
    CHECK(!apic_vector_bit(APIC_IRR, 0x94));
    CHECK(!apic_vector_bit(APIC_ISR, 0x94));
    return 0;
}
