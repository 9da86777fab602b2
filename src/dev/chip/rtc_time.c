/*
 * rtc_time.c: the RTC's time and alarm bytes from and to seconds.
 *
 * The calendar is the Gregorian one, with years counted from March so that the leap day comes last: day of
 * era and year of era follow from each other by division (400 years are 146097 days).
 */
#include "dev/chip/rtc_time.h"

enum { DAY = 86400, HOUR_PM = 0x80, DONT_CARE = 0xc0 };
enum { ERA_DAYS = 146097, EPOCH_DAYS = 719468 /* 0000-03-01 to 1970-01-01 */ };

bool rtc_time_is_byte(unsigned reg)
{
    return reg == RTC_SECONDS || reg == RTC_MINUTES || reg == RTC_HOURS ||
           (reg >= RTC_DAY_OF_WEEK && reg <= RTC_YEAR) || reg == RTC_CENTURY;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static uint8_t put(uint8_t regb, unsigned v)
{
    return (uint8_t)(regb & RTC_B_BINARY ? v : (v / 10 % 10) << 4 | v % 10);
}

static unsigned get(uint8_t regb, uint8_t byte)
{
    return regb & RTC_B_BINARY ? byte : (byte >> 4) * 10u + (byte & 15);
}

static uint8_t put_hour(uint8_t regb, unsigned hour)
{
    if (regb & RTC_B_24H)
        return put(regb, hour);
    return put(regb, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned get_hour(uint8_t regb, uint8_t byte)
{
    if (regb & RTC_B_24H)
        return get(regb, byte);
    return get(regb, byte & ~HOUR_PM) % 12 + (byte & HOUR_PM ? 12 : 0);
}

/* Days since 1970; month 1 to 12, any day. */
static int64_t days_of(int64_t year, unsigned month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1, era = floor_div(y, 400), in_era = y - era * 400;
    unsigned from_march = (month + 9) % 12;

    return era * ERA_DAYS + in_era * 365 + in_era / 4 - in_era / 100 + (153 * from_march + 2) / 5 + day - 1 -
           EPOCH_DAYS;
}

static unsigned weekday(int64_t days) /* 0: Sunday; 1970 began on a Thursday */
{
    return (unsigned)(days + 4 - floor_div(days + 4, 7) * 7);
}

void rtc_time_encode(uint8_t *cmos, uint8_t regb, int64_t seconds, unsigned dow_shift)
{
    int64_t days = floor_div(seconds, DAY), from = days + EPOCH_DAYS, era = floor_div(from, ERA_DAYS);
    unsigned time = (unsigned)(seconds - days * DAY), doe = (unsigned)(from - era * ERA_DAYS);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), from_march = (5 * doy + 2) / 153;
    unsigned month = from_march < 10 ? from_march + 3 : from_march - 9;
    unsigned year = (unsigned)(era * 400 + yoe + (month <= 2));

    cmos[RTC_SECONDS] = put(regb, time % 60);
    cmos[RTC_MINUTES] = put(regb, time / 60 % 60);
    cmos[RTC_HOURS] = put_hour(regb, time / 3600);
    cmos[RTC_DAY_OF_WEEK] = put(regb, (weekday(days) + dow_shift) % 7 + 1);
    cmos[RTC_DAY_OF_MONTH] = put(regb, doy - (153 * from_march + 2) / 5 + 1);
    cmos[RTC_MONTH] = put(regb, month);
    cmos[RTC_YEAR] = put(regb, year % 100);
    cmos[RTC_CENTURY] = put(regb, year / 100);
}

int64_t rtc_time_decode(const uint8_t *cmos, uint8_t regb, unsigned *dow_shift)
{
    unsigned month = get(regb, cmos[RTC_MONTH]), dow = get(regb, cmos[RTC_DAY_OF_WEEK]);
    int64_t year = get(regb, cmos[RTC_CENTURY]) * 100 + get(regb, cmos[RTC_YEAR]);
    int64_t days = days_of(year, MIN(MAX(month, 1u), 12u), get(regb, cmos[RTC_DAY_OF_MONTH]));

    *dow_shift = (dow + 6 + 7 - weekday(days)) % 7;
    return days * DAY + get_hour(regb, cmos[RTC_HOURS]) * 3600 + get(regb, cmos[RTC_MINUTES]) * 60 +
           get(regb, cmos[RTC_SECONDS]);
}

/* Does an alarm byte match? The chip compares bytes, and the two top bits set are "don't care". */
static bool matches(uint8_t alarm, uint8_t byte)
{
    return (alarm & DONT_CARE) == DONT_CARE || alarm == byte;
}

int64_t rtc_alarm_after(const uint8_t *cmos, uint8_t regb, int64_t after)
{
    int64_t start = floor_div(after, DAY) * DAY;
    unsigned t = (unsigned)(after - start) + 1;

    /* Skips whole hours and minutes that cannot match: some 150 steps at most. */
    while (t < 2 * DAY) {
        if (!matches(cmos[RTC_HOURS_ALARM], put_hour(regb, t / 3600 % 24)))
            t += 3600 - t % 3600;
        else if (!matches(cmos[RTC_MINUTES_ALARM], put(regb, t / 60 % 60)))
            t += 60 - t % 60;
        else if (!matches(cmos[RTC_SECONDS_ALARM], put(regb, t % 60)))
            t++;
        else
            return start + t;
    }
    return INT64_MAX;
}
