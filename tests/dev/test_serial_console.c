/*
 * test_serial_console.c: a UART whose line ends at pipes: what a polling guest writes and reads is byte for
 * byte what the host reads and writes, however slow either is.
 */
#include "dev/serial/serial_console.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define PORT 0x3f8
#define BULK (KIB(512) + 13) /* more than ring and pipe hold */

struct machine {
    struct clock *clock;
    struct bus *bus;
    struct loop *loop;
    struct console *console;
    struct serial_console serial;
    pthread_t thread;
    int in[2], out[2];
};

static void *run_loop(void *opaque)
{
    loop_run(opaque);
    return NULL;
}

static int setup(void **state)
{
    struct machine *m = calloc(1, sizeof *m);
    m->clock = clock_new_stepped(0);
    m->bus = bus_new();
    m->loop = loop_new(NULL);
    if (!m->loop || pipe(m->in) < 0 || pipe(m->out) < 0)
        return -1;
    m->console = console_open_stdio(m->in[0], m->out[1], m->loop, NULL, NULL);
    if (!m->console)
        return -1;
    serial_console_init(&m->serial, m->clock, (struct irq_line){0}, m->console);
    serial_console_attach(&m->serial, m->bus, PORT);
    serial_console_connect(&m->serial);
    pthread_create(&m->thread, NULL, run_loop, m->loop);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    loop_stop(m->loop);
    pthread_join(m->thread, NULL);
    console_close(m->console);
    serial_console_destroy(&m->serial);
    loop_free(m->loop);
    bus_free(m->bus);
    clock_free(m->clock);
    for (unsigned i = 0; i < 2; i++) {
        close(m->in[i]);
        close(m->out[i]);
    }
    free(m);
    return 0;
}

static uint8_t in(struct machine *m, unsigned reg)
{
    return (uint8_t)bus_pio_read(m->bus, PORT + reg, 1);
}

static void out(struct machine *m, unsigned reg, uint8_t v)
{
    bus_pio_write(m->bus, PORT + reg, 1, v);
}

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 37 + (i >> 8) * 11 + (i >> 16));
}

/* A guest's thread: polls for an empty holding register, and writes what the mode allows at once. */
static void *guest_writes(void *opaque)
{
    struct machine *m = opaque;
    for (size_t i = 0; i < BULK;) {
        if (!(in(m, UART_LSR) & UART_LSR_THRE)) {
            sched_yield();
            continue;
        }
        unsigned n = m->serial.uart.fcr & UART_FCR_ENABLE ? UART_FIFO : 1;
        while (n-- && i < BULK)
            out(m, UART_THR, pattern(i++));
    }
    return NULL;
}

static void bulk_output(struct machine *m)
{
    pthread_t t;
    uint8_t buf[999];
    pthread_create(&t, NULL, guest_writes, m);
    for (size_t seen = 0; seen < BULK;) {
        ssize_t n = read(m->out[0], buf, MIN(sizeof buf, BULK - seen));
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++, seen++)
            assert_int_equal(buf[i], pattern(seen));
        if (seen % 7 == 0)
            sched_yield();
    }
    pthread_join(t, NULL);
    assert_int_equal(m->serial.uart.tx_overruns, 0);
    assert_true(serial_console_drain(&m->serial, 1000));
}

static void output_is_whole_with_fifo(void **state)
{
    out(*state, UART_FCR, 0x01);
    bulk_output(*state);
}

static void output_is_whole_without_fifo(void **state)
{
    bulk_output(*state);
}

static void *host_writes(void *opaque)
{
    struct machine *m = opaque;
    uint8_t buf[1000];
    for (size_t at = 0; at < KIB(64);) {
        size_t n = MIN(sizeof buf, KIB(64) - at);
        for (size_t i = 0; i < n; i++)
            buf[i] = pattern(at + i);
        ssize_t k = write(m->in[1], buf, n);
        if (k <= 0)
            break;
        at += (size_t)k;
    }
    return NULL;
}

static void paste_of_64_kib_is_whole(void **state)
{
    struct machine *m = *state;
    pthread_t t;
    out(m, UART_FCR, 0x81);
    pthread_create(&t, NULL, host_writes, m);
    for (size_t seen = 0; seen < KIB(64);) {
        uint8_t lsr = in(m, UART_LSR);
        assert_int_equal(lsr & (UART_LSR_OE | UART_LSR_PE | UART_LSR_FE | UART_LSR_BI), 0);
        if (lsr & UART_LSR_DR)
            assert_int_equal(in(m, UART_RBR), pattern(seen++));
        else
            sched_yield();
        /* A driver that tests the chip in between loses nothing either. */
        if (seen % 1000 == 999) {
            out(m, UART_MCR, UART_MCR_LOOP);
            sched_yield();
            out(m, UART_MCR, 0);
        }
    }
    pthread_join(t, NULL);
    assert_int_equal(in(m, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
}

/* Characters that a full console left in the transmitter leave it at the end. */
static void drain_empties_the_transmitter_too(void **state)
{
    struct machine *m = *state;
    size_t sent = 0;
    out(m, UART_FCR, 0x01);
    while (in(m, UART_LSR) & UART_LSR_TEMT)
        out(m, UART_THR, pattern(sent++));
    for (unsigned i = 0; i < UART_FIFO; i++)
        out(m, UART_THR, pattern(sent++));
    assert_false(serial_console_drain(&m->serial, 10));
    uint8_t buf[999];
    size_t seen = 0;
    while (seen < sent) {
        /* As much as the pipe has for sure, so that the drain below has room. */
        size_t want = MIN(sizeof buf, sent - seen);
        ssize_t n = read(m->out[0], buf, want);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++, seen++)
            assert_int_equal(buf[i], pattern(seen));
    }
    assert_true(serial_console_drain(&m->serial, 1000));
}

static void port_is_programmed_as_firmware_leaves_it(void **state)
{
    struct machine *m = *state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(in(m, UART_LCR), UART_LCR_8N1);
        out(m, UART_LCR, 0);
        serial_console_reset(&m->serial);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(output_is_whole_with_fifo),
        T(output_is_whole_without_fifo),
        T(paste_of_64_kib_is_whole),
        T(drain_empties_the_transmitter_too),
        T(port_is_programmed_as_firmware_leaves_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
