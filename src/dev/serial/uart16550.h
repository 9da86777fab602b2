/*
 * dev/serial/uart16550.h: National's PC16550D, the UART with two FIFOs of sixteen, as PCs wire it.
 *
 * Follows the PC16550D data sheet (National Semiconductor, June 1995); section numbers in the source are its.
 * The core knows no bus and no host: characters leave by uart_backend.tx and arrive by uart_rx.
 *
 * What is taken literally: all registers, modes and interrupt conditions, the order of interrupts, which
 * access resets which, the character time-out at the programmed rate, loop-back, overruns, errors a
 * character. What is not: a character takes no time on the line. The transmitter is done as soon as the back
 * end has taken it, and is busy as long as the back end takes nothing.
 *
 * PC wiring: clock 1.8432 MHz; OUT2 opens the gate between the chip's INTR and the interrupt line, and is
 * inactive in loop-back mode (section 6.0); the DMA request pins lead nowhere.
 *
 * Threads: handlers and the timer run with `lock` held; functions below take it themselves.
 */
#ifndef DEV_SERIAL_UART16550_H
#define DEV_SERIAL_UART16550_H

#include "bus/bus.h"
#include "clock/clock.h"

#define UART_PORTS    8
#define UART_CLOCK_HZ 1843200
#define UART_FIFO     16

/* Register offsets (table II). */
enum {
    UART_RBR = 0, /* read; THR on write; DLL with LCR.DLAB */
    UART_THR = 0,
    UART_DLL = 0,
    UART_IER = 1, /* DLM with LCR.DLAB */
    UART_DLM = 1,
    UART_IIR = 2, /* read; FCR on write */
    UART_FCR = 2,
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_MSR = 6,
    UART_SCR = 7,
};

enum { UART_IER_RDA = 1, UART_IER_THRE = 2, UART_IER_RLS = 4, UART_IER_MS = 8 };
/* What IIR reads in its low four bits. */
enum {
    UART_IIR_NONE = 1,
    UART_IIR_RLS = 6,
    UART_IIR_RDA = 4,
    UART_IIR_TIMEOUT = 12,
    UART_IIR_THRE = 2,
    UART_IIR_MS = 0
};
enum { UART_FCR_ENABLE = 1, UART_FCR_CLEAR_RX = 2, UART_FCR_CLEAR_TX = 4, UART_FCR_DMA = 8 };
enum { UART_LCR_STB = 4, UART_LCR_PEN = 8, UART_LCR_BREAK = 0x40, UART_LCR_DLAB = 0x80, UART_LCR_8N1 = 3 };
enum { UART_MCR_DTR = 1, UART_MCR_RTS = 2, UART_MCR_OUT1 = 4, UART_MCR_OUT2 = 8, UART_MCR_LOOP = 16 };
enum {
    UART_LSR_DR = 1,
    UART_LSR_OE = 2,
    UART_LSR_PE = 4,
    UART_LSR_FE = 8,
    UART_LSR_BI = 16,
    UART_LSR_THRE = 32,
    UART_LSR_TEMT = 64,
    UART_LSR_FIFO_ERROR = 128,
};
enum {
    UART_MSR_DCTS = 1,
    UART_MSR_DDSR = 2,
    UART_MSR_TERI = 4,
    UART_MSR_DDCD = 8,
    UART_MSR_CTS = 16,
    UART_MSR_DSR = 32,
    UART_MSR_RI = 64,
    UART_MSR_DCD = 128,
};

/* The other end of the line. All are called with the UART's lock held, on any thread; tx_break may be NULL.
 */
struct uart_backend {
    /* Takes the first 0 to n bytes. Having taken less than n, it calls uart_tx_ready later. */
    size_t (*tx)(void *opaque, const uint8_t *data, size_t n);
    /* There is room for input again. A leaf: it must not call back into the UART. */
    void (*rx_space)(void *opaque);
    /* The guest begins or ends a break (LCR bit 6). */
    void (*tx_break)(void *opaque, bool on);
    void *opaque;
};

struct uart_char {
    uint8_t data;
    uint8_t errors; /* UART_LSR_PE, FE, BI */
};

struct uart {
    pthread_mutex_t lock;
    struct clock *clock;
    struct irq_line irq;
    struct uart_backend backend;
    struct timer timeout;

    uint8_t ier, fcr, lcr, mcr, scr;
    uint16_t divisor;
    uint8_t msr_delta;   /* UART_MSR_D* and TERI since the last read of MSR */
    uint8_t msr_lines;   /* UART_MSR_CTS to DCD as they were last seen */
    uint8_t pins;        /* the same bits at the connector */
    uint8_t line_errors; /* UART_LSR_OE, PE, FE, BI since the last read of LSR */
    bool thre_pending;   /* THR has become empty, and neither IIR was read nor THR written since */
    bool timeout_pending;

    struct uart_char rx[UART_FIFO]; /* one long in 16450 mode */
    uint8_t rx_at, rx_count;
    uint8_t rbr; /* the character last read */
    uint8_t tx[UART_FIFO];
    uint8_t tx_at, tx_count;
    uint8_t tsr; /* the shift register behind the FIFO */
    bool tsr_busy;

    uint64_t tx_overruns; /* characters that the guest wrote into a full transmitter */
    struct log_limit overrun_log;
};

void uart_init(struct uart *u, struct clock *c, struct irq_line irq, const struct uart_backend *backend);
/* Master reset (table I); divisor 1 and SCR 0, which the data sheet leaves open. The modem pins keep their
 * levels. */
void uart_reset(struct uart *u);
void uart_destroy(struct uart *u);
/* Registers `port` to port + 7, byte accesses. */
void uart_attach(struct uart *u, struct bus *b, uint16_t port);

/* How many characters the receiver has room for; none in loop-back mode, where the line is disconnected. */
size_t uart_rx_space(struct uart *u);
/* Characters from the line, without errors. Takes no more than there is room for, and says how many. */
size_t uart_rx(struct uart *u, const uint8_t *data, size_t n);
/*
 * One character as the line brings it, ready or not: with `errors` of UART_LSR_PE, FE and BI, and an overrun
 * when there is no room. A break is the character 0 with UART_LSR_BI. Lost in loop-back mode.
 */
void uart_rx_line(struct uart *u, uint8_t data, uint8_t errors);
/* The back end takes characters again. */
void uart_tx_ready(struct uart *u);
/* Modem inputs, UART_MSR_CTS to UART_MSR_DCD; from the start CTS, DSR and DCD are on. */
void uart_set_pins(struct uart *u, uint8_t pins);

#endif
