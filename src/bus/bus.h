/*
 * bus/bus.h: where port and memory-mapped accesses go, and how devices raise interrupts. Knows no device and
 * no vCPU.
 *
 * Lock order: device, interrupt chip, nothing. Bus dispatch takes the device's lock around its handler;
 * interrupt lines and MSIs are leaf operations that a handler may use with its lock held. Ranges are
 * registered before the machine runs; afterwards dispatch takes no lock of its own.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "base/base.h"
#include "mem/mem.h"
#include <pthread.h>

struct bus;

/*
 * A range of ports or addresses as a device describes it. Handlers get an offset from the start of the range,
 * a size in bytes and a value, never a vCPU. The bus splits what is larger than max_size (little-endian,
 * lowest first), widens nothing, and answers sizes below min_size with all ones / ignores them.
 */
struct bus_desc {
    const char *name;
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
    void (*write)(void *opaque, uint64_t offset, unsigned size, uint64_t value);
    uint8_t min_size, max_size; /* 1, 2, 4, 8; 0 means 1 and 4 */
};

struct bus *bus_new(void);
void bus_free(struct bus *b);

/* Overlap with a registered range is a bug of the caller (assert). `lock` is the device's. `d` and opaque
 * live on. */
void bus_add_pio(struct bus *b, uint16_t port, uint32_t count, const struct bus_desc *d, void *opaque,
                 pthread_mutex_t *lock);
void bus_add_mmio(struct bus *b, gpa_t gpa, uint64_t size, const struct bus_desc *d, void *opaque,
                  pthread_mutex_t *lock);

/* Is one of these ports registered? */
bool bus_pio_taken(const struct bus *b, uint16_t port, uint32_t count);

/* size: 1, 2 or 4. Nobody there: reads give all ones, writes vanish. */
uint32_t bus_pio_read(struct bus *b, uint16_t port, unsigned size);
void bus_pio_write(struct bus *b, uint16_t port, unsigned size, uint32_t value);
/* size: 1 to 8. */
uint64_t bus_mmio_read(struct bus *b, gpa_t gpa, unsigned size);
void bus_mmio_write(struct bus *b, gpa_t gpa, unsigned size, uint64_t value);

/* Accesses so far, for --stats. */
struct bus_counts {
    uint64_t pio, mmio, unclaimed;
};
struct bus_counts bus_counts(const struct bus *b);

/* An interrupt line: the source calls irq_set with its level; `fn` may be NULL (not connected). A leaf
 * operation. */
struct irq_line {
    void (*fn)(void *opaque, unsigned n, bool level);
    void *opaque;
    unsigned n;
};
static inline void irq_set(const struct irq_line *l, bool level)
{
    if (l->fn)
        l->fn(l->opaque, l->n, level);
}
static inline void irq_pulse(const struct irq_line *l)
{
    irq_set(l, true);
    irq_set(l, false);
}

/* Message-signalled interrupts: a 32-bit write of `data` to `addr` in 0xFEExxxxx (SDM 3A 11.11, APM 2 16.11).
 */
void bus_set_msi_sink(struct bus *b, void (*fn)(void *opaque, uint64_t addr, uint32_t data), void *opaque);
void bus_msi(struct bus *b, uint64_t addr, uint32_t data);

#endif
