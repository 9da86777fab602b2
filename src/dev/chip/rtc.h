/*
 * dev/chip/rtc.h: the MC146818A real-time clock of a PC, with 256 bytes of CMOS memory.
 *
 * The time is the clock's wall time plus what the guest has set; nothing ticks. Interrupt flags are worked
 * out when somebody looks, and a timer runs only while an interrupt is enabled and not yet raised. The line
 * is level: up while IRQF is set, down by the read of register C.
 *
 * An update takes no time here: UIP is up for the 244 us before it, and falls with it. Divider bits 010 run
 * (32.768 kHz); every other choice holds the divider in reset, from which it starts half a second before an
 * update. Daylight saving and the square wave are stored bits without effect. Byte 0x32 is the century and
 * counts with the year.
 *
 * Threads: rtc_reset, rtc_destroy and rtc_nmi_masked from any thread, the lock not held. The line is driven
 * with the lock held.
 */
#ifndef DEV_CHIP_RTC_H
#define DEV_CHIP_RTC_H

#include "bus/bus.h"
#include "clock/clock.h"
#include "dev/chip/rtc_time.h"

struct rtc_state {
    uint8_t cmos[256];    /* registers A to D at 10 to 13; the time bytes are current only while updates are
                             stopped */
    uint8_t index;        /* of port 0x71, 0 to 127 */
    uint8_t ext_index;    /* of port 0x73, 0 to 127 */
    bool nmi_masked;      /* bit 7 of port 0x70 */
    uint64_t phase_ns;    /* divider = wall clock + this; an update falls on every whole second of it */
    uint64_t seen_ns;     /* the divider up to which register C is worked out; where it stands, in reset */
    int64_t second_shift; /* guest's time = whole seconds of the divider + this, while updates run */
    unsigned dow_shift;   /* see rtc_time_encode */
};

struct rtc {
    pthread_mutex_t lock;
    struct rtc_state s;
    bool line; /* follows from s: IRQF */
    struct clock *clock;
    struct timer timer;
    struct irq_line irq;
};

/* A clock with a good battery, set to the clock's wall time in UTC; 24 hours, BCD. */
void rtc_init(struct rtc *r, struct clock *c, struct irq_line irq);
/* Disarms the timer. Before clock_free. */
void rtc_destroy(struct rtc *r);
/* The RESET pin: interrupts off; time, memory and the other bits stay, as in the chip. */
void rtc_reset(struct rtc *r);
/* Ports 0x70 to 0x73. */
void rtc_attach(struct rtc *r, struct bus *b);

/* Set a byte of the memory, as firmware would have: index 14 to 255 but 0x32. */
void rtc_set_cmos(struct rtc *r, unsigned index, uint8_t value);
/* The bytes that say how much memory there is below and above 4 GiB (0x15 to 0x18, 0x30, 0x31, 0x34, 0x35,
 * 0x5b to 0x5d). */
void rtc_set_memory(struct rtc *r, uint64_t below_4g, uint64_t above_4g);
/* Has the guest masked NMIs by port 0x70? */
bool rtc_nmi_masked(struct rtc *r);

#endif
