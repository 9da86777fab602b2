/*
 * dev/chip/ioapic.h: the 82093AA I/O APIC (Intel 290566), 24 pins, with the EOI register of version 0x20
 * (ICH).
 *
 * A pin's interrupt leaves as a message: bus_msi() with the address and data of SDM 3A 11.11, at the moment
 * it arises, so the delivery status always reads idle. All delivery modes are passed on; ExtINT as mode 7,
 * upon which the CPU fetches the vector from the PIC. SMI, NMI, INIT and ExtINT are edge triggered whatever
 * the entry's trigger bit says.
 *
 * The lines given to the chip are logical: true is "asserted". The polarity bit is stored and read back, and
 * inverts nothing: an active-low wire would be inverted twice, once at its source and once here. One line a
 * pin: who shares a pin among devices combines their levels before.
 *
 * Threads: ioapic_set_irq, ioapic_eoi and ioapic_reset from any thread, no lock of the chip's held. bus_msi
 * is called with the chip's lock held and must be a leaf.
 */
#ifndef DEV_CHIP_IOAPIC_H
#define DEV_CHIP_IOAPIC_H

#include "bus/bus.h"

#define IOAPIC_BASE 0xfec00000u
#define IOAPIC_PINS 24

struct ioapic_state {
    uint8_t index;             /* IOREGSEL */
    uint8_t id, arb_id;        /* four bits each */
    uint32_t lines;            /* bit n: pin n is asserted */
    uint64_t rte[IOAPIC_PINS]; /* redirection table, as read */
};

struct ioapic {
    pthread_mutex_t lock;
    struct ioapic_state s;
    struct bus *bus;
    struct log_limit bad_access, bad_mode;
};

/* `b`: where messages go. */
void ioapic_init(struct ioapic *a, struct bus *b);
void ioapic_destroy(struct ioapic *a);
/* Power-on: every entry masked, identity 0. The levels of the pins stay. */
void ioapic_reset(struct ioapic *a);
/* The page at IOAPIC_BASE. */
void ioapic_attach(struct ioapic *a, struct bus *b);

/* Fits struct irq_line. pin: 0 to 23. */
void ioapic_set_irq(void *ioapic, unsigned pin, bool level);
/* A local APIC has ended a level-triggered interrupt with this vector; a pin still asserted interrupts again.
 */
void ioapic_eoi(struct ioapic *a, uint8_t vector);

#endif
