/*
 * testdev.c: ports and memory for tests.
 *
 * The port that makes a monitor forget a page changes nothing that a guest could see, and here nothing at
 * all: guest memory is mapped once. It exists so that tests that use it find it.
 */
#include "dev/chip/testdev.h"

static uint64_t kept_read(void *opaque, uint64_t offset, unsigned size)
{
    struct testdev *t = opaque;
    return load_le(t->kept + offset, size);
}

static void kept_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct testdev *t = opaque;
    store_le(t->kept + offset, value, size);
}

static uint64_t write_only_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void flush_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
}

static void irq_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct testdev *t = opaque;
    irq_set(&t->irq[offset], value != 0);
}

static uint64_t memory_read(void *opaque, uint64_t offset, unsigned size)
{
    struct testdev *t = opaque;
    return load_le(t->memory + offset, size);
}

static void memory_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct testdev *t = opaque;
    store_le(t->memory + offset, value, size);
}

static const struct bus_desc kept_desc = {
    .name = "testdev", .read = kept_read, .write = kept_write, .min_size = 1, .max_size = 4};
static const struct bus_desc byte_desc = {
    .name = "testdev-byte", .read = kept_read, .write = kept_write, .min_size = 1, .max_size = 1};
static const struct bus_desc flush_desc = {
    .name = "testdev-flush", .read = write_only_read, .write = flush_write, .min_size = 4, .max_size = 4};
static const struct bus_desc irq_desc = {
    .name = "testdev-irq", .read = write_only_read, .write = irq_write, .min_size = 1, .max_size = 1};
static const struct bus_desc memory_desc = {
    .name = "testdev-memory", .read = memory_read, .write = memory_write, .min_size = 1, .max_size = 8};

void testdev_init(struct testdev *t, const struct irq_line irq[TESTDEV_LINES])
{
    *t = (struct testdev){0};
    memcpy(t->irq, irq, sizeof(t->irq));
    pthread_mutex_init(&t->lock, NULL);
}

void testdev_reset(struct testdev *t)
{
    pthread_mutex_lock(&t->lock);
    for (unsigned n = 0; n < TESTDEV_LINES; n++)
        irq_set(&t->irq[n], false);
    memset(t->kept, 0, sizeof(t->kept));
    memset(t->memory, 0, sizeof(t->memory));
    pthread_mutex_unlock(&t->lock);
}

void testdev_destroy(struct testdev *t)
{
    pthread_mutex_destroy(&t->lock);
}

void testdev_attach(struct testdev *t, struct bus *b)
{
    bus_add_pio(b, TESTDEV_PORT, 4, &kept_desc, t, &t->lock);
    bus_add_pio(b, TESTDEV_FLUSH_PORT, 4, &flush_desc, t, &t->lock);
    bus_add_pio(b, TESTDEV_BYTE_PORT, 4, &byte_desc, t, &t->lock);
    bus_add_pio(b, TESTDEV_IRQ_PORT, TESTDEV_LINES, &irq_desc, t, &t->lock);
    bus_add_mmio(b, TESTDEV_MMIO, TESTDEV_MMIO_SIZE, &memory_desc, t, &t->lock);
}
