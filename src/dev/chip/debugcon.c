/*
 * debugcon.c: the debug console's port.
 *
 * There is no way to tell a guest that the other end is slow, so a write waits a little for room. It does not
 * wait for ever, since a guest must not be able to hang the monitor; and once a byte was lost, no further one
 * waits until there is room again.
 */
#include "dev/chip/debugcon.h"

#define PATIENCE_MS 1000

static uint64_t debugcon_read(void *opaque, uint64_t offset, unsigned size)
{
    return DEBUGCON_READS;
}

static void debugcon_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct debugcon *d = opaque;
    uint8_t byte = (uint8_t)value;
    bool taken = console_write(d->console, &byte, 1) == 1;
    if (!taken && !d->stuck) {
        console_drain(d->console, PATIENCE_MS);
        taken = console_write(d->console, &byte, 1) == 1;
    }
    d->stuck = !taken;
    if (!taken)
        log_guest(&d->lost, "debug console: a byte is lost, since nobody reads what was written before");
}

static const struct bus_desc debugcon_desc = {
    .name = "debugcon",
    .read = debugcon_read,
    .write = debugcon_write,
    .min_size = 1,
    .max_size = 1,
};

/* It has no input. */
static size_t takes_nothing(void *opaque)
{
    return 0;
}
static size_t no_input(void *opaque, const uint8_t *data, size_t n)
{
    return 0;
}

void debugcon_init(struct debugcon *d, struct console *console)
{
    *d = (struct debugcon){.console = console};
    pthread_mutex_init(&d->lock, NULL);
}

void debugcon_connect(struct debugcon *d)
{
    const struct console_device device = {.can_take = takes_nothing, .input = no_input, .opaque = d};
    console_connect(d->console, &device);
}

void debugcon_destroy(struct debugcon *d)
{
    pthread_mutex_destroy(&d->lock);
}

void debugcon_attach(struct debugcon *d, struct bus *b, uint16_t port)
{
    bus_add_pio(b, port, 1, &debugcon_desc, d, &d->lock);
}
