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

/* Counts in 2^24 ticks of the TSC with this divide configuration, measured over 10 ms or what a busy host
 * makes of them.
 */
static uint64_t counts(uint32_t divide)
{
    apic_write(APIC_TIMER_DIVIDE, divide);
    uint64_t from = rdtsc();
    apic_write(APIC_TIMER_COUNT, 0xffffffff);
    delay_us(10000);
    uint64_t to = rdtsc();
    uint32_t v = 0xffffffff - apic_read(APIC_TIMER_CURRENT);
    apic_write(APIC_TIMER_COUNT, 0);
    return ((uint64_t)v << 24) / (to - from);
}
/* What holds for one of several tries: the host may have looked away between two readings. */
static bool near(uint32_t divide, uint64_t expected)
{
    for (unsigned i = 0; i < 10; i++) {
        uint64_t n = counts(divide);
        if (n > expected / 2 && n < expected * 2 + 2)
            return true;
    }
    return false;
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

    /* Each step of the divisor halves the rate (figure 10-10): 2, 4, 8, 16, 32, 64, 128, and 1. Only the
     * order of size. */
    static const uint8_t divide[] = {0xb, 0, 1, 2, 3, 8, 9, 0xa};
    uint64_t first = counts(divide[0]);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t again = counts(divide[0]);
        first = again < first ? again : first;
    }
    CHECK(first > 1000);
    for (unsigned i = 2; i < sizeof(divide); i += 2)
        CHECK(near(divide[i], first >> i));
    uint32_t ms = millisecond();
    apic_write(APIC_TIMER_DIVIDE, 0xb);
    CHECK_EQ(apic_read(APIC_TIMER_DIVIDE), 0xb);

    /* Once. */
    apic_write(APIC_LVT_TIMER, 0x94);
    apic_write(APIC_TIMER_COUNT, ms);
    CHECK(wait_ticks(1, 1000));
    CHECK(!wait_ticks(2, 10));
    CHECK_EQ(apic_read(APIC_TIMER_CURRENT), 0);

    /* A new count starts over; zero stops. */
    ticks = 0;
    apic_write(APIC_TIMER_COUNT, 20 * ms);
    apic_write(APIC_TIMER_COUNT, 0);
    CHECK_EQ(apic_read(APIC_TIMER_CURRENT), 0);
    CHECK(!wait_ticks(1, 40));

    /* Again and again, until stopped. */
    apic_write(APIC_LVT_TIMER, 0x94 | APIC_TIMER_PERIODIC);
    apic_write(APIC_TIMER_COUNT, ms);
    CHECK(wait_ticks(20, 2000));
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
    CHECK(WAIT_FOR(apic_vector_bit(APIC_IRR, 0x94), 1000));
    CHECK_EQ(ticks, 0);
    CHECK(wait_ticks(1, 1000));
    CHECK(!apic_vector_bit(APIC_IRR, 0x94));
    CHECK(!apic_vector_bit(APIC_ISR, 0x94));
    return 0;
}
