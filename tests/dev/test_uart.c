/*
 * test_uart.c: the PC16550D by its registers, with a stepped clock (PC16550D data sheet, June 1995).
 */
#include "dev/serial/uart16550.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PORT 0x3f8

struct machine {
    struct clock *clock;
    struct bus *bus;
    struct uart uart;
    bool line;
    unsigned rises;
    uint8_t out[256]; /* what has left */
    size_t out_len, out_room;
    unsigned rx_space_calls;
    int brk; /* -1: never told */
};

static void set_line(void *opaque, unsigned n, bool level)
{
    struct machine *m = opaque;
    assert_int_equal(n, 4);
    m->rises += level && !m->line;
    m->line = level;
}

static size_t tx(void *opaque, const uint8_t *data, size_t n)
{
    struct machine *m = opaque;
    n = MIN(n, m->out_room);
    for (size_t i = 0; i < n; i++)
        m->out[m->out_len++ % sizeof m->out] = data[i];
    m->out_room -= n;
    return n;
}

static void rx_space(void *opaque)
{
    ((struct machine *)opaque)->rx_space_calls++;
}

static void tx_break(void *opaque, bool on)
{
    ((struct machine *)opaque)->brk = on;
}

static int setup(void **state)
{
    struct machine *m = calloc(1, sizeof *m);
    const struct uart_backend backend = {.tx = tx, .rx_space = rx_space, .tx_break = tx_break, .opaque = m};
    m->out_room = 1u << 30;
    m->brk = -1;
    m->clock = clock_new_stepped(0);
    m->bus = bus_new();
    uart_init(&m->uart, m->clock, (struct irq_line){set_line, m, 4}, &backend);
    uart_attach(&m->uart, m->bus, PORT);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    uart_destroy(&m->uart);
    bus_free(m->bus);
    clock_free(m->clock);
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

/* 8N1 at 115200, the gate to the interrupt line open. */
static void program(struct machine *m, uint8_t fcr, uint8_t ier)
{
    out(m, UART_LCR, UART_LCR_8N1);
    out(m, UART_MCR, UART_MCR_OUT2);
    in(m, UART_MSR);
    out(m, UART_FCR, fcr);
    out(m, UART_IER, ier);
}

static void receive(struct machine *m, const char *text)
{
    assert_int_equal(uart_rx(&m->uart, (const uint8_t *)text, strlen(text)), strlen(text));
}

static uint8_t reason(struct machine *m)
{
    return in(m, UART_IIR) & 0x0f;
}

/* Table I. */
static void master_reset_gives_the_data_sheets_state(void **state)
{
    struct machine *m = *state;
    static const struct {
        unsigned reg;
        uint8_t value;
    } after[] = {{UART_IER, 0}, {UART_IIR, 0x01}, {UART_LCR, 0},
                 {UART_MCR, 0}, {UART_LSR, 0x60}, {UART_MSR, 0xb0}};
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < ARRAY_LEN(after); i++)
            assert_int_equal(in(m, after[i].reg), after[i].value);
        assert_false(m->line);
        program(m, 0xc1, 0x0f);
        receive(m, "0123456789abcdef");
        assert_true(m->line);
        uart_reset(&m->uart);
    }
}

/* Table II: which bits exist. */
static void registers_keep_the_bits_that_exist(void **state)
{
    struct machine *m = *state;
    static const struct {
        unsigned reg;
        uint8_t bits;
    } rw[] = {{UART_IER, 0x0f}, {UART_LCR, 0x7f}, {UART_MCR, 0x1f}, {UART_SCR, 0xff}};
    for (size_t i = 0; i < ARRAY_LEN(rw); i++) {
        static const uint8_t patterns[] = {0xff, 0x00, 0x55, 0xaa};
        for (size_t k = 0; k < sizeof patterns; k++) {
            uint8_t v = patterns[k] & (rw[i].reg == UART_LCR ? 0x7f : 0xff);
            out(m, rw[i].reg, v);
            assert_int_equal(in(m, rw[i].reg), v & rw[i].bits);
        }
        out(m, rw[i].reg, 0);
    }
    /* LSR and MSR cannot be written (sections 8.4, 8.9). */
    out(m, UART_LSR, 0x1f);
    out(m, UART_MSR, 0xff);
    assert_int_equal(in(m, UART_LSR), 0x60);
    in(m, UART_MSR);
    assert_int_equal(in(m, UART_MSR), 0xb0);
}

/* Section 8.1, bit 7; section 8.3. */
static void dlab_shows_the_divisor_latches(void **state)
{
    struct machine *m = *state;
    out(m, UART_IER, 0x05);
    out(m, UART_LCR, 0x83);
    out(m, UART_DLL, 0x34);
    out(m, UART_DLM, 0x12);
    assert_int_equal(in(m, UART_DLL), 0x34);
    assert_int_equal(in(m, UART_DLM), 0x12);
    assert_int_equal(m->out_len, 0);
    out(m, UART_LCR, 0x03);
    assert_int_equal(in(m, UART_IER), 0x05);
    /* A word at DLL is two bytes. */
    out(m, UART_LCR, 0x83);
    bus_pio_write(m->bus, PORT, 2, 0xbeef);
    assert_int_equal(bus_pio_read(m->bus, PORT, 2), 0xbeef);
}

static void characters_leave_in_order_and_at_once(void **state)
{
    struct machine *m = *state;
    program(m, 0x01, 0);
    for (unsigned i = 0; i < 256; i++) {
        assert_int_equal(in(m, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
        out(m, UART_THR, (uint8_t)i);
    }
    assert_int_equal(m->out_len, 256);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(m->out[i], i);
}

/* Section 8.1, bits 0 and 1. */
static void word_length_cuts_characters_both_ways(void **state)
{
    struct machine *m = *state;
    static const uint8_t mask[] = {0x1f, 0x3f, 0x7f, 0xff};
    for (uint8_t wls = 0; wls < 4; wls++) {
        out(m, UART_LCR, wls);
        out(m, UART_THR, 0xf5);
        assert_int_equal(m->out[wls], 0xf5 & mask[wls]);
        receive(m, "\xf5");
        assert_int_equal(in(m, UART_RBR), 0xf5 & mask[wls]);
    }
}

/* Table IV, section 8.6. */
static void thre_interrupt_follows_enable_iir_and_thr(void **state)
{
    struct machine *m = *state;
    program(m, 0x01, 0);
    assert_false(m->line);
    out(m, UART_IER, UART_IER_THRE); /* the holding register is empty: at once */
    assert_true(m->line);
    assert_int_equal(in(m, UART_IIR), 0xc2);
    assert_false(m->line); /* reading IIR ends it */
    assert_int_equal(in(m, UART_IIR), 0xc1);
    out(m, UART_IER, UART_IER_THRE); /* already enabled: nothing new */
    assert_false(m->line);
    out(m, UART_IER, 0);
    out(m, UART_IER, UART_IER_THRE);
    assert_true(m->line);

    /* A character ends it, and its leaving is a new one: the line must fall in between. */
    unsigned rises = m->rises;
    out(m, UART_THR, 'x');
    assert_true(m->line);
    assert_int_equal(m->rises, rises + 1);

    /* Disabling hides it. */
    out(m, UART_IER, 0);
    assert_false(m->line);
    assert_int_equal(in(m, UART_IIR), 0xc1);
}

/* "Reading the IIR register (if source of interrupt)". */
static void iir_read_ends_thre_only_when_it_reported_it(void **state)
{
    struct machine *m = *state;
    program(m, 0x01, UART_IER_THRE | UART_IER_RDA);
    receive(m, "a");
    assert_int_equal(reason(m), UART_IIR_RDA);
    assert_int_equal(reason(m), UART_IIR_RDA);
    assert_int_equal(in(m, UART_RBR), 'a');
    assert_int_equal(reason(m), UART_IIR_THRE);
    assert_int_equal(reason(m), UART_IIR_NONE);
}

/* Section 8.4, bits 5 and 6: a slow line shows as a busy transmitter, and loses nothing. */
static void full_back_end_holds_characters_in_the_fifo(void **state)
{
    struct machine *m = *state;
    program(m, 0x01, UART_IER_THRE);
    in(m, UART_IIR);
    m->out_room = 0;
    out(m, UART_THR, 0); /* into the shift register; the FIFO is empty again */
    assert_int_equal(in(m, UART_LSR), UART_LSR_THRE);
    assert_int_equal(reason(m), UART_IIR_THRE);
    for (unsigned i = 1; i <= UART_FIFO; i++) {
        out(m, UART_THR, (uint8_t)i);
        assert_int_equal(in(m, UART_LSR), 0);
        assert_false(m->line);
    }
    out(m, UART_THR, 0xee); /* a guest that does not look */
    assert_int_equal(m->uart.tx_overruns, 1);

    m->out_room = 10;
    uart_tx_ready(&m->uart);
    assert_int_equal(m->out_len, 10);
    assert_int_equal(in(m, UART_LSR), 0);
    assert_false(m->line);
    m->out_room = 6; /* 16 out, 1 in the shift register */
    uart_tx_ready(&m->uart);
    assert_int_equal(in(m, UART_LSR), UART_LSR_THRE);
    assert_true(m->line);
    m->out_room = 100;
    uart_tx_ready(&m->uart);
    assert_int_equal(in(m, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
    assert_int_equal(m->out_len, 17);
    for (unsigned i = 0; i < 17; i++)
        assert_int_equal(m->out[i], i);
}

static void without_fifo_the_transmitter_holds_one(void **state)
{
    struct machine *m = *state;
    program(m, 0, UART_IER_THRE);
    m->out_room = 0;
    out(m, UART_THR, 'a');
    out(m, UART_THR, 'b');
    assert_int_equal(in(m, UART_LSR), 0);
    out(m, UART_THR, 'c'); /* overwrites the holding register */
    m->out_room = 10;
    uart_tx_ready(&m->uart);
    assert_int_equal(m->out_len, 2);
    assert_memory_equal(m->out, "ac", 2);
}

/* Section 8.11 A and B; section 8.5, bits 6 and 7. */
static void data_interrupt_comes_at_the_trigger_level(void **state)
{
    struct machine *m = *state;
    static const uint8_t levels[] = {1, 4, 8, 14};
    for (unsigned i = 0; i < 4; i++) {
        program(m, (uint8_t)(i << 6 | 0x07), UART_IER_RDA);
        for (unsigned n = 1; n <= UART_FIFO; n++) {
            receive(m, "x");
            assert_int_equal(m->line, n >= levels[i]);
            assert_int_equal(in(m, UART_IIR), n >= levels[i] ? 0xc4 : 0xc1);
        }
        for (unsigned n = UART_FIFO; n-- > 0;) {
            assert_int_equal(in(m, UART_LSR) & UART_LSR_DR, UART_LSR_DR);
            in(m, UART_RBR);
            assert_int_equal(m->line, n >= levels[i]);
        }
        assert_int_equal(in(m, UART_LSR) & UART_LSR_DR, 0);
    }
}

/* Section 8.11: four character times; the data sheet's own example is 160 ms at 300 baud with 12 bits. */
static void timeout_comes_after_four_character_times(void **state)
{
    struct machine *m = *state;
    static const struct {
        uint8_t lcr;
        uint16_t divisor;
        uint64_t ns;
    } rows[] = {
        {0x0f, 384, 160000000}, /* 8 data, parity, 2 stop: 12 bits */
        {0x03, 1, 347222},      /* 8N1 at 115200: 10 bits */
        {0x03, 12, 4166666},    /* 9600 */
        {0x00, 1, 243055},      /* 5 data, 1 stop: 7 bits */
        {0x04, 1, 260416},      /* 5 data, 1.5 stop */
        {0x03, 0, 347222},      /* not allowed; counts as 1 */
        {0x0f, 65535, 27306250000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        program(m, 0xc7, UART_IER_RDA);
        out(m, UART_LCR, rows[i].lcr | UART_LCR_DLAB);
        out(m, UART_DLL, rows[i].divisor & 0xff);
        out(m, UART_DLM, rows[i].divisor >> 8);
        out(m, UART_LCR, rows[i].lcr);
        receive(m, "a");
        clock_step(m->clock, rows[i].ns - 1);
        assert_false(m->line);
        clock_step(m->clock, 1);
        assert_true(m->line);
        assert_int_equal(in(m, UART_IIR), 0xcc);
        in(m, UART_RBR);
        assert_false(m->line);
    }
}

/* Section 8.11 C and D. */
static void timeout_starts_anew_with_each_character_and_read(void **state)
{
    struct machine *m = *state;
    const uint64_t four = 347222;
    program(m, 0xc1, UART_IER_RDA);
    receive(m, "a");
    clock_step(m->clock, four - 1);
    receive(m, "b");
    clock_step(m->clock, four - 1);
    assert_int_equal(in(m, UART_RBR), 'a');
    clock_step(m->clock, four - 1);
    assert_false(m->line);
    clock_step(m->clock, 1);
    assert_int_equal(reason(m), UART_IIR_TIMEOUT);
    receive(m, "c"); /* only a read ends it */
    assert_int_equal(reason(m), UART_IIR_TIMEOUT);
    assert_int_equal(in(m, UART_RBR), 'b');
    assert_int_equal(reason(m), UART_IIR_NONE);
    clock_step(m->clock, four);
    assert_int_equal(reason(m), UART_IIR_TIMEOUT);
    assert_int_equal(in(m, UART_RBR), 'c');
    clock_step(m->clock, 10 * four); /* empty: no more */
    assert_false(m->line);

    /* The trigger level is reported before the time-out, and both may stand. */
    receive(m, "0123456789");
    clock_step(m->clock, four);
    assert_int_equal(reason(m), UART_IIR_TIMEOUT);
    receive(m, "abcd");
    assert_int_equal(reason(m), UART_IIR_RDA);
}

static void there_is_no_timeout_without_fifo(void **state)
{
    struct machine *m = *state;
    program(m, 0, UART_IER_RDA);
    receive(m, "a");
    assert_int_equal(in(m, UART_IIR), 0x04);
    clock_step(m->clock, NS_PER_SEC);
    assert_int_equal(in(m, UART_IIR), 0x04);
    in(m, UART_RBR);
    assert_int_equal(in(m, UART_IIR), 0x01);
}

/* Table IV, from the highest to the lowest, each ended in its own way. */
static void interrupts_are_told_in_order_of_priority(void **state)
{
    struct machine *m = *state;
    program(m, 0x01, 0x0f);
    uart_set_pins(&m->uart, UART_MSR_DSR | UART_MSR_DCD);
    uart_rx_line(&m->uart, 'e', UART_LSR_PE);
    assert_int_equal(reason(m), UART_IIR_RLS);
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_DR | UART_LSR_PE | UART_LSR_FIFO_ERROR);
    assert_int_equal(reason(m), UART_IIR_RDA);
    assert_int_equal(in(m, UART_RBR), 'e');
    assert_int_equal(reason(m), UART_IIR_THRE);
    assert_int_equal(reason(m), UART_IIR_MS);
    assert_true(m->line);
    assert_int_equal(in(m, UART_MSR), UART_MSR_DSR | UART_MSR_DCD | UART_MSR_DCTS);
    assert_int_equal(reason(m), UART_IIR_NONE);
    assert_false(m->line);
    /* Each bit of IER hides its own. */
    out(m, UART_IER, 0);
    uart_rx_line(&m->uart, 'e', UART_LSR_FE);
    uart_set_pins(&m->uart, 0);
    out(m, UART_THR, 'x');
    static const uint8_t ids[] = {UART_IIR_RDA, UART_IIR_THRE, UART_IIR_RLS, UART_IIR_MS};
    for (unsigned bit = 0; bit < 4; bit++) {
        out(m, UART_IER, (uint8_t)(1 << bit));
        assert_true(m->line);
        assert_int_equal(reason(m), ids[bit]);
    }
}

/* Section 8.4, bit 1. */
static void overrun_with_fifo_loses_the_newcomer(void **state)
{
    struct machine *m = *state;
    program(m, 0x01, UART_IER_RLS);
    receive(m, "0123456789abcdef");
    assert_int_equal(uart_rx_space(&m->uart), 0);
    assert_int_equal(uart_rx(&m->uart, (const uint8_t *)"g", 1), 0);
    assert_false(m->line);
    uart_rx_line(&m->uart, 'g', 0);
    assert_true(m->line); /* told at once */
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_DR | UART_LSR_OE);
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_DR);
    assert_false(m->line);
    for (const char *c = "0123456789abcdef"; *c; c++)
        assert_int_equal(in(m, UART_RBR), *c);
}

static void overrun_without_fifo_destroys_the_old_character(void **state)
{
    struct machine *m = *state;
    program(m, 0, 0);
    uart_rx_line(&m->uart, 'a', 0);
    uart_rx_line(&m->uart, 'b', 0);
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_DR | UART_LSR_OE);
    assert_int_equal(in(m, UART_RBR), 'b');
    assert_int_equal(in(m, UART_LSR), 0x60);
}

/* Section 8.4, bits 2 to 4 and 7. */
static void errors_show_when_their_character_is_on_top(void **state)
{
    struct machine *m = *state;
    program(m, 0xc1, UART_IER_RLS);
    receive(m, "a");
    uart_rx_line(&m->uart, 'b', UART_LSR_PE);
    uart_rx_line(&m->uart, 'c', UART_LSR_FE);
    uart_rx_line(&m->uart, 0, UART_LSR_BI);
    assert_false(m->line);
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_FIFO_ERROR | UART_LSR_DR);
    assert_int_equal(in(m, UART_RBR), 'a');
    assert_true(m->line);
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_FIFO_ERROR | UART_LSR_DR | UART_LSR_PE);
    assert_false(m->line);
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_FIFO_ERROR | UART_LSR_DR);
    assert_int_equal(in(m, UART_RBR), 'b');
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_FIFO_ERROR | UART_LSR_DR | UART_LSR_FE);
    assert_int_equal(in(m, UART_RBR), 'c');
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_FIFO_ERROR | UART_LSR_DR | UART_LSR_BI);
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_DR); /* none behind it */
    assert_int_equal(in(m, UART_RBR), 0);
    assert_int_equal(in(m, UART_LSR), 0x60);
    /* In 16450 mode bit 7 does not exist. */
    out(m, UART_FCR, 0);
    uart_rx_line(&m->uart, 'd', UART_LSR_PE);
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_DR | UART_LSR_PE);
}

/* Section 8.1, bit 6: it acts on the line, not on the transmitter. */
static void break_control_holds_the_line(void **state)
{
    struct machine *m = *state;
    program(m, 0x01, 0);
    assert_int_equal(m->brk, -1);
    out(m, UART_LCR, UART_LCR_8N1 | UART_LCR_BREAK);
    assert_int_equal(m->brk, 1);
    out(m, UART_THR, 'x');
    assert_int_equal(in(m, UART_LSR), 0x60);
    assert_int_equal(m->out_len, 0);
    out(m, UART_LCR, UART_LCR_8N1);
    assert_int_equal(m->brk, 0);
    out(m, UART_THR, 'y');
    assert_int_equal(m->out_len, 1);
    assert_int_equal(m->out[0], 'y');
}

/* Section 8.8, bit 4; section 8.9, bits 4 to 7. */
static void loop_back_returns_data_and_modem_lines(void **state)
{
    struct machine *m = *state;
    static const struct {
        uint8_t mcr, msr;
    } map[] = {{UART_MCR_DTR, UART_MSR_DSR},
               {UART_MCR_RTS, UART_MSR_CTS},
               {UART_MCR_OUT1, UART_MSR_RI},
               {UART_MCR_OUT2, UART_MSR_DCD}};
    program(m, 0x01, 0x0f);
    for (unsigned v = 0; v < 16; v++) {
        uint8_t want = 0;
        for (size_t i = 0; i < 4; i++)
            want |= v & map[i].mcr ? map[i].msr : 0;
        out(m, UART_MCR, (uint8_t)(UART_MCR_LOOP | v));
        assert_int_equal(in(m, UART_MSR) & 0xf0, want);
    }
    out(m, UART_IER, UART_IER_RDA);
    out(m, UART_THR, 0xa5);
    assert_int_equal(m->out_len, 0);
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_DR);
    assert_int_equal(reason(m), UART_IIR_RDA);
    assert_false(m->line); /* OUT2's pin is inactive, so the gate is closed */
    assert_int_equal(in(m, UART_RBR), 0xa5);
    /* The outside is disconnected, and not forgotten. */
    assert_int_equal(uart_rx_space(&m->uart), 0);
    assert_int_equal(uart_rx(&m->uart, (const uint8_t *)"z", 1), 0);
    uart_rx_line(&m->uart, 'z', 0);
    assert_int_equal(in(m, UART_LSR), 0x60);
    /* Seventeen characters: an overrun of one's own making. */
    for (unsigned i = 0; i < 17; i++)
        out(m, UART_THR, (uint8_t)i);
    assert_int_equal(in(m, UART_LSR), 0x60 | UART_LSR_DR | UART_LSR_OE);
    out(m, UART_FCR, 0x03);
    unsigned calls = m->rx_space_calls;
    out(m, UART_MCR, UART_MCR_OUT2);
    assert_true(m->rx_space_calls > calls);
    assert_int_equal(uart_rx_space(&m->uart), UART_FIFO);
    assert_int_equal(in(m, UART_MSR) & 0xf0, 0xb0);
}

/* Section 8.9, bits 0 to 3. */
static void modem_status_tells_changes_once(void **state)
{
    struct machine *m = *state;
    static const struct {
        uint8_t pins, delta;
    } steps[] = {
        {0xb0, 0},
        {0xa0, UART_MSR_DCTS},
        {0x80, UART_MSR_DDSR},
        {0x00, UART_MSR_DDCD},
        {0x40, 0}, /* ringing begins: not told */
        {0x00, UART_MSR_TERI},
        {0xb0, UART_MSR_DCTS | UART_MSR_DDSR | UART_MSR_DDCD},
    };
    program(m, 0x01, UART_IER_MS);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        uart_set_pins(&m->uart, steps[i].pins);
        assert_int_equal(m->line, steps[i].delta != 0);
        assert_int_equal(in(m, UART_MSR), steps[i].pins | steps[i].delta);
        assert_int_equal(in(m, UART_MSR), steps[i].pins);
        assert_false(m->line);
    }
    /* There and back again is a change too. */
    uart_set_pins(&m->uart, 0xa0);
    uart_set_pins(&m->uart, 0xb0);
    assert_int_equal(in(m, UART_MSR), 0xb0 | UART_MSR_DCTS);
}

/* Section 8.5. */
static void fifo_control_needs_its_enable_bit(void **state)
{
    struct machine *m = *state;
    program(m, 0xc1, UART_IER_RDA);
    assert_int_equal(in(m, UART_IIR) & 0xc0, 0xc0);
    receive(m, "abc");
    out(m, UART_FCR, 0x01); /* trigger level 1, FIFO kept */
    assert_true(m->line);
    out(m, UART_FCR, 0x09); /* DMA mode has no effect here */
    assert_int_equal(in(m, UART_RBR), 'a');
    out(m, UART_FCR, 0xc0); /* off: cleared, and the level is not programmed */
    assert_int_equal(in(m, UART_IIR), 0x01);
    assert_int_equal(in(m, UART_LSR), 0x60);
    receive(m, "d");
    assert_true(m->line);
    out(m, UART_FCR, 0x02); /* without bit 0: nothing */
    assert_int_equal(in(m, UART_LSR), 0x61);
    out(m, UART_FCR, 0x01); /* on: cleared again */
    assert_int_equal(in(m, UART_LSR), 0x60);
}

static void fifo_resets_clear_each_its_own(void **state)
{
    struct machine *m = *state;
    program(m, 0x01, UART_IER_THRE);
    in(m, UART_IIR);
    m->out_room = 0;
    receive(m, "abc");
    out(m, UART_THR, '1');
    out(m, UART_THR, '2');
    out(m, UART_THR, '3');
    out(m, UART_FCR, 0x03);
    assert_int_equal(in(m, UART_LSR), 0);
    assert_int_equal(uart_rx_space(&m->uart), UART_FIFO);
    assert_false(m->line);
    receive(m, "d");
    out(m, UART_FCR, 0x05);
    assert_int_equal(in(m, UART_LSR), UART_LSR_THRE | UART_LSR_DR); /* the shift register is not cleared */
    assert_true(m->line);                                           /* it has become empty */
    m->out_room = 10;
    uart_tx_ready(&m->uart);
    assert_int_equal(m->out_len, 1);
    assert_int_equal(m->out[0], '1');
}

/* PC wiring: OUT2 is the gate to the interrupt line. */
static void out2_gates_the_interrupt_line(void **state)
{
    struct machine *m = *state;
    program(m, 0x01, UART_IER_RDA);
    receive(m, "a");
    assert_true(m->line);
    out(m, UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
    assert_false(m->line);
    assert_int_equal(reason(m), UART_IIR_RDA);
    out(m, UART_MCR, UART_MCR_OUT2);
    assert_true(m->line);
}

static void room_in_the_receiver_is_told(void **state)
{
    struct machine *m = *state;
    program(m, 0x01, 0);
    assert_int_equal(uart_rx(&m->uart, (const uint8_t *)"0123456789abcdefXYZ", 19), 16);
    m->rx_space_calls = 0;
    in(m, UART_RBR);
    assert_int_equal(m->rx_space_calls, 1);
    assert_int_equal(uart_rx_space(&m->uart), 1);
    out(m, UART_FCR, 0x03);
    assert_int_equal(m->rx_space_calls, 2);
    out(m, UART_FCR, 0x00);
    assert_int_equal(uart_rx_space(&m->uart), 1);
    assert_int_equal(uart_rx(&m->uart, (const uint8_t *)"ab", 2), 1);
}

/* Whatever a guest does, the line is what IIR says behind the gate, and counts stay in their bounds. */
static void any_sequence_keeps_line_and_iir_in_step(void **state)
{
    struct machine *m = *state;
    unsigned seed = 1;
    for (unsigned i = 0; i < 200000; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned r = seed >> 8, reg = r & 7, value = r >> 3 & 0xff;
        switch (r >> 12 & 7) {
        case 0: uart_rx_line(&m->uart, (uint8_t)value, (uint8_t)(value & 0x1c)); break;
        case 1: uart_rx(&m->uart, (const uint8_t *)"abcdefghijklmnopqrs", value % 20); break;
        case 2:
            m->out_room = value & 3;
            uart_tx_ready(&m->uart);
            break;
        case 3: clock_step(m->clock, (uint64_t)value << 12); break;
        case 4: in(m, reg); break;
        case 5: uart_set_pins(&m->uart, (uint8_t)value); break;
        default: out(m, reg, (uint8_t)value); break;
        }
        bool gate = (m->uart.mcr & UART_MCR_OUT2) && !(m->uart.mcr & UART_MCR_LOOP), line = m->line;
        assert_int_equal(line, gate && !(in(m, UART_IIR) & 1));
        assert_true(m->uart.rx_count <= UART_FIFO && m->uart.tx_count <= UART_FIFO);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(master_reset_gives_the_data_sheets_state),
        T(registers_keep_the_bits_that_exist),
        T(dlab_shows_the_divisor_latches),
        T(characters_leave_in_order_and_at_once),
        T(word_length_cuts_characters_both_ways),
        T(thre_interrupt_follows_enable_iir_and_thr),
        T(iir_read_ends_thre_only_when_it_reported_it),
        T(full_back_end_holds_characters_in_the_fifo),
        T(without_fifo_the_transmitter_holds_one),
        T(data_interrupt_comes_at_the_trigger_level),
        T(timeout_comes_after_four_character_times),
        T(timeout_starts_anew_with_each_character_and_read),
        T(there_is_no_timeout_without_fifo),
        T(interrupts_are_told_in_order_of_priority),
        T(overrun_with_fifo_loses_the_newcomer),
        T(overrun_without_fifo_destroys_the_old_character),
        T(errors_show_when_their_character_is_on_top),
        T(break_control_holds_the_line),
        T(loop_back_returns_data_and_modem_lines),
        T(modem_status_tells_changes_once),
        T(fifo_control_needs_its_enable_bit),
        T(fifo_resets_clear_each_its_own),
        T(out2_gates_the_interrupt_line),
        T(room_in_the_receiver_is_told),
        T(any_sequence_keeps_line_and_iir_in_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
