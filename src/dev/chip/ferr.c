/*
 * ferr.c: x87 errors by IRQ 13.
 */
#include "dev/chip/ferr.h"

#define PORT 0xf0 /* 0xf1, the reset of the coprocessor, has been without effect since there is none */

static void clear_busy(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct ferr *f = opaque;
    if (offset)
        return;
    irq_set(&f->irq, false);
    f->ignne = true;
}

static uint64_t nothing(void *opaque, uint64_t offset, unsigned size)
{
    return 0xff;
}

static const struct bus_desc desc = {
    .name = "ferr", .read = nothing, .write = clear_busy, .min_size = 1, .max_size = 1};

void ferr_init(struct ferr *f, struct irq_line irq)
{
    *f = (struct ferr){.irq = irq};
    pthread_mutex_init(&f->lock, NULL);
}

void ferr_attach(struct ferr *f, struct bus *b)
{
    bus_add_pio(b, PORT, 2, &desc, f, &f->lock);
}

void ferr_reset(struct ferr *f)
{
    ferr_set(f, false);
}

void ferr_destroy(struct ferr *f)
{
    pthread_mutex_destroy(&f->lock);
}

bool ferr_set(struct ferr *f, bool level)
{
    pthread_mutex_lock(&f->lock);
    bool ignne = f->ignne = f->ignne && level;
    if (!ignne)
        irq_set(&f->irq, level);
    pthread_mutex_unlock(&f->lock);
    return ignne;
}
