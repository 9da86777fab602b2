/*
 * test_testdev.c: the test device (QEMU's pc-testdev interface) and the debug console's port.
 */
#include "dev/chip/debugcon.h"
#include "dev/chip/testdev.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct machine {
    struct bus *bus;
    struct testdev t;
    uint32_t lines;  /* levels */
    unsigned raises; /* calls with true */
};

static void on_line(void *opaque, unsigned n, bool level)
{
    struct machine *m = opaque;
    m->lines = (m->lines & ~(1u << n)) | (uint32_t)level << n;
    m->raises += level;
}

static int setup(void **state)
{
    struct machine *m = calloc(1, sizeof *m);
    struct irq_line lines[TESTDEV_LINES];
    for (unsigned n = 0; n < TESTDEV_LINES; n++)
        lines[n] = (struct irq_line){on_line, m, n};
    m->bus = bus_new();
    testdev_init(&m->t, lines);
    testdev_attach(&m->t, m->bus);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    testdev_destroy(&m->t);
    bus_free(m->bus);
    free(m);
    return 0;
}

static void ports_keep_what_is_written(void **state)
{
    struct machine *m = *state;
    static const uint16_t bases[] = {TESTDEV_PORT, TESTDEV_BYTE_PORT};
    for (unsigned i = 0; i < 2; i++) {
        uint16_t w = bases[i], r = bases[1 - i]; /* written at one, read at the other */
        bus_pio_write(m->bus, w, 4, 0x12345678);
        assert_int_equal(bus_pio_read(m->bus, r, 4), 0x12345678);
        for (uint16_t b = 0; b < 4; b++)
            assert_int_equal(bus_pio_read(m->bus, r + b, 1), 0x12345678 >> (8 * b) & 0xff);
        assert_int_equal(bus_pio_read(m->bus, r + 1, 2), 0x3456);
        bus_pio_write(m->bus, w + 1, 2, 0xabcd);
        assert_int_equal(bus_pio_read(m->bus, r, 4), 0x12abcd78);
        bus_pio_write(m->bus, w + 3, 1, 0xef);
        assert_int_equal(bus_pio_read(m->bus, r, 4), 0xefabcd78);
    }
    bus_pio_write(m->bus, TESTDEV_FLUSH_PORT, 4, 0x1000);
    assert_int_equal(bus_pio_read(m->bus, TESTDEV_PORT, 4), 0xefabcd78);
}

static void lines_have_the_level_that_is_written(void **state)
{
    struct machine *m = *state;
    for (uint16_t n = 0; n < TESTDEV_LINES; n++) {
        bus_pio_write(m->bus, TESTDEV_IRQ_PORT + n, 1, 1u << (n % 8)); /* anything but 0 */
        assert_int_equal(m->lines, 1u << n);
        bus_pio_write(m->bus, TESTDEV_IRQ_PORT + n, 1, 0);
        assert_int_equal(m->lines, 0);
    }
    bus_pio_write(m->bus, TESTDEV_IRQ_PORT + TESTDEV_LINES, 1, 1); /* nobody's */
    assert_int_equal(m->raises, TESTDEV_LINES);
}

static void memory_keeps_what_is_written(void **state)
{
    struct machine *m = *state;
    bus_mmio_write(m->bus, TESTDEV_MMIO, 8, 0x1122334455667788);
    assert_true(bus_mmio_read(m->bus, TESTDEV_MMIO, 8) == 0x1122334455667788);
    assert_int_equal(bus_mmio_read(m->bus, TESTDEV_MMIO + 3, 4), 0x22334455);
    bus_mmio_write(m->bus, TESTDEV_MMIO + TESTDEV_MMIO_SIZE - 1, 1, 0xab);
    assert_int_equal(bus_mmio_read(m->bus, TESTDEV_MMIO + TESTDEV_MMIO_SIZE - 1, 1), 0xab);
    /* Half beyond the end: its own half counts, the rest is nobody's. */
    bus_mmio_write(m->bus, TESTDEV_MMIO + TESTDEV_MMIO_SIZE - 4, 8, 0x99999999cdcdcdcd);
    assert_int_equal(bus_mmio_read(m->bus, TESTDEV_MMIO + TESTDEV_MMIO_SIZE - 4, 4), 0xcdcdcdcd);
}

static void reset_forgets_everything(void **state)
{
    struct machine *m = *state;
    bus_pio_write(m->bus, TESTDEV_PORT, 4, 0x12345678);
    bus_pio_write(m->bus, TESTDEV_IRQ_PORT + 5, 1, 1);
    bus_mmio_write(m->bus, TESTDEV_MMIO + 0x100, 4, 0x12345678);
    testdev_reset(&m->t);
    assert_int_equal(bus_pio_read(m->bus, TESTDEV_PORT, 4), 0);
    assert_int_equal(m->lines, 0);
    assert_int_equal(bus_mmio_read(m->bus, TESTDEV_MMIO + 0x100, 4), 0);
}

/* ---- debug console ---- */

struct rig {
    struct loop *loop;
    struct console *console;
    struct debugcon d;
    struct bus *bus;
    int read_end, write_end;
};

static void open_rig(struct rig *r)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    r->read_end = fds[0];
    r->write_end = fds[1];
    r->loop = loop_new(NULL);
    r->console = console_open_stdio(-1, r->write_end, r->loop, NULL, NULL);
    assert_non_null(r->console);
    r->bus = bus_new();
    debugcon_init(&r->d, r->console);
    debugcon_connect(&r->d);
    debugcon_attach(&r->d, r->bus, 0xe9);
}

static void close_rig(struct rig *r)
{
    console_close(r->console);
    debugcon_destroy(&r->d);
    bus_free(r->bus);
    loop_free(r->loop);
    close(r->read_end);
    close(r->write_end);
}

static void debug_console_takes_bytes_and_reads_e9(void **state)
{
    struct rig r;
    char got[8] = "";
    open_rig(&r);
    assert_int_equal(bus_pio_read(r.bus, 0xe9, 1), 0xe9);
    bus_pio_write(r.bus, 0xe9, 1, 'a');
    bus_pio_write(r.bus, 0xe9, 1, 0);
    bus_pio_write(r.bus, 0xe9, 2, 'b'); /* its second byte goes to port 0xea, where nobody is */
    assert_true(console_drain(r.console, 1000));
    assert_int_equal(read(r.read_end, got, sizeof got), 3);
    assert_memory_equal(got, "a\0b", 3);
    close_rig(&r);
}

/* Nobody reads: the guest goes on, bytes are lost and counted; once somebody reads, bytes arrive again. */
static void debug_console_that_nobody_reads_holds_nothing_up(void **state)
{
    enum { MANY = 1 << 20 };
    static char got[MANY];
    struct rig r;
    size_t n = 0;
    open_rig(&r);
    for (unsigned i = 0; i < MANY; i++)
        bus_pio_write(r.bus, 0xe9, 1, 'a' + i % 26);
    assert_true(r.d.lost.count > 0);
    for (ssize_t one; n < MANY - r.d.lost.count && (one = read(r.read_end, got + n, sizeof got - n)) > 0;
         n += (size_t)one)
        console_drain(r.console, 1);
    assert_int_equal(n, MANY - r.d.lost.count);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(got[i], 'a' + i % 26); /* what was lost is the end */
    uint64_t lost = r.d.lost.count;
    bus_pio_write(r.bus, 0xe9, 1, 'Z');
    assert_int_equal(r.d.lost.count, lost);
    assert_int_equal(read(r.read_end, got, sizeof got), 1);
    assert_int_equal(got[0], 'Z');
    close_rig(&r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ports_keep_what_is_written),
        TEST(lines_have_the_level_that_is_written),
        TEST(memory_keeps_what_is_written),
        TEST(reset_forgets_everything),
        cmocka_unit_test(debug_console_takes_bytes_and_reads_e9),
        cmocka_unit_test(debug_console_that_nobody_reads_holds_nothing_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
