/*
 * test_pic.c: the pair of 8259A by its registers (Intel 231468).
 */
#include "dev/chip/pic.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { M = 0x20, S = 0xa0, ELCR = 0x4d0 };

struct fixture {
    struct bus *bus;
    struct pic pic;
    bool intr;
    unsigned intr_rises;
};

static void on_intr(void *opaque, unsigned n, bool level)
{
    struct fixture *f = opaque;

    assert_true(level != f->intr);
    f->intr = level;
    f->intr_rises += level;
}

static void out(struct fixture *f, uint16_t port, uint8_t v)
{
    bus_pio_write(f->bus, port, 1, v);
}

static uint8_t in(struct fixture *f, uint16_t port)
{
    return (uint8_t)bus_pio_read(f->bus, port, 1);
}

static uint8_t irr(struct fixture *f, uint16_t chip)
{
    out(f, chip, 0x0a);
    return in(f, chip);
}

static uint8_t isr(struct fixture *f, uint16_t chip)
{
    out(f, chip, 0x0b);
    return in(f, chip);
}

/* As a PC does it: master at 0x30, slave at 0x38, slave on IR2, nothing masked. */
static void init_pair(struct fixture *f, uint8_t master_icw4, uint8_t slave_icw4)
{
    out(f, M, 0x11);
    out(f, M + 1, 0x30);
    out(f, M + 1, 0x04);
    out(f, M + 1, master_icw4);
    out(f, S, 0x11);
    out(f, S + 1, 0x38);
    out(f, S + 1, 0x02);
    out(f, S + 1, slave_icw4);
}

static void up(struct fixture *f, unsigned n)
{
    pic_set_irq(&f->pic, n, true);
}

static void down(struct fixture *f, unsigned n)
{
    pic_set_irq(&f->pic, n, false);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->bus = bus_new();
    pic_init(&f->pic, (struct irq_line){on_intr, f, 0});
    pic_attach(&f->pic, f->bus);
    init_pair(f, 1, 1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    pic_destroy(&f->pic);
    bus_free(f->bus);
    free(f);
    return 0;
}

/* "Initialization command words": no request is looked at before the sequence is complete. */
static void nothing_interrupts_before_initialisation(void **state)
{
    struct fixture *f = *state;

    pic_reset(&f->pic);
    out(f, M + 1, 0xfb); /* not in a sequence: OCW1 */
    assert_int_equal(in(f, M + 1), 0xfb);
    out(f, M + 1, 0);
    up(f, 4);
    assert_false(pic_pending(&f->pic));
    out(f, M, 0x11);
    out(f, M + 1, 0x40);
    out(f, M + 1, 0x04);
    down(f, 4);
    up(f, 4);
    assert_false(pic_pending(&f->pic));
    out(f, M + 1, 0x01);
    assert_true(pic_pending(&f->pic));
    assert_int_equal(pic_ack(&f->pic), 0x44);
}

/* Figure 6: which ICWs follow, by SNGL and IC4. */
static void icw_sequence_has_the_length_icw1_says(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint8_t icw1, words;
    } rows[] = {{0x11, 3}, {0x10, 2}, {0x13, 2}, {0x12, 1}};

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        out(f, M + 1, 0xff);
        out(f, M, rows[i].icw1);
        assert_int_equal(in(f, M + 1), 0); /* ICW1 point b: IMR is cleared */
        for (unsigned k = 0; k < rows[i].words; k++)
            out(f, M + 1, 0x01);
        assert_int_equal(in(f, M + 1), 0);
        out(f, M + 1, 0xa5);
        assert_int_equal(in(f, M + 1), 0xa5);
    }
}

/* "ICW1", points a to f. */
static void icw1_clears_what_the_sheet_lists(void **state)
{
    struct fixture *f = *state;

    up(f, 3);
    up(f, 5);
    assert_int_equal(pic_ack(&f->pic), 0x33);
    out(f, M, 0xc2); /* lowest priority: 2 */
    out(f, M, 0x80); /* rotate in AEOI */
    out(f, M, 0x68); /* special mask mode */
    out(f, M, 0x0b); /* read ISR */
    init_pair(f, 1, 1);
    assert_int_equal(in(f, M), 0); /* IRR is what is read; the edge of IR5 is forgotten */
    assert_int_equal(isr(f, M), 0);
    assert_false(pic_pending(&f->pic));
    down(f, 5);
    up(f, 5); /* a new edge counts */
    assert_int_equal(pic_ack(&f->pic), 0x35);
    out(f, M + 1, 0x20); /* no special mask mode: IR5 masked in service still blocks 6 */
    up(f, 6);
    assert_false(pic_pending(&f->pic));
    up(f, 1); /* 1 is above 5 again: priority is 0 to 7 */
    assert_int_equal(pic_ack(&f->pic), 0x31);
}

/* "ICW4 not needed": all its functions are zero, so no automatic EOI is left over. */
static void missing_icw4_clears_its_functions(void **state)
{
    struct fixture *f = *state;

    init_pair(f, 0x13, 1);
    out(f, M, 0x10);
    out(f, M + 1, 0x30);
    out(f, M + 1, 0x04);
    up(f, 0);
    assert_int_equal(pic_ack(&f->pic), 0x30);
    assert_int_equal(isr(f, M), 0x01);
}

/* "ICW2": T7-T3 of the vector, the level below. */
static void every_line_has_its_vector(void **state)
{
    struct fixture *f = *state;

    for (unsigned n = 0; n < 16; n++) {
        if (n == 2)
            continue;
        up(f, n);
        assert_true(f->intr && pic_pending(&f->pic));
        assert_int_equal(pic_ack(&f->pic), 0x30 + n);
        assert_false(f->intr || pic_pending(&f->pic));
        assert_int_equal(isr(f, M), n < 8 ? 1 << n : 4);
        assert_int_equal(isr(f, S), n < 8 ? 0 : 1 << (n - 8));
        down(f, n);
        out(f, S, 0x20);
        out(f, M, 0x20);
    }
    up(f, 2); /* the slave's input is no line of the machine */
    assert_int_equal(irr(f, M), 0);
}

/* "Interrupt sequence" 2 to 4: IRR set by the edge, cleared by INTA, once for each edge. */
static void an_edge_interrupts_once(void **state)
{
    struct fixture *f = *state;

    up(f, 4);
    assert_int_equal(irr(f, M), 0x10);
    assert_int_equal(pic_ack(&f->pic), 0x34);
    assert_int_equal(irr(f, M), 0);
    assert_int_equal(isr(f, M), 0x10);
    out(f, M, 0x20);
    assert_false(pic_pending(&f->pic));
    up(f, 4); /* no edge */
    assert_false(pic_pending(&f->pic));
    down(f, 4);
    up(f, 4);
    assert_true(pic_pending(&f->pic));
}

/* "Edge and level triggered modes": an input that falls before INTA gives the default IR7, with no ISR bit.
 */
static void a_withdrawn_request_is_answered_by_ir7(void **state)
{
    struct fixture *f = *state;

    up(f, 4);
    assert_true(f->intr);
    down(f, 4);
    assert_false(f->intr);
    assert_int_equal(pic_ack(&f->pic), 0x37);
    assert_int_equal(isr(f, M), 0);
    up(f, 7); /* the real one has its ISR bit */
    assert_int_equal(pic_ack(&f->pic), 0x37);
    assert_int_equal(isr(f, M), 0x80);
}

/* The same for the slave, which here is addressed (ICW3 of both: IR5 too) without a request of its own. */
static void a_slave_without_request_answers_its_ir7(void **state)
{
    struct fixture *f = *state;

    out(f, M, 0x11);
    out(f, M + 1, 0x30);
    out(f, M + 1, 0x24);
    out(f, M + 1, 0x01);
    out(f, S, 0x11);
    out(f, S + 1, 0x38);
    out(f, S + 1, 0x05);
    out(f, S + 1, 0x01);
    up(f, 5);
    assert_int_equal(pic_ack(&f->pic), 0x3f);
    assert_int_equal(isr(f, S), 0);
    assert_int_equal(isr(f, M), 0x20);
    out(f, M, 0x20);
    up(f, 9); /* on IR2, whose identity no slave has: the bus floats and the slave's request stays */
    assert_int_equal(pic_ack(&f->pic), 0xff);
    assert_int_equal(irr(f, S), 0x02);
    assert_int_equal(isr(f, M), 0x04);
}

/* "ICW3": an input that the master does not know as a slave's has the master's own vector. */
static void master_without_slave_bit_answers_itself(void **state)
{
    struct fixture *f = *state;

    out(f, M, 0x13);
    out(f, M + 1, 0x30);
    out(f, M + 1, 0x01);
    up(f, 12);
    assert_int_equal(pic_ack(&f->pic), 0x32);
    assert_int_equal(isr(f, S), 0);
}

/* ELCR (ICH, 4D0h and 4D1h): level lines request as long as they are up; five lines stay edge triggered. */
static void level_lines_interrupt_again_after_eoi(void **state)
{
    struct fixture *f = *state;

    out(f, ELCR, 0xff);
    out(f, ELCR + 1, 0xff);
    assert_int_equal(in(f, ELCR), 0xf8);
    assert_int_equal(in(f, ELCR + 1), 0xde);
    bus_pio_write(f->bus, ELCR, 2, 0x0220);
    assert_int_equal(bus_pio_read(f->bus, ELCR, 2), 0x0220);

    up(f, 5);
    assert_int_equal(pic_ack(&f->pic), 0x35);
    assert_int_equal(irr(f, M), 0x20);
    assert_false(pic_pending(&f->pic));
    out(f, M, 0x20);
    assert_true(pic_pending(&f->pic));
    assert_int_equal(pic_ack(&f->pic), 0x35);
    down(f, 5);
    out(f, M, 0x20);
    assert_false(pic_pending(&f->pic));

    up(f, 9);
    assert_int_equal(pic_ack(&f->pic), 0x39);
    out(f, S, 0x20);
    out(f, M, 0x20);
    assert_int_equal(pic_ack(&f->pic), 0x39);
    down(f, 9);
    out(f, S, 0x20);
    out(f, M, 0x20);
    assert_false(pic_pending(&f->pic));
}

/* The same: no initialisation is needed for a level, and none ends it. */
static void level_survives_initialisation_and_elcr_change(void **state)
{
    struct fixture *f = *state;

    up(f, 5);
    assert_int_equal(pic_ack(&f->pic), 0x35);
    out(f, M, 0x20);
    out(f, ELCR, 0x20);
    assert_true(pic_pending(&f->pic));
    out(f, M, 0x11);
    out(f, M + 1, 0x30);
    assert_false(pic_pending(&f->pic)); /* not in the middle of a sequence */
    init_pair(f, 1, 1);
    assert_int_equal(in(f, ELCR), 0x20);
    assert_true(pic_pending(&f->pic));
    out(f, ELCR, 0);
    assert_false(pic_pending(&f->pic));
    pic_reset(&f->pic);
    init_pair(f, 1, 1);
    out(f, ELCR, 0x20);
    assert_true(pic_pending(&f->pic));
}

/* "Interrupt mask register" and OCW1: masked requests wait, and other levels are not touched. */
static void masks_hold_requests_back(void **state)
{
    struct fixture *f = *state;

    out(f, M + 1, 0x10);
    assert_int_equal(in(f, M + 1), 0x10);
    up(f, 4);
    assert_int_equal(irr(f, M), 0x10);
    assert_false(f->intr);
    up(f, 6);
    assert_int_equal(pic_ack(&f->pic), 0x36);
    out(f, M + 1, 0);
    assert_int_equal(pic_ack(&f->pic), 0x34);
    up(f, 12);
    out(f, M, 0x20);
    out(f, M, 0x20);
    assert_true(f->intr);
    out(f, M + 1, 0x04); /* the whole slave */
    assert_false(f->intr);
    out(f, M + 1, 0);
    out(f, S + 1, 0x10);
    assert_false(f->intr);
    out(f, S + 1, 0);
    assert_int_equal(pic_ack(&f->pic), 0x3c);
}

/* "Fully nested mode": 0 is highest; a level in service holds back its own and lower ones. */
static void fully_nested_priorities(void **state)
{
    struct fixture *f = *state;

    for (unsigned served = 0; served < 8; served++) {
        for (unsigned n = 0; n < 8; n++) {
            if (n == 2 || served == 2)
                continue;
            up(f, served);
            assert_int_equal(pic_ack(&f->pic), 0x30 + served);
            down(f, served);
            up(f, n);
            assert_int_equal(f->intr, n < served);
            down(f, n);
            out(f, M, 0x60 | served);
        }
    }
    for (int n = 15; n >= 0; n--)
        up(f, (unsigned)n);
    static const uint8_t order[] = {0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 3, 4, 5, 6, 7};
    for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
        assert_int_equal(pic_ack(&f->pic), 0x30 + order[i]);
        out(f, S, 0x20);
        out(f, M, 0x20);
    }
    assert_false(f->intr);
}

/* "OCW2", EOI commands: non-specific ends the highest in service, specific any. */
static void eoi_kinds(void **state)
{
    struct fixture *f = *state;

    up(f, 6);
    pic_ack(&f->pic);
    up(f, 3);
    pic_ack(&f->pic);
    up(f, 1);
    pic_ack(&f->pic);
    assert_int_equal(isr(f, M), 0x4a);
    out(f, M, 0x40); /* no operation */
    assert_int_equal(isr(f, M), 0x4a);
    out(f, M, 0x63);
    assert_int_equal(isr(f, M), 0x42);
    out(f, M, 0x20);
    assert_int_equal(isr(f, M), 0x40);
    out(f, M, 0x20);
    assert_int_equal(isr(f, M), 0);
    out(f, M, 0x20);
    assert_int_equal(isr(f, M), 0);
}

/* "Automatic rotation": rotate on non-specific EOI makes the level served the lowest (figure of the ISR
 * before and after). */
static void rotation_on_non_specific_eoi(void **state)
{
    struct fixture *f = *state;

    up(f, 6);
    pic_ack(&f->pic);
    up(f, 4);
    pic_ack(&f->pic);
    out(f, M, 0xa0); /* ends 4: now 5 is highest, 4 lowest */
    assert_int_equal(isr(f, M), 0x40);
    down(f, 4);
    up(f, 4);
    assert_false(f->intr);
    up(f, 5);
    assert_int_equal(pic_ack(&f->pic), 0x35);
    out(f, M, 0x20);
    assert_int_equal(isr(f, M), 0x40);
    out(f, M, 0x20);
    up(f, 3);
    up(f, 0);
    assert_int_equal(pic_ack(&f->pic), 0x30);
    out(f, M, 0x20);
    assert_int_equal(pic_ack(&f->pic), 0x33);
    out(f, M, 0x20);
    assert_int_equal(pic_ack(&f->pic), 0x34);
}

/* "Specific rotation": set priority command, and rotate on specific EOI. */
static void specific_rotation_sets_the_bottom(void **state)
{
    struct fixture *f = *state;

    for (unsigned lowest = 0; lowest < 8; lowest++) {
        out(f, M, 0xc0 | lowest);
        for (unsigned n = 0; n < 8; n++)
            up(f, n);
        for (unsigned i = 1; i <= 8; i++) {
            unsigned n = (lowest + i) & 7;

            if (n == 2)
                continue;
            assert_int_equal(pic_ack(&f->pic), 0x30 + n);
            out(f, M, 0x60 | n);
        }
        for (unsigned n = 0; n < 8; n++)
            down(f, n);
    }
    out(f, M, 0xc7);
    up(f, 3);
    pic_ack(&f->pic);
    out(f, M, 0xe3);
    assert_int_equal(isr(f, M), 0);
    down(f, 3);
    up(f, 3);
    up(f, 7);
    assert_int_equal(pic_ack(&f->pic), 0x37);
}

/* "Automatic end of interrupt": no ISR bit is left after the second INTA, and INT falls and rises between. */
static void aeoi_leaves_nothing_in_service(void **state)
{
    struct fixture *f = *state;

    init_pair(f, 0x03, 0x03);
    up(f, 6);
    up(f, 5);
    f->intr_rises = 0;
    assert_int_equal(pic_ack(&f->pic), 0x35);
    assert_int_equal(isr(f, M), 0);
    assert_true(f->intr);
    assert_int_equal(f->intr_rises, 1);
    assert_int_equal(pic_ack(&f->pic), 0x36);
    assert_false(f->intr);
    up(f, 10);
    up(f, 11);
    assert_int_equal(pic_ack(&f->pic), 0x3a); /* the slave's output falls and rises too: an edge on IR2 */
    assert_int_equal(pic_ack(&f->pic), 0x3b);
    assert_int_equal(isr(f, S), 0);
    assert_false(f->intr);
}

/* "Rotate in automatic EOI mode", set and clear. */
static void aeoi_rotates_when_told(void **state)
{
    struct fixture *f = *state;

    init_pair(f, 0x03, 0x01);
    out(f, M, 0x80);
    for (unsigned n = 3; n < 6; n++)
        up(f, n);
    assert_int_equal(pic_ack(&f->pic), 0x33);
    down(f, 3);
    up(f, 3);
    assert_int_equal(pic_ack(&f->pic), 0x34);
    assert_int_equal(pic_ack(&f->pic), 0x35);
    assert_int_equal(pic_ack(&f->pic), 0x33);
    out(f, M, 0x00);
    for (unsigned n = 3; n < 6; n++)
        down(f, n);
    up(f, 4); /* 3 is lowest and stays it */
    up(f, 5);
    assert_int_equal(pic_ack(&f->pic), 0x34);
    down(f, 4);
    up(f, 4);
    assert_int_equal(pic_ack(&f->pic), 0x34);
    assert_int_equal(pic_ack(&f->pic), 0x35);
}

/* "Special mask mode": a masked level in service holds nobody back; non-specific EOI passes over it. */
static void special_mask_mode(void **state)
{
    struct fixture *f = *state;

    up(f, 3);
    pic_ack(&f->pic);
    out(f, M + 1, 0x08);
    up(f, 5);
    assert_false(f->intr);
    out(f, M, 0x68);
    assert_true(f->intr); /* lower than 3 */
    assert_int_equal(pic_ack(&f->pic), 0x35);
    up(f, 1); /* and higher */
    assert_int_equal(pic_ack(&f->pic), 0x31);
    down(f, 3);
    up(f, 3);
    assert_false(f->intr); /* not its own: it is masked */
    out(f, M, 0x20);
    out(f, M, 0x20);
    assert_int_equal(isr(f, M), 0x08);
    out(f, M, 0x20);
    assert_int_equal(isr(f, M), 0x08);
    out(f, M, 0x08); /* ESMM 0: SMM keeps */
    up(f, 6);
    assert_true(f->intr);
    out(f, M, 0x48);
    assert_false(f->intr);
    out(f, M, 0x63);
    assert_true(f->intr);
}

/* "Special fully nested mode": a slave in service may interrupt again with what is higher inside it. */
static void special_fully_nested_mode(void **state)
{
    struct fixture *f = *state;

    for (unsigned sfnm = 0; sfnm < 2; sfnm++) {
        init_pair(f, sfnm ? 0x11 : 0x01, 0x01);
        up(f, 12);
        assert_int_equal(pic_ack(&f->pic), 0x3c);
        up(f, 3); /* below the slave for the master, in either mode */
        assert_false(f->intr);
        up(f, 14); /* lower inside the slave */
        assert_false(f->intr);
        up(f, 9);
        assert_int_equal(f->intr, sfnm);
        out(f, M, 0x0c);
        assert_int_equal(in(f, M), sfnm ? 0x82 : 0); /* polled, the slave has not been asked yet */
        down(f, 9);
        up(f, 9);
        if (sfnm) {
            assert_int_equal(pic_ack(&f->pic), 0x39);
            assert_int_equal(isr(f, S), 0x12);
            out(f, S, 0x20); /* then software looks whether the slave has more, before it ends IR2 */
            assert_int_equal(isr(f, S), 0x10);
        }
        for (unsigned n = 0; n < 16; n++)
            down(f, n);
    }
}

/* "Poll command": the read is the acknowledgement; I and the level; 0 when there is none. */
static void poll_mode(void **state)
{
    struct fixture *f = *state;

    out(f, M, 0x0c);
    assert_int_equal(in(f, M), 0);
    up(f, 5);
    up(f, 6);
    out(f, M, 0x0c);
    assert_int_equal(in(f, M), 0x85);
    assert_int_equal(isr(f, M), 0x20);
    assert_false(f->intr);
    out(f, M, 0x0c); /* 6 is not above 5 */
    assert_int_equal(in(f, M), 0);
    out(f, M, 0x20);
    out(f, M, 0x0e); /* P before RR; either port */
    assert_int_equal(in(f, M + 1), 0x86);
    assert_int_equal(in(f, M + 1), 0);
    up(f, 9);
    out(f, S, 0x0c);
    assert_int_equal(in(f, S), 0x81);
    assert_int_equal(isr(f, S), 0x02);
}

/* "Poll command" in automatic EOI mode. */
static void poll_ends_automatically_too(void **state)
{
    struct fixture *f = *state;

    init_pair(f, 0x03, 0x01);
    up(f, 5);
    up(f, 6);
    f->intr_rises = 0;
    out(f, M, 0x0c);
    assert_int_equal(in(f, M), 0x85);
    assert_int_equal(isr(f, M), 0);
    assert_int_equal(f->intr_rises, 1); /* for 6 */
    assert_true(f->intr);
}

/* "Reading the 8259A status": the choice of IRR or ISR stays; the odd port is always IMR. */
static void status_read_choice_stays(void **state)
{
    struct fixture *f = *state;

    up(f, 4);
    pic_ack(&f->pic);
    up(f, 6);
    out(f, M + 1, 0x81);
    assert_int_equal(in(f, M), 0x40);
    out(f, M, 0x0b);
    assert_int_equal(in(f, M), 0x10);
    out(f, M, 0x08); /* neither RR nor P */
    assert_int_equal(in(f, M), 0x10);
    assert_int_equal(in(f, M + 1), 0x81);
    out(f, M, 0x0a);
    assert_int_equal(in(f, M), 0x40);
}

/* "Cascade mode": an EOI for each of the two; the slave's next request waits for its own and then the
 * master's. */
static void cascade_needs_both_eois(void **state)
{
    struct fixture *f = *state;

    up(f, 8);
    up(f, 9);
    assert_int_equal(irr(f, M), 0x04);
    assert_int_equal(pic_ack(&f->pic), 0x38);
    assert_int_equal(irr(f, M), 0);
    out(f, S, 0x20);
    assert_int_equal(irr(f, M), 0x04);
    assert_false(f->intr);
    out(f, M, 0x62);
    assert_true(f->intr);
    assert_int_equal(pic_ack(&f->pic), 0x39);
    down(f, 9);
}

/* Power-on state over everything, INTR included. */
static void reset_lowers_intr(void **state)
{
    struct fixture *f = *state;

    up(f, 1);
    out(f, ELCR, 0xf8);
    out(f, M + 1, 0xf0);
    assert_true(f->intr);
    pic_reset(&f->pic);
    assert_false(f->intr);
    assert_int_equal(in(f, ELCR), 0);
    assert_int_equal(in(f, M + 1), 0);
    assert_int_equal(irr(f, M), 0);
}

/* Nothing that a guest writes, in any order, breaks the invariants: INTR is told only changes, vectors are
 * bytes. */
static void random_writes_keep_invariants(void **state)
{
    struct fixture *f = *state;
    static const uint16_t ports[] = {M, M + 1, S, S + 1, ELCR, ELCR + 1};
    uint32_t x = 1;

    for (unsigned i = 0; i < 200000; i++) {
        x = x * 1664525 + 1013904223;
        unsigned what = x >> 28, port = ports[(x >> 8) % ARRAY_LEN(ports)];

        if (what < 6) {
            out(f, (uint16_t)port, (uint8_t)(x >> 16));
        } else if (what < 8) {
            in(f, (uint16_t)port);
        } else if (what < 14) {
            pic_set_irq(&f->pic, (x >> 16) & 15, what & 1);
        } else {
            int v = pic_ack(&f->pic);

            assert_in_range(v, 0, 255);
        }
        assert_int_equal(pic_pending(&f->pic), f->intr);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(nothing_interrupts_before_initialisation),
        T(icw_sequence_has_the_length_icw1_says),
        T(icw1_clears_what_the_sheet_lists),
        T(missing_icw4_clears_its_functions),
        T(every_line_has_its_vector),
        T(an_edge_interrupts_once),
        T(a_withdrawn_request_is_answered_by_ir7),
        T(a_slave_without_request_answers_its_ir7),
        T(master_without_slave_bit_answers_itself),
        T(level_lines_interrupt_again_after_eoi),
        T(level_survives_initialisation_and_elcr_change),
        T(masks_hold_requests_back),
        T(fully_nested_priorities),
        T(eoi_kinds),
        T(rotation_on_non_specific_eoi),
        T(specific_rotation_sets_the_bottom),
        T(aeoi_leaves_nothing_in_service),
        T(aeoi_rotates_when_told),
        T(special_mask_mode),
        T(special_fully_nested_mode),
        T(poll_mode),
        T(poll_ends_automatically_too),
        T(status_read_choice_stays),
        T(cascade_needs_both_eois),
        T(reset_lowers_intr),
        T(random_writes_keep_invariants),
    };

    return cmocka_run_group_tests_name("pic", tests, NULL, NULL);
}
