/*
 * dev/chip/testdev.h: ports and memory for tests of processors and monitors, as QEMU's pc-testdev has them:
 *
 *   0xe0        4 ports that keep what is written, taken at once up to 4 bytes
 *   0xe4        4 ports; a monitor forgets what it has mapped at the page whose address is written
 *   0xe8        the bytes of 0xe0 again, by an access that is split into bytes
 *   0x2000 + n  interrupt line n, n from 0 to 23, has the level of what is written, 0 or not
 *   0xff000000  64 KiB of MMIO that keep what is written
 */
#ifndef DEV_CHIP_TESTDEV_H
#define DEV_CHIP_TESTDEV_H

#include "bus/bus.h"

#define TESTDEV_PORT       0xe0
#define TESTDEV_FLUSH_PORT 0xe4
#define TESTDEV_BYTE_PORT  0xe8
#define TESTDEV_IRQ_PORT   0x2000
#define TESTDEV_LINES      24
#define TESTDEV_MMIO       0xff000000ull
#define TESTDEV_MMIO_SIZE  0x10000u

struct testdev {
    pthread_mutex_t lock;
    struct irq_line irq[TESTDEV_LINES];
    uint8_t kept[4]; /* by the ports */
    uint8_t memory[TESTDEV_MMIO_SIZE];
};

void testdev_init(struct testdev *t, const struct irq_line irq[TESTDEV_LINES]);
/* Lines go down; what was kept is forgotten. */
void testdev_reset(struct testdev *t);
void testdev_destroy(struct testdev *t);
void testdev_attach(struct testdev *t, struct bus *b);

#endif
