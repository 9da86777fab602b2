/*
 * i8042.c: the keyboard controller.
 *
 * Bytes for the guest come from two sources, the controller's own answers and the keyboard, and pass through
 * the one output buffer. The interrupt lines are functions of that buffer and the command byte.
 */
#include "dev/ps2/i8042.h"

/* Scan code set 2 to set 1, for codes below 0x80; above, only 0x83 (F7) and 0x84 (SysRq) change. */
static const uint8_t set2_to_set1[0x80] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59, /* 00 */
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b, /* 10 */
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d, /* 20 */
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f, /* 30 */
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61, /* 40 */
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, /* 50 */
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, /* 60 */
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54, /* 70 */
};

static bool kbd_int(const struct i8042 *c)
{
    return c->full && !c->out.aux && (c->ram[0] & I8042_CTR_KBD_INT);
}

static bool aux_int(const struct i8042 *c)
{
    return c->full && c->out.aux && (c->ram[0] & I8042_CTR_AUX_INT);
}

static void update_irq(struct i8042 *c)
{
    irq_set(&c->kbd_irq, kbd_int(c));
    irq_set(&c->aux_irq, aux_int(c));
}

/* False: it was the prefix of a break code, which becomes bit 7 of the code that follows. */
static bool translate(struct i8042 *c, uint8_t *byte)
{
    if (!(c->ram[0] & I8042_CTR_XLATE)) {
        c->break_seen = false;
        return true;
    }
    if (*byte == 0xf0) {
        c->break_seen = true;
        return false;
    }
    uint8_t code = *byte < 0x80 ? set2_to_set1[*byte] : *byte == 0x83 ? 0x41 : *byte == 0x84 ? 0x54 : *byte;
    *byte = code | (c->break_seen ? 0x80 : 0);
    c->break_seen = false;
    return true;
}

/* Put the next byte, if there is one, into the output buffer, if that is empty. */
static void fill(struct i8042 *c)
{
    uint8_t byte;
    if (!c->full && c->answer_waits) {
        c->out = c->answer;
        c->answer_waits = false;
        c->full = true;
    }
    while (!c->full && !(c->ram[0] & I8042_CTR_KBD_OFF) && ps2_keyboard_read(&c->keyboard, &byte)) {
        if (!translate(c, &byte))
            continue;
        c->out = (struct i8042_byte){.data = byte};
        c->full = true;
    }
    update_irq(c);
}

static void answer(struct i8042 *c, struct i8042_byte b)
{
    c->answer = b;
    c->answer_waits = true;
}

static uint8_t output_port(const struct i8042 *c)
{
    /* Bits 7 and 6: keyboard lines idle; 5 and 4: interrupts; 1: A20 enabled; 0: no reset. */
    return 0xc3 | (aux_int(c) ? 0x20 : 0) | (kbd_int(c) ? 0x10 : 0);
}

static uint64_t read_data(void *opaque, uint64_t offset, unsigned size)
{
    struct i8042 *c = opaque;
    uint8_t data = c->out.data;
    c->full = false;
    update_irq(c); /* falls, even when the next byte raises it at once */
    fill(c);
    return data;
}

static uint64_t read_status(void *opaque, uint64_t offset, unsigned size)
{
    const struct i8042 *c = opaque;
    uint8_t v = I8042_STATUS_UNLOCKED;
    if (c->full)
        v |= I8042_STATUS_OBF | (c->out.aux ? I8042_STATUS_AUX : 0) |
             (c->out.timeout ? I8042_STATUS_TIMEOUT : 0);
    if (c->ram[0] & I8042_CTR_SYS)
        v |= I8042_STATUS_SYS;
    if (c->a2)
        v |= I8042_STATUS_A2;
    return v;
}

static void write_output_port(struct i8042 *c, uint8_t value)
{
    if (!(value & 1))
        machine_event_fire(&c->reset);
}

static void write_data(void *opaque, uint64_t offset, unsigned size, uint64_t wide)
{
    struct i8042 *c = opaque;
    uint8_t value = (uint8_t)wide, command = c->data_of;
    c->a2 = false;
    c->data_of = 0;
    switch (command) {
    case 0x60 ... 0x7f: c->ram[command & 0x1f] = value; break;
    case 0xd1: write_output_port(c, value); break;
    case 0xd2: answer(c, (struct i8042_byte){.data = value}); break;
    case 0xd3: answer(c, (struct i8042_byte){.data = value, .aux = true}); break;
    case 0xd4: /* nobody there */
        c->ram[0] &= ~I8042_CTR_AUX_OFF;
        answer(c, (struct i8042_byte){.data = 0xfe, .aux = true, .timeout = true});
        break;
    default: /* to the keyboard, which is enabled by that */
        c->ram[0] &= ~I8042_CTR_KBD_OFF;
        ps2_keyboard_write(&c->keyboard, value);
        break;
    }
    fill(c);
}

static void write_command(void *opaque, uint64_t offset, unsigned size, uint64_t wide)
{
    struct i8042 *c = opaque;
    uint8_t command = (uint8_t)wide;
    c->a2 = true;
    c->data_of = 0;
    switch (command) {
    case 0x20 ... 0x3f: answer(c, (struct i8042_byte){.data = c->ram[command & 0x1f]}); break;
    case 0x60 ... 0x7f:
    case 0xd1 ... 0xd4: c->data_of = command; break;
    case 0xa7: c->ram[0] |= I8042_CTR_AUX_OFF; break;
    case 0xa8: c->ram[0] &= ~I8042_CTR_AUX_OFF; break;
    case 0xa9: /* test of the auxiliary lines, */
    case 0xab: /* and of the keyboard's: no fault */ answer(c, (struct i8042_byte){.data = 0x00}); break;
    case 0xaa: /* self-test passed */
        c->ram[0] |= I8042_CTR_SYS;
        answer(c, (struct i8042_byte){.data = 0x55});
        break;
    case 0xad: c->ram[0] |= I8042_CTR_KBD_OFF; break;
    case 0xae: c->ram[0] &= ~I8042_CTR_KBD_OFF; break;
    case 0xc0: /* input port; bit 7: the keyboard is not locked */
        answer(c, (struct i8042_byte){.data = 0x80});
        break;
    case 0xd0: answer(c, (struct i8042_byte){.data = output_port(c)}); break;
    case 0xe0: /* test inputs: the clock lines, held low while disabled */
        answer(c, (struct i8042_byte){.data = (c->ram[0] & I8042_CTR_KBD_OFF ? 0 : 1) |
                                              (c->ram[0] & I8042_CTR_AUX_OFF ? 0 : 2)});
        break;
    case 0xf0 ... 0xff: /* pulse low those of bits 0 to 3 that are 0 */ write_output_port(c, command); break;
    default: log_guest(&c->unknown_log, "keyboard controller: command 0x%02x is not known", command); break;
    }
    fill(c);
}

static const struct bus_desc data_desc = {
    .name = "i8042-data",
    .read = read_data,
    .write = write_data,
    .min_size = 1,
    .max_size = 1,
};
static const struct bus_desc command_desc = {
    .name = "i8042-command",
    .read = read_status,
    .write = write_command,
    .min_size = 1,
    .max_size = 1,
};

static void reset(struct i8042 *c)
{
    memset(c->ram, 0, sizeof c->ram);
    c->ram[0] = I8042_CTR_KBD_INT | I8042_CTR_SYS | I8042_CTR_AUX_OFF | I8042_CTR_XLATE;
    c->data_of = 0;
    c->a2 = c->full = c->answer_waits = c->break_seen = false;
    c->out = c->answer = (struct i8042_byte){0};
    ps2_keyboard_reset(&c->keyboard);
    update_irq(c);
}

void i8042_init(struct i8042 *c, struct irq_line kbd_irq, struct irq_line aux_irq,
                struct machine_event on_reset)
{
    *c = (struct i8042){.kbd_irq = kbd_irq, .aux_irq = aux_irq, .reset = on_reset};
    pthread_mutex_init(&c->lock, NULL);
    reset(c);
}

void i8042_reset(struct i8042 *c)
{
    pthread_mutex_lock(&c->lock);
    reset(c);
    pthread_mutex_unlock(&c->lock);
}

void i8042_destroy(struct i8042 *c)
{
    pthread_mutex_destroy(&c->lock);
}

void i8042_attach(struct i8042 *c, struct bus *b)
{
    bus_add_pio(b, I8042_DATA_PORT, 1, &data_desc, c, &c->lock);
    bus_add_pio(b, I8042_COMMAND_PORT, 1, &command_desc, c, &c->lock);
}

bool i8042_key(struct i8042 *c, uint16_t key, bool down)
{
    pthread_mutex_lock(&c->lock);
    bool ok = ps2_keyboard_key(&c->keyboard, key, down);
    fill(c);
    pthread_mutex_unlock(&c->lock);
    return ok;
}
