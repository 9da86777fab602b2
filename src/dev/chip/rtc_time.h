/*
 * dev/chip/rtc_time.h: the time and alarm bytes of the MC146818A: calendar, BCD, 12 hours.
 *
 * Times are seconds since 1970-01-01 00:00 in whatever time the guest keeps. `regb` is register B, whose DM
 * and 24/12 bits say how the bytes are written ("Data sheet, time, calendar, and alarm locations", table 2).
 * Pure functions.
 */
#ifndef DEV_CHIP_RTC_TIME_H
#define DEV_CHIP_RTC_TIME_H

#include "base/base.h"

enum {
    RTC_SECONDS,
    RTC_SECONDS_ALARM,
    RTC_MINUTES,
    RTC_MINUTES_ALARM,
    RTC_HOURS,
    RTC_HOURS_ALARM,
    RTC_DAY_OF_WEEK,
    RTC_DAY_OF_MONTH,
    RTC_MONTH,
    RTC_YEAR,
    RTC_CENTURY = 0x32, /* no register of the chip: where firmware and the ACPI tables have it */
};

enum { RTC_B_24H = 0x02, RTC_B_BINARY = 0x04 };

/* Is `reg` one of the eight bytes that the chip counts? */
bool rtc_time_is_byte(unsigned reg);
/*
 * Fill those bytes of cmos[0..0x32]. The day of the week is a counter of its own that the guest may set to
 * anything: `dow_shift` (0 to 6) is how far it is ahead of the calendar, where Sunday is 1.
 */
void rtc_time_encode(uint8_t *cmos, uint8_t regb, int64_t seconds, unsigned dow_shift);
/* The reverse. Bytes that are no time are carried over (second 75 is one minute and 15 seconds); never fails.
 */
int64_t rtc_time_decode(const uint8_t *cmos, uint8_t regb, unsigned *dow_shift);
/* The first second after `after` that the three alarm bytes match; INT64_MAX: none does. */
int64_t rtc_alarm_after(const uint8_t *cmos, uint8_t regb, int64_t after);

#endif
