/*
 * test_ioapic.c: the 82093AA I/O APIC by its registers (Intel 290566).
 */
#include "dev/chip/ioapic.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ID, VER, ARB, RTE = 0x10 };
enum { MASKED = 0x10000, LEVEL = 0x8000, REMOTE_IRR = 0x4000, LOW = 0x2000, LOGICAL = 0x0800 };

struct fixture {
    struct bus *bus;
    struct ioapic ioapic;
    unsigned sent;
    uint64_t addr;
    uint32_t data;
};

static void on_msi(void *opaque, uint64_t addr, uint32_t data)
{
    struct fixture *f = opaque;

    f->sent++;
    f->addr = addr;
    f->data = data;
}

static void put(struct fixture *f, unsigned index, uint32_t v)
{
    bus_mmio_write(f->bus, IOAPIC_BASE, 4, index);
    bus_mmio_write(f->bus, IOAPIC_BASE + 0x10, 4, v);
}

static uint32_t get(struct fixture *f, unsigned index)
{
    bus_mmio_write(f->bus, IOAPIC_BASE, 4, index);
    return (uint32_t)bus_mmio_read(f->bus, IOAPIC_BASE + 0x10, 4);
}

static void set_rte(struct fixture *f, unsigned pin, uint32_t low)
{
    put(f, RTE + 2 * pin, low);
}

static uint32_t rte(struct fixture *f, unsigned pin)
{
    return get(f, RTE + 2 * pin);
}

static void up(struct fixture *f, unsigned pin)
{
    ioapic_set_irq(&f->ioapic, pin, true);
}

static void down(struct fixture *f, unsigned pin)
{
    ioapic_set_irq(&f->ioapic, pin, false);
}

/* How many messages since the last call. */
static unsigned sent(struct fixture *f)
{
    unsigned n = f->sent;

    f->sent = 0;
    return n;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->bus = bus_new();
    bus_set_msi_sink(f->bus, on_msi, f);
    ioapic_init(&f->ioapic, f->bus);
    ioapic_attach(&f->ioapic, f->bus);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ioapic_destroy(&f->ioapic);
    bus_free(f->bus);
    free(f);
    return 0;
}

/* 3.1, 3.2: reset values; the version register of the ICH's. */
static void registers_after_reset(void **state)
{
    struct fixture *f = *state;

    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(get(f, ID), 0);
        assert_int_equal(get(f, VER), 0x00170020);
        assert_int_equal(get(f, ARB), 0);
        for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
            assert_int_equal(rte(f, pin), MASKED);
            assert_int_equal(get(f, RTE + 2 * pin + 1), 0);
        }
        put(f, ID, ~0u);
        for (unsigned i = RTE; i < RTE + 2 * IOAPIC_PINS; i++)
            put(f, i, ~0u);
        ioapic_reset(&f->ioapic);
        assert_int_equal(bus_mmio_read(f->bus, IOAPIC_BASE, 4), 0);
    }
}

/* 3.2.1, 3.2.3: four bits of identity, copied to the arbitration register; version and arbitration are
 * read-only. */
static void identity_and_arbitration(void **state)
{
    struct fixture *f = *state;

    put(f, ID, 0xf5ffffff);
    assert_int_equal(get(f, ID), 0x05000000);
    assert_int_equal(get(f, ARB), 0x05000000);
    put(f, ARB, 0x0a000000);
    assert_int_equal(get(f, ARB), 0x05000000);
    put(f, VER, 0);
    assert_int_equal(get(f, VER), 0x00170020);
}

/* 3.1: the window; what is no register reads zero and takes nothing. */
static void window_holds_to_its_registers(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 256; i++) {
        if (i <= ARB || (i >= RTE && i < RTE + 2 * IOAPIC_PINS))
            continue;
        put(f, i, ~0u);
        assert_int_equal(get(f, i), 0);
    }
    bus_mmio_write(f->bus, IOAPIC_BASE, 1, VER);
    assert_int_equal(bus_mmio_read(f->bus, IOAPIC_BASE, 1), VER);
    assert_int_equal(bus_mmio_read(f->bus, IOAPIC_BASE + 0x10, 4), 0x00170020);
    assert_int_equal(bus_mmio_read(f->bus, IOAPIC_BASE + 0x800, 4), 0);
    put(f, RTE, 0x10033);
    bus_mmio_write(f->bus, IOAPIC_BASE + 0x10, 1, 0x44); /* not a doubleword */
    assert_int_equal(rte(f, 0), 0x10033);
}

/* 3.2.4: which bits of an entry can be written; delivery status and remote IRR cannot. */
static void redirection_entry_bits(void **state)
{
    struct fixture *f = *state;

    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        put(f, RTE + 2 * pin, ~0u);
        put(f, RTE + 2 * pin + 1, ~0u);
        assert_int_equal(rte(f, pin), 0x0001afff);
        assert_int_equal(get(f, RTE + 2 * pin + 1), 0xff000000);
        put(f, RTE + 2 * pin, MASKED | pin);
        assert_int_equal(rte(f, pin), MASKED | pin);
        assert_int_equal(get(f, RTE + 2 * pin + 1), 0xff000000);
    }
    assert_int_equal(sent(f), 0);
}

/* SDM 3A 11.11.1 and 11.11.2: address and data, for every delivery mode of 3.2.4. */
static void message_carries_the_entry(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t low, high;
        uint64_t addr;
        uint32_t data;
    } rows[] = {
        {0x0031, 0x00000000, 0xfee00000, 0x4031}, /* fixed, physical 0 */
        {0x0031, 0x05000000, 0xfee05000, 0x4031}, {0x0831, 0xff000000, 0xfeeff004, 0x4031}, /* logical */
        {0x0131, 0x02000000, 0xfee02008, 0x4131}, /* lowest priority, physical */
        {0x0931, 0x03000000, 0xfee0300c, 0x4131}, /* lowest priority, logical */
        {0x0200, 0x01000000, 0xfee01000, 0x4200}, /* SMI */
        {0x0400, 0x01000000, 0xfee01000, 0x4400}, /* NMI */
        {0x0500, 0x01000000, 0xfee01000, 0x4500}, /* INIT */
        {0x0700, 0x00000000, 0xfee00000, 0x4700}, /* ExtINT */
        {0x8031, 0x01000000, 0xfee01000, 0xc031}, /* level */
        {0xa9fe, 0x81000000, 0xfee8100c, 0xc1fe}, /* level, active low, lowest priority, logical */
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned pin = i * 2;

        put(f, RTE + 2 * pin + 1, rows[i].high);
        set_rte(f, pin, rows[i].low);
        assert_int_equal(sent(f), 0);
        up(f, pin);
        assert_int_equal(sent(f), 1);
        assert_int_equal(f->addr, rows[i].addr);
        assert_int_equal(f->data, rows[i].data);
        down(f, pin);
        assert_int_equal(sent(f), 0);
    }
}

/* 3.2.4, delivery mode: 011 and 110 are reserved. */
static void reserved_modes_send_nothing(void **state)
{
    struct fixture *f = *state;

    set_rte(f, 1, 0x331);
    up(f, 1);
    set_rte(f, 2, 0x8631);
    up(f, 2);
    assert_int_equal(sent(f), 0);
    assert_int_equal(f->ioapic.bad_mode.count, 2);
}

/* 3.2.4, delivery mode: NMI, SMI, INIT and ExtINT are edges even when programmed level. */
static void edge_only_modes_ignore_the_trigger_bit(void **state)
{
    struct fixture *f = *state;
    static const uint8_t modes[] = {2, 4, 5, 7};

    for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
        set_rte(f, 3, LEVEL | modes[i] << 8);
        up(f, 3);
        assert_int_equal(sent(f), 1);
        assert_int_equal(f->data, 0x4000 | modes[i] << 8);
        assert_int_equal(rte(f, 3) & REMOTE_IRR, 0);
        set_rte(f, 3, LEVEL | modes[i] << 8);
        assert_int_equal(sent(f), 0);
        down(f, 3);
    }
}

/* 3.2.4, trigger mode: an edge-triggered pin sends once a rise, and has no remote IRR. */
static void edges_send_once(void **state)
{
    struct fixture *f = *state;

    set_rte(f, 4, 0x40);
    up(f, 4);
    up(f, 4);
    assert_int_equal(sent(f), 1);
    assert_int_equal(rte(f, 4), 0x40);
    ioapic_eoi(&f->ioapic, 0x40);
    set_rte(f, 4, 0x41);
    assert_int_equal(sent(f), 0);
    down(f, 4);
    up(f, 4);
    assert_int_equal(sent(f), 1);
    assert_int_equal(f->data, 0x4041);
}

/* 3.2.4, interrupt mask: an edge on a masked pin is neither delivered nor held. */
static void edges_on_masked_pins_are_lost(void **state)
{
    struct fixture *f = *state;

    set_rte(f, 4, MASKED | 0x40);
    up(f, 4);
    set_rte(f, 4, 0x40);
    assert_int_equal(sent(f), 0);
    down(f, 4);
    up(f, 4);
    assert_int_equal(sent(f), 1);
}

/* 3.2.4, remote IRR: set as the message goes, and nothing more goes until the EOI; then again if still
 * asserted. */
static void level_waits_for_eoi(void **state)
{
    struct fixture *f = *state;

    set_rte(f, 11, LEVEL | LOW | 0x51);
    up(f, 11);
    assert_int_equal(sent(f), 1);
    assert_int_equal(rte(f, 11), LEVEL | LOW | REMOTE_IRR | 0x51);
    down(f, 11);
    up(f, 11);
    set_rte(f, 11, LEVEL | LOW | 0x51);
    assert_int_equal(sent(f), 0);
    ioapic_eoi(&f->ioapic, 0x52); /* another's */
    assert_int_equal(sent(f), 0);
    ioapic_eoi(&f->ioapic, 0x51);
    assert_int_equal(sent(f), 1);
    assert_int_equal(rte(f, 11) & REMOTE_IRR, REMOTE_IRR);
    down(f, 11);
    ioapic_eoi(&f->ioapic, 0x51);
    assert_int_equal(sent(f), 0);
    assert_int_equal(rte(f, 11) & REMOTE_IRR, 0);
    up(f, 11);
    assert_int_equal(sent(f), 1);
}

/* The EOI register at offset 0x40 (ICH; version 0x20): the same for every pin of that vector. */
static void eoi_register(void **state)
{
    struct fixture *f = *state;

    set_rte(f, 16, LEVEL | 0x60);
    set_rte(f, 17, LEVEL | 0x60);
    set_rte(f, 18, LEVEL | 0x61);
    for (unsigned pin = 16; pin < 19; pin++) {
        up(f, pin);
        down(f, pin);
    }
    up(f, 17);
    assert_int_equal(sent(f), 3);
    bus_mmio_write(f->bus, IOAPIC_BASE + 0x40, 4, 0x60);
    assert_int_equal(rte(f, 16) & REMOTE_IRR, 0);
    assert_int_equal(rte(f, 17) & REMOTE_IRR, REMOTE_IRR);
    assert_int_equal(rte(f, 18) & REMOTE_IRR, REMOTE_IRR);
    assert_int_equal(sent(f), 1);
    assert_int_equal(bus_mmio_read(f->bus, IOAPIC_BASE + 0x40, 4), 0);
}

/* 3.2.4, interrupt mask: a level is not held while masked, but seen when still there at the unmasking. */
static void level_and_mask(void **state)
{
    struct fixture *f = *state;

    set_rte(f, 20, MASKED | LEVEL | 0x70);
    up(f, 20);
    down(f, 20);
    set_rte(f, 20, LEVEL | 0x70);
    assert_int_equal(sent(f), 0);
    set_rte(f, 20, MASKED | LEVEL | 0x70);
    up(f, 20);
    assert_int_equal(sent(f), 0);
    set_rte(f, 20, LEVEL | 0x70);
    assert_int_equal(sent(f), 1);
    set_rte(f, 20,
            MASKED | LEVEL | 0x70); /* masked between delivery and EOI: remote IRR stays, EOI clears it */
    assert_int_equal(rte(f, 20) & REMOTE_IRR, REMOTE_IRR);
    ioapic_eoi(&f->ioapic, 0x70);
    assert_int_equal(rte(f, 20) & REMOTE_IRR, 0);
    assert_int_equal(sent(f), 0);
    set_rte(f, 20, LEVEL | 0x70);
    assert_int_equal(sent(f), 1);
}

/* 3.2.4, remote IRR has a meaning for level-triggered pins only: turning to edge and back clears it. */
static void turning_to_edge_clears_remote_irr(void **state)
{
    struct fixture *f = *state;

    set_rte(f, 9, LEVEL | 0x80);
    up(f, 9);
    assert_int_equal(sent(f), 1);
    set_rte(f, 9, MASKED | 0x80);
    assert_int_equal(rte(f, 9), MASKED | 0x80);
    set_rte(f, 9, 0x80); /* the line is up, but that is no edge */
    assert_int_equal(sent(f), 0);
    set_rte(f, 9, LEVEL | 0x80);
    assert_int_equal(sent(f), 1);
}

/* The polarity bit is the wire's affair: lines arrive as "asserted". */
static void polarity_inverts_nothing(void **state)
{
    struct fixture *f = *state;

    set_rte(f, 5, LOW | 0x90);
    assert_int_equal(sent(f), 0);
    up(f, 5);
    assert_int_equal(sent(f), 1);
    down(f, 5);
    assert_int_equal(sent(f), 0);
}

/* Power-on: the pins keep their levels, since those are the devices'. */
static void reset_keeps_the_lines(void **state)
{
    struct fixture *f = *state;

    up(f, 10);
    ioapic_reset(&f->ioapic);
    assert_int_equal(sent(f), 0);
    set_rte(f, 10, LEVEL | 0x33);
    assert_int_equal(sent(f), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(registers_after_reset),
        T(identity_and_arbitration),
        T(window_holds_to_its_registers),
        T(redirection_entry_bits),
        T(message_carries_the_entry),
        T(reserved_modes_send_nothing),
        T(edge_only_modes_ignore_the_trigger_bit),
        T(edges_send_once),
        T(edges_on_masked_pins_are_lost),
        T(level_waits_for_eoi),
        T(eoi_register),
        T(level_and_mask),
        T(turning_to_edge_clears_remote_irr),
        T(polarity_inverts_nothing),
        T(reset_keeps_the_lines),
    };

    return cmocka_run_group_tests_name("ioapic", tests, NULL, NULL);
}
