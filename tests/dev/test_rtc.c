/*
 * test_rtc.c: the MC146818A and CMOS memory by their registers and a stepped clock (Motorola MC146818A data
 * sheet).
 */
#include "dev/chip/rtc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { A = 10, B, C, D };
enum { SET = 0x80, PIE = 0x40, AIE = 0x20, UIE = 0x10, DM = 0x04, H24 = 0x02 };
enum { IRQF = 0x80, PF = 0x40, AF = 0x20, UF = 0x10 };

#define MS          1000000ull
#define FEB_28_2024 1709164798 /* 2024-02-28 23:59:58, a Wednesday */
#define MAY_17_2023 1684328649 /* 2023-05-17 13:04:09, a Wednesday */

struct fixture {
    struct bus *bus;
    struct clock *clock;
    struct rtc rtc;
    bool line;
    unsigned rises;
    uint64_t rise_ns;
};

static void on_irq(void *opaque, unsigned n, bool level)
{
    struct fixture *f = opaque;

    assert_true(level != f->line);
    f->line = level;
    if (level) {
        f->rises++;
        f->rise_ns = clock_now(f->clock);
    }
}

static uint8_t get(struct fixture *f, unsigned index)
{
    bus_pio_write(f->bus, 0x70, 1, index);
    return (uint8_t)bus_pio_read(f->bus, 0x71, 1);
}

static void put(struct fixture *f, unsigned index, uint8_t v)
{
    bus_pio_write(f->bus, 0x70, 1, index);
    bus_pio_write(f->bus, 0x71, 1, v);
}

static void step(struct fixture *f, uint64_t ns)
{
    clock_step(f->clock, ns);
}

static const uint8_t time_regs[] = {RTC_CENTURY,     RTC_YEAR,  RTC_MONTH,   RTC_DAY_OF_MONTH,
                                    RTC_DAY_OF_WEEK, RTC_HOURS, RTC_MINUTES, RTC_SECONDS};

/* The eight time bytes, century first: 20 24 02 28 04 23 59 58. */
static uint64_t read_time(struct fixture *f)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < ARRAY_LEN(time_regs); i++)
        v = v << 8 | get(f, time_regs[i]);
    return v;
}

static void write_time(struct fixture *f, uint64_t v)
{
    for (unsigned i = ARRAY_LEN(time_regs); i-- > 0; v >>= 8)
        put(f, time_regs[i], (uint8_t)v);
}

/* As an operating system sets it: SET, bytes, register B. */
static void set_time(struct fixture *f, uint8_t b, uint64_t v)
{
    put(f, B, SET | b);
    write_time(f, v);
    put(f, B, b);
}

static void start(struct fixture *f, uint64_t wall_s)
{
    f->bus = bus_new();
    f->clock = clock_new_stepped(wall_s);
    f->line = false;
    f->rises = 0;
    rtc_init(&f->rtc, f->clock, (struct irq_line){on_irq, f, 0});
    rtc_attach(&f->rtc, f->bus);
}

static void stop(struct fixture *f)
{
    rtc_destroy(&f->rtc);
    clock_free(f->clock);
    bus_free(f->bus);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    start(f, FEB_28_2024);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stop(f);
    free(f);
    return 0;
}

/* As firmware leaves it: 32.768 kHz, 1024 Hz, 24 hours, BCD, time and RAM valid, nothing pending. */
static void registers_at_power_on(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(get(f, A), 0x26);
    assert_int_equal(get(f, B), 0x02);
    assert_int_equal(get(f, C), 0);
    assert_int_equal(get(f, D), 0x80);
    assert_int_equal(read_time(f), 0x2024022804235958);
    assert_false(timer_armed(&f->rtc.timer));
}

/* "Time, calendar, and alarm locations": seconds to years, leap years, the day of the week, the century. */
static void calendar_carries(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t from, to;
    } rows[] = {
        {0x2024022804235958, 0x2024022804235959}, {0x2024022804235959, 0x2024022905000000},
        {0x2024022905235959, 0x2024030106000000}, {0x2023022803235959, 0x2023030104000000},
        {0x2023123101235959, 0x2024010102000000}, {0x1999123106235959, 0x2000010107000000},
        {0x2000022803235959, 0x2000022904000000}, {0x2023053107015959, 0x2023053107020000},
        {0x2023093007235959, 0x2023100101000000}, {0x1969123104235959, 0x1970010105000000},
        {0x2099123105235959, 0x2100010106000000}, {0x2023061005095959, 0x2023061005100000},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        set_time(f, H24, rows[i].from);
        assert_int_equal(read_time(f), rows[i].from);
        step(f, NS_PER_SEC);
        assert_int_equal(read_time(f), rows[i].to);
    }
}

/* The day of the week is a counter of its own: the guest's choice is kept and goes on. */
static void day_of_week_is_the_guests(void **state)
{
    struct fixture *f = *state;

    set_time(f, H24, 0x2024022807235959);
    step(f, NS_PER_SEC);
    assert_int_equal(get(f, RTC_DAY_OF_WEEK), 1);
    step(f, 86400 * NS_PER_SEC);
    assert_int_equal(get(f, RTC_DAY_OF_WEEK), 2);
}

/* Table 2: every hour and minute in the four formats, through set and read. */
static void formats(void **state)
{
    struct fixture *f = *state;
    static const uint8_t twelve[] = {12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

    for (unsigned hour = 0; hour < 24; hour++) {
        unsigned h12 = twelve[hour % 12], pm = hour < 12 ? 0 : 0x80;
        const uint8_t expect[4] = {
            (uint8_t)((h12 / 10 << 4 | h12 % 10) | pm), /* BCD, 12 */
            (uint8_t)(hour / 10 << 4 | hour % 10),      /* BCD, 24 */
            (uint8_t)(h12 | pm),                        /* binary, 12 */
            (uint8_t)hour,                              /* binary, 24 */
        };

        for (unsigned b = 0; b < 4; b++) {
            put(f, B, SET | (uint8_t)(b << 1));
            put(f, RTC_HOURS, expect[b]);
            put(f, RTC_MINUTES, 0);
            put(f, RTC_SECONDS, 0);
            put(f, B, (uint8_t)(b << 1));
            step(f, 59 * 60 * NS_PER_SEC);
            assert_int_equal(get(f, RTC_HOURS), expect[b]);
            assert_int_equal(get(f, RTC_MINUTES), b & 2 ? 59 : 0x59);
            for (unsigned other = 0; other < 4; other++) { /* the same time in every other format */
                put(f, B, (uint8_t)(other << 1));
                assert_int_equal(get(f, RTC_HOURS), expect[other]);
            }
        }
    }
    set_time(f, DM | H24, 0x1417070f0617321eull);
    step(f, 30 * NS_PER_SEC);
    assert_int_equal(read_time(f), 0x1417070f06173300ull);
}

/* "SET": updates are inhibited, bytes are held as written, flags do not come, UIE is cleared. */
static void set_holds_the_bytes(void **state)
{
    struct fixture *f = *state;

    put(f, B, H24 | UIE | AIE);
    put(f, B, SET | H24 | UIE | AIE);
    assert_int_equal(get(f, B), SET | H24 | AIE);
    step(f, 10 * NS_PER_SEC);
    assert_int_equal(read_time(f), 0x2024022804235958);
    put(f, RTC_SECONDS, 0xff);
    put(f, RTC_HOURS, 0x77);
    assert_int_equal(get(f, RTC_SECONDS), 0xff);
    assert_int_equal(get(f, RTC_HOURS), 0x77);
    assert_int_equal(get(f, C) & (UF | AF), 0);
    put(f, RTC_SECONDS, 0x10);
    put(f, RTC_HOURS, 0x07);
    put(f, B, H24);
    step(f, NS_PER_SEC);
    assert_int_equal(read_time(f), 0x2024022804075911);
}

/* "SET": the divider goes on under it, so the next update keeps its place within the second. */
static void set_keeps_the_phase(void **state)
{
    struct fixture *f = *state;

    step(f, 300 * MS);
    put(f, B, SET | H24);
    step(f, 5 * NS_PER_SEC + 400 * MS); /* .7 */
    put(f, B, H24);
    step(f, 300 * MS - 1);
    assert_int_equal(get(f, RTC_SECONDS), 0x58);
    step(f, 1);
    assert_int_equal(get(f, RTC_SECONDS), 0x59);
}

/* Writing a time byte while updates run: the others go on, the fraction of the second stays. */
static void bytes_can_be_set_one_by_one(void **state)
{
    struct fixture *f = *state;

    step(f, 900 * MS);
    write_time(f, 0x2031071603123456);
    assert_int_equal(read_time(f), 0x2031071603123456);
    step(f, 100 * MS);
    assert_int_equal(get(f, RTC_SECONDS), 0x57);
    step(f, 10 * NS_PER_SEC);
    put(f, RTC_HOURS, 0x05); /* nobody has read the seconds since */
    assert_int_equal(read_time(f), 0x2031071603053507);
}

/* Bytes that are no time do no harm. */
static void garbage_is_carried_over(void **state)
{
    struct fixture *f = *state;

    for (unsigned v = 0; v < 256; v++) {
        for (unsigned b = 0; b < 8; b += 2) {
            set_time(f, (uint8_t)b, v * 0x0101010101010101ull);
            step(f, NS_PER_SEC);
            put(f, B, DM | H24);
            assert_in_range(get(f, RTC_SECONDS), 0, 59);
            assert_in_range(get(f, RTC_MINUTES), 0, 59);
            assert_in_range(get(f, RTC_HOURS), 0, 23);
            assert_in_range(get(f, RTC_DAY_OF_WEEK), 1, 7);
            assert_in_range(get(f, RTC_DAY_OF_MONTH), 1, 31);
            assert_in_range(get(f, RTC_MONTH), 1, 12);
            assert_in_range(get(f, RTC_YEAR), 0, 99);
        }
    }
}

/* "UIP": up from 244 us before the update; never while updates are inhibited; cannot be written. */
static void uip_window(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 3; i++) {
        step(f, NS_PER_SEC - 244001);
        assert_int_equal(get(f, A), 0x26);
        step(f, 1);
        assert_int_equal(get(f, A), 0xa6);
        step(f, 243999);
        assert_int_equal(get(f, A), 0xa6);
        step(f, 1);
        assert_int_equal(get(f, A), 0x26);
    }
    step(f, NS_PER_SEC - 100000);
    put(f, B, SET | H24);
    assert_int_equal(get(f, A), 0x26);
    put(f, B, H24);
    assert_int_equal(get(f, A), 0xa6);
    put(f, A, 0xe0);
    assert_int_equal(get(f, A), 0x60);
}

/* "Divider control": in reset nothing counts; from its end the first update is half a second away. */
static void divider_reset(void **state)
{
    struct fixture *f = *state;
    static const uint8_t held[] = {0x60, 0x70, 0x00, 0x10};

    for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
        set_time(f, H24, 0x2024022804120000);
        step(f, 2123 * MS);
        put(f, B, H24 | UIE | PIE);
        get(f, C);
        f->rises = 0;
        put(f, A, held[i] | 6);
        step(f, 7 * NS_PER_SEC);
        assert_int_equal(f->rises, 0);
        assert_int_equal(get(f, RTC_SECONDS), 0x02);
        put(f, RTC_SECONDS, 0x20);
        assert_int_equal(get(f, RTC_SECONDS), 0x20);
        put(f, A, 0x20);
        step(f, 500 * MS - 1);
        assert_int_equal(get(f, RTC_SECONDS), 0x20);
        assert_int_equal(get(f, C), 0);
        step(f, 1);
        assert_int_equal(get(f, RTC_SECONDS), 0x21);
        assert_int_equal(get(f, C), IRQF | UF);
        step(f, NS_PER_SEC - 1);
        assert_int_equal(get(f, RTC_SECONDS), 0x21);
        step(f, 1);
        assert_int_equal(get(f, RTC_SECONDS), 0x22);
        put(f, B, H24);
    }
}

/* Table 5: the periodic interrupt's fifteen rates, counted for two seconds; none for 0000. */
static void periodic_rates(void **state)
{
    struct fixture *f = *state;
    static const uint16_t hz[16] = {0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2};

    for (unsigned rs = 0; rs < 16; rs++) {
        put(f, A, 0x20 | rs);
        put(f, B, H24 | PIE);
        get(f, C);
        f->rises = 0;
        assert_int_equal(timer_armed(&f->rtc.timer), hz[rs] != 0);
        for (unsigned i = 0; i < 2u * 8192; i++) {
            /* 1/8192 s is no whole number of nanoseconds: go to the one just after */
            uint64_t at = (i + 1) * NS_PER_SEC / 8192 + 1, done = i ? i * NS_PER_SEC / 8192 + 1 : 0;

            step(f, at - done);
            if (f->line)
                assert_int_equal(get(f, C) & (IRQF | PF), IRQF | PF);
        }
        assert_int_equal(f->rises, 2 * hz[rs]);
        put(f, B, H24);
        step(f, NS_PER_SEC - 1); /* back to a whole second */
    }
}

/* "Periodic interrupt": it comes at its exact time, and goes on while SET is 1. */
static void periodic_is_on_time(void **state)
{
    struct fixture *f = *state;

    put(f, A, 0x26);
    put(f, B, SET | H24 | PIE);
    for (uint64_t k = 1; k <= 3000; k++) {
        uint64_t due = (k * NS_PER_SEC + 1023) / 1024;

        step(f, due - 1 - clock_now(f->clock));
        assert_false(f->line);
        step(f, 1);
        assert_true(f->line);
        assert_int_equal(f->rise_ns, due);
        assert_int_equal(get(f, C), IRQF | PF);
        assert_false(f->line);
    }
}

/* "Register C": flags come without their enables, IRQF only with; the read clears all. */
static void flags_without_enables(void **state)
{
    struct fixture *f = *state;

    put(f, RTC_HOURS_ALARM, 0x24); /* never */
    step(f, NS_PER_SEC);
    assert_int_equal(f->rises, 0);
    assert_false(timer_armed(&f->rtc.timer));
    assert_int_equal(get(f, C), PF | UF);
    assert_int_equal(get(f, C), 0);
    step(f, NS_PER_SEC);
    put(f, B, H24 | UIE); /* enabling what is already flagged raises the line */
    assert_true(f->line);
    put(f, B, H24);
    assert_false(f->line);
    put(f, B, H24 | PIE);
    assert_true(f->line);
    put(f, C, 0); /* read-only */
    put(f, D, 0);
    assert_true(f->line);
    assert_int_equal(get(f, C), IRQF | PF | UF);
    assert_int_equal(get(f, D), 0x80);
    assert_false(f->line);
}

/* "Update-ended interrupt": once a second, level until register C is read; no timer meanwhile. */
static void update_ended_interrupt(void **state)
{
    struct fixture *f = *state;

    put(f, RTC_HOURS_ALARM, 0x24); /* never */
    put(f, A, 0x20);
    put(f, B, H24 | UIE);
    assert_true(timer_armed(&f->rtc.timer));
    put(f, B, H24);
    assert_false(timer_armed(&f->rtc.timer));
    put(f, B, H24 | UIE);
    step(f, NS_PER_SEC - 1);
    assert_false(f->line);
    step(f, 1);
    assert_true(f->line);
    assert_false(timer_armed(&f->rtc.timer));
    step(f, 5 * NS_PER_SEC);
    assert_int_equal(f->rises, 1);
    assert_int_equal(get(f, C), IRQF | UF);
    assert_false(f->line);
    step(f, NS_PER_SEC);
    assert_int_equal(f->rises, 2);
    put(f, B, SET | H24);
    get(f, C);
    step(f, 3 * NS_PER_SEC);
    assert_int_equal(f->rises, 2);
}

/* "Alarm interrupt", "don't care" codes C0 to FF: when each choice comes first, and how long to the next. */
static void alarm_matches(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint8_t hour, minute, second;
        unsigned first, next; /* seconds from 13:04:09; 0: never */
    } rows[] = {
        {0x13, 0x04, 0x10, 1, 86400},    {0x13, 0x04, 0x09, 86400, 86400}, {0x13, 0x04, 0x08, 86399, 86400},
        {0x14, 0x00, 0x00, 3351, 86400}, {0x00, 0x00, 0x00, 39351, 86400}, {0xc0, 0xff, 0xc0, 1, 1},
        {0xff, 0xff, 0x15, 6, 60},       {0xc7, 0x05, 0x00, 51, 3600},     {0xe0, 0x04, 0x09, 3600, 3600},
        {0x14, 0xc0, 0x30, 3381, 60},    {0x15, 0x30, 0xd0, 8751, 1},      {0x12, 0x34, 0xc0, 84591, 1},
        {0x24, 0x00, 0x00, 0, 0},        {0x13, 0x60, 0x00, 0, 0},         {0x13, 0x04, 0x1a, 0, 0},
        {0x83, 0xc0, 0xc0, 0, 0},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        stop(f);
        start(f, MAY_17_2023);
        put(f, A, 0x20);
        put(f, RTC_HOURS_ALARM, rows[i].hour);
        put(f, RTC_MINUTES_ALARM, rows[i].minute);
        put(f, RTC_SECONDS_ALARM, rows[i].second);
        put(f, B, H24 | AIE);
        if (!rows[i].first) {
            assert_false(timer_armed(&f->rtc.timer));
            step(f, 3 * 86400 * NS_PER_SEC);
            assert_int_equal(f->rises, 0);
            assert_int_equal(get(f, C), UF);
            continue;
        }
        step(f, rows[i].first * NS_PER_SEC - 1);
        assert_int_equal(f->rises, 0);
        step(f, 1);
        assert_int_equal(f->rises, 1);
        assert_int_equal(get(f, C), IRQF | AF | UF);
        assert_int_equal(get(f, RTC_HOURS_ALARM), rows[i].hour);
        step(f, rows[i].next * NS_PER_SEC - 1);
        assert_int_equal(f->rises, 1);
        step(f, 1);
        assert_int_equal(f->rises, 2);
    }
}

/* The same in 12-hour and binary form, where bit 7 of the hour is PM. */
static void alarm_in_other_formats(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint8_t b, hour, minute, second;
        unsigned first;
    } rows[] = {
        {0, 0x81, 0x05, 0x00, 51},    {0, 0x01, 0x05, 0x00, 43251}, {0, 0x12, 0x00, 0x00, 39351},
        {0, 0x92, 0x00, 0x00, 82551}, {DM, 0x81, 5, 0, 51},         {DM, 0x8c, 0, 0, 82551},
        {DM | H24, 13, 59, 59, 3350}, {DM | H24, 0xc0, 4, 59, 50},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        stop(f);
        start(f, MAY_17_2023);
        put(f, RTC_HOURS_ALARM, rows[i].hour);
        put(f, RTC_MINUTES_ALARM, rows[i].minute);
        put(f, RTC_SECONDS_ALARM, rows[i].second);
        put(f, B, rows[i].b | AIE);
        step(f, rows[i].first * NS_PER_SEC - 1);
        assert_int_equal(f->rises, 0);
        step(f, 1);
        assert_int_equal(f->rises, 1);
    }
}

/* The alarm is of the guest's time, and found late as well as on time (no timer: AIE is off). */
static void alarm_follows_the_set_time(void **state)
{
    struct fixture *f = *state;

    put(f, RTC_HOURS_ALARM, 0x07);
    put(f, RTC_MINUTES_ALARM, 0x30);
    put(f, RTC_SECONDS_ALARM, 0x00);
    set_time(f, H24 | AIE, 0x2001010102072955);
    get(f, C);
    step(f, 5 * NS_PER_SEC - 1);
    assert_false(f->line);
    step(f, 1);
    assert_true(f->line);
    put(f, B, H24);
    get(f, C);
    step(f, 86399 * NS_PER_SEC);
    assert_int_equal(get(f, C) & AF, 0);
    step(f, NS_PER_SEC);
    assert_int_equal(get(f, C) & AF, AF);
    step(f, 10 * 86400 * NS_PER_SEC);
    assert_int_equal(get(f, C) & AF, AF);
}

/* Several at once: the line is one, and comes again for the next only after the read. */
static void interrupts_share_the_line(void **state)
{
    struct fixture *f = *state;

    put(f, RTC_HOURS_ALARM, 0xc0);
    put(f, RTC_MINUTES_ALARM, 0xc0);
    put(f, RTC_SECONDS_ALARM, 0xc0);
    put(f, A, 0x2f);
    put(f, B, H24 | PIE | AIE | UIE);
    step(f, 500 * MS);
    assert_int_equal(f->rises, 1);
    assert_int_equal(get(f, C), IRQF | PF);
    step(f, 500 * MS);
    assert_int_equal(f->rises, 2);
    assert_int_equal(get(f, C), IRQF | PF | AF | UF);
}

/* "RESET": interrupts off, flags cleared; time, memory, register A and SET, DM, 24/12, DSE stay. */
static void reset_pin(void **state)
{
    struct fixture *f = *state;

    set_time(f, H24 | DM, 0x14170708050c0000ull);
    put(f, A, 0x2a);
    put(f, 0x40, 0x99);
    put(f, B, 0x7f);
    step(f, NS_PER_SEC);
    assert_true(f->line);
    bus_pio_write(f->bus, 0x70, 1, 0x80);
    rtc_reset(&f->rtc);
    assert_false(rtc_nmi_masked(&f->rtc));
    assert_false(f->line || timer_armed(&f->rtc.timer));
    assert_int_equal(get(f, C), 0);
    assert_int_equal(get(f, B), 0x07);
    assert_int_equal(get(f, A), 0x2a);
    assert_int_equal(get(f, 0x40), 0x99);
    assert_int_equal(read_time(f), 0x14170708050c0001ull);
}

/* 50 and 114 bytes of RAM, and the second bank behind ports 72h and 73h (ICH). */
static void memory(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 14; i < 128; i++)
        if (i != RTC_CENTURY)
            put(f, i, (uint8_t)(i * 7));
    for (unsigned i = 0; i < 128; i++) {
        bus_pio_write(f->bus, 0x72, 1, 0x80 | i);
        assert_int_equal(bus_pio_read(f->bus, 0x72, 1), i);
        bus_pio_write(f->bus, 0x73, 1, i * 5);
    }
    for (unsigned i = 14; i < 128; i++)
        if (i != RTC_CENTURY)
            assert_int_equal(get(f, i), (uint8_t)(i * 7));
    for (unsigned i = 0; i < 128; i++) {
        bus_pio_write(f->bus, 0x72, 1, i);
        assert_int_equal(bus_pio_read(f->bus, 0x73, 1), (uint8_t)(i * 5));
    }
    assert_int_equal(read_time(f), 0x2024022804235958);
}

/* Port 70h: bit 7 masks NMIs and is no part of the index. */
static void nmi_mask(void **state)
{
    struct fixture *f = *state;

    assert_false(rtc_nmi_masked(&f->rtc));
    bus_pio_write(f->bus, 0x70, 1, 0x80 | D);
    assert_true(rtc_nmi_masked(&f->rtc));
    assert_int_equal(bus_pio_read(f->bus, 0x71, 1), 0x80);
    assert_int_equal(bus_pio_read(f->bus, 0x70, 1), 0xff);
    bus_pio_write(f->bus, 0x70, 1, D);
    assert_false(rtc_nmi_masked(&f->rtc));
}

/* What firmware leaves in CMOS memory about the memory's size. */
static void memory_size_bytes(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t below, above;
        unsigned base, extended, above_16m, above_4g;
    } rows[] = {
        {MIB(512), 0, 640, 65535, (512 - 16) * 16, 0},
        {MIB(8), 0, 640, 7 * 1024, 0, 0},
        {GIB(3), GIB(5), 640, 65535, (3072 - 16) * 16, 5 * 16384},
        {KIB(512), 0, 512, 0, 0, 0},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        rtc_set_memory(&f->rtc, rows[i].below, rows[i].above);
        assert_int_equal(get(f, 0x15) | get(f, 0x16) << 8, rows[i].base);
        assert_int_equal(get(f, 0x17) | get(f, 0x18) << 8, rows[i].extended);
        assert_int_equal(get(f, 0x30) | get(f, 0x31) << 8, rows[i].extended);
        assert_int_equal(get(f, 0x34) | get(f, 0x35) << 8, rows[i].above_16m);
        assert_int_equal(get(f, 0x5b) | get(f, 0x5c) << 8 | get(f, 0x5d) << 16, rows[i].above_4g);
    }
    rtc_set_cmos(&f->rtc, 0xff, 0x5a);
    bus_pio_write(f->bus, 0x72, 1, 0x7f);
    assert_int_equal(bus_pio_read(f->bus, 0x73, 1), 0x5a);
}

/* "Daylight savings enable" and the square wave: bits that are kept. */
static void bits_without_effect(void **state)
{
    struct fixture *f = *state;

    put(f, B, H24 | 0x09);
    assert_int_equal(get(f, B), H24 | 0x09);
    set_time(f, H24 | 0x01, 0x2024033101015959); /* a last Sunday of March */
    step(f, 3600 * NS_PER_SEC + NS_PER_SEC);
    assert_int_equal(get(f, RTC_HOURS), 0x03);
}

/* Whatever a guest writes: the line tells only changes, and time goes on. */
static void random_writes(void **state)
{
    struct fixture *f = *state;
    uint32_t x = 5;

    for (unsigned i = 0; i < 100000; i++) {
        x = x * 1664525 + 1013904223;
        unsigned reg = x >> 28 == 15 ? RTC_CENTURY : x >> 28;

        if (x & 0x8000)
            put(f, reg, (uint8_t)(x >> 16));
        else
            get(f, reg);
        step(f, x & 0x4000 ? x % 3000000000u : x % 1000000);
    }
    assert_true(f->rises > 100);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(registers_at_power_on),
        T(calendar_carries),
        T(day_of_week_is_the_guests),
        T(formats),
        T(set_holds_the_bytes),
        T(set_keeps_the_phase),
        T(bytes_can_be_set_one_by_one),
        T(garbage_is_carried_over),
        T(uip_window),
        T(divider_reset),
        T(periodic_rates),
        T(periodic_is_on_time),
        T(flags_without_enables),
        T(update_ended_interrupt),
        T(alarm_matches),
        T(alarm_in_other_formats),
        T(alarm_follows_the_set_time),
        T(interrupts_share_the_line),
        T(reset_pin),
        T(memory),
        T(nmi_mask),
        T(memory_size_bytes),
        T(bits_without_effect),
        T(random_writes),
    };

    return cmocka_run_group_tests_name("rtc", tests, NULL, NULL);
}
