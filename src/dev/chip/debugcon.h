/*
 * dev/chip/debugcon.h: a port whose bytes go to the host, as Bochs, QEMU and many small kernels have it: a
 * write is a byte of output, a read gives 0xe9, by which a guest sees that the port is there.
 */
#ifndef DEV_CHIP_DEBUGCON_H
#define DEV_CHIP_DEBUGCON_H

#include "back/console.h"
#include "bus/bus.h"

#define DEBUGCON_READS 0xe9

struct debugcon {
    pthread_mutex_t lock;
    struct console *console;
    bool stuck; /* the last byte was lost: nobody reads at the other end */
    struct log_limit lost;
};

/* `console` lives on. */
void debugcon_init(struct debugcon *d, struct console *console);
/* As serial_console_connect. */
void debugcon_connect(struct debugcon *d);
void debugcon_destroy(struct debugcon *d);
void debugcon_attach(struct debugcon *d, struct bus *b, uint16_t port);

#endif
