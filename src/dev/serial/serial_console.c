/*
 * serial_console.c: the wires between a UART and a host console.
 */
#include "dev/serial/serial_console.h"

static size_t tx(void *opaque, const uint8_t *data, size_t n)
{
    struct serial_console *s = opaque;
    return console_write(s->console, data, n);
}

static void rx_space(void *opaque)
{
    struct serial_console *s = opaque;
    console_input_ready(s->console);
}

static size_t can_take(void *opaque)
{
    struct serial_console *s = opaque;
    return uart_rx_space(&s->uart);
}

static size_t input(void *opaque, const uint8_t *data, size_t n)
{
    struct serial_console *s = opaque;
    return uart_rx(&s->uart, data, n);
}

static void line_break(void *opaque)
{
    struct serial_console *s = opaque;
    uart_rx_line(&s->uart, 0, UART_LSR_BI);
}

static void writable(void *opaque)
{
    struct serial_console *s = opaque;
    uart_tx_ready(&s->uart);
}

static void program_as_firmware(struct serial_console *s)
{
    pthread_mutex_lock(&s->uart.lock);
    s->uart.lcr = UART_LCR_8N1;
    pthread_mutex_unlock(&s->uart.lock);
}

void serial_console_init(struct serial_console *s, struct clock *c, struct irq_line irq,
                         struct console *console)
{
    const struct uart_backend backend = {.tx = tx, .rx_space = rx_space, .opaque = s};
    s->console = console;
    uart_init(&s->uart, c, irq, &backend);
    program_as_firmware(s);
}

void serial_console_connect(struct serial_console *s)
{
    const struct console_device device = {
        .can_take = can_take, .input = input, .brk = line_break, .writable = writable, .opaque = s};
    console_connect(s->console, &device);
}

void serial_console_reset(struct serial_console *s)
{
    uart_reset(&s->uart);
    program_as_firmware(s);
}

void serial_console_attach(struct serial_console *s, struct bus *b, uint16_t port)
{
    uart_attach(&s->uart, b, port);
}

bool serial_console_drain(struct serial_console *s, unsigned timeout_ms)
{
    bool ring = console_drain(s->console, timeout_ms);
    /* A full console left characters in the transmitter; there is room for them now. */
    uart_tx_ready(&s->uart);
    return ring && console_drain(s->console, timeout_ms);
}

void serial_console_destroy(struct serial_console *s)
{
    uart_destroy(&s->uart);
}
