/*
 * dev/chip/debug_exit.h: a port by which a test in the guest ends the machine with a number, as QEMU's
 * isa-debug-exit has it: what is written at port 0xf4, by 1, 2 or 4 bytes, is the number. Reads give 0.
 */
#ifndef DEV_CHIP_DEBUG_EXIT_H
#define DEV_CHIP_DEBUG_EXIT_H

#include "bus/bus.h"

#define DEBUG_EXIT_PORT  0xf4
#define DEBUG_EXIT_PORTS 4

struct debug_exit {
    pthread_mutex_t lock;
    /* Called inside the access, on the vCPU's thread, with the lock held: a leaf. */
    void (*fn)(void *opaque, uint32_t value);
    void *opaque;
};

void debug_exit_init(struct debug_exit *d, void (*fn)(void *opaque, uint32_t value), void *opaque);
void debug_exit_destroy(struct debug_exit *d);
void debug_exit_attach(struct debug_exit *d, struct bus *b);

#endif
