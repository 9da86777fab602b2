/*
 * test_acpi_pm.c: the ACPI fixed hardware by its registers, with a stepped clock (ACPI 6.5 section 4.8).
 */
#include "dev/chip/acpi_pm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define STS ACPI_PM1A_EVT_PORT
#define EN  (ACPI_PM1A_EVT_PORT + 2)
#define CNT ACPI_PM1A_CNT_PORT
#define TMR ACPI_PM_TMR_PORT

struct machine {
    struct clock *clock;
    struct bus *bus;
    struct acpi_pm pm;
    bool sci;
    unsigned power_offs;
};

static void set_line(void *opaque, unsigned n, bool level)
{
    ((struct machine *)opaque)->sci = level;
}

static void power_off(void *opaque)
{
    ((struct machine *)opaque)->power_offs++;
}

static int setup(void **state)
{
    struct machine *m = calloc(1, sizeof *m);
    m->clock = clock_new_stepped(0);
    m->bus = bus_new();
    acpi_pm_init(&m->pm, m->clock, (struct irq_line){set_line, m, ACPI_SCI_IRQ},
                 (struct machine_event){power_off, m});
    acpi_pm_attach(&m->pm, m->bus);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    acpi_pm_destroy(&m->pm);
    bus_free(m->bus);
    clock_free(m->clock);
    free(m);
    return 0;
}

static uint32_t in(struct machine *m, uint16_t port, unsigned size)
{
    return bus_pio_read(m->bus, port, size);
}

static void out(struct machine *m, uint16_t port, unsigned size, uint32_t v)
{
    bus_pio_write(m->bus, port, size, v);
}

static void acpi_mode(struct machine *m)
{
    out(m, ACPI_SMI_CMD_PORT, 1, ACPI_ENABLE_VALUE);
}

/* Section 4.8.2.5. */
static void smi_command_switches_between_legacy_and_acpi(void **state)
{
    struct machine *m = *state;
    assert_int_equal(in(m, CNT, 2), 0);
    out(m, ACPI_SMI_CMD_PORT, 1, 0x55); /* some other firmware function */
    assert_int_equal(in(m, CNT, 2), 0);
    acpi_mode(m);
    assert_int_equal(in(m, CNT, 2), ACPI_PM1_SCI_EN);
    out(m, CNT, 2, 0); /* the hardware's bit: a write does not change it */
    assert_int_equal(in(m, CNT, 2), ACPI_PM1_SCI_EN);
    out(m, ACPI_SMI_CMD_PORT, 1, ACPI_DISABLE_VALUE);
    assert_int_equal(in(m, CNT, 2), 0);
    out(m, CNT, 2, ACPI_PM1_SCI_EN);
    assert_int_equal(in(m, CNT, 2), 0);
    out(m, ACPI_SMI_CMD_PORT + 1, 1, 0x7e);
    assert_int_equal(in(m, ACPI_SMI_CMD_PORT, 2), 0x7e00 | ACPI_DISABLE_VALUE);
}

/* Section 4.8.3.1: the bits that can be enabled. */
static void enable_register_keeps_the_bits_that_exist(void **state)
{
    struct machine *m = *state;
    out(m, EN, 2, 0xffff);
    assert_int_equal(in(m, EN, 2), ACPI_PM1_TMR | ACPI_PM1_GBL | ACPI_PM1_PWRBTN | ACPI_PM1_RTC);
    out(m, EN, 1, 0); /* bytes are written alone */
    assert_int_equal(in(m, EN, 2), ACPI_PM1_PWRBTN | ACPI_PM1_RTC);
    assert_int_equal(in(m, EN + 1, 1), (ACPI_PM1_PWRBTN | ACPI_PM1_RTC) >> 8);
    out(m, STS, 4, (uint32_t)ACPI_PM1_GBL << 16);
    assert_int_equal(in(m, STS, 4), (uint32_t)ACPI_PM1_GBL << 16);
}

/* Section 4.8.2.2.1: status is set whether enabled or not; the SCI needs all three. */
static void power_button_raises_sci_when_enabled_in_acpi_mode(void **state)
{
    struct machine *m = *state;
    for (unsigned i = 0; i < 4; i++) {
        bool acpi = i & 1, enabled = i & 2;
        acpi_pm_reset(&m->pm);
        if (acpi)
            acpi_mode(m);
        out(m, EN, 2, enabled ? ACPI_PM1_PWRBTN : ACPI_PM1_RTC);
        assert_int_equal(acpi_pm_power_button(&m->pm), acpi && enabled);
        assert_int_equal(in(m, STS, 2), ACPI_PM1_PWRBTN);
        assert_int_equal(m->sci, acpi && enabled);
        /* A late enable, and a late switch to ACPI mode, raise it too: it is a level. */
        out(m, EN, 2, ACPI_PM1_PWRBTN);
        acpi_mode(m);
        assert_true(m->sci);
        out(m, EN, 2, 0);
        assert_false(m->sci);
    }
}

/* Section 4.8.3.1.1: write 1 to clear. */
static void status_is_cleared_by_ones_only(void **state)
{
    struct machine *m = *state;
    acpi_mode(m);
    out(m, EN, 2, ACPI_PM1_PWRBTN | ACPI_PM1_RTC);
    acpi_pm_power_button(&m->pm);
    acpi_pm_rtc_alarm(&m->pm);
    assert_int_equal(in(m, STS, 2), ACPI_PM1_PWRBTN | ACPI_PM1_RTC);
    out(m, STS, 2, 0);
    out(m, STS, 1, 0xff); /* the other byte */
    assert_int_equal(in(m, STS, 2), ACPI_PM1_PWRBTN | ACPI_PM1_RTC);
    out(m, STS, 2, ACPI_PM1_PWRBTN);
    assert_int_equal(in(m, STS, 2), ACPI_PM1_RTC);
    assert_true(m->sci);
    out(m, STS + 1, 1, ACPI_PM1_RTC >> 8);
    assert_int_equal(in(m, STS, 2), 0);
    assert_false(m->sci);
}

/* Section 4.8.2.1: 3.579545 MHz, and no drift over days. */
static void timer_counts_without_drift(void **state)
{
    struct machine *m = *state;
    static const struct {
        uint64_t ns;
        uint32_t ticks; /* floor(ns * 3579545 / 10^9) mod 2^32 */
    } at[] = {
        {0, 0},
        {279, 0},
        {280, 1},
        {1000000000, 3579545},
        {1000000001, 3579545},
        {3600000000000, (uint32_t)(3600ull * 3579545)},
        {864000000000000, (uint32_t)(864000ull * 3579545)},
        {864000000000280, (uint32_t)(864000ull * 3579545 + 1)},
    };
    uint64_t now = 0;
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        clock_step(m->clock, at[i].ns - now);
        now = at[i].ns;
        assert_int_equal(in(m, TMR, 4), at[i].ticks);
        assert_int_equal(in(m, TMR + 1, 1), at[i].ticks >> 8 & 0xff);
        assert_int_equal(in(m, TMR + 2, 2), at[i].ticks >> 16);
    }
    out(m, TMR, 4, 0); /* read only */
    assert_int_equal(in(m, TMR, 4), at[ARRAY_LEN(at) - 1].ticks);
}

/* Section 4.8.2.1: each change of the top bit sets TMR_STS. 2^31 ticks take 599.93 s. */
static void timer_status_and_sci_come_with_each_change_of_the_top_bit(void **state)
{
    struct machine *m = *state;
    const uint64_t half_ns = 599932015941ull; /* ceil(2^31 * 10^9 / 3579545) */
    acpi_mode(m);
    out(m, EN, 2, ACPI_PM1_TMR);
    clock_step(m->clock, half_ns - 1);
    assert_int_equal(in(m, TMR, 4), 0x7fffffff);
    assert_int_equal(in(m, STS, 2), 0);
    assert_false(m->sci);
    clock_step(m->clock, 1);
    assert_int_equal(in(m, TMR, 4), 0x80000000);
    assert_true(m->sci);
    assert_int_equal(in(m, STS, 2), ACPI_PM1_TMR);
    out(m, STS, 2, ACPI_PM1_TMR);
    assert_false(m->sci);
    assert_int_equal(in(m, STS, 2), 0);
    /* From 1 to 0 as well; and the status stands whether anybody listens or not. */
    out(m, EN, 2, 0);
    clock_step(m->clock, half_ns);
    assert_int_equal(in(m, STS, 2), ACPI_PM1_TMR);
    assert_false(m->sci);
    out(m, EN, 2, ACPI_PM1_TMR);
    assert_true(m->sci);
}

/* Section 4.8.3.2.1. */
static void sleep_enable_with_s5_powers_off(void **state)
{
    struct machine *m = *state;
    acpi_mode(m);
    for (unsigned type = 0; type < 8; type++) {
        m->power_offs = 0;
        out(m, CNT, 2, type << ACPI_PM1_SLP_TYP_SHIFT); /* without SLP_EN nothing happens */
        assert_int_equal(m->power_offs, 0);
        assert_int_equal(in(m, CNT, 2), (type << ACPI_PM1_SLP_TYP_SHIFT) | ACPI_PM1_SCI_EN);
        out(m, CNT, 2, (type << ACPI_PM1_SLP_TYP_SHIFT) | ACPI_PM1_SLP_EN);
        assert_int_equal(m->power_offs, type == ACPI_SLP_TYP_S5);
        assert_int_equal(in(m, CNT, 2) & ACPI_PM1_SLP_EN, 0); /* reads as 0 */
    }
    m->power_offs = 0;
    out(m, CNT + 1, 1, (ACPI_SLP_TYP_S5 << ACPI_PM1_SLP_TYP_SHIFT | ACPI_PM1_SLP_EN) >> 8);
    assert_int_equal(m->power_offs, 1);
}

static void reset_returns_to_legacy_mode(void **state)
{
    struct machine *m = *state;
    acpi_mode(m);
    out(m, EN, 2, ACPI_PM1_PWRBTN);
    acpi_pm_power_button(&m->pm);
    assert_true(m->sci);
    clock_step(m->clock, NS_PER_SEC);
    acpi_pm_reset(&m->pm);
    assert_false(m->sci);
    assert_int_equal(in(m, STS, 4), 0);
    assert_int_equal(in(m, CNT, 2), 0);
    assert_int_equal(in(m, TMR, 4), 3579545);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(smi_command_switches_between_legacy_and_acpi),
        T(enable_register_keeps_the_bits_that_exist),
        T(power_button_raises_sci_when_enabled_in_acpi_mode),
        T(status_is_cleared_by_ones_only),
        T(timer_counts_without_drift),
        T(timer_status_and_sci_come_with_each_change_of_the_top_bit),
        T(sleep_enable_with_s5_powers_off),
        T(reset_returns_to_legacy_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
