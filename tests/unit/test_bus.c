/*
 * test_bus.c: dispatch of ports and addresses, splitting, neighbours, locks, counters, lines and MSIs.
 */
#include "bus/bus.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * A device that writes down each call as "r<size>@<offset>" or "w<size>@<offset>=<value>", and answers reads
 * with bytes that are 0x10 + offset; the bits above the size are set, and the bus must not let them through.
 */
struct scribe {
    char text[400];
    pthread_mutex_t lock;
    bool unlocked; /* a handler ran without the lock */
};

static void note(struct scribe *s, const char *fmt, ...) PRINTF(2, 3);
static void note(struct scribe *s, const char *fmt, ...)
{
    size_t len = strlen(s->text);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->text + len, sizeof(s->text) - len, fmt, ap);
    va_end(ap);
    if (pthread_mutex_trylock(&s->lock) == 0) {
        pthread_mutex_unlock(&s->lock);
        s->unlocked = true;
    }
}

static uint64_t scribe_read(void *opaque, uint64_t offset, unsigned size)
{
    struct scribe *s = opaque;
    note(s, "%sr%u@%x", *s->text ? " " : "", size, (unsigned)offset);
    uint64_t v = ~0ull;
    for (unsigned i = 0; i < size; i++)
        store_le((uint8_t *)&v + i, 0x10 + offset + i, 1);
    return v;
}

static void scribe_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct scribe *s = opaque;
    note(s, "%sw%u@%x=%llx", *s->text ? " " : "", size, (unsigned)offset, (unsigned long long)value);
}

static void scribe_init(struct scribe *s)
{
    *s = (struct scribe){0};
    pthread_mutex_init(&s->lock, NULL);
}

static const struct bus_desc any_to_4 = {"any_to_4", scribe_read, scribe_write, 0, 0};
static const struct bus_desc bytes_only = {"bytes_only", scribe_read, scribe_write, 1, 1};
static const struct bus_desc words_only = {"words_only", scribe_read, scribe_write, 2, 2};
static const struct bus_desc dwords_only = {"dwords_only", scribe_read, scribe_write, 4, 4};
static const struct bus_desc any_to_8 = {"any_to_8", scribe_read, scribe_write, 1, 8};
static const struct bus_desc silent = {"silent", NULL, NULL, 0, 0};

static void accesses_are_split_and_cut_to_the_sizes_described(void **state)
{
    static const struct {
        const struct bus_desc *desc;
        unsigned offset, size;
        uint64_t value; /* read */
        const char *reads, *writes;
    } table[] = {
        {&any_to_4, 0, 1, 0x10, "r1@0", "w1@0=88"},
        {&any_to_4, 2, 2, 0x1312, "r2@2", "w2@2=7788"},
        {&any_to_4, 4, 4, 0x17161514, "r4@4", "w4@4=55667788"},
        {&any_to_4, 8, 8, 0x1f1e1d1c1b1a1918, "r4@8 r4@c", "w4@8=55667788 w4@c=11223344"},
        {&any_to_4, 1, 3, 0x131211, "r2@1 r1@3", "w2@1=7788 w1@3=66"},
        {&any_to_4, 0, 7, 0x16151413121110, "r4@0 r2@4 r1@6", "w4@0=55667788 w2@4=3344 w1@6=22"},
        {&bytes_only, 0, 4, 0x13121110, "r1@0 r1@1 r1@2 r1@3", "w1@0=88 w1@1=77 w1@2=66 w1@3=55"},
        {&words_only, 0, 1, 0xff, "", ""},
        {&words_only, 0, 4, 0x13121110, "r2@0 r2@2", "w2@0=7788 w2@2=5566"},
        {&words_only, 0, 3, 0xff1110, "r2@0", "w2@0=7788"},
        {&dwords_only, 4, 2, 0xffff, "", ""},
        {&dwords_only, 4, 4, 0x17161514, "r4@4", "w4@4=55667788"},
        {&dwords_only, 4, 5, 0xff17161514, "r4@4", "w4@4=55667788"},
        {&any_to_8, 8, 8, 0x1f1e1d1c1b1a1918, "r8@8", "w8@8=1122334455667788"},
        {&silent, 0, 4, 0xffffffff, "", ""},
    };
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct bus *b = bus_new();
        struct scribe s;
        scribe_init(&s);
        bus_add_mmio(b, 0xfe000000, 0x100, table[i].desc, &s, &s.lock);
        gpa_t at = 0xfe000000 + table[i].offset;
        assert_int_equal(bus_mmio_read(b, at, table[i].size), table[i].value);
        assert_string_equal(s.text, table[i].reads);
        s.text[0] = 0;
        bus_mmio_write(b, at, table[i].size, 0x1122334455667788);
        assert_string_equal(s.text, table[i].writes);
        assert_false(s.unlocked);
        assert_int_equal(bus_counts(b).unclaimed, 0);
        bus_free(b);
    }
}

static void ports_are_found_at_both_ends_of_the_space(void **state)
{
    struct bus *b = bus_new();
    struct scribe s;
    scribe_init(&s);
    bus_add_pio(b, 0, 1, &any_to_4, &s, &s.lock);
    bus_add_pio(b, 0xfffe, 2, &any_to_4, &s, &s.lock);
    assert_int_equal(bus_pio_read(b, 0, 1), 0x10);
    assert_int_equal(bus_pio_read(b, 1, 1), 0xff);
    assert_int_equal(bus_pio_read(b, 0xfffd, 1), 0xff);
    assert_int_equal(bus_pio_read(b, 0xfffe, 2), 0x1110);
    assert_int_equal(bus_pio_read(b, 0xfffe, 4), 0xffff1110); /* ports do not wrap to 0 */
    bus_free(b);
}

static void a_range_may_be_the_whole_space(void **state)
{
    struct bus *b = bus_new();
    struct scribe s;
    scribe_init(&s);
    bus_add_pio(b, 0, 0x10000, &any_to_4, &s, &s.lock);
    bus_add_mmio(b, 1, UINT64_MAX, &any_to_8, &s, &s.lock);
    bus_pio_write(b, 0xfffc, 4, 0x12345678);
    bus_mmio_write(b, UINT64_MAX, 1, 0xaa);
    assert_string_equal(s.text, "w4@fffc=12345678 w1@fffffffe=aa");
    assert_int_equal(bus_mmio_read(b, 0, 1), 0xff);
    bus_free(b);
}

static void an_access_over_the_end_goes_to_the_neighbours_by_bytes(void **state)
{
    struct bus *b = bus_new();
    struct scribe low, high;
    scribe_init(&low);
    scribe_init(&high);
    bus_add_pio(b, 0x60, 1, &any_to_4, &low, &low.lock);
    bus_add_pio(b, 0x61, 4, &any_to_4, &high, &high.lock);
    assert_int_equal(bus_pio_read(b, 0x60, 4), 0x12111010);
    assert_string_equal(low.text, "r1@0");
    assert_string_equal(high.text, "r1@0 r1@1 r1@2");
    low.text[0] = high.text[0] = 0;
    bus_pio_write(b, 0x60, 2, 0xbbaa);
    assert_string_equal(low.text, "w1@0=aa");
    assert_string_equal(high.text, "w1@0=bb");
    assert_int_equal(bus_pio_read(b, 0x5f, 2), 0x10ff); /* nobody at the first byte */
    assert_int_equal(bus_pio_read(b, 0x64, 2), 0xff13); /* nobody at the last */
    bus_add_mmio(b, 0x1000, 8, &any_to_8, &low, &low.lock);
    bus_add_mmio(b, 0x1008, 8, &dwords_only, &high, &high.lock);
    low.text[0] = high.text[0] = 0;
    assert_int_equal(bus_mmio_read(b, 0x1004, 8), 0xffffffff17161514); /* bytes are below its min_size */
    assert_string_equal(low.text, "r1@4 r1@5 r1@6 r1@7");
    assert_string_equal(high.text, "");
    assert_int_equal(bus_counts(b).unclaimed, 0);
    bus_free(b);
}

static void the_last_addresses_do_not_wrap(void **state)
{
    struct bus *b = bus_new();
    struct scribe s;
    scribe_init(&s);
    bus_add_mmio(b, 0, 0x10, &any_to_4, &s, &s.lock);
    bus_add_mmio(b, UINT64_MAX - 3, 4, &any_to_4, &s, &s.lock);
    assert_int_equal(bus_mmio_read(b, UINT64_MAX - 3, 4), 0x13121110);
    assert_int_equal(bus_mmio_read(b, UINT64_MAX - 1, 4), 0xffff1312);
    s.text[0] = 0;
    bus_mmio_write(b, UINT64_MAX, 8, ~0ull);
    assert_string_equal(s.text, "w1@3=ff");
    bus_free(b);
}

static void unclaimed_accesses_read_ones_and_are_counted(void **state)
{
    struct bus *b = bus_new();
    static const struct {
        unsigned size;
        uint64_t ones;
    } table[] = {{1, 0xff}, {2, 0xffff}, {4, 0xffffffff}};
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        assert_int_equal(bus_pio_read(b, 0x80, table[i].size), table[i].ones);
        bus_pio_write(b, 0x80, table[i].size, 0);
    }
    for (unsigned size = 1; size <= 8; size++) {
        assert_int_equal(bus_mmio_read(b, 0x80000000, size), mask_bytes(size));
        bus_mmio_write(b, 0x80000000, size, 0);
    }
    struct bus_counts n = bus_counts(b);
    assert_int_equal(n.pio, 6);
    assert_int_equal(n.mmio, 16);
    assert_int_equal(n.unclaimed, 22);
    struct scribe s;
    scribe_init(&s);
    bus_add_pio(b, 0x80, 1, &any_to_4, &s, &s.lock);
    bus_pio_read(b, 0x80, 2); /* half of it is somebody's */
    assert_int_equal(bus_counts(b).pio, 7);
    assert_int_equal(bus_counts(b).unclaimed, 22);
    bus_free(b);
}

static void every_one_of_many_ranges_is_found(void **state)
{
    enum { N = 200 };
    struct bus *b = bus_new();
    struct scribe *s = calloc(N, sizeof(*s));
    for (unsigned i = 0; i < N; i++) {
        unsigned k = i * 77 % N; /* in no order */
        scribe_init(&s[k]);
        bus_add_mmio(b, GIB(3) + k * 0x100, 0x80, &any_to_4, &s[k], &s[k].lock);
        bus_add_pio(b, (uint16_t)(0x1000 + k * 0x10), 8, &any_to_4, &s[k], NULL);
    }
    for (unsigned k = 0; k < N; k++) {
        bus_mmio_write(b, GIB(3) + k * 0x100, 1, k);
        bus_mmio_write(b, GIB(3) + k * 0x100 + 0x7c, 4, 1);
        bus_mmio_write(b, GIB(3) + k * 0x100 + 0x80, 1, 2); /* the gap */
        bus_pio_write(b, (uint16_t)(0x1000 + k * 0x10 + 7), 1, 3);
        bus_pio_write(b, (uint16_t)(0x1000 + k * 0x10 + 8), 1, 4);
        char want[80];
        snprintf(want, sizeof(want), "w1@0=%x w4@7c=1 w1@7=3", k);
        assert_string_equal(s[k].text, want);
        assert_true(s[k].unlocked); /* the ports were registered without a lock */
    }
    assert_int_equal(bus_counts(b).unclaimed, 2 * N);
    free(s);
    bus_free(b);
}

struct line_log {
    unsigned calls, n;
    bool level[4];
};

static void on_line(void *opaque, unsigned n, bool level)
{
    struct line_log *l = opaque;
    l->n = n;
    l->level[l->calls++] = level;
}

static void lines_pass_levels_and_may_be_unconnected(void **state)
{
    struct line_log log = {0};
    struct irq_line line = {on_line, &log, 5}, open = {0};
    irq_set(&open, true);
    irq_pulse(&open);
    irq_set(&line, true);
    irq_pulse(&line);
    assert_int_equal(log.calls, 3);
    assert_int_equal(log.n, 5);
    assert_true(log.level[0] && log.level[1] && !log.level[2]);
}

static void on_msi(void *opaque, uint64_t addr, uint32_t data)
{
    *(uint64_t *)opaque = addr + data;
}

static void msis_reach_the_sink(void **state)
{
    struct bus *b = bus_new();
    uint64_t sum = 0;
    bus_msi(b, 0xfee00000, 0x41); /* no sink yet: lost */
    bus_set_msi_sink(b, on_msi, &sum);
    assert_int_equal(sum, 0);
    bus_msi(b, 0xfee01000, 0x41);
    assert_int_equal(sum, 0xfee01041);
    bus_free(b);
}

/* The device's two halves are written together under its lock; a reader of both at once never sees them
 * apart. */
struct halves {
    pthread_mutex_t lock;
    uint32_t half[2];
};

static uint64_t halves_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((struct halves *)opaque)->half[offset / 4 & 1];
}

static void halves_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    ((struct halves *)opaque)->half[offset / 4 & 1] = (uint32_t)value;
}

static void *write_halves(void *opaque)
{
    for (uint64_t i = 0; i < 20000; i++)
        bus_mmio_write(opaque, 0x1000, 8, i << 32 | i);
    return NULL;
}

static void a_split_access_is_whole_for_other_threads(void **state)
{
    static const struct bus_desc desc = {"halves", halves_read, halves_write, 4, 4};
    struct bus *b = bus_new();
    struct halves h = {0};
    pthread_mutex_init(&h.lock, NULL);
    bus_add_mmio(b, 0x1000, 8, &desc, &h, &h.lock);
    pthread_t writer;
    pthread_create(&writer, NULL, write_halves, b);
    unsigned torn = 0;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t v = bus_mmio_read(b, 0x1000, 8);
        torn += (uint32_t)v != v >> 32;
    }
    pthread_join(writer, NULL);
    assert_int_equal(torn, 0);
    assert_int_equal(bus_counts(b).mmio, 40000);
    bus_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accesses_are_split_and_cut_to_the_sizes_described),
        cmocka_unit_test(ports_are_found_at_both_ends_of_the_space),
        cmocka_unit_test(a_range_may_be_the_whole_space),
        cmocka_unit_test(an_access_over_the_end_goes_to_the_neighbours_by_bytes),
        cmocka_unit_test(the_last_addresses_do_not_wrap),
        cmocka_unit_test(unclaimed_accesses_read_ones_and_are_counted),
        cmocka_unit_test(every_one_of_many_ranges_is_found),
        cmocka_unit_test(lines_pass_levels_and_may_be_unconnected),
        cmocka_unit_test(msis_reach_the_sink),
        cmocka_unit_test(a_split_access_is_whole_for_other_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
