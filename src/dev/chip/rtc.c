/*
 * rtc.c: the MC146818A's registers, flags and interrupts.
 */
#include "dev/chip/rtc.h"

enum { REG_A = 10, REG_B, REG_C, REG_D, MEMORY };

enum {
    A_UIP = 0x80,
    A_DV = 0x70,
    A_DV_RUN = 0x20,
    A_RS = 0x0f,
    B_SET = 0x80,
    B_UIE = 0x10,
    B_AIE = 0x20,
    B_PIE = 0x40,
    B_SQWE = 0x08,
    C_IRQF = 0x80,
    C_FLAGS = 0x70, /* PF, AF, UF stand where PIE, AIE, UIE do in B */
    D_VRT = 0x80,
};

#define CRYSTAL_HZ     32768
#define UIP_NS         244000ull
#define HALF_SECOND_NS 500000000ull

static bool divider_runs(const struct rtc *r)
{
    return (r->s.cmos[REG_A] & A_DV) == A_DV_RUN;
}

static bool updates_run(const struct rtc *r)
{
    return divider_runs(r) && !(r->s.cmos[REG_B] & B_SET);
}

static uint64_t wall_now(const struct rtc *r)
{
    return clock_wall_base(r->clock) + clock_now(r->clock);
}

/* Nanoseconds that the divider has counted. */
static uint64_t divider_now(const struct rtc *r)
{
    return divider_runs(r) ? wall_now(r) + r->s.phase_ns : r->s.seen_ns;
}

/* Cycles of the crystal by then. */
static uint64_t cycles_at(uint64_t divider)
{
    return (uint64_t)((unsigned __int128)divider * CRYSTAL_HZ / NS_PER_SEC);
}

/* A period of the periodic interrupt is 2^this cycles; 0: none (table 5, 32.768 kHz). */
static unsigned period_shift(const struct rtc *r)
{
    unsigned rs = r->s.cmos[REG_A] & A_RS;

    return rs == 0 ? 0 : rs <= 2 ? rs + 6 : rs - 1;
}

static int64_t guest_seconds(const struct rtc *r, uint64_t divider)
{
    return (int64_t)(divider / NS_PER_SEC) + r->s.second_shift;
}

/* Bring register C up to date. */
static void catch_up(struct rtc *r)
{
    struct rtc_state *s = &r->s;
    uint64_t was = s->seen_ns, now = divider_now(r);
    unsigned shift = period_shift(r);

    s->seen_ns = now;
    if (divider_runs(r) && shift && cycles_at(was) >> shift != cycles_at(now) >> shift)
        s->cmos[REG_C] |= B_PIE;
    if (!updates_run(r) || was / NS_PER_SEC == now / NS_PER_SEC)
        return;
    s->cmos[REG_C] |= B_UIE;
    if (rtc_alarm_after(s->cmos, s->cmos[REG_B], guest_seconds(r, was)) <= guest_seconds(r, now))
        s->cmos[REG_C] |= B_AIE;
}

/* The divider's reading at the next event whose interrupt is enabled. */
static uint64_t next_event(const struct rtc *r)
{
    const struct rtc_state *s = &r->s;
    uint8_t b = s->cmos[REG_B];
    unsigned shift = period_shift(r);
    uint64_t now = s->seen_ns, next = CLOCK_NO_DEADLINE;

    if ((b & B_PIE) && divider_runs(r) && shift) {
        uint64_t cycles = ((cycles_at(now) >> shift) + 1) << shift;

        next = (uint64_t)(((unsigned __int128)cycles * NS_PER_SEC + CRYSTAL_HZ - 1) / CRYSTAL_HZ);
    }
    if ((b & B_UIE) && updates_run(r))
        next = MIN(next, (now / NS_PER_SEC + 1) * NS_PER_SEC);
    if ((b & B_AIE) && updates_run(r)) {
        int64_t alarm = rtc_alarm_after(s->cmos, b, guest_seconds(r, now));

        if (alarm != INT64_MAX)
            next = MIN(next, (uint64_t)(alarm - s->second_shift) * NS_PER_SEC);
    }
    return next;
}

/* After every change: line and timer from the flags. */
static void refresh(struct rtc *r)
{
    bool irqf = r->s.cmos[REG_C] & r->s.cmos[REG_B] & C_FLAGS;
    uint64_t next = irqf ? CLOCK_NO_DEADLINE : next_event(r);

    if (irqf != r->line) {
        r->line = irqf;
        irq_set(&r->irq, irqf);
    }
    if (next == CLOCK_NO_DEADLINE)
        timer_disarm(&r->timer);
    else
        timer_arm(&r->timer, next - r->s.phase_ns - clock_wall_base(r->clock));
}

static void on_timer(void *opaque)
{
    struct rtc *r = opaque;

    catch_up(r);
    refresh(r);
}

/* The time bytes as they stand now. */
static void time_to_bytes(struct rtc *r)
{
    if (updates_run(r))
        rtc_time_encode(r->s.cmos, r->s.cmos[REG_B], guest_seconds(r, r->s.seen_ns), r->s.dow_shift);
}

/* Go on from the time bytes. */
static void bytes_to_time(struct rtc *r)
{
    struct rtc_state *s = &r->s;

    if (updates_run(r))
        s->second_shift =
            rtc_time_decode(s->cmos, s->cmos[REG_B], &s->dow_shift) - (int64_t)(s->seen_ns / NS_PER_SEC);
}

static void write_a(struct rtc *r, uint8_t v)
{
    struct rtc_state *s = &r->s;
    bool ran = divider_runs(r);

    time_to_bytes(r);
    s->cmos[REG_A] = v & ~A_UIP;
    if (!ran &&
        divider_runs(r)) { /* "Divider control": the first update half a second after the reset has ended */
        uint64_t wall = wall_now(r), at = wall % NS_PER_SEC;

        s->phase_ns = at <= HALF_SECOND_NS ? HALF_SECOND_NS - at : NS_PER_SEC + HALF_SECOND_NS - at;
        s->seen_ns = wall + s->phase_ns;
        bytes_to_time(r);
    }
}

static void write_b(struct rtc *r, uint8_t v)
{
    struct rtc_state *s = &r->s;
    bool ran = updates_run(r);

    if ((v & B_SET) && !(s->cmos[REG_B] & B_SET))
        v &= ~B_UIE; /* "SET": going high clears UIE */
    if (v & B_SET)
        time_to_bytes(r);
    s->cmos[REG_B] = v;
    if (!ran)
        bytes_to_time(r);
}

static uint8_t read_byte(struct rtc *r, unsigned index)
{
    struct rtc_state *s = &r->s;
    uint8_t v = s->cmos[index];

    switch (index) {
    case REG_A:
        if (updates_run(r) && s->seen_ns % NS_PER_SEC >= NS_PER_SEC - UIP_NS)
            v |= A_UIP;
        return v;
    case REG_C: s->cmos[REG_C] = 0; return v & s->cmos[REG_B] & C_FLAGS ? v | C_IRQF : v;
    case REG_D: return D_VRT;
    }
    if (!rtc_time_is_byte(index))
        return v;
    time_to_bytes(r);
    return s->cmos[index];
}

static void write_byte(struct rtc *r, unsigned index, uint8_t v)
{
    switch (index) {
    case REG_A: write_a(r, v); return;
    case REG_B: write_b(r, v); return;
    case REG_C:
    case REG_D: return;
    }
    if (rtc_time_is_byte(index)) {
        time_to_bytes(r);
        r->s.cmos[index] = v;
        bytes_to_time(r);
    } else {
        r->s.cmos[index] = v;
    }
}

/* Ports: index (0x70, of the second bank 0x72) and data (0x71, 0x73). */
static uint64_t port_read(void *rtc, uint64_t offset, unsigned size)
{
    struct rtc *r = rtc;
    uint8_t v;

    switch (offset) {
    case 0: return 0xff; /* write-only, as on a PC */
    case 2: return r->s.ext_index;
    case 3: return r->s.cmos[128 + r->s.ext_index];
    }
    catch_up(r);
    v = read_byte(r, r->s.index);
    if (r->s.index == REG_C)
        refresh(r);
    return v;
}

static void port_write(void *rtc, uint64_t offset, unsigned size, uint64_t value)
{
    struct rtc *r = rtc;
    uint8_t v = (uint8_t)value;

    switch (offset) {
    case 0:
        r->s.index = v & 0x7f;
        r->s.nmi_masked = v & 0x80;
        return;
    case 2: r->s.ext_index = v & 0x7f; return;
    case 3: r->s.cmos[128 + r->s.ext_index] = v; return;
    }
    catch_up(r);
    write_byte(r, r->s.index, v);
    refresh(r);
}

static const struct bus_desc desc = {"rtc", port_read, port_write, 1, 1};

void rtc_attach(struct rtc *r, struct bus *b)
{
    bus_add_pio(b, 0x70, 4, &desc, r, &r->lock);
}

void rtc_set_cmos(struct rtc *r, unsigned index, uint8_t value)
{
    assert(index >= MEMORY && index < 256 && index != RTC_CENTURY);
    pthread_mutex_lock(&r->lock);
    r->s.cmos[index] = value;
    pthread_mutex_unlock(&r->lock);
}

void rtc_set_memory(struct rtc *r, uint64_t below_4g, uint64_t above_4g)
{
    const struct {
        uint8_t index, bytes;
        uint64_t value;
    } field[] = {
        {0x15, 2, MIN(below_4g / KIB(1), 640)},                                      /* base memory, KiB */
        {0x17, 2, MIN(below_4g > MIB(1) ? (below_4g - MIB(1)) / KIB(1) : 0, 65535)}, /* above 1 MiB, KiB */
        {0x30, 2, MIN(below_4g > MIB(1) ? (below_4g - MIB(1)) / KIB(1) : 0, 65535)}, /* the same, as found */
        {0x34, 2,
         MIN(below_4g > MIB(16) ? (below_4g - MIB(16)) / KIB(64) : 0, 65535)}, /* above 16 MiB, 64 KiB */
        {0x5b, 3, MIN(above_4g / KIB(64), 0xffffff)},                          /* above 4 GiB, 64 KiB */
    };

    for (unsigned i = 0; i < ARRAY_LEN(field); i++)
        for (unsigned k = 0; k < field[i].bytes; k++)
            rtc_set_cmos(r, field[i].index + k, (uint8_t)(field[i].value >> 8 * k));
}

bool rtc_nmi_masked(struct rtc *r)
{
    pthread_mutex_lock(&r->lock);
    bool masked = r->s.nmi_masked;
    pthread_mutex_unlock(&r->lock);
    return masked;
}

void rtc_reset(struct rtc *r)
{
    pthread_mutex_lock(&r->lock);
    catch_up(r);
    r->s.cmos[REG_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    r->s.cmos[REG_C] = 0;
    r->s.index = r->s.ext_index = 0;
    r->s.nmi_masked = false;
    refresh(r);
    pthread_mutex_unlock(&r->lock);
}

void rtc_init(struct rtc *r, struct clock *c, struct irq_line irq)
{
    *r = (struct rtc){.clock = c, .irq = irq};
    r->s.cmos[REG_A] = A_DV_RUN | 6; /* 1024 Hz, as firmware leaves it */
    r->s.cmos[REG_B] = RTC_B_24H;
    r->s.seen_ns = divider_now(r);
    pthread_mutex_init(&r->lock, NULL);
    timer_init(&r->timer, c, &r->lock, on_timer, r);
    rtc_reset(r);
}

void rtc_destroy(struct rtc *r)
{
    pthread_mutex_lock(&r->lock);
    timer_disarm(&r->timer);
    pthread_mutex_unlock(&r->lock);
    pthread_mutex_destroy(&r->lock);
}
