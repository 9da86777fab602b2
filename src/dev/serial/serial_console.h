/*
 * dev/serial/serial_console.h: a serial port of the machine: a 16550 whose line ends at a host console.
 *
 * Firmware hands COM ports over programmed, and small guests rely on it; as kernels are started without
 * firmware, init and reset leave the port at 115200 baud, 8 bits, no parity, one stop bit.
 */
#ifndef DEV_SERIAL_SERIAL_CONSOLE_H
#define DEV_SERIAL_SERIAL_CONSOLE_H

#include "back/console.h"
#include "dev/serial/uart16550.h"

struct serial_console {
    struct uart uart;
    struct console *console;
};

/* `console` lives on. Close it before serial_console_destroy. */
void serial_console_init(struct serial_console *s, struct clock *c, struct irq_line irq,
                         struct console *console);
/* Connect to the console, before the loop runs: when the machine is whole, since a file is emptied by it. */
void serial_console_connect(struct serial_console *s);
void serial_console_reset(struct serial_console *s);
void serial_console_attach(struct serial_console *s, struct bus *b, uint16_t port);
/*
 * Wait at most timeout_ms until what the guest wrote has reached the host. False when something is left. Any
 * thread without the device's lock, when the guest has stopped.
 */
bool serial_console_drain(struct serial_console *s, unsigned timeout_ms);
void serial_console_destroy(struct serial_console *s);

#endif
