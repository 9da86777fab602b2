/*
 * debug_exit.c: the debug-exit port.
 */
#include "dev/chip/debug_exit.h"

static uint64_t debug_exit_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void debug_exit_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct debug_exit *d = opaque;
    /* The ports above are there only to make room for wider writes. */
    if (offset == 0)
        d->fn(d->opaque, (uint32_t)value);
}

static const struct bus_desc debug_exit_desc = {
    .name = "debug-exit",
    .read = debug_exit_read,
    .write = debug_exit_write,
    .min_size = 1,
    .max_size = 4,
};

void debug_exit_init(struct debug_exit *d, void (*fn)(void *opaque, uint32_t value), void *opaque)
{
    *d = (struct debug_exit){.fn = fn, .opaque = opaque};
    pthread_mutex_init(&d->lock, NULL);
}

void debug_exit_destroy(struct debug_exit *d)
{
    pthread_mutex_destroy(&d->lock);
}

void debug_exit_attach(struct debug_exit *d, struct bus *b)
{
    bus_add_pio(b, DEBUG_EXIT_PORT, DEBUG_EXIT_PORTS, &debug_exit_desc, d, &d->lock);
}
