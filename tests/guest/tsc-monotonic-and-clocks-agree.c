/*
 * tsc-monotonic-and-clocks-agree.c: the TSC never goes back, and TSC, 8254, PM timer, local APIC timer and
 * CPUID agree.
 *
 * SDM 3A 17.17 (invariant TSC), 2A "CPUID" leaf 0x15; ACPI 6.4, 4.8.3.3 (PM timer, 3.579545 MHz); 8254 data
 * sheet. Clocks that run apart make a guest's time jump: "clocksource: timekeeping watchdog: Marking
 * clocksource 'tsc' as unstable".
 *
 * The reading of another clock is taken between two of the TSC; pairs that lie far apart (the host did
 * something else) are taken again.
 */
#include "frame.h"

struct sample {
    uint64_t tsc, other;
};

static uint64_t read_pm(void)
{
    return pm_timer();
}

static uint64_t read_pit(void)
{
    return (uint16_t)-pit_read(2); /* counts down */
}

static uint64_t read_apic(void)
{
    return 0xffffffff - apic_read(APIC_TIMER_CURRENT);
}

/* The closest pair of many. */
static struct sample sample(uint64_t (*read)(void))
{
    struct sample best = {0, 0};
    uint64_t best_width = ~0ull;

    for (unsigned i = 0; i < 20; i++) {
        uint64_t a = rdtsc(), v = read(), b = rdtsc();
        if (b - a < best_width) {
            best_width = b - a;
            best = (struct sample){a + (b - a) / 2, v};
        }
    }
    return best;
}

/*
 * Hz of the TSC by another clock of `hz` and `bits` bits, over about `us` microseconds. What took `longest`
 * ticks of the TSC is done again: the host was away, and the other clock may be through with a turn.
 */
static uint64_t tsc_hz_by(uint64_t (*read)(void), uint64_t hz, unsigned bits, unsigned us, uint64_t longest)
{
    uint64_t mask = (1ull << bits) - 1, wanted = us * hz / 1000000;
    struct sample a, b;
    do {
        a = sample(read);
        while (((read() - a.other) & mask) < wanted)
            cpu_relax();
        b = sample(read);
    } while (b.tsc - a.tsc >= longest);
    return (b.tsc - a.tsc) * hz / ((b.other - a.other) & mask);
}

static unsigned rtc_seconds(void)
{
    uint8_t v = cmos_read(0);
    return cmos_read(0xb) & 4 ? v : (v >> 4) * 10 + (v & 15);
}

/* The TSC at a change of the RTC's seconds: between `before` and `behind`. */
struct change {
    uint64_t before, behind;
    unsigned seconds;
};

static struct change second_begins(void)
{
    struct change c = {.before = rdtsc()};
    unsigned old = rtc_seconds();
    for (;;) {
        uint64_t now = rdtsc();
        c.seconds = rtc_seconds();
        if (c.seconds != old)
            break;
        c.before = now;
    }
    c.behind = rdtsc();
    return c;
}

static void check_near(uint64_t a, uint64_t b, unsigned per_thousand, const char *what)
{
    uint64_t difference = a > b ? a - b : b - a;
    print("%s: %lu against %lu\n", what, a, b);
    CHECK(difference <= b / 1000 * per_thousand);
}

int main(void)
{
    uint64_t last = rdtsc();
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t now = rdtsc();
        CHECK(now >= last);
        last = now;
    }
    if (cpu_has_rdtscp()) {
        uint32_t lo, hi, aux;
        wrmsr(MSR_TSC_AUX, 0x12345);
        asm volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux));
        CHECK_EQ(aux, 0x12345);
        CHECK(((uint64_t)hi << 32 | lo) >= last);
    }

    uint64_t by_pm = tsc_hz_by(read_pm, PM_TIMER_HZ, 24, 200000, ~0ull);
    CHECK(by_pm > 100000000);
    /* Channel 2 in mode 2 through all 65536 counts; over half of a turn, so that the difference is plain. */
    outb(0x61, (uint8_t)((inb(0x61) & 0xfc) | 1));
    pit_start(2, 2, 0);
    uint64_t by_pit = tsc_hz_by(read_pit, PIT_HZ, 16, 40000, by_pm / 1000 * 50);
    check_near(by_pit, by_pm, 10, "TSC by 8254 and by PM timer");

    if (cpuid_has_leaf(0x15)) {
        struct cpuid c = cpuid(0x15, 0);
        if (c.eax && c.ebx && c.ecx)
            check_near((uint64_t)c.ecx * c.ebx / c.eax, by_pm, 10, "TSC by CPUID 0x15 and by PM timer");
    }
    if (cpuid_has_leaf(0x16) && cpuid(0x16, 0).eax)
        CHECK(cpuid(0x16, 0).eax < 10000); /* MHz */
    if (cpuid(0x40000000, 0).eax >= 0x40000010 && cpuid(0x40000000, 0).eax < 0x40010000) {
        struct cpuid c = cpuid(0x40000010, 0); /* kHz of TSC and of the APIC bus */
        if (c.eax)
            check_near(c.eax * 1000ull, by_pm, 10, "TSC by CPUID 0x40000010 and by PM timer");
        if (c.ebx) {
            apic_write(APIC_TIMER_DIVIDE, 0xb);
            apic_write(APIC_TIMER_COUNT, 0xffffffff);
            uint64_t by_apic = tsc_hz_by(read_apic, c.ebx * 1000ull, 32, 100000, ~0ull);
            check_near(by_apic, by_pm, 10, "TSC by the APIC timer and by PM timer");
        }
    }

    /* The RTC's seconds are the longest clock. One is enough, or where the host was away at a change as many
     * as make little of that. */
    struct change a = second_begins(), b;
    uint64_t shortest, longest;
    do {
        b = second_begins();
        shortest = b.before - a.behind;
        longest = b.behind - a.before;
    } while (longest - shortest > shortest / 50);
    check_near((shortest + longest) / 2, (b.seconds + 60 - a.seconds) % 60 * by_pm, 20,
               "TSC in seconds of the RTC and by PM timer");
    return 0;
}
