/*
 * dev/chip/pit_counter.h: one counter of the 8254 (Intel 231164), by the number of its CLK pulses; knows no
 * time and no port.
 *
 * Every call is made with the counter brought up to the present by counter_advance; what is written between
 * CLK pulse t and t+1 acts at once where the data sheet says so and with pulse t+1 otherwise. Plain data, no
 * locking.
 */
#ifndef DEV_CHIP_PIT_COUNTER_H
#define DEV_CHIP_PIT_COUNTER_H

#include "base/base.h"

#define COUNTER_NEVER UINT64_MAX

struct pit_counter {
    uint64_t tick;  /* CLK pulses so far */
    uint64_t edges; /* changes of OUT so far */
    uint32_t ce; /* counting element, in binary whatever the mode; just loaded with 0 it is 65536 or 10000 */
    uint16_t cr; /* count register, as written */
    uint16_t latch;  /* output latch */
    uint8_t status;  /* status latch */
    uint8_t control; /* D5-D0 of the last control word */
    uint8_t lsb;     /* first byte of two, waiting for the second */
    bool gate, out, null_count;
    bool written; /* a whole count has been written since the control word */
    bool loaded;  /* CE has been loaded since the control word */
    bool load;    /* the next CLK loads CE from CR */
    bool done;    /* modes 0, 1, 4, 5: terminal count has been reached since CE was loaded */
    bool strobe;  /* modes 4, 5: OUT is low until the next CLK */
    bool halted;  /* mode 0: the first byte of two has stopped counting */
    bool odd;     /* mode 3: this half cycle was loaded from an odd count */
    bool write_msb, read_msb;
    bool count_latched, status_latched;
};

/* No count, OUT low, not counting. */
void counter_reset(struct pit_counter *c, uint64_t tick, bool gate);
/* Go on to CLK pulse `tick` (never backwards; earlier is now). Takes the same time however far it is. */
void counter_advance(struct pit_counter *c, uint64_t tick);
/* The CLK pulse with which OUT changes next if nothing is written and the gate stays; COUNTER_NEVER: it does
 * not. */
uint64_t counter_next_edge(const struct pit_counter *c);

/* A control word that programs this counter: RW bits not 0. */
void counter_control(struct pit_counter *c, uint8_t control);
void counter_write(struct pit_counter *c, uint8_t v);
uint8_t counter_read(struct pit_counter *c);
/* Counter latch command; count part and status part of read-back. Ignored while latched. */
void counter_latch(struct pit_counter *c);
void counter_latch_status(struct pit_counter *c);
void counter_gate(struct pit_counter *c, bool gate);

#endif
