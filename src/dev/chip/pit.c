/*
 * pit.c: the 8254's ports, port 0x61, and counter 0's interrupt.
 */
#include "dev/chip/pit.h"

enum {
    SELECT_READ_BACK = 3,
    CONTROL_RW = 0x30, /* none: counter latch command */
    READ_BACK_NO_COUNT = 0x20,
    READ_BACK_NO_STATUS = 0x10,
    P61_GATE2 = 0x01,
    P61_WRITABLE = 0x0f,
    P61_REFRESH = 0x10,
    P61_OUT2 = 0x20,
    REFRESH_CLKS = 18,
};

/*
 * A guest can ask for hundreds of thousands of edges a second. The timer follows this many in a millisecond
 * one by one, enough for 32 kHz; the others of that millisecond come together at its end. OUT as it is read
 * stays exact.
 */
enum { WINDOW_EDGES = 64, WINDOW_NS = 1000000 };

static uint64_t tick_at(uint64_t ns)
{
    return (uint64_t)((unsigned __int128)ns * PIT_HZ / NS_PER_SEC);
}

/* The first nanosecond at which tick_at() gives `tick`. */
static uint64_t ns_of(uint64_t tick)
{
    unsigned __int128 ns = ((unsigned __int128)tick * NS_PER_SEC + PIT_HZ - 1) / PIT_HZ;

    return ns < CLOCK_NO_DEADLINE ? (uint64_t)ns : CLOCK_NO_DEADLINE;
}

static uint64_t tick_now(struct pit *p)
{
    return tick_at(clock_now(p->clock));
}

/* Counter i, as of now. */
static struct pit_counter *counter_now(struct pit *p, unsigned i)
{
    counter_advance(&p->s.counter[i], tick_now(p));
    return &p->s.counter[i];
}

/* Bring the interrupt line to where OUT is, by an edge when there has been one, and wait for the next. */
static void follow_out(struct pit *p)
{
    struct pit_counter *c = counter_now(p, 0);

    if (c->edges != p->s.edges_seen) {
        if (c->out == p->s.line)
            irq_set(&p->irq, !c->out); /* there and back again since we looked */
        irq_set(&p->irq, c->out);
        p->s.line = c->out;
        p->s.edges_seen = c->edges;
    }

    uint64_t next = counter_next_edge(c);
    if (next == COUNTER_NEVER) {
        timer_disarm(&p->timer);
        return;
    }

    uint64_t deadline = ns_of(next);
    if (p->window_edges >= WINDOW_EDGES)
        deadline = MAX(deadline, p->window_ns + WINDOW_NS);
    timer_arm(&p->timer, deadline);
}

static void on_timer(void *opaque)
{
    struct pit *p = opaque;
    uint64_t now = clock_now(p->clock);

    if (now - p->window_ns >= WINDOW_NS) {
        p->window_ns = now;
        p->window_edges = 0;
    }
    p->window_edges++;
    follow_out(p);
}

static void read_back(struct pit *p, uint8_t v)
{
    for (unsigned i = 0; i < 3; i++) {
        if (!(v & (2u << i)))
            continue;
        struct pit_counter *c = counter_now(p, i);

        if (!(v & READ_BACK_NO_COUNT))
            counter_latch(c);
        if (!(v & READ_BACK_NO_STATUS))
            counter_latch_status(c);
    }
}

static void write_control(struct pit *p, uint8_t v)
{
    unsigned select = v >> 6;

    if (select == SELECT_READ_BACK)
        read_back(p, v);
    else if (!(v & CONTROL_RW))
        counter_latch(counter_now(p, select));
    else
        counter_control(counter_now(p, select), v);
    if (select == 0 && v & CONTROL_RW)
        follow_out(p);
}

static uint64_t pit_read(void *opaque, uint64_t offset, unsigned size)
{
    struct pit *p = opaque;

    if (offset == 3)
        return 0xff; /* "Read/write logic": the control word cannot be read */
    return counter_read(counter_now(p, (unsigned)offset));
}

static void pit_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct pit *p = opaque;

    if (offset == 3) {
        write_control(p, (uint8_t)value);
        return;
    }
    counter_write(counter_now(p, (unsigned)offset), (uint8_t)value);
    if (offset == 0)
        follow_out(p);
}

static uint64_t port61_read(void *opaque, uint64_t offset, unsigned size)
{
    struct pit *p = opaque;
    uint64_t v = p->s.port61;

    if (tick_now(p) / REFRESH_CLKS & 1)
        v |= P61_REFRESH;
    if (counter_now(p, 2)->out)
        v |= P61_OUT2;
    return v;
}

static void port61_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct pit *p = opaque;

    p->s.port61 = value & P61_WRITABLE;
    counter_gate(counter_now(p, 2), value & P61_GATE2);
}

static const struct bus_desc pit_desc = {"pit", pit_read, pit_write, 1, 1};
static const struct bus_desc port61_desc = {"port61", port61_read, port61_write, 1, 1};

void pit_attach(struct pit *p, struct bus *b)
{
    bus_add_pio(b, 0x40, 4, &pit_desc, p, &p->lock);
    bus_add_pio(b, 0x61, 1, &port61_desc, p, &p->lock);
}

void pit_reset(struct pit *p)
{
    pthread_mutex_lock(&p->lock);
    timer_disarm(&p->timer);
    p->s.port61 = 0;
    for (unsigned i = 0; i < 3; i++)
        counter_reset(&p->s.counter[i], tick_now(p), i != 2);
    p->s.edges_seen = 0;
    p->s.line = false;
    irq_set(&p->irq, false);
    pthread_mutex_unlock(&p->lock);
}

void pit_init(struct pit *p, struct clock *c, struct irq_line irq)
{
    *p = (struct pit){.clock = c, .irq = irq};
    pthread_mutex_init(&p->lock, NULL);
    timer_init(&p->timer, c, &p->lock, on_timer, p);
    pit_reset(p);
}

void pit_destroy(struct pit *p)
{
    pthread_mutex_lock(&p->lock);
    timer_disarm(&p->timer);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_destroy(&p->lock);
}
