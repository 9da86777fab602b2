/*
 * dev/chip/pic.h: the pair of 8259A interrupt controllers of a PC (Intel 231468), with the ELCR of the PIIX
 * and ICH.
 *
 * Sixteen input lines; IR2 of the master is the slave's output. What leaves the pair is INTR, a level, and
 * the vector that the CPU fetches with the two INTA cycles. Whether a line is edge or level triggered is the
 * ELCR's matter, as in the PIIX and ICH: the LTIM bit of ICW1 has no effect, nor has the choice of MCS-80
 * mode or of buffered mode.
 *
 * A request must stay up until it is acknowledged (data sheet, "Edge and level triggered modes"): in edge
 * mode too, a line that falls first takes its request back, and a CPU that acknowledges nothing gets IR7 with
 * no bit in service. So irq_pulse() is not a way to interrupt through this chip; a source holds its line
 * until it has been served.
 *
 * Threads: pic_set_irq, pic_ack, pic_pending and pic_reset from any thread, no lock of the chip's held. INTR
 * is raised and lowered with the chip's lock held and must be a leaf.
 */
#ifndef DEV_CHIP_PIC_H
#define DEV_CHIP_PIC_H

#include "bus/bus.h"

/* One 8259A. Bit n of the masks is IRn. */
struct pic_chip {
    uint8_t line; /* the inputs' levels */
    uint8_t edge; /* edge sense latches: risen, still up, not acknowledged */
    uint8_t isr, imr;
    uint8_t elcr; /* 1: level triggered */
    uint8_t base; /* ICW2, T7-T3 */
    uint8_t icw1, icw3, icw4;
    uint8_t next_icw; /* 2 to 4: the ICW that the next write to the odd port is; 0: it is OCW1 */
    uint8_t lowest;   /* the level of lowest priority */
    bool ready;       /* an initialisation has been completed: requests are looked at */
    bool rotate_aeoi, special_mask, read_isr, poll;
};

struct pic_state {
    struct pic_chip chip[2]; /* master, slave */
};

struct pic {
    pthread_mutex_t lock;
    struct pic_state s;
    bool intr; /* level of INTR; follows from s */
    struct irq_line out;
};

/* `intr`: where INTR goes. */
void pic_init(struct pic *p, struct irq_line intr);
void pic_destroy(struct pic *p);
/* Power-on: not initialised, no request is looked at before an ICW sequence. The levels of the inputs stay.
 */
void pic_reset(struct pic *p);
/* Ports 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1. */
void pic_attach(struct pic *p, struct bus *b);

/* Fits struct irq_line. n: 0 to 15; 2 is the slave's and ignored. */
void pic_set_irq(void *pic, unsigned n, bool level);
/* Is INTR up? No lock: as fresh as a read of the wire. */
bool pic_pending(const struct pic *p);
/* The pair of INTA cycles: takes the request into service and returns its vector (0 to 255). */
int pic_ack(struct pic *p);

#endif
