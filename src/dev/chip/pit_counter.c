/*
 * pit_counter.c: one counter of the 8254, six modes.
 *
 * Between events the counting element only counts down, so time is crossed in jumps: clks_to_event() says how
 * far the next event is, event() is the CLK pulse that does something else (load, reload, change OUT) and
 * leaves the element as it is after it, and decrement() goes a way that has no event in it. Modes 2 and 3
 * repeat themselves from every reload on; whole periods are left out.
 */
#include "dev/chip/pit_counter.h"

enum { RW_LSB = 1, RW_MSB = 2, RW_BOTH = 3 };

static unsigned mode_of(const struct pit_counter *c)
{
    unsigned m = (c->control >> 1) & 7;

    return m > 5 ? m - 4 : m; /* "Control word format": X10 and X11 */
}

static bool is_bcd(const struct pit_counter *c)
{
    return c->control & 1;
}

static unsigned rw_of(const struct pit_counter *c)
{
    return (c->control >> 4) & 3;
}

static uint32_t modulus(const struct pit_counter *c)
{
    return is_bcd(c) ? 10000 : 65536;
}

/* What CR stands for: 1 to 65536. Digits above 9 in BCD count for what they are. */
static uint32_t count_of(const struct pit_counter *c)
{
    uint32_t n = c->cr;

    if (is_bcd(c))
        n = (n >> 12) * 1000 + (n >> 8 & 15) * 100 + (n >> 4 & 15) * 10 + (n & 15);
    return n ? n : modulus(c);
}

/* CE as it is read. */
static uint16_t shown(const struct pit_counter *c)
{
    uint32_t n = c->ce % modulus(c);

    if (is_bcd(c))
        n = n / 1000 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10;
    return (uint16_t)n;
}

static void set_out(struct pit_counter *c, bool out)
{
    c->edges += c->out != out;
    c->out = out;
}

/* "Gate": level sensitive in modes 0, 2, 3, 4; in 1 and 5 only its edge matters. */
static bool counting(const struct pit_counter *c)
{
    unsigned m = mode_of(c);

    return c->loaded && !c->halted && (c->gate || m == 1 || m == 5);
}

static uint64_t clks_to_event(const struct pit_counter *c)
{
    if (c->load || c->strobe)
        return 1;
    if (!counting(c))
        return COUNTER_NEVER;
    switch (mode_of(c)) {
    case 2: return c->ce > 1 ? c->ce - 1 : 1;
    case 3: return c->ce / 2 + (c->out && c->odd); /* an odd count's high half passes zero */
    default: return c->done ? COUNTER_NEVER : c->ce;
    }
}

/* n CLK pulses with no event among them. */
static void decrement(struct pit_counter *c, uint64_t n)
{
    uint32_t m = modulus(c);

    if (!counting(c))
        return;
    if (mode_of(c) == 3)
        c->ce -= (uint32_t)(2 * n);
    else if (n <= c->ce)
        c->ce -= (uint32_t)n;
    else
        c->ce =
            (uint32_t)((m - (n - c->ce) % m) % m); /* modes 0, 1, 4, 5 wrap to the highest count and go on */
}

static void load(struct pit_counter *c)
{
    uint32_t n = count_of(c);

    c->odd = n & 1;
    c->ce = mode_of(c) == 3 ? n & ~1u : n;
    c->loaded = true;
    c->load = c->done = c->null_count = false;
}

/* The CLK pulse of an event. True when modes 2 and 3 begin a period with it. */
static bool event(struct pit_counter *c)
{
    unsigned m = mode_of(c);

    if (c->strobe) {
        c->strobe = false;
        set_out(c, true);
        if (!c->load) {
            decrement(c, 1);
            return false;
        }
    }
    if (c->load) {
        load(c);
        if (m == 1)
            set_out(c, false);
        return false;
    }
    switch (m) {
    case 0:
    case 1:
        c->ce = 0;
        c->done = true;
        set_out(c, true);
        return false;
    case 2:
        if (c->ce > 1) {
            c->ce = 1;
            set_out(c, false);
            return false;
        }
        load(c);
        set_out(c, true);
        return true;
    case 3:
        load(c);
        set_out(c, count_of(c) == 1 || !c->out); /* 1 is no legal count here: OUT stays high */
        return c->out;
    default:
        c->ce = 0;
        c->done = c->strobe = true;
        set_out(c, false);
        return false;
    }
}

void counter_advance(struct pit_counter *c, uint64_t tick)
{
    while (c->tick < tick) {
        uint64_t left = tick - c->tick, d = clks_to_event(c);

        if (d > left) {
            decrement(c, left);
            c->tick = tick;
            return;
        }
        c->tick += d;
        if (event(c)) {
            uint64_t n = count_of(c), periods = (tick - c->tick) / n;

            c->tick += periods * n;
            if (n > 1)
                c->edges += 2 * periods;
        }
    }
}

uint64_t counter_next_edge(const struct pit_counter *c)
{
    struct pit_counter next = *c;

    /* At most a load or reload, and then the change itself. */
    for (unsigned i = 0; i < 3; i++) {
        uint64_t d = clks_to_event(&next);

        if (d == COUNTER_NEVER)
            return COUNTER_NEVER;
        next.tick += d;
        event(&next);
        if (next.out != c->out)
            return next.tick;
    }
    return COUNTER_NEVER;
}

void counter_control(struct pit_counter *c, uint8_t control)
{
    c->control = control & 0x3f;
    c->null_count = true;
    c->written = c->loaded = c->load = c->done = c->strobe = c->halted = c->odd = false;
    c->write_msb = c->read_msb = c->count_latched = c->status_latched = false;
    set_out(c, mode_of(c) != 0);
}

static void set_count(struct pit_counter *c, uint16_t cr)
{
    unsigned m = mode_of(c);

    c->cr = cr;
    c->null_count = true;
    c->halted = false;
    if (m == 0)
        set_out(c, false);
    if (m == 0 || m == 4 || ((m == 2 || m == 3) && !c->written))
        c->load = true;
    c->written = true;
}

void counter_write(struct pit_counter *c, uint8_t v)
{
    switch (rw_of(c)) {
    case RW_LSB: set_count(c, v); return;
    case RW_MSB: set_count(c, (uint16_t)(v << 8)); return;
    }
    if (c->write_msb) {
        set_count(c, (uint16_t)(v << 8 | c->lsb));
    } else {
        c->lsb = v;
        if (mode_of(c) == 0) { /* mode 0: the first byte disables counting and sets OUT low */
            c->halted = true;
            set_out(c, false);
        }
    }
    c->write_msb = !c->write_msb;
}

uint8_t counter_read(struct pit_counter *c)
{
    if (c->status_latched) { /* "Read-back command": status comes first whichever was latched first */
        c->status_latched = false;
        return c->status;
    }

    uint16_t v = c->count_latched ? c->latch : shown(c);
    bool both = rw_of(c) == RW_BOTH, msb = both ? c->read_msb : rw_of(c) == RW_MSB;

    if (both)
        c->read_msb = !msb;
    if (msb || !both)
        c->count_latched = false;
    return (uint8_t)(msb ? v >> 8 : v);
}

void counter_latch(struct pit_counter *c)
{
    if (c->count_latched)
        return;
    c->latch = shown(c);
    c->count_latched = true;
}

void counter_latch_status(struct pit_counter *c)
{
    if (c->status_latched)
        return;
    c->status = (uint8_t)(c->out << 7 | c->null_count << 6 | c->control);
    c->status_latched = true;
}

void counter_gate(struct pit_counter *c, bool gate)
{
    unsigned m = mode_of(c);
    bool rises = gate && !c->gate, falls = !gate && c->gate;

    c->gate = gate;
    if (rises && c->written && m != 0 && m != 4)
        c->load = true;
    if (falls && (m == 2 || m == 3))
        set_out(c, true);
}

void counter_reset(struct pit_counter *c, uint64_t tick, bool gate)
{
    *c = (struct pit_counter){.tick = tick, .control = RW_BOTH << 4, .gate = gate, .null_count = true};
}
