/*
 * ps2_keyboard.c: the AT keyboard's commands, and the codes that its keys send.
 */
#include "dev/ps2/ps2_keyboard.h"

enum {
    REPLY_ACK = 0xfa,
    REPLY_BAT_OK = 0xaa,
    REPLY_ECHO = 0xee,
    REPLY_RESEND = 0xfe,
    CODE_BREAK = 0xf0,
};

static void reply(struct ps2_keyboard *k, uint8_t byte)
{
    assert(k->reply_count < ARRAY_LEN(k->replies));
    k->replies[(k->reply_at + k->reply_count++) % ARRAY_LEN(k->replies)] = byte;
}

static void drop_scans(struct ps2_keyboard *k)
{
    k->scan_count = 0;
    k->overrun = false;
}

/* Command 0xf6: set 2, all keys typematic with make and break codes, in set 3 as its own table has them. */
static void set_defaults(struct ps2_keyboard *k)
{
    k->set = 2;
    k->leds = 0;
    k->typematic = 0x2b; /* 10.9 a second after 500 ms */
    /* In set 3 only these have break codes at first: left control, both shifts, caps lock, left alt. */
    static const uint8_t with_break[] = {0x11, 0x12, 0x59, 0x14, 0x19};
    memset(k->make_only, 1, sizeof k->make_only);
    for (size_t i = 0; i < sizeof with_break; i++)
        k->make_only[with_break[i]] = 0;
    drop_scans(k);
}

void ps2_keyboard_reset(struct ps2_keyboard *k)
{
    *k = (struct ps2_keyboard){.scanning = true};
    set_defaults(k);
}

/* True when `byte` was the option of the command before; otherwise it is a command that ends that one. */
static bool take_option(struct ps2_keyboard *k, uint8_t byte)
{
    uint8_t command = k->option_of;
    if (!command || byte >= 0xed)
        return false;
    if (command >= 0xfb) { /* codes follow until a command ends the list */
        k->make_only[byte] = command != 0xfc;
        reply(k, REPLY_ACK);
        return true;
    }
    if (byte >= 0x80)
        return false;
    k->option_of = 0;
    switch (command) {
    case 0xed: k->leds = byte & 7; break;
    case 0xf3: k->typematic = byte; break;
    case 0xf0:
        if (byte > 3) {
            reply(k, REPLY_RESEND);
            return true;
        }
        drop_scans(k);
        reply(k, REPLY_ACK);
        if (byte)
            k->set = byte;
        else
            reply(k, k->set);
        return true;
    }
    reply(k, REPLY_ACK);
    return true;
}

void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t byte)
{
    k->reply_count = 0; /* what the host did not wait for is lost */
    if (take_option(k, byte))
        return;
    k->option_of = 0;
    if (byte == 0xfe) {
        reply(k, k->last_sent);
        return;
    }
    if (byte == 0xee) {
        reply(k, REPLY_ECHO);
        return;
    }
    switch (byte) {
    case 0xed: /* set the lights */
    case 0xf0: /* choose the scan code set */
    case 0xf3: /* set the typematic rate */
    case 0xfb: /* set 3: these keys typematic only */
    case 0xfc: /* these make and break */
    case 0xfd: /* these make only */ k->option_of = byte; break;
    case 0xf2: /* identify */
        reply(k, REPLY_ACK);
        reply(k, 0xab);
        reply(k, 0x83);
        return;
    case 0xf4:
        drop_scans(k);
        k->scanning = true;
        break;
    case 0xf5:
        set_defaults(k);
        k->scanning = false;
        break;
    case 0xf6: set_defaults(k); break;
    case 0xf7: /* set 3: all keys typematic only */
    case 0xf9: /* make only */ memset(k->make_only, 1, sizeof k->make_only); break;
    case 0xf8: /* make and break */
    case 0xfa: /* typematic, make and break */ memset(k->make_only, 0, sizeof k->make_only); break;
    case 0xff:
        set_defaults(k);
        k->scanning = true;
        reply(k, REPLY_ACK);
        reply(k, REPLY_BAT_OK);
        return;
    default: reply(k, REPLY_RESEND); return;
    }
    reply(k, REPLY_ACK);
}

bool ps2_keyboard_read(struct ps2_keyboard *k, uint8_t *byte)
{
    if (k->reply_count) {
        *byte = k->replies[k->reply_at];
        k->reply_at = (k->reply_at + 1) % ARRAY_LEN(k->replies);
        k->reply_count--;
    } else if (k->scan_count) {
        *byte = k->scans[k->scan_at];
        k->scan_at = (k->scan_at + 1) % ARRAY_LEN(k->scans);
        k->scan_count--;
        k->overrun &= k->scan_count > 0;
    } else {
        return false;
    }
    if (*byte != REPLY_RESEND)
        k->last_sent = *byte;
    return true;
}

/* A key's whole sequence or nothing of it; what did not fit is told by one marker. */
static bool queue(struct ps2_keyboard *k, const uint8_t *codes, unsigned n)
{
    bool fits = !k->overrun && k->scan_count + n <= PS2_SCAN_BUFFER;
    const uint8_t marker = k->set == 1 ? 0xff : 0x00;
    if (k->overrun)
        return false;
    if (!fits) {
        k->overrun = true;
        codes = &marker;
        n = 1;
    }
    for (unsigned i = 0; i < n; i++)
        k->scans[(k->scan_at + k->scan_count++) % ARRAY_LEN(k->scans)] = codes[i];
    return fits;
}

#define QUEUE(k, ...) queue(k, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static bool key_set1(struct ps2_keyboard *k, uint16_t key, bool down)
{
    uint8_t code = (key & 0x7f) | (down ? 0 : 0x80);
    if (key == PS2_KEY_PAUSE)
        return !down || QUEUE(k, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
    if (key == PS2_KEY_PRINT)
        return down ? QUEUE(k, 0xe0, 0x2a, 0xe0, 0x37) : QUEUE(k, 0xe0, 0xb7, 0xe0, 0xaa);
    return key >> 8 ? QUEUE(k, 0xe0, code) : QUEUE(k, code);
}

static bool key_set2(struct ps2_keyboard *k, uint16_t key, uint8_t code, bool down)
{
    if (key == PS2_KEY_PAUSE)
        return !down || QUEUE(k, 0xe1, 0x14, 0x77, 0xe1, CODE_BREAK, 0x14, CODE_BREAK, 0x77);
    if (key == PS2_KEY_PRINT)
        return down ? QUEUE(k, 0xe0, 0x12, 0xe0, 0x7c)
                    : QUEUE(k, 0xe0, CODE_BREAK, 0x7c, 0xe0, CODE_BREAK, 0x12);
    if (key >> 8)
        return down ? QUEUE(k, 0xe0, code) : QUEUE(k, 0xe0, CODE_BREAK, code);
    return down ? QUEUE(k, code) : QUEUE(k, CODE_BREAK, code);
}

bool ps2_keyboard_key(struct ps2_keyboard *k, uint16_t key, bool down)
{
    uint8_t set2, set3;
    if (!ps2_key_codes(key, &set2, &set3))
        return false;
    if (!k->scanning)
        return true;
    if (k->set == 1)
        return key_set1(k, key, down);
    if (k->set == 2)
        return key_set2(k, key, set2, down);
    if (down)
        return QUEUE(k, set3);
    return k->make_only[set3] || QUEUE(k, CODE_BREAK, set3);
}
