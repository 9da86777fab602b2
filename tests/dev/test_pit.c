/*
 * test_pit.c: the 8254 and port 0x61 by their registers and a stepped clock (Intel 231164).
 */
#include "dev/chip/pit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CONTROL = 0x43, PORT61 = 0x61 };

struct fixture {
    struct bus *bus;
    struct clock *clock;
    struct pit pit;
    uint64_t clk; /* CLK pulses stepped */
    bool line;
    unsigned rises, falls;
    uint64_t rise_ns, fall_ns;
};

static void on_irq(void *opaque, unsigned n, bool level)
{
    struct fixture *f = opaque;

    if (level && !f->line) {
        f->rises++;
        f->rise_ns = clock_now(f->clock);
    } else if (!level && f->line) {
        f->falls++;
        f->fall_ns = clock_now(f->clock);
    }
    f->line = level;
}

static void out(struct fixture *f, uint16_t port, uint8_t v)
{
    bus_pio_write(f->bus, port, 1, v);
}

static uint8_t in(struct fixture *f, uint16_t port)
{
    return (uint8_t)bus_pio_read(f->bus, port, 1);
}

/* When CLK pulse `clk` is, rounded up to nanoseconds. */
static uint64_t clk_ns(uint64_t clk)
{
    return (uint64_t)(((unsigned __int128)clk * NS_PER_SEC + PIT_HZ - 1) / PIT_HZ);
}

static void step(struct fixture *f, uint64_t clks)
{
    f->clk += clks;
    clock_step(f->clock, clk_ns(f->clk) - clock_now(f->clock));
}

static void write_count(struct fixture *f, unsigned i, uint16_t n)
{
    out(f, 0x40 + i, n & 0xff);
    out(f, 0x40 + i, n >> 8);
}

static uint16_t read_two(struct fixture *f, unsigned i)
{
    uint16_t lsb = in(f, 0x40 + i);

    return (uint16_t)(in(f, 0x40 + i) << 8 | lsb);
}

static uint16_t latched(struct fixture *f, unsigned i)
{
    out(f, CONTROL, i << 6);
    return read_two(f, i);
}

/* Read-back of the status alone. */
static uint8_t status(struct fixture *f, unsigned i)
{
    out(f, CONTROL, 0xe0 | 2 << i);
    return in(f, 0x40 + i);
}

static void gate2(struct fixture *f, bool level)
{
    out(f, PORT61, level);
}

static bool out2(struct fixture *f)
{
    return in(f, PORT61) & 0x20;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->bus = bus_new();
    f->clock = clock_new_stepped(0);
    pit_init(&f->pit, f->clock, (struct irq_line){on_irq, f, 0});
    pit_attach(&f->pit, f->bus);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    pit_destroy(&f->pit);
    clock_free(f->clock);
    bus_free(f->bus);
    free(f);
    return 0;
}

/*
 * Wave forms of counter 2, one CLK pulse at a time. The words of a script:
 *   wN   write the count N (both bytes)        bN   write one byte
 *   g0 g1  the gate                            t    a trigger: gate down and up
 *   H L  one CLK pulse, then OUT must be high or low; a number after it is what the counting element reads,
 * -1 being the highest count, -2 the one before    h l  OUT now
 */
static const struct wave {
    const char *what; /* section of the data sheet */
    unsigned mode;
    const char *script;
} waves[] = {
    {"mode 0, figure 15: N+1 CLKs, then wraps", 0, "l w4 l L4 L3 L2 L1 H0 H-1 H-2"},
    {"mode 0, figure 15: gate", 0, "l w3 L3 L2 g0 L2 L2 g1 L1 H0 H-1"},
    {"mode 0, figure 15: new count", 0, "w3 L3 L2 L1 w2 L2 L1 H0 H-1"},
    {"mode 0: first byte stops counting", 0, "w4 L4 L3 b2 l L3 L3 b0 L2 L1 H0"},
    {"mode 0: first byte sets OUT low at once", 0, "w1 L1 H0 H-1 b2 l L-1 L-1 b0 L2 L1 H0"},
    {"mode 0: gate has no effect on OUT", 0, "w1 L1 H0 g0 h H0 H0 g1 H-1"},
    {"mode 0: count loaded with gate 0, then N CLKs", 0, "g0 w3 L3 L3 g1 L2 L1 H0"},
    {"mode 1, figure 16: one-shot, once a trigger", 1, "h w3 h H H t h L3 L2 L1 H0 H-1 H-2 t h L3 L2"},
    {"mode 1, figure 16: retrigger", 1, "w3 t L3 L2 t L3 L2 L1 H0 H-1"},
    {"mode 1, figure 16: new count waits for a trigger", 1, "w2 t L2 w4 L1 H0 H-1 t L4 L3 L2 L1 H0"},
    {"mode 1: gate low has no effect", 1, "w3 t L3 g0 L2 L1 H0 H-1"},
    {"mode 1: armed by the count only", 1, "t H H w2 H H t L2 L1 H0"},
    {"mode 2, figure 17: low for the last of N", 2, "h w3 h H3 H2 L1 H3 H2 L1 H3"},
    {"mode 2: a gate that stays up is no trigger", 2, "w3 H3 g1 H2 L1 g1 l H3"},
    {"mode 2: the smallest count", 2, "w2 H2 L1 H2 L1 H2"},
    {"mode 2, figure 17: gate", 2, "w3 H3 H2 g0 H2 H2 g1 H3 H2 L1 H3"},
    {"mode 2: gate low during the pulse sets OUT high at once", 2, "w3 H3 H2 L1 g0 h H1 H1 g1 H3 H2 L1 H3"},
    {"mode 2, figure 17: new count at the end of the cycle", 2, "w4 H4 H3 w5 H2 L1 H5 H4 H3 H2 L1 H5"},
    {"mode 2: new count, trigger", 2, "w4 H4 H3 w3 g0 g1 H3 H2 L1 H3"},
    {"mode 2: 1 is no legal count, and no end either", 2, "w1 H1 H1 H1 w2 H2 L1 H2"},
    {"mode 3, figure 18: even", 3, "h w4 h H4 H2 L4 L2 H4 H2 L4 L2 H4"},
    {"mode 3: smallest even count", 3, "w2 H2 L2 H2 L2 H2"},
    {"mode 3: odd, high (N+1)/2, low (N-1)/2", 3, "w5 H4 H2 H0 L4 L2 H4 H2 H0 L4 L2 H4"},
    {"mode 3: smallest odd count", 3, "w3 H2 H0 L2 H2 H0 L2 H2"},
    {"mode 3, figure 18: gate low sets OUT high at once", 3, "w4 H4 H2 L4 g0 h H4 H4 g1 H4 H2 L4 L2 H4"},
    {"mode 3: gate in the high half", 3, "w6 H6 H4 g0 H4 g1 H6 H4 H2 L6"},
    {"mode 3: new count at the end of the half cycle", 3, "w4 H4 w6 H2 L6 L4 L2 H6 H4 H2 L6"},
    {"mode 3: odd to even", 3, "w5 H4 H2 H0 w4 L4 L2 H4 H2 L4"},
    {"mode 3: new odd count for the low half", 3, "w4 H4 H2 w7 L6 L4 L2 H6 H4 H2 H0 L6"},
    {"mode 3: new count, trigger", 3, "w4 H4 H2 L4 w6 g0 h g1 H6 H4 H2 L6"},
    {"mode 3: 1 is no legal count, and no end either", 3, "w1 H0 H0 H0 w4 L4 L2 H4 H2 L4"},
    {"mode 4, figure 19: strobe after N+1 CLKs, once", 4, "h w3 h H3 H2 H1 L0 H-1 H-2 H-3"},
    {"mode 4, figure 19: gate", 4, "w3 H3 g0 H3 H3 g1 H2 H1 L0 H-1"},
    {"mode 4: gate has no effect on OUT", 4, "w1 H1 L0 g0 l H0 H0 g1 H-1"},
    {"mode 4, figure 19: new count", 4, "w3 H3 H2 H1 w2 H2 H1 L0 H-1"},
    {"mode 4: first byte does nothing", 4, "w3 H3 b2 H2 b0 H2 H1 L0 H-1"},
    {"mode 4: new count during the strobe", 4, "w1 H1 L0 w3 l H3 H2 H1 L0 H-1"},
    {"mode 5, figure 20: strobe N+1 CLKs after the trigger", 5, "h w3 H H t h H3 H2 H1 L0 H-1 t H3 H2 H1 L0"},
    {"mode 5, figure 20: retrigger", 5, "w3 t H3 H2 t H3 H2 H1 L0 H-1"},
    {"mode 5, figure 20: new count waits for a trigger", 5, "w3 t H3 w5 H2 H1 L0 H-1 t H5 H4"},
    {"mode 5: gate low has no effect", 5, "w2 t H2 g0 H1 L0 H-1 H-2"},
    {"mode 5: trigger during the strobe", 5, "w1 t H1 L0 t l H1 L0 H-1"},
    {"modes 110 and 111 are 2 and 3", 6, "w3 H3 H2 L1 H3"},
    {"modes 110 and 111 are 2 and 3", 7, "w4 H4 H2 L4 L2 H4"},
};

static void play(struct fixture *f, const struct wave *w, bool bcd)
{
    gate2(f, true);
    out(f, CONTROL, 0xb0 | w->mode << 1 | bcd);
    for (const char *s = w->script; *s;) {
        char word = *s++, *end;
        long arg = strtol(s, &end, 10);
        bool has_arg = end != s;
        bool ok = true;

        switch (word) {
        case 'w': write_count(f, 2, (uint16_t)arg); break;
        case 'b': out(f, 0x42, (uint8_t)arg); break;
        case 'g': gate2(f, arg); break;
        case 't':
            gate2(f, false);
            gate2(f, true);
            break;
        case 'H':
        case 'L':
            step(f, 1);
            ok = out2(f) == (word == 'H');
            if (has_arg) {
                uint16_t highest = bcd ? 0x9999 : 0xffff;

                ok = ok && latched(f, 2) == (arg < 0 ? highest + arg + 1 : arg);
            }
            break;
        default: ok = out2(f) == (word == 'h'); break;
        }
        if (!ok)
            fail_msg("%s: \"%s\", before \"%s\"", w->what, w->script, has_arg ? end : s);
        s = has_arg ? end : s;
        while (*s == ' ')
            s++;
    }
}

/* "Mode definitions". */
static void wave_forms(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < ARRAY_LEN(waves); i++) {
        play(f, &waves[i], false);
        play(f, &waves[i], true);
    }
}

/* "Mode definitions", last lines of each: the largest count is 0, 65536 or in BCD 10000. */
static void zero_is_the_largest_count(void **state)
{
    struct fixture *f = *state;

    for (unsigned bcd = 0; bcd < 2; bcd++) {
        uint32_t n = bcd ? 10000 : 65536;
        static const struct {
            uint8_t mode;
            bool trigger;
            bool before, after; /* OUT just before, and at, the end of n counts */
        } rows[] = {
            {0, false, false, true}, {1, true, false, true}, {4, false, true, false}, {5, true, true, false}};

        for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
            gate2(f, true);
            out(f, CONTROL, 0xb0 | rows[i].mode << 1 | bcd);
            write_count(f, 2, 0);
            if (rows[i].trigger) {
                gate2(f, false);
                gate2(f, true);
            }
            step(f, 1);
            assert_int_equal(latched(f, 2), 0);
            step(f, n - 1);
            assert_int_equal(latched(f, 2), 1);
            assert_int_equal(out2(f), rows[i].before);
            step(f, 1);
            assert_int_equal(out2(f), rows[i].after);
            step(f, 1);
            assert_true(out2(f));
            step(f, 5 * (uint64_t)n -
                        1); /* five times round: modes 4 and 5 strobe once, modes 0 and 1 stay high */
            assert_int_equal(latched(f, 2), 0);
            assert_true(out2(f));
        }
        out(f, CONTROL, 0xb4 | bcd);
        write_count(f, 2, 0);
        step(f, n);
        assert_int_equal(latched(f, 2), 1);
        assert_false(out2(f));
        step(f, 1);
        assert_int_equal(latched(f, 2), 0);
        assert_true(out2(f));
        out(f, CONTROL, 0xb6 | bcd);
        write_count(f, 2, 0);
        step(f, n / 2);
        assert_int_equal(latched(f, 2), 2);
        assert_true(out2(f));
        step(f, 1);
        assert_false(out2(f));
        step(f, n / 2);
        assert_true(out2(f));
    }
}

/* "Programming the 8254": BCD counts down in decimal digits. */
static void bcd_counts_in_digits(void **state)
{
    struct fixture *f = *state;

    gate2(f, true);
    out(f, CONTROL, 0xb1);
    write_count(f, 2, 0x1000);
    step(f, 1);
    assert_int_equal(latched(f, 2), 0x1000);
    step(f, 1);
    assert_int_equal(latched(f, 2), 0x0999);
    step(f, 899);
    assert_int_equal(latched(f, 2), 0x0100);
    step(f, 99);
    assert_false(out2(f));
    step(f, 1);
    assert_true(out2(f));
    step(f, 1);
    assert_int_equal(latched(f, 2), 0x9999);
    write_count(f, 2, 0xffff); /* no digits: anything goes, but the counter must go on */
    step(f, 20000);
    assert_true(out2(f));
}

/* "Write operations": LSB only, MSB only, both; the byte that is not written is zero. */
static void bytes_of_a_count(void **state)
{
    struct fixture *f = *state;

    gate2(f, true);
    out(f, CONTROL, 0x90);
    out(f, 0x42, 0x34);
    step(f, 1);
    assert_int_equal(in(f, 0x42), 0x34);
    step(f, 1);
    assert_int_equal(in(f, 0x42), 0x33); /* one byte: every read the LSB */
    step(f, 0x32);
    assert_false(out2(f));
    step(f, 1);
    assert_true(out2(f));
    out(f, 0x42, 0x34); /* mode 0: OUT stays high until a new count is written */
    assert_false(out2(f));

    out(f, CONTROL, 0xa0);
    out(f, 0x42, 0x12);
    step(f, 2);
    assert_int_equal(in(f, 0x42), 0x11);
    assert_int_equal(in(f, 0x42), 0x11);
    step(f, 0x11fe);
    assert_int_equal(in(f, 0x42), 0);
    assert_false(out2(f));
    step(f, 1);
    assert_true(out2(f));

    out(f, CONTROL, 0xb0);
    out(f, 0x42, 0x34);
    out(f, 0x42, 0x12);
    step(f, 1);
    assert_int_equal(read_two(f, 2), 0x1234);
}

/* "Read operations": reads and writes of one counter may be interleaved. */
static void reads_and_writes_interleave(void **state)
{
    struct fixture *f = *state;

    gate2(f, false);
    out(f, CONTROL, 0xb0);
    write_count(f, 2, 0x1234);
    step(f, 1);
    assert_int_equal(in(f, 0x42), 0x34);
    out(f, 0x42, 0x78);
    assert_int_equal(in(f, 0x42), 0x12);
    out(f, 0x42, 0x56);
    step(f, 1);
    assert_int_equal(read_two(f, 2), 0x5678);
}

/* "Counter latch command": held until read or reprogrammed; a second one is ignored; each counter has its
 * own. */
static void latch_holds_the_count(void **state)
{
    struct fixture *f = *state;

    gate2(f, true);
    for (unsigned i = 0; i < 3; i++) {
        out(f, CONTROL, i << 6 | 0x34);
        write_count(f, i, (uint16_t)(0x1200 + i));
    }
    step(f, 1);
    out(f, CONTROL, 0x40);
    out(f, CONTROL, 0x80);
    step(f, 3);
    out(f, CONTROL, 0x40);
    assert_int_equal(read_two(f, 0), 0x1200 - 3);
    assert_int_equal(in(f, 0x41), 0x01);
    step(f, 1);
    assert_int_equal(in(f, 0x41), 0x12);
    assert_int_equal(read_two(f, 1), 0x1201 - 4); /* follows again */
    out(f, CONTROL, 0xb4);                        /* counter 2 is reprogrammed */
    write_count(f, 2, 0x3000);
    step(f, 1);
    assert_int_equal(read_two(f, 2), 0x3000);

    out(f, CONTROL, 0x94); /* one byte: one read takes the latch */
    out(f, 0x42, 0x50);
    step(f, 1);
    out(f, CONTROL, 0x80);
    step(f, 1);
    assert_int_equal(in(f, 0x42), 0x50);
    assert_int_equal(in(f, 0x42), 0x4f);
}

/* "Read-back command", figure 11: status byte; null count and when it changes (table in "Null count"). */
static void status_and_null_count(void **state)
{
    struct fixture *f = *state;

    gate2(f, true);
    for (unsigned mode = 0; mode < 8; mode++) {
        unsigned m = mode > 5 ? mode - 4 : mode;
        uint8_t programmed = 0x30 | mode << 1, high = m ? 0x80 : 0;

        out(f, CONTROL, 0x80 | programmed);
        assert_int_equal(status(f, 2), high | 0x40 | programmed);
        out(f, 0x42, 9);
        assert_int_equal(status(f, 2), high | 0x40 | programmed);
        out(f, 0x42, 0);
        assert_int_equal(status(f, 2), high | 0x40 | programmed);
        if (m == 1 || m == 5) {
            step(f, 3);
            assert_int_equal(status(f, 2), 0xc0 | programmed);
            gate2(f, false);
            gate2(f, true);
        }
        step(f, 1);
        assert_int_equal(status(f, 2), (m == 0 || m == 1 ? 0 : 0x80) | programmed);
        out(f, 0x42, 7); /* two bytes: null with the second */
        assert_int_equal(status(f, 2) & 0x40, 0);
        out(f, 0x42, 0);
        assert_int_equal(status(f, 2) & 0x40, 0x40);
        step(f, 1);
        assert_int_equal(status(f, 2) & 0x40, m == 0 || m == 4 ? 0 : 0x40);
        step(f, 8);
        assert_int_equal(status(f, 2) & 0x40, m == 1 || m == 5 ? 0x40 : 0);
    }
    out(f, CONTROL, 0x95);
    assert_int_equal(status(f, 2), 0xc0 | 0x15);
}

/* "Read-back command", figure 13: several counters, count and status, in which order; repeated ones are
 * ignored. */
static void read_back_latches_both(void **state)
{
    struct fixture *f = *state;

    gate2(f, true);
    for (unsigned i = 0; i < 3; i++) {
        out(f, CONTROL, i << 6 | 0x30);
        write_count(f, i, (uint16_t)(0x2000 + i));
    }
    step(f, 1);
    out(f, CONTROL, 0xce); /* all, count and status */
    step(f, 0x3000);
    out(f, CONTROL, 0xce);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(in(f, 0x40 + i), 0x30);
        assert_int_equal(read_two(f, i), 0x2000 + i);
    }
    out(f, CONTROL, 0xd4); /* count of 1 */
    out(f, CONTROL, 0xe4); /* then its status */
    assert_int_equal(in(f, 0x41), 0xb0);
    assert_int_equal(read_two(f, 1), 0x10000 + 0x2001 - 0x3000);
    out(f, CONTROL, 0xfe); /* neither */
    assert_int_equal(read_two(f, 0), 0x10000 + 0x2000 - 0x3000);
    assert_int_equal(in(f, CONTROL), 0xff);
}

/* "CLK": pulse k is at k/1193182 s, exactly, and a day away as well as near. */
static void no_drift(void **state)
{
    struct fixture *f = *state;
    const uint64_t day = 86400ull * PIT_HZ;

    gate2(f, true);
    out(f, CONTROL, 0xb4);
    write_count(f, 2, 59659);
    step(f, 1);
    assert_int_equal(latched(f, 2), 59659);
    step(f, day);
    assert_int_equal(latched(f, 2), 59659 - day % 59659);
    clock_step(f->clock, clk_ns(f->clk + 1) - clock_now(f->clock) - 1);
    assert_int_equal(latched(f, 2), 59659 - day % 59659);
    clock_step(f->clock, 1);
    assert_int_equal(latched(f, 2), 59659 - day % 59659 - 1);
}

/* Mode 2 on counter 0: the line falls with CLK kN and rises with kN+1, to the nanosecond, for a minute. */
static void irq0_follows_mode_2(void **state)
{
    struct fixture *f = *state;
    const unsigned n = 11932;

    out(f, CONTROL, 0x34);
    assert_true(f->line);
    write_count(f, 0, n);
    f->rises = 0;
    for (uint64_t k = 1; k <= 6000; k++) {
        step(f, n - (k == 1 ? 0 : 1));
        assert_int_equal(f->falls, k);
        assert_int_equal(f->fall_ns, clk_ns(k * n));
        assert_false(f->line);
        step(f, 1);
        assert_int_equal(f->rises, k);
        assert_int_equal(f->rise_ns, clk_ns(k * n + 1));
    }
}

/* Mode 3 on counter 0: half and half. */
static void irq0_follows_mode_3(void **state)
{
    struct fixture *f = *state;

    out(f, CONTROL, 0x36);
    write_count(f, 0, 0);
    clock_step(f->clock, 60 * NS_PER_SEC); /* a minute of 18.2 Hz */
    assert_int_equal(f->rises, 1 + (60ull * PIT_HZ - 1) / 65536);
    assert_int_equal(f->falls, (60ull * PIT_HZ - 1 + 32768) / 65536);
}

/* Modes 0 and 4 on counter 0: one interrupt for one count, and no timer runs without something to come. */
static void irq0_one_shots(void **state)
{
    struct fixture *f = *state;

    assert_false(timer_armed(&f->pit.timer));
    out(f, CONTROL, 0x30);
    assert_false(timer_armed(&f->pit.timer));
    write_count(f, 0, 1000);
    assert_true(timer_armed(&f->pit.timer));
    step(f, 1000);
    assert_int_equal(f->rises, 0);
    step(f, 1);
    assert_int_equal(f->rises, 1);
    assert_int_equal(f->rise_ns, clk_ns(1001));
    assert_false(timer_armed(&f->pit.timer));
    out(f, 0x40, 5); /* first byte: OUT, and so the line, falls */
    assert_false(f->line || timer_armed(&f->pit.timer));
    out(f, 0x40, 0);
    step(f, 6);
    assert_true(f->line);

    out(f, CONTROL, 0x38);
    assert_true(f->line);
    f->rises = f->falls = 0;
    write_count(f, 0, 100);
    step(f, 100);
    assert_int_equal(f->falls, 0);
    step(f, 1);
    assert_false(f->line);
    step(f, 1);
    assert_int_equal(f->rises, 1);
    assert_false(timer_armed(&f->pit.timer));

    out(f, CONTROL, 0x32); /* mode 1: no gate to trigger it */
    write_count(f, 0, 100);
    assert_false(timer_armed(&f->pit.timer));
    out(f, CONTROL, 0x34);
    write_count(f, 0, 1000);
    assert_true(timer_armed(&f->pit.timer));
    out(f, CONTROL, 0x34); /* reprogrammed: nothing comes before a count */
    assert_false(timer_armed(&f->pit.timer));
    write_count(f, 0, 1); /* not a legal count */
    assert_false(timer_armed(&f->pit.timer));
    out(f, CONTROL, 0xb6); /* counter 2 needs none */
    write_count(f, 2, 100);
    assert_false(timer_armed(&f->pit.timer));
}

/* An edge is not lost when OUT has been there and back between two looks. */
static void irq0_pulses_between_looks(void **state)
{
    struct fixture *f = *state;

    out(f, CONTROL, 0x34);
    write_count(f, 0, 1000);
    f->rises = f->falls = 0;
    step(f, 1);
    counter_advance(&f->pit.s.counter[0], 1001); /* as a late timer would find it */
    step(f, 999);
    assert_int_equal(f->falls, 1);
    assert_int_equal(f->rises, 1);
    assert_true(f->line);
}

/* A guest that asks for an edge with every CLK gets them bundled, and exact ones again when it asks for
 * fewer. */
static void irq0_rate_is_bounded(void **state)
{
    struct fixture *f = *state;

    out(f, CONTROL, 0x34);
    write_count(f, 0, 2);
    f->rises = f->falls = 0;
    clock_step(f->clock, NS_PER_SEC);
    assert_in_range(f->rises, 32000, 65000);
    assert_int_equal(in(f, 0x40) | in(f, 0x40), 1 + (PIT_HZ & 1)); /* OUT and CE stay exact */

    out(f, CONTROL, 0x34);
    write_count(f, 0, 59659);
    f->clk = (uint64_t)PIT_HZ;
    f->rises = f->falls = 0;
    step(f, 1 + 20 * 59659ull);
    assert_int_equal(f->rises, 20);
    assert_int_equal(f->rise_ns, clk_ns(f->clk));
}

/* Port 0x61 (ICH, NMI_SC): bits 0 to 3 keep, 4 toggles every 18 CLKs, 5 is OUT2, 6 and 7 are 0. */
static void port_61(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(in(f, PORT61), 0);
    for (unsigned v = 0; v < 256; v++) {
        out(f, PORT61, (uint8_t)v);
        assert_int_equal(in(f, PORT61), v & 0x0f);
    }
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(in(f, PORT61) >> 4 & 1, i / 18 & 1);
        step(f, 1);
    }
    out(f, CONTROL, 0xb6);
    assert_int_equal(in(f, PORT61) & 0x20, 0x20);
    out(f, CONTROL, 0xb0);
    assert_int_equal(in(f, PORT61) & 0x20, 0);
}

/* Power-on: no interrupt, no count, every register as after the first. */
static void reset_forgets_everything(void **state)
{
    struct fixture *f = *state;

    out(f, CONTROL, 0x34);
    write_count(f, 0, 1000);
    out(f, PORT61, 3);
    step(f, 10);
    pit_reset(&f->pit);
    assert_false(f->line || timer_armed(&f->pit.timer));
    assert_int_equal(in(f, PORT61) & 0x2f, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(status(f, i), 0x70);
    step(f, 10000);
    assert_false(f->line);
    out(f, CONTROL, 0x34);
    write_count(f, 0, 100);
    f->rises = 0;
    step(f, 101);
    assert_int_equal(f->rises, 1);
}

static uint32_t random_next(uint32_t *x)
{
    return (*x = *x * 1664525 + 1013904223) >> 8;
}

/* One write, gate change or nothing, the same for two counters. */
static void disturb(struct pit_counter *a, struct pit_counter *b, uint32_t r)
{
    static const uint8_t counts[] = {0, 1, 2, 3, 4, 5, 7, 16, 99, 255};
    uint8_t v = counts[r / 16 % ARRAY_LEN(counts)];

    switch (r % 16) {
    case 0:
        v = (uint8_t)(r / 16 & 15) | (1 + r / 256 % 3) << 4;
        counter_control(a, v);
        counter_control(b, v);
        break;
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
        counter_write(a, v);
        counter_write(b, v);
        break;
    case 6:
    case 7:
    case 8:
        counter_gate(a, !a->gate);
        counter_gate(b, !b->gate);
        break;
    }
}

/* Jumping over any number of CLKs is the same as going through them one by one; next_edge is when OUT does
 * change. */
static void jumps_equal_steps(void **state)
{
    uint32_t x = 7;

    for (unsigned run = 0; run < 200; run++) {
        struct pit_counter a, b;

        counter_reset(&a, 0, run & 1);
        b = a;
        for (unsigned i = 0; i < 200; i++) {
            uint32_t r = random_next(&x), far = random_next(&x);
            uint64_t to = a.tick + (far & 15 ? far / 16 % 40 : far / 16 % 140000);

            disturb(&a, &b, r);
            uint64_t edge = counter_next_edge(&a), first = COUNTER_NEVER;
            bool level = a.out;

            while (a.tick < to) {
                counter_advance(&a, a.tick + 1);
                if (a.out != level && first == COUNTER_NEVER)
                    first = a.tick;
            }
            counter_advance(&b, to);
            assert_memory_equal(&a, &b, sizeof(a));
            if (first != COUNTER_NEVER || edge <= to)
                assert_int_equal(first, edge);
        }
    }
}

/* Whatever a guest writes, nothing hangs and every access comes back. */
static void random_writes(void **state)
{
    struct fixture *f = *state;
    uint32_t x = 3;

    for (unsigned i = 0; i < 100000; i++) {
        uint32_t r = random_next(&x);
        uint16_t port = r % 5 == 4 ? PORT61 : 0x40 + r % 5;

        if (r & 0x8000)
            out(f, port, (uint8_t)(r >> 16));
        else
            in(f, port);
        clock_step(f->clock, r & 0x10000 ? r % 100000 : r % 1000);
    }
    assert_true(f->rises > 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(wave_forms),
        T(zero_is_the_largest_count),
        T(bcd_counts_in_digits),
        T(bytes_of_a_count),
        T(reads_and_writes_interleave),
        T(latch_holds_the_count),
        T(status_and_null_count),
        T(read_back_latches_both),
        T(no_drift),
        T(irq0_follows_mode_2),
        T(irq0_follows_mode_3),
        T(irq0_one_shots),
        T(irq0_pulses_between_looks),
        T(irq0_rate_is_bounded),
        T(port_61),
        T(reset_forgets_everything),
        T(jumps_equal_steps),
        T(random_writes),
    };

    return cmocka_run_group_tests_name("pit", tests, NULL, NULL);
}
