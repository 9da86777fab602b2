/*
 * uart16550.c: the PC16550D, registers, FIFOs and interrupts.
 *
 * The reason for an interrupt is a pure function of the state (interrupt_id); every change ends in
 * update_irq.
 */
#include "dev/serial/uart16550.h"

enum {
    ERRORS = UART_LSR_PE | UART_LSR_FE | UART_LSR_BI, /* those that belong to a character */
    PINS = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_RI | UART_MSR_DCD,
};

static bool fifo_mode(const struct uart *u)
{
    return u->fcr & UART_FCR_ENABLE;
}

static unsigned depth(const struct uart *u)
{
    return fifo_mode(u) ? UART_FIFO : 1;
}

/* Section 8.5, FCR bits 6 and 7; in 16450 mode one character is enough. */
static unsigned trigger_level(const struct uart *u)
{
    static const uint8_t levels[] = {1, 4, 8, 14};
    return fifo_mode(u) ? levels[u->fcr >> 6] : 1;
}

/* ---- what the registers read ---- */

/* Section 8.4. */
static uint8_t line_status(const struct uart *u)
{
    uint8_t lsr = u->line_errors;
    if (u->rx_count)
        lsr |= UART_LSR_DR;
    if (!u->tx_count)
        lsr |= UART_LSR_THRE;
    if (!u->tx_count && !u->tsr_busy)
        lsr |= UART_LSR_TEMT;
    for (unsigned i = 0; fifo_mode(u) && i < u->rx_count; i++) {
        if (u->rx[(u->rx_at + i) % UART_FIFO].errors)
            lsr |= UART_LSR_FIFO_ERROR;
    }
    return lsr;
}

/* Section 8.6, table IV: from the highest priority to the lowest. */
static uint8_t interrupt_id(const struct uart *u)
{
    if ((u->ier & UART_IER_RLS) && u->line_errors)
        return UART_IIR_RLS;
    if ((u->ier & UART_IER_RDA) && u->rx_count >= trigger_level(u))
        return UART_IIR_RDA;
    if ((u->ier & UART_IER_RDA) && u->timeout_pending)
        return UART_IIR_TIMEOUT;
    if ((u->ier & UART_IER_THRE) && u->thre_pending)
        return UART_IIR_THRE;
    if ((u->ier & UART_IER_MS) && u->msr_delta)
        return UART_IIR_MS;
    return UART_IIR_NONE;
}

static void update_irq(struct uart *u)
{
    bool gate = (u->mcr & UART_MCR_OUT2) && !(u->mcr & UART_MCR_LOOP);
    irq_set(&u->irq, gate && interrupt_id(u) != UART_IIR_NONE);
}

/* ---- receiver ---- */

/* Four characters' time: start, data, parity and stop bits of 16 * divisor clocks each
 * (sections 8.1, 8.3, 8.11). */
static uint64_t timeout_ns(const struct uart *u)
{
    unsigned data = 5 + (u->lcr & 3);
    unsigned half_bits = 2 * (1 + data + !!(u->lcr & UART_LCR_PEN));
    half_bits += !(u->lcr & UART_LCR_STB) ? 2 : data == 5 ? 3 : 4;
    uint64_t divisor = MAX(u->divisor, 1); /* 0 is not allowed */
    return 4 * half_bits * 8 * divisor * NS_PER_SEC / UART_CLOCK_HZ;
}

/* After a character has come or gone the time starts anew; one that has run out is ended by a read only. */
static void restart_timeout(struct uart *u)
{
    if (fifo_mode(u) && u->rx_count && !u->timeout_pending)
        timer_arm(&u->timeout, clock_now(u->clock) + timeout_ns(u));
    else
        timer_disarm(&u->timeout);
}

static void on_timeout(void *opaque)
{
    struct uart *u = opaque;
    u->timeout_pending = true;
    update_irq(u);
}

static void tell_rx_space(struct uart *u)
{
    if (!(u->mcr & UART_MCR_LOOP) && u->rx_count < depth(u))
        u->backend.rx_space(u->backend.opaque);
}

/* A character out of the shift register. Errors show once theirs is the oldest character (section 8.4). */
static void receive(struct uart *u, uint8_t data, uint8_t errors)
{
    struct uart_char ch = {.data = data & (0xff >> (3 - (u->lcr & 3))), .errors = errors & ERRORS};
    if (u->rx_count == depth(u)) {
        u->line_errors |= UART_LSR_OE;
        if (fifo_mode(u)) {
            update_irq(u);
            return; /* the FIFO keeps what it has */
        }
        u->rx_count = 0; /* RBR is overwritten */
    }
    u->rx[(u->rx_at + u->rx_count) % UART_FIFO] = ch;
    if (u->rx_count++ == 0)
        u->line_errors |= ch.errors;
    restart_timeout(u);
    update_irq(u);
}

static uint8_t read_rbr(struct uart *u)
{
    if (!u->rx_count)
        return u->rbr;
    u->rbr = u->rx[u->rx_at].data;
    u->rx_at = (u->rx_at + 1) % UART_FIFO;
    if (--u->rx_count)
        u->line_errors |= u->rx[u->rx_at].errors;
    u->timeout_pending = false;
    restart_timeout(u);
    update_irq(u);
    tell_rx_space(u);
    return u->rbr;
}

static void clear_rx(struct uart *u)
{
    u->rx_count = 0;
    u->timeout_pending = false;
    timer_disarm(&u->timeout);
}

/* ---- transmitter ---- */

/* Put the shift register on the line. In a break SOUT is held, so the character is not seen (section 8.1, bit
 * 6). */
static bool shift_out(struct uart *u)
{
    if (u->mcr & UART_MCR_LOOP) {
        receive(u, u->tsr, 0);
        return true;
    }
    if (u->lcr & UART_LCR_BREAK)
        return true;
    uint8_t ch = u->tsr & (0xff >> (3 - (u->lcr & 3)));
    return u->backend.tx(u->backend.opaque, &ch, 1) == 1;
}

static void transmit(struct uart *u)
{
    while (u->tsr_busy || u->tx_count) {
        if (!u->tsr_busy) {
            u->tsr = u->tx[u->tx_at];
            u->tsr_busy = true;
            u->tx_at = (u->tx_at + 1) % UART_FIFO;
            if (--u->tx_count == 0)
                u->thre_pending = true;
        }
        if (!shift_out(u))
            break;
        u->tsr_busy = false;
    }
    update_irq(u);
}

static void write_thr(struct uart *u, uint8_t value)
{
    /* The interrupt ends before the character leaves, so that an edge-triggered controller sees the next one.
     */
    u->thre_pending = false;
    update_irq(u);
    if (u->tx_count == depth(u)) {
        u->tx_overruns++;
        log_guest(&u->overrun_log, "serial port: a character was written to a full transmitter and is lost");
        if (!fifo_mode(u))
            u->tx[u->tx_at] = value;
        return;
    }
    u->tx[(u->tx_at + u->tx_count++) % UART_FIFO] = value;
    transmit(u);
}

static void clear_tx(struct uart *u)
{
    u->thre_pending |= u->tx_count > 0;
    u->tx_count = 0;
}

/* ---- modem lines ---- */

/* Section 8.8: in loop-back mode the outputs take the inputs' place. */
static uint8_t modem_lines(const struct uart *u)
{
    if (!(u->mcr & UART_MCR_LOOP))
        return u->pins;
    return (u->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) | (u->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
           (u->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) | (u->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
}

/* Section 8.9: the delta bits stand four below their lines; of RI only the trailing edge counts. */
static void update_modem(struct uart *u)
{
    uint8_t now = modem_lines(u), changed = now ^ u->msr_lines;
    if (now & UART_MSR_RI)
        changed &= ~UART_MSR_RI;
    u->msr_delta |= changed >> 4;
    u->msr_lines = now;
    update_irq(u);
}

/* ---- registers ---- */

static uint64_t uart_read(void *opaque, uint64_t offset, unsigned size)
{
    struct uart *u = opaque;
    bool dlab = u->lcr & UART_LCR_DLAB;
    uint8_t v;
    switch (offset) {
    case UART_RBR: return dlab ? u->divisor & 0xff : read_rbr(u);
    case UART_IER: return dlab ? u->divisor >> 8 : u->ier;
    case UART_IIR:
        v = interrupt_id(u);
        if (v == UART_IIR_THRE)
            u->thre_pending = false;
        update_irq(u);
        return v | (fifo_mode(u) ? 0xc0 : 0);
    case UART_LCR: return u->lcr;
    case UART_MCR: return u->mcr;
    case UART_LSR:
        v = line_status(u);
        u->line_errors = 0;
        if (u->rx_count)
            u->rx[u->rx_at].errors = 0;
        update_irq(u);
        return v;
    case UART_MSR:
        v = u->msr_lines | u->msr_delta;
        u->msr_delta = 0;
        update_irq(u);
        return v;
    default: return u->scr;
    }
}

static void write_ier(struct uart *u, uint8_t value)
{
    /* Enabled while THR is empty, the interrupt comes at once (section 8.4, bit 5). */
    if ((value & ~u->ier & UART_IER_THRE) && !u->tx_count)
        u->thre_pending = true;
    u->ier = value & 0x0f;
    update_irq(u);
}

/* Section 8.5. */
static void write_fcr(struct uart *u, uint8_t value)
{
    bool on = value & UART_FCR_ENABLE, changed = on != fifo_mode(u);
    if (changed || (on && (value & UART_FCR_CLEAR_RX)))
        clear_rx(u);
    if (changed || (on && (value & UART_FCR_CLEAR_TX)))
        clear_tx(u);
    /* The other bits are programmed only together with bit 0. */
    u->fcr = on ? value & ~(UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX | 0x30) : 0;
    update_irq(u);
    tell_rx_space(u);
}

static void write_lcr(struct uart *u, uint8_t value)
{
    bool brk = value & UART_LCR_BREAK, changed = (u->lcr ^ value) & UART_LCR_BREAK;
    u->lcr = value;
    if (changed && u->backend.tx_break)
        u->backend.tx_break(u->backend.opaque, brk);
    transmit(u);
}

static void write_mcr(struct uart *u, uint8_t value)
{
    u->mcr = value & 0x1f;
    update_modem(u);
    transmit(u);
    tell_rx_space(u);
}

static void uart_write(void *opaque, uint64_t offset, unsigned size, uint64_t wide)
{
    struct uart *u = opaque;
    bool dlab = u->lcr & UART_LCR_DLAB;
    uint8_t value = (uint8_t)wide;
    switch (offset) {
    case UART_THR:
        if (dlab)
            u->divisor = (u->divisor & 0xff00) | value;
        else
            write_thr(u, value);
        break;
    case UART_IER:
        if (dlab)
            u->divisor = (uint16_t)((u->divisor & 0xff) | value << 8);
        else
            write_ier(u, value);
        break;
    case UART_FCR: write_fcr(u, value); break;
    case UART_LCR: write_lcr(u, value); break;
    case UART_MCR: write_mcr(u, value); break;
    case UART_SCR: u->scr = value; break;
    default: break; /* LSR and MSR are for reading (sections 8.4 and 8.9) */
    }
}

static const struct bus_desc uart_desc = {
    .name = "uart16550",
    .read = uart_read,
    .write = uart_write,
    .min_size = 1,
    .max_size = 1,
};

/* ---- outside ---- */

/* Table I. */
static void reset(struct uart *u)
{
    u->ier = u->fcr = u->lcr = u->mcr = u->scr = 0;
    u->divisor = 1;
    u->line_errors = 0;
    u->thre_pending = false;
    u->tx_count = 0;
    u->tsr_busy = false;
    u->rbr = 0;
    u->msr_lines = u->pins;
    u->msr_delta = 0;
    clear_rx(u);
    update_irq(u);
}

void uart_init(struct uart *u, struct clock *c, struct irq_line irq, const struct uart_backend *backend)
{
    *u = (struct uart){.clock = c, .irq = irq, .backend = *backend};
    u->pins = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
    pthread_mutex_init(&u->lock, NULL);
    timer_init(&u->timeout, c, &u->lock, on_timeout, u);
    reset(u);
}

void uart_reset(struct uart *u)
{
    pthread_mutex_lock(&u->lock);
    reset(u);
    tell_rx_space(u);
    pthread_mutex_unlock(&u->lock);
}

void uart_destroy(struct uart *u)
{
    pthread_mutex_lock(&u->lock);
    timer_disarm(&u->timeout);
    pthread_mutex_unlock(&u->lock);
    pthread_mutex_destroy(&u->lock);
}

void uart_attach(struct uart *u, struct bus *b, uint16_t port)
{
    bus_add_pio(b, port, UART_PORTS, &uart_desc, u, &u->lock);
}

static size_t rx_space(const struct uart *u)
{
    return u->mcr & UART_MCR_LOOP ? 0 : depth(u) - u->rx_count;
}

size_t uart_rx_space(struct uart *u)
{
    pthread_mutex_lock(&u->lock);
    size_t n = rx_space(u);
    pthread_mutex_unlock(&u->lock);
    return n;
}

size_t uart_rx(struct uart *u, const uint8_t *data, size_t n)
{
    pthread_mutex_lock(&u->lock);
    n = MIN(n, rx_space(u));
    for (size_t i = 0; i < n; i++)
        receive(u, data[i], 0);
    pthread_mutex_unlock(&u->lock);
    return n;
}

void uart_rx_line(struct uart *u, uint8_t data, uint8_t errors)
{
    pthread_mutex_lock(&u->lock);
    if (!(u->mcr & UART_MCR_LOOP))
        receive(u, data, errors);
    pthread_mutex_unlock(&u->lock);
}

void uart_tx_ready(struct uart *u)
{
    pthread_mutex_lock(&u->lock);
    transmit(u);
    pthread_mutex_unlock(&u->lock);
}

void uart_set_pins(struct uart *u, uint8_t pins)
{
    pthread_mutex_lock(&u->lock);
    u->pins = pins & PINS;
    update_modem(u);
    pthread_mutex_unlock(&u->lock);
}
