/*
 * test_i8042.c: the keyboard controller and its keyboard by their ports (IBM PS/2 Hardware Interface
 * Technical Reference, "Keyboard and Auxiliary Device Controller" and "Keyboards").
 */
#include "dev/ps2/i8042.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct machine {
    struct bus *bus;
    struct i8042 kbc;
    bool line[16];
    unsigned rises[16];
    unsigned resets;
};

static void set_line(void *opaque, unsigned n, bool level)
{
    struct machine *m = opaque;
    m->rises[n] += level && !m->line[n];
    m->line[n] = level;
}

static void on_reset(void *opaque)
{
    ((struct machine *)opaque)->resets++;
}

static int setup(void **state)
{
    struct machine *m = calloc(1, sizeof *m);
    m->bus = bus_new();
    i8042_init(&m->kbc, (struct irq_line){set_line, m, I8042_KBD_IRQ},
               (struct irq_line){set_line, m, I8042_AUX_IRQ}, (struct machine_event){on_reset, m});
    i8042_attach(&m->kbc, m->bus);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    i8042_destroy(&m->kbc);
    bus_free(m->bus);
    free(m);
    return 0;
}

static uint8_t status(struct machine *m)
{
    return (uint8_t)bus_pio_read(m->bus, 0x64, 1);
}

static void command(struct machine *m, uint8_t v)
{
    bus_pio_write(m->bus, 0x64, 1, v);
}

static void data(struct machine *m, uint8_t v)
{
    bus_pio_write(m->bus, 0x60, 1, v);
}

/* The next byte, which must be there. */
static uint8_t next(struct machine *m)
{
    assert_true(status(m) & I8042_STATUS_OBF);
    return (uint8_t)bus_pio_read(m->bus, 0x60, 1);
}

static void nothing_waits(struct machine *m)
{
    assert_false(status(m) & I8042_STATUS_OBF);
    assert_false(m->line[1]);
    assert_false(m->line[12]);
}

/* The bytes up to the one that ends the list, and then no more. */
#define EXPECT(m, ...)                               \
    do {                                             \
        const uint8_t want_[] = {__VA_ARGS__};       \
        for (size_t i_ = 0; i_ < sizeof want_; i_++) \
            assert_int_equal(next(m), want_[i_]);    \
        nothing_waits(m);                            \
    } while (0)

static void set_ctr(struct machine *m, uint8_t ctr)
{
    command(m, 0x60);
    data(m, ctr);
}

static void tap(struct machine *m, uint16_t key)
{
    assert_true(i8042_key(&m->kbc, key, true));
    assert_true(i8042_key(&m->kbc, key, false));
}

/* No translation; the keyboard in scan code set n. */
static void raw_set(struct machine *m, uint8_t n)
{
    set_ctr(m, I8042_CTR_SYS);
    data(m, 0xf0);
    assert_int_equal(next(m), 0xfa);
    data(m, n);
    assert_int_equal(next(m), 0xfa);
}

static void reset_leaves_a_translated_keyboard_with_interrupt(void **state)
{
    struct machine *m = *state;
    assert_int_equal(status(m), I8042_STATUS_UNLOCKED | I8042_STATUS_SYS);
    command(m, 0x20);
    assert_int_equal(next(m), I8042_CTR_KBD_INT | I8042_CTR_SYS | I8042_CTR_AUX_OFF | I8042_CTR_XLATE);
    tap(m, 0x1e);
    assert_true(m->line[1]);
    set_ctr(m, 0);
    i8042_reset(&m->kbc);
    nothing_waits(m);
    assert_int_equal(status(m), I8042_STATUS_UNLOCKED | I8042_STATUS_SYS);
}

/* Commands that answer with one byte. */
static void controller_commands_answer(void **state)
{
    struct machine *m = *state;
    static const struct {
        uint8_t command, answer;
    } rows[] = {{0xaa, 0x55}, {0xab, 0x00}, {0xa9, 0x00}, {0xc0, 0x80}, {0xd0, 0xc3}, {0xe0, 0x01}};
    set_ctr(m, I8042_CTR_AUX_OFF); /* no interrupts, so that 0xd0 shows none */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        command(m, rows[i].command);
        assert_int_equal(status(m) & (I8042_STATUS_A2 | I8042_STATUS_AUX), I8042_STATUS_A2);
        assert_int_equal(next(m), rows[i].answer);
        nothing_waits(m);
    }
    command(m, 0x99); /* unknown: ignored */
    nothing_waits(m);
}

static void command_byte_and_memory_are_kept(void **state)
{
    struct machine *m = *state;
    for (uint8_t i = 0; i < 32; i++) {
        command(m, 0x60 + i);
        data(m, (uint8_t)(0x30 + i));
    }
    for (uint8_t i = 0; i < 32; i++) {
        command(m, 0x20 + i);
        assert_int_equal(next(m), 0x30 + i);
    }
}

static void enable_and_disable_commands_change_the_command_byte(void **state)
{
    struct machine *m = *state;
    static const struct {
        uint8_t command, bit;
        bool on;
    } rows[] = {{0xad, I8042_CTR_KBD_OFF, true},
                {0xae, I8042_CTR_KBD_OFF, false},
                {0xa7, I8042_CTR_AUX_OFF, true},
                {0xa8, I8042_CTR_AUX_OFF, false},
                {0xa7, I8042_CTR_AUX_OFF, true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        command(m, rows[i].command);
        command(m, 0x20);
        assert_int_equal((next(m) & rows[i].bit) != 0, rows[i].on);
    }
}

static void self_test_sets_the_system_flag(void **state)
{
    struct machine *m = *state;
    set_ctr(m, 0);
    assert_false(status(m) & I8042_STATUS_SYS);
    command(m, 0xaa);
    EXPECT(m, 0x55);
    assert_true(status(m) & I8042_STATUS_SYS);
}

static void disabled_keyboard_keeps_its_codes(void **state)
{
    struct machine *m = *state;
    command(m, 0xad);
    tap(m, 0x1e);
    nothing_waits(m);
    command(m, 0xae);
    EXPECT(m, 0x1e, 0x9e);
    /* A byte for the keyboard enables it too. */
    command(m, 0xad);
    data(m, 0xee);
    EXPECT(m, 0xee);
}

/* The line follows the output buffer and the enable bit, and falls between two bytes. */
static void interrupt_rises_for_each_byte(void **state)
{
    struct machine *m = *state;
    tap(m, 0x1e);
    assert_int_equal(m->rises[1], 1);
    assert_int_equal(next(m), 0x1e);
    assert_int_equal(m->rises[1], 2);
    assert_int_equal(next(m), 0x9e);
    nothing_waits(m);
    set_ctr(m, I8042_CTR_XLATE);
    tap(m, 0x1e);
    assert_false(m->line[1]);
    assert_true(status(m) & I8042_STATUS_OBF);
    set_ctr(m, I8042_CTR_XLATE | I8042_CTR_KBD_INT);
    assert_true(m->line[1]);
    command(m, 0xd0); /* the answer waits behind the scan code */
    assert_int_equal(next(m), 0x1e);
    assert_int_equal(next(m), 0xd3);
}

static void written_output_buffer_looks_like_a_device(void **state)
{
    struct machine *m = *state;
    set_ctr(m, I8042_CTR_KBD_INT | I8042_CTR_AUX_INT | I8042_CTR_XLATE);
    command(m, 0xd2);
    data(m, 0x1c); /* not translated */
    assert_int_equal(status(m) & I8042_STATUS_AUX, 0);
    assert_true(m->line[1]);
    EXPECT(m, 0x1c);
    command(m, 0xd3);
    data(m, 0xa4);
    assert_true(status(m) & I8042_STATUS_AUX);
    assert_true(m->line[12]);
    assert_false(m->line[1]);
    EXPECT(m, 0xa4);
}

static void auxiliary_port_times_out(void **state)
{
    struct machine *m = *state;
    set_ctr(m, I8042_CTR_AUX_INT | I8042_CTR_AUX_OFF);
    static const uint8_t bytes[] = {0xff, 0xf2, 0xf4, 0x00};
    for (size_t i = 0; i < sizeof bytes; i++) {
        command(m, 0xd4);
        data(m, bytes[i]);
        uint8_t want = I8042_STATUS_OBF | I8042_STATUS_AUX | I8042_STATUS_TIMEOUT;
        assert_int_equal(status(m) & want, want);
        assert_true(m->line[12]);
        EXPECT(m, 0xfe);
        assert_int_equal(status(m) & (I8042_STATUS_AUX | I8042_STATUS_TIMEOUT), 0);
    }
}

/* Bit 0 of the output port is the reset line; of the pulses only bit 0 matters. */
static void output_port_resets_and_a20_stays(void **state)
{
    struct machine *m = *state;
    unsigned want = 0;
    for (unsigned v = 0xf0; v <= 0xff; v++) {
        command(m, (uint8_t)v);
        want += !(v & 1);
        assert_int_equal(m->resets, want);
    }
    command(m, 0xd1);
    data(m, 0xdd); /* A20 off, no reset */
    assert_int_equal(m->resets, want);
    command(m, 0xd0);
    assert_int_equal(next(m) & 3, 3);
    command(m, 0xd1);
    data(m, 0xfe);
    assert_int_equal(m->resets, want + 1);
}

static void data_after_a_new_command_is_not_the_old_ones(void **state)
{
    struct machine *m = *state;
    command(m, 0xd1);
    command(m, 0xae);
    data(m, 0xee); /* an echo for the keyboard, not an output port */
    assert_int_equal(m->resets, 0);
    EXPECT(m, 0xee);
}

/* ---- keyboard ---- */

static void keyboard_commands_answer(void **state)
{
    struct machine *m = *state;
    set_ctr(m, I8042_CTR_SYS);
    data(m, 0xff);
    EXPECT(m, 0xfa, 0xaa);
    data(m, 0xf2);
    EXPECT(m, 0xfa, 0xab, 0x83);
    data(m, 0xee);
    EXPECT(m, 0xee);
    data(m, 0xed);
    EXPECT(m, 0xfa);
    data(m, 0x05);
    EXPECT(m, 0xfa);
    assert_int_equal(m->kbc.keyboard.leds, 5);
    data(m, 0xf3);
    EXPECT(m, 0xfa);
    data(m, 0x7f);
    EXPECT(m, 0xfa);
    assert_int_equal(m->kbc.keyboard.typematic, 0x7f);
    data(m, 0xf6);
    EXPECT(m, 0xfa);
    assert_int_equal(m->kbc.keyboard.typematic, 0x2b);
    data(m, 0xf1); /* no such command */
    EXPECT(m, 0xfe);
    data(m, 0x00);
    EXPECT(m, 0xfe);
}

static void a_command_in_place_of_an_option_is_obeyed(void **state)
{
    struct machine *m = *state;
    static const uint8_t with_option[] = {0xed, 0xf0, 0xf3, 0xfb, 0xfc, 0xfd};
    set_ctr(m, I8042_CTR_SYS);
    for (size_t i = 0; i < sizeof with_option; i++) {
        data(m, with_option[i]);
        EXPECT(m, 0xfa);
        data(m, 0xf2);
        EXPECT(m, 0xfa, 0xab, 0x83);
        data(m, 0x01); /* not an option any more */
        EXPECT(m, 0xfe);
    }
}

static void resend_repeats_the_last_byte(void **state)
{
    struct machine *m = *state;
    set_ctr(m, I8042_CTR_SYS);
    data(m, 0xf2);
    EXPECT(m, 0xfa, 0xab, 0x83);
    data(m, 0xfe);
    EXPECT(m, 0x83);
    data(m, 0xfe);
    EXPECT(m, 0x83);
    data(m, 0x00);
    EXPECT(m, 0xfe);
    data(m, 0xfe); /* a resend is not what is repeated */
    EXPECT(m, 0x83);
}

static void answers_go_before_scan_codes(void **state)
{
    struct machine *m = *state;
    command(m, 0xad);
    tap(m, 0x1e);
    data(m, 0xed);
    EXPECT(m, 0xfa, 0x1e, 0x9e);
}

static void scan_code_set_is_chosen_and_told(void **state)
{
    struct machine *m = *state;
    for (uint8_t set = 1; set <= 3; set++) {
        raw_set(m, set);
        data(m, 0xf0);
        EXPECT(m, 0xfa);
        data(m, 0);
        EXPECT(m, 0xfa, set);
    }
    data(m, 0xf0);
    EXPECT(m, 0xfa);
    data(m, 4);
    EXPECT(m, 0xfe);
    /* The answer passes the translation, as identification does. */
    data(m, 0xf6);
    EXPECT(m, 0xfa);
    set_ctr(m, I8042_CTR_XLATE);
    data(m, 0xf0);
    EXPECT(m, 0xfa);
    data(m, 0);
    EXPECT(m, 0xfa, 0x41);
    data(m, 0xf2);
    EXPECT(m, 0xfa, 0xab, 0x41);
}

static void scanning_is_switched(void **state)
{
    struct machine *m = *state;
    data(m, 0xf5);
    EXPECT(m, 0xfa);
    tap(m, 0x1e);
    nothing_waits(m);
    data(m, 0xf4);
    EXPECT(m, 0xfa);
    tap(m, 0x1e);
    EXPECT(m, 0x1e, 0x9e);
}

/* Each key: what set 2 sends is, translated, what set 1 sends. The two tables were written independently. */
static void translated_set_2_is_set_1_for_every_key(void **state)
{
    struct machine *m = *state;
    unsigned keys = 0;
    for (unsigned k = 0; k < 0x200; k++) {
        uint16_t key = (uint16_t)(k < 0x100 ? k : 0xe000 | (k & 0xff));
        uint8_t want[16], s2, s3;
        if (!ps2_key_codes(key, &s2, &s3)) {
            assert_false(i8042_key(&m->kbc, key, true));
            nothing_waits(m);
            continue;
        }
        keys++;
        raw_set(m, 1);
        tap(m, key);
        unsigned n = 0;
        while (status(m) & I8042_STATUS_OBF)
            want[n++] = next(m);
        assert_int_equal(want[n - 1], key == PS2_KEY_PRINT ? 0xaa : 0x80 | (key & 0x7f));
        raw_set(m, 2);
        set_ctr(m, I8042_CTR_XLATE | I8042_CTR_KBD_INT);
        tap(m, key);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(next(m), want[i]);
        nothing_waits(m);
    }
    assert_int_equal(keys, 86 + 18); /* all of a 105-key keyboard but Pause */
}

/* Set 3 gives each key a code of its own, one byte. */
static void set_3_codes_are_unique(void **state)
{
    bool seen[256] = {false};
    for (unsigned k = 0; k < 0x201; k++) {
        uint16_t key = (uint16_t)(k == 0x200 ? PS2_KEY_PAUSE : k < 0x100 ? k : 0xe000 | (k & 0xff));
        uint8_t s2, s3;
        if (!ps2_key_codes(key, &s2, &s3))
            continue;
        assert_true(s3 != 0 && !seen[s3]);
        seen[s3] = true;
    }
}

static void keys_send_their_sequences(void **state)
{
    struct machine *m = *state;
    raw_set(m, 1);
    tap(m, 0xe01d);
    EXPECT(m, 0xe0, 0x1d, 0xe0, 0x9d);
    tap(m, PS2_KEY_PRINT);
    EXPECT(m, 0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa);
    tap(m, PS2_KEY_PAUSE);
    EXPECT(m, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
    raw_set(m, 2);
    tap(m, 0x1e);
    EXPECT(m, 0x1c, 0xf0, 0x1c);
    tap(m, 0xe01d);
    EXPECT(m, 0xe0, 0x14, 0xe0, 0xf0, 0x14);
    tap(m, 0x41);
    EXPECT(m, 0x83, 0xf0, 0x83);
    tap(m, PS2_KEY_PRINT);
    EXPECT(m, 0xe0, 0x12, 0xe0, 0x7c, 0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12);
    tap(m, PS2_KEY_PAUSE);
    EXPECT(m, 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77);
    set_ctr(m, I8042_CTR_XLATE);
    tap(m, PS2_KEY_PAUSE);
    EXPECT(m, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
}

static void set_3_break_codes_follow_the_key_types(void **state)
{
    struct machine *m = *state;
    raw_set(m, 3);
    tap(m, 0x1e); /* make only at first */
    EXPECT(m, 0x1c);
    tap(m, 0x2a); /* but not shift */
    EXPECT(m, 0x12, 0xf0, 0x12);
    data(m, 0xfa); /* all make and break */
    EXPECT(m, 0xfa);
    tap(m, 0x1e);
    EXPECT(m, 0x1c, 0xf0, 0x1c);
    data(m, 0xfd); /* these make only */
    EXPECT(m, 0xfa);
    data(m, 0x1c);
    EXPECT(m, 0xfa);
    data(m, 0x12);
    EXPECT(m, 0xfa);
    data(m, 0xf4);
    EXPECT(m, 0xfa);
    tap(m, 0x1e);
    EXPECT(m, 0x1c);
    tap(m, 0x2a);
    EXPECT(m, 0x12);
    data(m, 0xfc); /* this make and break */
    EXPECT(m, 0xfa);
    data(m, 0x1c);
    EXPECT(m, 0xfa);
    tap(m, 0x1e);
    EXPECT(m, 0x1c, 0xf0, 0x1c);
    data(m, 0xf9); /* all make only */
    EXPECT(m, 0xfa);
    tap(m, 0x2a);
    EXPECT(m, 0x12);
}

/* Sixteen codes, then one marker for all that was lost; sequences are never cut. */
static void full_buffer_is_marked_once(void **state)
{
    struct machine *m = *state;
    static const struct {
        uint8_t set, marker;
    } rows[] = {{1, 0xff}, {2, 0x00}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        raw_set(m, rows[i].set);
        command(m, 0xad);
        for (unsigned n = 0; n < 15; n++)
            assert_true(i8042_key(&m->kbc, 0x39, true));
        assert_false(i8042_key(&m->kbc, 0xe01d, true)); /* two codes, one place */
        assert_false(i8042_key(&m->kbc, 0x39, true));
        command(m, 0xae);
        for (unsigned n = 0; n < 15; n++)
            assert_int_equal(next(m), rows[i].set == 1 ? 0x39 : 0x29);
        EXPECT(m, rows[i].marker);
        assert_true(i8042_key(&m->kbc, 0x39, true));
        next(m);
    }
}

static void any_sequence_stays_in_bounds(void **state)
{
    struct machine *m = *state;
    unsigned seed = 1;
    for (unsigned i = 0; i < 200000; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned r = seed >> 8;
        switch (r & 7) {
        case 0: command(m, (uint8_t)(r >> 4)); break;
        case 1:
        case 2: data(m, (uint8_t)(r >> 4)); break;
        case 3: bus_pio_read(m->bus, 0x60, 1); break;
        case 4: status(m); break;
        default: i8042_key(&m->kbc, (uint16_t)((r & 8 ? 0xe000 : 0) | (r >> 4 & 0x7f)), r & 0x1000); break;
        }
        const struct ps2_keyboard *k = &m->kbc.keyboard;
        assert_true(k->scan_count <= ARRAY_LEN(k->scans) && k->reply_count <= ARRAY_LEN(k->replies));
        assert_false(m->line[1] && m->line[12]);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(reset_leaves_a_translated_keyboard_with_interrupt),
        T(controller_commands_answer),
        T(command_byte_and_memory_are_kept),
        T(enable_and_disable_commands_change_the_command_byte),
        T(self_test_sets_the_system_flag),
        T(disabled_keyboard_keeps_its_codes),
        T(interrupt_rises_for_each_byte),
        T(written_output_buffer_looks_like_a_device),
        T(auxiliary_port_times_out),
        T(output_port_resets_and_a20_stays),
        T(data_after_a_new_command_is_not_the_old_ones),
        T(keyboard_commands_answer),
        T(a_command_in_place_of_an_option_is_obeyed),
        T(resend_repeats_the_last_byte),
        T(answers_go_before_scan_codes),
        T(scan_code_set_is_chosen_and_told),
        T(scanning_is_switched),
        T(translated_set_2_is_set_1_for_every_key),
        T(set_3_codes_are_unique),
        T(keys_send_their_sequences),
        T(set_3_break_codes_follow_the_key_types),
        T(full_buffer_is_marked_once),
        T(any_sequence_stays_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
