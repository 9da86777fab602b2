/*
 * dev/chip/ferr.h: x87 errors by IRQ 13, as the PC/AT has them (SDM 1 D.2, MS-DOS compatible handling).
 *
 * The processor's FERR# raises the interrupt line; a write to port 0xf0 lowers it and gives IGNNE#, so that
 * the handler may execute x87 instructions, until FERR# goes. One latch for all processors.
 */
#ifndef DEV_CHIP_FERR_H
#define DEV_CHIP_FERR_H

#include "bus/bus.h"

struct ferr {
    pthread_mutex_t lock;
    struct irq_line irq;
    bool ignne;
};

void ferr_init(struct ferr *f, struct irq_line irq);
void ferr_attach(struct ferr *f, struct bus *b);
void ferr_reset(struct ferr *f);
void ferr_destroy(struct ferr *f);
/* FERR# has this level now. Returns that of IGNNE#: errors are to be ignored. Any thread. */
bool ferr_set(struct ferr *f, bool level);

#endif
