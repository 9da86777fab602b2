/*
 * test_reset.c: the reset ports 0x92 and 0xcf9 (Intel ICH data sheets) and the debug-exit port 0xf4.
 */
#include "dev/chip/debug_exit.h"
#include "dev/chip/reset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct machine {
    struct bus *bus;
    struct reset_ctl reset;
    struct debug_exit exit;
    unsigned resets, exits;
    uint32_t value;
};

static void on_reset(void *opaque)
{
    ((struct machine *)opaque)->resets++;
}

static void on_exit_port(void *opaque, uint32_t value)
{
    struct machine *m = opaque;
    m->exits++;
    m->value = value;
}

static int setup(void **state)
{
    struct machine *m = calloc(1, sizeof *m);
    m->bus = bus_new();
    reset_ctl_init(&m->reset, (struct machine_event){on_reset, m});
    reset_ctl_attach(&m->reset, m->bus);
    debug_exit_init(&m->exit, on_exit_port, m);
    debug_exit_attach(&m->exit, m->bus);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    reset_ctl_destroy(&m->reset);
    debug_exit_destroy(&m->exit);
    bus_free(m->bus);
    free(m);
    return 0;
}

/* "Port 92 Register": INIT_NOW acts when it goes from 0 to 1. */
static void port92_resets_on_the_rising_edge(void **state)
{
    struct machine *m = *state;
    static const struct {
        uint8_t write, read;
        unsigned resets;
    } steps[] = {
        {0x02, 0x02, 0}, {0x00, 0x02, 0}, /* A20 stays enabled */
        {0x03, 0x03, 1}, {0x01, 0x03, 1}, /* still 1: no edge */
        {0x00, 0x02, 1}, {0xff, 0x03, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        bus_pio_write(m->bus, RESET_PORT92, 1, steps[i].write);
        assert_int_equal(bus_pio_read(m->bus, RESET_PORT92, 1), steps[i].read);
        assert_int_equal(m->resets, steps[i].resets);
    }
}

/* "Reset Control Register": RST_CPU acts when it goes from 0 to 1; SYS_RST and FULL_RST only say which reset.
 */
static void cf9_resets_on_the_rising_edge_of_rst_cpu(void **state)
{
    struct machine *m = *state;
    static const struct {
        uint8_t write, read;
        unsigned resets;
    } steps[] = {
        {0x02, 0x02, 0}, {0x06, 0x06, 1}, {0x06, 0x06, 1}, {0x0e, 0x0e, 1}, {0x00, 0x00, 1},
        {0x04, 0x04, 2}, {0x0a, 0x0a, 2}, {0x0e, 0x0e, 3}, {0xf1, 0x00, 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        reset_cf9_write(&m->reset, steps[i].write);
        assert_int_equal(reset_cf9_read(&m->reset), steps[i].read);
        assert_int_equal(m->resets, steps[i].resets);
    }
}

static void after_a_reset_the_bits_can_rise_again(void **state)
{
    struct machine *m = *state;
    bus_pio_write(m->bus, RESET_PORT92, 1, 1);
    reset_cf9_write(&m->reset, 0x06);
    assert_int_equal(m->resets, 2);
    reset_ctl_reset(&m->reset);
    assert_int_equal(bus_pio_read(m->bus, RESET_PORT92, 1), RESET_PORT92_A20);
    assert_int_equal(reset_cf9_read(&m->reset), 0);
    bus_pio_write(m->bus, RESET_PORT92, 1, 1);
    reset_cf9_write(&m->reset, 0x06);
    assert_int_equal(m->resets, 4);
}

static void debug_exit_passes_the_value_of_any_width(void **state)
{
    struct machine *m = *state;
    static const struct {
        unsigned size;
        uint32_t value;
    } writes[] = {{1, 0x31}, {2, 0xbeef}, {4, 0xdeadbeef}, {1, 0}};
    for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
        bus_pio_write(m->bus, DEBUG_EXIT_PORT, writes[i].size, writes[i].value);
        assert_int_equal(m->exits, i + 1);
        assert_int_equal(m->value, writes[i].value);
    }
    bus_pio_write(m->bus, DEBUG_EXIT_PORT + 1, 1, 5);
    assert_int_equal(m->exits, ARRAY_LEN(writes));
    assert_int_equal(bus_pio_read(m->bus, DEBUG_EXIT_PORT, 4), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(port92_resets_on_the_rising_edge),
        T(cf9_resets_on_the_rising_edge_of_rst_cpu),
        T(after_a_reset_the_bits_can_rise_again),
        T(debug_exit_passes_the_value_of_any_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
