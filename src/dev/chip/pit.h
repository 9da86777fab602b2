/*
 * dev/chip/pit.h: the 8254 interval timer of a PC (Intel 231164) and port 0x61.
 *
 * Three counters, modes 0 to 5, at 1193182 Hz. A counter is a function of the number of CLK pulses, and that
 * number one of clock_now(): nothing is rounded and added up. The gates of counters 0 and 1 are up for good,
 * counter 2's is bit 0 of port 0x61. Counter 0's OUT is an interrupt line; for its edges alone, and only
 * while there are any, a timer runs.
 *
 * Port 0x61: bits 0 (gate 2), 1 (speaker), 2, 3 read back as written; bit 4 toggles with every refresh, 18
 * CLK pulses; bit 5 is OUT of counter 2.
 *
 * Threads: pit_reset and pit_destroy from any thread, the lock not held. The interrupt line is driven with
 * the lock held.
 */
#ifndef DEV_CHIP_PIT_H
#define DEV_CHIP_PIT_H

#include "bus/bus.h"
#include "clock/clock.h"
#include "dev/chip/pit_counter.h"

#define PIT_HZ 1193182

struct pit_state {
    struct pit_counter counter[3];
    uint64_t edges_seen; /* counter 0's edges that the line has followed */
    bool line;           /* level of the interrupt line */
    uint8_t port61;      /* bits 0 to 3 */
};

struct pit {
    pthread_mutex_t lock;
    struct pit_state s;
    struct clock *clock;
    struct timer timer;
    struct irq_line irq;
    uint64_t window_ns; /* start of the millisecond in which window_edges timed edges have been */
    unsigned window_edges;
};

void pit_init(struct pit *p, struct clock *c, struct irq_line irq);
/* Disarms the timer. Before clock_free. */
void pit_destroy(struct pit *p);
/* Power-on: no counter is programmed, every OUT low, port 0x61 zero. */
void pit_reset(struct pit *p);
/* Ports 0x40 to 0x43, 0x61. */
void pit_attach(struct pit *p, struct bus *b);

#endif
