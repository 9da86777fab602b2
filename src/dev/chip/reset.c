/*
 * reset.c: port 0x92 and the reset control register.
 */
#include "dev/chip/reset.h"

static uint64_t read_port92(void *opaque, uint64_t offset, unsigned size)
{
    const struct reset_ctl *r = opaque;
    return r->port92 | RESET_PORT92_A20;
}

static void write_port92(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct reset_ctl *r = opaque;
    bool rising = (value & ~r->port92 & RESET_PORT92_INIT) != 0;
    r->port92 = value & RESET_PORT92_INIT;
    if (rising)
        machine_event_fire(&r->reset);
}

static const struct bus_desc port92_desc = {
    .name = "port92",
    .read = read_port92,
    .write = write_port92,
    .min_size = 1,
    .max_size = 1,
};

uint8_t reset_cf9_read(void *reset_ctl)
{
    const struct reset_ctl *r = reset_ctl;
    return r->cf9;
}

void reset_cf9_write(void *reset_ctl, uint8_t value)
{
    struct reset_ctl *r = reset_ctl;
    bool rising = (value & ~r->cf9 & RESET_CF9_RST_CPU) != 0;
    r->cf9 = value & (RESET_CF9_SYS_RST | RESET_CF9_RST_CPU | RESET_CF9_FULL_RST);
    if (rising)
        machine_event_fire(&r->reset);
}

void reset_ctl_init(struct reset_ctl *r, struct machine_event reset)
{
    *r = (struct reset_ctl){.reset = reset};
    pthread_mutex_init(&r->lock, NULL);
}

void reset_ctl_reset(struct reset_ctl *r)
{
    pthread_mutex_lock(&r->lock);
    r->port92 = 0;
    r->cf9 = 0;
    pthread_mutex_unlock(&r->lock);
}

void reset_ctl_destroy(struct reset_ctl *r)
{
    pthread_mutex_destroy(&r->lock);
}

void reset_ctl_attach(struct reset_ctl *r, struct bus *b)
{
    bus_add_pio(b, RESET_PORT92, 1, &port92_desc, r, &r->lock);
}
