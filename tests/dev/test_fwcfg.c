/*
 * test_fwcfg.c: the firmware configuration interface by its ports and by DMA (QEMU docs/specs/fw_cfg).
 */
#include "dev/fwcfg/fwcfg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CTL_ERROR = 1, CTL_READ = 2, CTL_SKIP = 4, CTL_SELECT = 8, CTL_WRITE = 16 };
enum { RAM = 0x10000, ROM = 0x20000, DESCRIPTOR = 0x100, BUFFER = 0x1000 };

struct machine {
    struct bus *bus;
    struct mem *mem;
    struct fwcfg f;
};

static int setup(void **state)
{
    struct machine *m = calloc(1, sizeof *m);
    m->bus = bus_new();
    m->mem = mem_new();
    assert_true(mem_add_ram(m->mem, 0, RAM, NULL));
    assert_true(mem_add_rom(m->mem, ROM, PAGE_SIZE, NULL));
    fwcfg_init(&m->f, m->mem);
    fwcfg_set(&m->f, FWCFG_CMDLINE_DATA, "0123456789", 10);
    fwcfg_set_number(&m->f, FWCFG_NB_CPUS, 0x1234, 2);
    fwcfg_attach(&m->f, m->bus);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    fwcfg_destroy(&m->f);
    bus_free(m->bus);
    mem_free(m->mem);
    free(m);
    return 0;
}

static void select_key(struct machine *m, unsigned key)
{
    bus_pio_write(m->bus, FWCFG_PORT, 2, key);
}

static uint8_t data(struct machine *m)
{
    return (uint8_t)bus_pio_read(m->bus, FWCFG_PORT + 1, 1);
}

static uint64_t number(struct machine *m, unsigned key, unsigned size)
{
    uint64_t v = 0;
    select_key(m, key);
    for (unsigned i = 0; i < size; i++)
        v |= (uint64_t)data(m) << (8 * i);
    return v;
}

static void put_descriptor(struct machine *m, gpa_t at, uint32_t control, uint32_t length, uint64_t address)
{
    uint8_t d[16];
    store_le(d, __builtin_bswap32(control), 4);
    store_le(d + 4, __builtin_bswap32(length), 4);
    store_le(d + 8, __builtin_bswap64(address), 8);
    assert_true(mem_load(m->mem, at, d, sizeof d));
}

static void start_dma(struct machine *m, uint64_t at)
{
    bus_pio_write(m->bus, FWCFG_DMA_PORT, 4, __builtin_bswap32((uint32_t)(at >> 32)));
    bus_pio_write(m->bus, FWCFG_DMA_PORT + 4, 4, __builtin_bswap32((uint32_t)at));
}

static uint32_t control_of(struct machine *m, gpa_t at)
{
    uint32_t v = 0;
    assert_true(mem_read(m->mem, at, &v, 4));
    return __builtin_bswap32(v);
}

/* The control word that comes back. */
static uint32_t dma(struct machine *m, uint32_t control, uint32_t length, uint64_t address)
{
    put_descriptor(m, DESCRIPTOR, control, length, address);
    start_dma(m, DESCRIPTOR);
    return control_of(m, DESCRIPTOR);
}

static const void *at(struct machine *m, gpa_t gpa)
{
    return mem_ptr(m->mem, gpa, 64);
}

static void selector_and_data_port(void **state)
{
    struct machine *m = *state;
    assert_int_equal(number(m, FWCFG_SIGNATURE, 4), 0x554d4551); /* "QEMU" */
    assert_int_equal(number(m, FWCFG_ID, 4), 3);
    assert_int_equal(number(m, FWCFG_NB_CPUS, 2), 0x1234);
    assert_int_equal(number(m, FWCFG_CMDLINE_DATA, 3), 0x323130);
    assert_int_equal(data(m), '3');
    /* Selecting again begins again; behind the end come zeros, and go on coming. */
    select_key(m, FWCFG_CMDLINE_DATA);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(data(m), '0' + i);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(data(m), 0);
}

static void keys_without_an_item_read_as_zeros(void **state)
{
    struct machine *m = *state;
    for (unsigned key = 0; key < 0x10000; key++) {
        select_key(m, key);
        bool item =
            key == FWCFG_SIGNATURE || key == FWCFG_ID || key == FWCFG_CMDLINE_DATA || key == FWCFG_NB_CPUS;
        assert_true((data(m) != 0) == item);
    }
}

static void what_is_no_selector_changes_nothing(void **state)
{
    struct machine *m = *state;
    select_key(m, FWCFG_CMDLINE_DATA);
    assert_int_equal(data(m), '0');
    bus_pio_write(m->bus, FWCFG_PORT, 1, FWCFG_SIGNATURE); /* the data port: nothing can be written */
    bus_pio_write(m->bus, FWCFG_PORT + 1, 1, 0x55);
    assert_int_equal(data(m), '1');
    select_key(m, FWCFG_CMDLINE_DATA);
    assert_int_equal(data(m), '0');
}

static void directory_is_in_the_order_of_names(void **state)
{
    struct machine *m = *state;
    static const char *const added[] = {"etc/m", "opt/z", "etc/a", "etc/e820", "etc/b"};
    static const char *const sorted[] = {"etc/a", "etc/b", "etc/e820", "etc/m", "opt/z"};
    select_key(m, FWCFG_FILE_DIR);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(data(m), 0); /* none yet */
    for (unsigned i = 0; i < 5; i++)
        fwcfg_add_file(&m->f, added[i], added[i], (uint32_t)strlen(added[i]));
    assert_int_equal(__builtin_bswap32((uint32_t)number(m, FWCFG_FILE_DIR, 4)), 5);
    for (unsigned i = 0; i < 5; i++) {
        uint8_t entry[64];
        select_key(m, FWCFG_FILE_DIR);
        for (unsigned n = 0; n < 4 + i * 64; n++)
            data(m);
        for (unsigned n = 0; n < 64; n++)
            entry[n] = data(m);
        assert_int_equal(__builtin_bswap32((uint32_t)load_le(entry, 4)), strlen(sorted[i]));
        assert_int_equal(__builtin_bswap16((uint16_t)load_le(entry + 4, 2)), FWCFG_FILE_FIRST + i);
        assert_int_equal(load_le(entry + 6, 2), 0);
        assert_string_equal((char *)entry + 8, sorted[i]);
        select_key(m, FWCFG_FILE_FIRST + i);
        for (unsigned n = 0; n < strlen(sorted[i]); n++)
            assert_int_equal(data(m), sorted[i][n]);
    }
}

static void dma_register_shows_its_signature(void **state)
{
    struct machine *m = *state;
    static const char signature[] = "QEMU CFG";
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(bus_pio_read(m->bus, (uint16_t)(FWCFG_DMA_PORT + i), 1), signature[i]);
    assert_int_equal(bus_pio_read(m->bus, FWCFG_DMA_PORT, 4), load_le(signature, 4));
    assert_int_equal(bus_pio_read(m->bus, FWCFG_DMA_PORT + 4, 4), load_le(signature + 4, 4));
}

static void dma_reads_skips_and_selects(void **state)
{
    struct machine *m = *state;
    assert_int_equal(dma(m, FWCFG_CMDLINE_DATA << 16 | CTL_SELECT | CTL_READ, 3, BUFFER), 0);
    assert_memory_equal(at(m, BUFFER), "012\0", 4);
    assert_int_equal(dma(m, CTL_SKIP, 2, 0), 0);
    assert_int_equal(dma(m, CTL_READ, 2, BUFFER + 1), 0);
    assert_memory_equal(at(m, BUFFER), "056\0", 4);
    assert_int_equal(data(m), '7'); /* one position for both ways */
    /* Beyond the end: what there is, and zeros. */
    assert_true(mem_load(m->mem, BUFFER, "xxxxxxxxxxxx", 12));
    assert_int_equal(dma(m, CTL_READ, 6, BUFFER), 0);
    assert_memory_equal(at(m, BUFFER), "89\0\0\0\0xxxxxx", 12);
    /* Skipping beyond the end stays there. */
    assert_int_equal(dma(m, FWCFG_CMDLINE_DATA << 16 | CTL_SELECT | CTL_SKIP, UINT32_MAX, 0), 0);
    assert_int_equal(data(m), 0);
    assert_int_equal(dma(m, CTL_SKIP, UINT32_MAX, 0), 0);
    assert_int_equal(data(m), 0);
    /* Select alone; READ goes before WRITE and SKIP; nothing asked is nothing done. */
    assert_int_equal(dma(m, FWCFG_CMDLINE_DATA << 16 | CTL_SELECT, 4, BUFFER), 0);
    assert_int_equal(data(m), '0');
    assert_int_equal(dma(m, CTL_READ | CTL_WRITE | CTL_SKIP, 2, BUFFER), 0);
    assert_memory_equal(at(m, BUFFER), "12", 2);
    assert_int_equal(dma(m, 0, 2, BUFFER), 0);
    assert_int_equal(data(m), '3');
    /* Across pages. */
    assert_int_equal(dma(m, FWCFG_CMDLINE_DATA << 16 | CTL_SELECT | CTL_READ, 10, 2 * PAGE_SIZE - 5), 0);
    assert_memory_equal(at(m, 2 * PAGE_SIZE - 5), "0123456789", 10);
}

static void dma_that_cannot_be_done_is_an_error(void **state)
{
    struct machine *m = *state;
    const uint32_t read = FWCFG_CMDLINE_DATA << 16 | CTL_SELECT | CTL_READ;
    static const struct {
        uint32_t control, length;
        uint64_t address;
    } rows[] = {
        {CTL_READ, 10, RAM},        {CTL_READ, 10, RAM - 5},        {CTL_READ, 10, ROM},
        {CTL_READ, 10, UINT64_MAX}, {CTL_READ, 10, UINT64_MAX - 4}, {CTL_READ, UINT32_MAX, BUFFER},
        {CTL_WRITE, 4, BUFFER},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        if (dma(m, FWCFG_CMDLINE_DATA << 16 | CTL_SELECT | rows[i].control, rows[i].length,
                rows[i].address) != CTL_ERROR)
            fail_msg("row %u", i);
    /* The next one is as good as ever. */
    assert_int_equal(dma(m, read, 10, BUFFER), 0);
    assert_memory_equal(at(m, BUFFER), "0123456789", 10);
    assert_int_equal(dma(m, CTL_WRITE, 0, BUFFER), 0);
}

/* A descriptor that is not all memory is not read; what of it can be written says so. */
static void descriptor_beyond_memory_is_harmless(void **state)
{
    struct machine *m = *state;
    static const uint64_t places[] = {RAM,       RAM - 8, UINT64_MAX, UINT64_MAX - 7, ROM + PAGE_SIZE - 4,
                                      1ull << 32};
    for (unsigned i = 0; i < ARRAY_LEN(places); i++)
        start_dma(m, places[i]);
    assert_int_equal(control_of(m, RAM - 8), CTL_ERROR);
    assert_int_equal(m->f.dma_refused.count, ARRAY_LEN(places));

    /* The upper half counts for one transfer. */
    put_descriptor(m, DESCRIPTOR, FWCFG_CMDLINE_DATA << 16 | CTL_SELECT | CTL_READ, 2, BUFFER);
    bus_pio_write(m->bus, FWCFG_DMA_PORT + 4, 4, __builtin_bswap32(DESCRIPTOR));
    assert_int_equal(control_of(m, DESCRIPTOR), 0);
    assert_memory_equal(at(m, BUFFER), "01", 2);
    /* One in ROM is done, and stays as it is. */
    put_descriptor(m, ROM, FWCFG_CMDLINE_DATA << 16 | CTL_SELECT | CTL_READ, 2, BUFFER + 8);
    start_dma(m, ROM);
    assert_memory_equal(at(m, BUFFER + 8), "01", 2);
    assert_int_equal(control_of(m, ROM), FWCFG_CMDLINE_DATA << 16 | CTL_SELECT | CTL_READ);
}

static void writes_of_other_sizes_start_nothing(void **state)
{
    struct machine *m = *state;
    const uint32_t control = FWCFG_CMDLINE_DATA << 16 | CTL_SELECT | CTL_READ;
    put_descriptor(m, DESCRIPTOR, control, 2, BUFFER);
    for (unsigned i = 0; i < 8; i++)
        bus_pio_write(m->bus, (uint16_t)(FWCFG_DMA_PORT + i), 1, 0);
    for (unsigned i = 0; i < 8; i += 2)
        bus_pio_write(m->bus, (uint16_t)(FWCFG_DMA_PORT + i), 2, 1);
    bus_pio_write(m->bus, FWCFG_DMA_PORT + 2, 4, __builtin_bswap32(DESCRIPTOR));
    assert_int_equal(control_of(m, DESCRIPTOR), control);
}

static void reset_forgets_selection_and_half_address(void **state)
{
    struct machine *m = *state;
    select_key(m, FWCFG_CMDLINE_DATA);
    data(m);
    bus_pio_write(m->bus, FWCFG_DMA_PORT, 4, __builtin_bswap32(1));
    fwcfg_reset(&m->f);
    assert_int_equal(data(m), 'Q');
    put_descriptor(m, DESCRIPTOR, CTL_READ, 2, BUFFER);
    bus_pio_write(m->bus, FWCFG_DMA_PORT + 4, 4, __builtin_bswap32(DESCRIPTOR));
    assert_memory_equal(at(m, BUFFER), "EM", 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(selector_and_data_port),
        TEST(keys_without_an_item_read_as_zeros),
        TEST(what_is_no_selector_changes_nothing),
        TEST(directory_is_in_the_order_of_names),
        TEST(dma_register_shows_its_signature),
        TEST(dma_reads_skips_and_selects),
        TEST(dma_that_cannot_be_done_is_an_error),
        TEST(descriptor_beyond_memory_is_harmless),
        TEST(writes_of_other_sizes_start_nothing),
        TEST(reset_forgets_selection_and_half_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
