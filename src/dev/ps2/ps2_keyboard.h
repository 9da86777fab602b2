/*
 * dev/ps2/ps2_keyboard.h: an enhanced AT keyboard as its controller sees it: bytes in, bytes out.
 *
 * Follows the keyboard chapter of the IBM PS/2 Hardware Interface Technical Reference ("101- and 102-key
 * keyboards"): commands 0xed to 0xff, scan code sets 1, 2 and 3, a buffer of sixteen scan codes with an
 * overrun marker. Answers to commands go before scan codes. Key repeat is the source's affair (a display's
 * client repeats by itself), so the typematic rate is accepted and kept; the lock and shift states do not
 * change the codes of the grey keys.
 *
 * No lock of its own: the controller's.
 */
#ifndef DEV_PS2_PS2_KEYBOARD_H
#define DEV_PS2_PS2_KEYBOARD_H

#include "base/base.h"

#define PS2_SCAN_BUFFER 16

/*
 * A key is named by what it makes in scan code set 1: one byte, with 0xe0 in the high byte where that comes
 * first. Two keys send longer sequences.
 */
#define PS2_KEY_PRINT 0xe037
#define PS2_KEY_PAUSE 0xe11d

struct ps2_keyboard {
    uint8_t set; /* 1, 2, 3 */
    bool scanning;
    uint8_t leds, typematic;
    uint8_t option_of;      /* the command whose option byte is awaited; 0: none */
    uint8_t last_sent;      /* for 0xfe */
    uint8_t make_only[256]; /* set 3: this code has no break code */

    uint8_t replies[4], reply_at, reply_count;
    uint8_t scans[PS2_SCAN_BUFFER + 1], scan_at, scan_count; /* the last place is for the overrun marker */
    bool overrun;
};

/* Power-on state: set 2, scanning. (The power-on self-test's 0xaa is firmware's, and is not sent.) */
void ps2_keyboard_reset(struct ps2_keyboard *k);
/* A byte from the host. */
void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t byte);
/* The next byte for the host; false: none. */
bool ps2_keyboard_read(struct ps2_keyboard *k, uint8_t *byte);
/* A key goes down or up. Unknown keys are ignored; false when the key is unknown or there was no room for it.
 */
bool ps2_keyboard_key(struct ps2_keyboard *k, uint16_t key, bool down);

/* Codes of `key` in sets 2 and 3 (without prefixes); false: no such key. */
bool ps2_key_codes(uint16_t key, uint8_t *set2, uint8_t *set3);

#endif
