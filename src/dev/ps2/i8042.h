/*
 * dev/ps2/i8042.h: the keyboard controller of PC/AT and PS/2: ports 0x60 and 0x64, a keyboard, and an
 * auxiliary port with nothing plugged in.
 *
 * Follows the "Keyboard and Auxiliary Device Controller" chapter of the IBM PS/2 Hardware Interface Technical
 * Reference (type 1 controller): command byte, translation to scan code set 1, self-tests, output port,
 * output buffer writes, output port pulses. What is sent to the auxiliary device is answered with 0xfe and
 * the time-out bit.
 *
 * The A20 gate does not exist: address line 20 is always enabled, and the output port says so whatever is
 * written. Writing a 0 to bit 0 of the output port, or pulsing it, resets the machine.
 *
 * Transfers take no time: the input buffer is never full, and the next byte arrives as soon as the last was
 * read.
 *
 * i8042_reset leaves what PC firmware hands to an operating system: the keyboard enabled, translated, with
 * its interrupt; the auxiliary port disabled.
 *
 * Threads: any; functions take `lock` themselves.
 */
#ifndef DEV_PS2_I8042_H
#define DEV_PS2_I8042_H

#include "bus/bus.h"
#include "dev/machine_event.h"
#include "dev/ps2/ps2_keyboard.h"

#define I8042_DATA_PORT    0x60
#define I8042_COMMAND_PORT 0x64 /* reads: status */
#define I8042_KBD_IRQ      1
#define I8042_AUX_IRQ      12

/* Status register. */
enum {
    I8042_STATUS_OBF = 0x01,
    I8042_STATUS_IBF = 0x02,
    I8042_STATUS_SYS = 0x04,
    I8042_STATUS_A2 = 0x08,
    I8042_STATUS_UNLOCKED = 0x10,
    I8042_STATUS_AUX = 0x20,
    I8042_STATUS_TIMEOUT = 0x40,
};
/* Command byte. */
enum {
    I8042_CTR_KBD_INT = 0x01,
    I8042_CTR_AUX_INT = 0x02,
    I8042_CTR_SYS = 0x04,
    I8042_CTR_KBD_OFF = 0x10,
    I8042_CTR_AUX_OFF = 0x20,
    I8042_CTR_XLATE = 0x40,
};

struct i8042_byte {
    uint8_t data;
    bool aux, timeout;
};

struct i8042 {
    pthread_mutex_t lock;
    struct irq_line kbd_irq, aux_irq;
    struct machine_event reset;
    struct ps2_keyboard keyboard;

    uint8_t ram[32];       /* [0] is the command byte */
    uint8_t data_of;       /* the command whose data byte comes next at port 0x60; 0: none */
    bool a2;               /* the last write went to the command port */
    bool full;             /* the output buffer holds a byte that was not read yet */
    struct i8042_byte out; /* the output buffer, also after it was read */
    bool answer_waits;     /* the controller's own answer, behind what is in the output buffer */
    struct i8042_byte answer;
    bool break_seen; /* translation: 0xf0 has come, its code has not */
    struct log_limit unknown_log;
};

void i8042_init(struct i8042 *c, struct irq_line kbd_irq, struct irq_line aux_irq,
                struct machine_event reset);
void i8042_reset(struct i8042 *c);
void i8042_destroy(struct i8042 *c);
/* Registers ports 0x60 and 0x64. */
void i8042_attach(struct i8042 *c, struct bus *b);

/*
 * A key goes down or up; keys are named in ps2_keyboard.h. False when there is no such key or the keyboard's
 * buffer is full: the guest is told that something was lost.
 */
bool i8042_key(struct i8042 *c, uint16_t key, bool down);

#endif
