/*
 * test_pci.c: PCI functions and the host bridge by their registers, through the bus (PCI Local Bus 3.0, PCI
 * Express 3.0).
 */
#include "dev/pci/pci_host.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ECAM 0xe0000000ull

struct machine {
    struct mem *mem;
    struct bus *bus;
    struct pci_host host;
    struct pci_dev dev, fn1;
    bool line[PCI_INTX_LINES];
    unsigned line_changes;
    uint64_t bar_addr[PCI_BARS];
    unsigned bar_calls;
    unsigned written_offset, written_size, written_calls;
    uint8_t cf9;
    unsigned cf9_writes;
};

static void set_line(void *opaque, unsigned n, bool level)
{
    struct machine *m = opaque;
    m->line[n] = level;
    m->line_changes++;
}

static uint8_t cf9_read(void *opaque)
{
    return ((struct machine *)opaque)->cf9;
}

static void cf9_write(void *opaque, uint8_t value)
{
    struct machine *m = opaque;
    m->cf9 = value;
    m->cf9_writes++;
}

static void bar_changed(void *opaque, unsigned bar, uint64_t addr)
{
    struct machine *m = opaque;
    m->bar_addr[bar] = addr;
    m->bar_calls++;
}

static void config_written(void *opaque, unsigned offset, unsigned size)
{
    struct machine *m = opaque;
    m->written_offset = offset;
    m->written_size = size;
    m->written_calls++;
}

static const struct pci_desc test_desc = {
    .name = "test",
    .vendor = 0x1234,
    .device = 0x5678,
    .subsystem_vendor = 0xabcd,
    .subsystem = 0xef01,
    .class_code = 0x010802,
    .revision = 7,
    .interrupt_pin = 1,
    .bar_changed = bar_changed,
    .config_written = config_written,
};
static const struct pci_desc plain_desc = {
    .name = "plain", .vendor = 0x1111, .device = 0x2222, .interrupt_pin = 2};

enum { SLOT = 3, MSIX_SIZE = 12, VENDOR_CAP_SIZE = 6 };

static int setup(void **state)
{
    struct machine *m = test_calloc(1, sizeof(*m));
    m->mem = mem_new();
    m->bus = bus_new();
    struct irq_line intx[PCI_INTX_LINES];
    for (unsigned i = 0; i < PCI_INTX_LINES; i++)
        intx[i] = (struct irq_line){set_line, m, i};
    const struct pci_cf9 cf9 = {cf9_read, cf9_write, m};
    pci_host_init(&m->host, ECAM, intx, &cf9);

    pci_dev_init(&m->dev, &test_desc, m);
    pci_dev_bar(&m->dev, 0, PCI_BAR_MEM32, 4096);
    pci_dev_bar(&m->dev, 1, PCI_BAR_IO, 32);
    pci_dev_bar(&m->dev, 2, PCI_BAR_MEM64_PREFETCH, GIB(8));
    uint8_t cap = pci_dev_capability(&m->dev, 0x11, MSIX_SIZE);
    store_le(m->dev.writable + cap + 2, 0xc000, 2);
    pci_dev_capability(&m->dev, 0x09, VENDOR_CAP_SIZE);
    pci_add(&m->host.bus, &m->dev, PCI_DEVFN(SLOT, 0));

    pci_host_attach(&m->host, m->bus);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    pci_host_destroy(&m->host);
    bus_free(m->bus);
    mem_free(m->mem);
    test_free(m);
    return 0;
}

static uint32_t address(unsigned bus, unsigned slot, unsigned fn, unsigned reg)
{
    return 0x80000000u | bus << 16 | slot << 11 | fn << 8 | (reg & 0xfc);
}

static uint32_t read1(struct machine *m, unsigned slot, unsigned fn, unsigned reg, unsigned size)
{
    bus_pio_write(m->bus, 0xcf8, 4, address(0, slot, fn, reg));
    return bus_pio_read(m->bus, (uint16_t)(0xcfc + (reg & 3)), size);
}

static void write1(struct machine *m, unsigned slot, unsigned fn, unsigned reg, unsigned size, uint32_t value)
{
    bus_pio_write(m->bus, 0xcf8, 4, address(0, slot, fn, reg));
    bus_pio_write(m->bus, (uint16_t)(0xcfc + (reg & 3)), size, value);
}

static uint64_t ecam(unsigned bus, unsigned slot, unsigned fn, unsigned reg)
{
    return ECAM | bus << 20 | slot << 15 | fn << 12 | reg;
}

/* PCI 3.0 section 6.1 and PCI Express 3.0 section 7.2: both mechanisms see the same functions, and only
 * those. */
static void both_mechanisms_enumerate_the_same(void **state)
{
    struct machine *m = *state;
    unsigned found = 0;
    for (unsigned bus = 0; bus < 256; bus += 51) {
        for (unsigned devfn = 0; devfn < 256; devfn++) {
            bus_pio_write(m->bus, 0xcf8, 4, address(bus, devfn >> 3, devfn & 7, 0));
            uint32_t one = bus_pio_read(m->bus, 0xcfc, 4);
            assert_int_equal(one, bus_mmio_read(m->bus, ecam(bus, devfn >> 3, devfn & 7, 0), 4));
            uint32_t want = bus == 0 && devfn == 0                    ? 0x00081b36
                            : bus == 0 && devfn == PCI_DEVFN(SLOT, 0) ? 0x56781234
                                                                      : 0xffffffff;
            assert_int_equal(one, want);
            found += one != 0xffffffff;
        }
    }
    assert_int_equal(found, 2);
}

/* Section 6.2.1: identification; section 6.2.4: subsystem; D.7: class 0x060000 is a host bridge. */
static void headers_identify_the_functions(void **state)
{
    struct machine *m = *state;
    assert_int_equal(read1(m, 0, 0, PCI_REVISION_ID, 4), 0x06000000);
    assert_int_equal(read1(m, 0, 0, PCI_HEADER_TYPE, 1), 0);
    assert_int_equal(read1(m, 0, 0, PCI_INTERRUPT_PIN, 1), 0);
    assert_int_equal(read1(m, SLOT, 0, PCI_REVISION_ID, 4), 0x01080207);
    assert_int_equal(read1(m, SLOT, 0, PCI_SUBSYSTEM_VENDOR_ID, 4), 0xef01abcd);
    assert_int_equal(read1(m, SLOT, 0, PCI_INTERRUPT_PIN, 1), 1);
}

/* Section 3.2.2.3.2: CONFIG_ADDRESS keeps bits 31 and 23:2; with bit 31 clear CONFIG_DATA is ordinary I/O
 * space. */
static void config_address_keeps_defined_bits_and_enables(void **state)
{
    struct machine *m = *state;
    bus_pio_write(m->bus, 0xcf8, 4, 0xffffffff);
    assert_int_equal(bus_pio_read(m->bus, 0xcf8, 4), 0x80fffffc);
    bus_pio_write(m->bus, 0xcf8, 4, address(0, SLOT, 0, 0) & 0x7fffffff);
    assert_int_equal(bus_pio_read(m->bus, 0xcfc, 4), 0xffffffff);
    bus_pio_write(m->bus, 0xcf8, 4, address(0, SLOT, 0, PCI_INTERRUPT_LINE) & 0x7fffffff);
    bus_pio_write(m->bus, 0xcfc, 1, 0x55);
    assert_int_equal(read1(m, SLOT, 0, PCI_INTERRUPT_LINE, 1), 0);
}

/* Section 3.2.2.3.2: only a DWORD access at 0xcf8 is CONFIG_ADDRESS. */
static void narrow_accesses_do_not_reach_config_address(void **state)
{
    struct machine *m = *state;
    static const struct {
        uint16_t port;
        unsigned size;
    } narrow[] = {{0xcf8, 1}, {0xcf8, 2}, {0xcf9, 1}, {0xcf9, 2}, {0xcfa, 1}, {0xcfa, 2}, {0xcfb, 1}};
    bus_pio_write(m->bus, 0xcf8, 4, 0x80001234);
    for (unsigned i = 0; i < ARRAY_LEN(narrow); i++) {
        bus_pio_write(m->bus, narrow[i].port, narrow[i].size, 0);
        assert_int_equal(bus_pio_read(m->bus, 0xcf8, 4), 0x80001234);
        if (narrow[i].port != 0xcf9 || narrow[i].size != 1)
            assert_int_equal(bus_pio_read(m->bus, narrow[i].port, narrow[i].size),
                             mask_bytes(narrow[i].size));
    }
}

/* Port 0xcf9 belongs to the reset control register, and CONFIG_ADDRESS around it works on. */
static void reset_control_lives_inside_config_address(void **state)
{
    struct machine *m = *state;
    bus_pio_write(m->bus, 0xcf8, 4, 0x80000604);
    assert_int_equal(m->cf9_writes, 0);
    bus_pio_write(m->bus, 0xcf9, 1, 0x06);
    assert_int_equal(m->cf9_writes, 1);
    assert_int_equal(m->cf9, 0x06);
    assert_int_equal(bus_pio_read(m->bus, 0xcf9, 1), 0x06);
    assert_int_equal(bus_pio_read(m->bus, 0xcf8, 4), 0x80000604);
}

/* Sections 3.2.2.3.2 and 6.1: byte and word accesses at every place of a dword, by both mechanisms. */
static void narrow_accesses_reach_their_bytes(void **state)
{
    struct machine *m = *state;
    const uint8_t want[] = {0x34, 0x12, 0x78, 0x56};
    for (unsigned size = 1; size <= 4; size *= 2) {
        for (unsigned at = 0; at + size <= 4; at++) {
            uint32_t value = (uint32_t)load_le(want + at, size);
            assert_int_equal(read1(m, SLOT, 0, at, size), value);
            assert_int_equal(bus_mmio_read(m->bus, ecam(0, SLOT, 0, at), size), value);
        }
    }
    write1(m, SLOT, 0, PCI_INTERRUPT_LINE, 1, 0x0b);
    write1(m, SLOT, 0, PCI_CACHE_LINE_SIZE, 1, 0x10);
    assert_int_equal(read1(m, SLOT, 0, PCI_INTERRUPT_LINE, 4), 0x0000010b);
    bus_mmio_write(m->bus, ecam(0, SLOT, 0, PCI_COMMAND + 1), 1, 0x05);
    assert_int_equal(read1(m, SLOT, 0, PCI_COMMAND, 2), 0x0500);
}

/* What reaches past the end of CONFIG_DATA or of a function's 4096 bytes is nobody's. */
static void accesses_across_the_end_are_harmless(void **state)
{
    struct machine *m = *state;
    bus_pio_write(m->bus, 0xcf8, 4, address(0, SLOT, 0, 0xfc));
    bus_pio_write(m->bus, 0xcff, 4, 0);
    (void)bus_pio_read(m->bus, 0xcff, 4);
    assert_int_equal(bus_mmio_read(m->bus, ecam(0, SLOT, 0, 4094), 4), 0xffffffff);
    bus_mmio_write(m->bus, ecam(0, SLOT, 0, 4094), 4, 0);
    assert_int_equal(pci_config_read(&m->dev, 0xffffffff, 4), 0xffffffff);
    pci_config_write(&m->dev, 0xffffffff, 4, 0);
    assert_int_equal(bus_mmio_read(m->bus, ecam(0, SLOT, 0, 256), 4), 0); /* no extended capabilities */
    assert_int_equal(bus_mmio_read(m->bus, ecam(0, SLOT, 0, 0), 8), 0x0010000056781234ull);
}

/* Sections 6.2.1 to 6.2.4: which bits of the header software can set. */
static void only_writable_bits_change(void **state)
{
    struct machine *m = *state;
    static const struct {
        unsigned reg;
        uint32_t ones; /* after writing all ones */
    } rows[] = {
        {0x00, 0x56781234}, {0x04, 0x00100547}, {0x08, 0x01080207}, {0x0c, 0x000000ff}, {0x10, 0xfffff000},
        {0x14, 0xffffffe1}, {0x18, 0x0000000c}, {0x1c, 0xfffffffe}, {0x20, 0x00000000}, {0x24, 0x00000000},
        {0x28, 0x00000000}, {0x2c, 0xef01abcd}, {0x30, 0x00000000}, {0x34, 0x00000040}, {0x38, 0x00000000},
        {0x3c, 0x000001ff}, {0x40, 0xc0004c11}, {0x44, 0x00000000},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        write1(m, SLOT, 0, rows[i].reg, 4, 0xffffffff);
        assert_int_equal(read1(m, SLOT, 0, rows[i].reg, 4), rows[i].ones);
    }
}

/* Section 6.2.3: error bits of the status register are cleared by writing 1, untouched by 0; neighbours stay.
 */
static void status_errors_clear_by_one(void **state)
{
    struct machine *m = *state;
    store_le(m->dev.config + PCI_STATUS, 0xf910, 2);
    write1(m, SLOT, 0, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    assert_int_equal(read1(m, SLOT, 0, PCI_STATUS, 2), 0xf910);
    write1(m, SLOT, 0, PCI_STATUS, 2, 0x8000);
    assert_int_equal(read1(m, SLOT, 0, PCI_STATUS, 2), 0x7910);
    write1(m, SLOT, 0, PCI_STATUS + 1, 1, 0x79);
    assert_int_equal(read1(m, SLOT, 0, PCI_STATUS, 2), 0x0010);
    assert_int_equal(read1(m, SLOT, 0, PCI_COMMAND, 2), PCI_COMMAND_MASTER);
}

/* Section 6.2.5.1: sizing by all ones, 32-bit, I/O and 64-bit; then a mapping once decode is enabled (6.2.2).
 */
static void bars_size_and_map(void **state)
{
    struct machine *m = *state;
    write1(m, SLOT, 0, 0x10, 4, 0xffffffff);
    assert_int_equal(~(read1(m, SLOT, 0, 0x10, 4) & ~0xfu) + 1, 4096);
    write1(m, SLOT, 0, 0x14, 4, 0xffffffff);
    assert_int_equal(~(read1(m, SLOT, 0, 0x14, 4) & ~0x3u) + 1, 32);
    write1(m, SLOT, 0, 0x18, 4, 0xffffffff);
    write1(m, SLOT, 0, 0x1c, 4, 0xffffffff);
    uint64_t mask = (uint64_t)read1(m, SLOT, 0, 0x1c, 4) << 32 | (read1(m, SLOT, 0, 0x18, 4) & ~0xfu);
    assert_true(~mask + 1 == GIB(8));
    assert_int_equal(m->bar_calls, 0);

    write1(m, SLOT, 0, 0x10, 4, 0xc0001234);
    write1(m, SLOT, 0, 0x14, 4, 0xc035);
    write1(m, SLOT, 0, 0x18, 4, 0);
    write1(m, SLOT, 0, 0x1c, 4, 0x6);
    assert_int_equal(m->bar_calls, 0);
    write1(m, SLOT, 0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert_int_equal(m->bar_calls, 2);
    assert_true(m->bar_addr[0] == 0xc0001000);
    assert_true(m->bar_addr[2] == 0x600000000);
    write1(m, SLOT, 0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
    assert_int_equal(m->bar_calls, 3);
    assert_true(m->bar_addr[1] == 0xc020);
    write1(m, SLOT, 0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
    assert_int_equal(m->bar_calls, 3);
    write1(m, SLOT, 0, PCI_COMMAND, 2, 0);
    assert_int_equal(m->bar_calls, 6);
    for (unsigned i = 0; i < 3; i++)
        assert_true(m->bar_addr[i] == PCI_BAR_UNMAPPED);
}

/* A BAR that moves while decoding is reported at each place, and not at those where it cannot be. */
static void bars_move_while_enabled(void **state)
{
    struct machine *m = *state;
    static const struct {
        unsigned bar;
        uint32_t value;
        uint64_t addr;
    } rows[] = {
        {0, 0xc0000000, 0xc0000000},
        {0, 0xc0010000, 0xc0010000},
        {0, 0xffffffff, PCI_BAR_UNMAPPED},
        {0, 0xfffff000, PCI_BAR_UNMAPPED},
        {0, 0xffffe000, 0xffffe000},
        {0, 0, PCI_BAR_UNMAPPED},
        {1, 0xffe0, 0xffe0},
        {1, 0x10000, PCI_BAR_UNMAPPED},
        {1, 0x1000, 0x1000},
        {1, 0xffffffff, PCI_BAR_UNMAPPED},
    };
    m->bar_addr[0] = m->bar_addr[1] = PCI_BAR_UNMAPPED;
    write1(m, SLOT, 0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        write1(m, SLOT, 0, PCI_BAR0 + 4 * rows[i].bar, 4, rows[i].value);
        assert_true(m->bar_addr[rows[i].bar] == rows[i].addr);
    }
}

/* Section 6.7: the list starts at 0x34, each entry dword-aligned, the last one links to 0. */
static void capabilities_form_a_list(void **state)
{
    struct machine *m = *state;
    assert_int_equal(read1(m, SLOT, 0, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, PCI_STATUS_CAP_LIST);
    unsigned first = read1(m, SLOT, 0, PCI_CAPABILITY_LIST, 1);
    assert_int_equal(first, 0x40);
    assert_int_equal(read1(m, SLOT, 0, first, 1), 0x11);
    unsigned second = read1(m, SLOT, 0, first + 1, 1);
    assert_int_equal(second, 0x40 + MSIX_SIZE);
    assert_int_equal(read1(m, SLOT, 0, second, 2), 0x0009);
    assert_int_equal(read1(m, 0, 0, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, 0);

    write1(m, SLOT, 0, first + 2, 2, 0xffff);
    assert_int_equal(read1(m, SLOT, 0, first + 2, 2), 0xc000);
    assert_int_equal(m->written_offset, first + 2);
    assert_int_equal(m->written_size, 2);
    assert_int_equal(m->written_calls, 1);
}

/* Section 6.2.1: bit 7 of the header type says that there are more functions. */
static void second_function_sets_the_multi_function_bit(void **state)
{
    struct machine *m = *state;
    assert_int_equal(read1(m, SLOT, 0, PCI_HEADER_TYPE, 1), 0);
    pci_dev_init(&m->fn1, &plain_desc, m);
    pci_add(&m->host.bus, &m->fn1, PCI_DEVFN(SLOT, 1));
    assert_int_equal(read1(m, SLOT, 0, PCI_HEADER_TYPE, 1), 0x80);
    assert_int_equal(read1(m, SLOT, 1, PCI_HEADER_TYPE, 1), 0x80);
    assert_int_equal(read1(m, SLOT, 1, PCI_VENDOR_ID, 4), 0x22221111);
    assert_int_equal(read1(m, SLOT, 2, PCI_VENDOR_ID, 4), 0xffffffff);
    assert_int_equal(read1(m, 0, 0, PCI_HEADER_TYPE, 1), 0);
}

/* Sections 2.2.6, 6.2.2, 6.2.3: INTx drives its line unless disabled; the status bit shows it either way. */
static void intx_follows_pin_mask_and_sharing(void **state)
{
    struct machine *m = *state;
    /* Slot 3 INTA and slot 2 INTB are both line 3. */
    pci_dev_init(&m->fn1, &plain_desc, m);
    pci_add(&m->host.bus, &m->fn1, PCI_DEVFN(2, 0));

    pci_intx(&m->dev, true);
    assert_true(m->line[3]);
    assert_int_equal(read1(m, SLOT, 0, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, PCI_STATUS_INTERRUPT);
    pci_intx(&m->fn1, true);
    pci_intx(&m->dev, false);
    assert_true(m->line[3]);
    assert_int_equal(read1(m, SLOT, 0, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, 0);
    write1(m, 2, 0, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
    assert_false(m->line[3]);
    assert_int_equal(read1(m, 2, 0, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, PCI_STATUS_INTERRUPT);
    write1(m, 2, 0, PCI_COMMAND, 2, 0);
    assert_true(m->line[3]);
    assert_int_equal(m->line_changes, 3);
}

/* Section 6.2.2 and 4.3.2: reset disables decoding and clears what software wrote, not what the function is.
 */
static void reset_restores_power_on_state(void **state)
{
    struct machine *m = *state;
    uint8_t before[PCI_CONFIG_SIZE];
    memcpy(before, m->dev.config, sizeof(before));
    m->bar_addr[0] = PCI_BAR_UNMAPPED;
    for (unsigned reg = 4; reg < 0x60; reg += 4)
        write1(m, SLOT, 0, reg, 4, reg == 0x10 ? 0xd0000000 : 0xffffffff);
    assert_true(m->bar_addr[0] == 0xd0000000);
    write1(m, SLOT, 0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    pci_intx(&m->dev, true);
    pci_dev_reset(&m->dev);
    pci_host_reset(&m->host);
    assert_memory_equal(m->dev.config, before, sizeof(before));
    assert_true(m->bar_addr[0] == PCI_BAR_UNMAPPED);
    assert_false(m->line[3]);
    assert_int_equal(bus_pio_read(m->bus, 0xcf8, 4), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_mechanisms_enumerate_the_same),
        TEST(headers_identify_the_functions),
        TEST(config_address_keeps_defined_bits_and_enables),
        TEST(narrow_accesses_do_not_reach_config_address),
        TEST(reset_control_lives_inside_config_address),
        TEST(narrow_accesses_reach_their_bytes),
        TEST(accesses_across_the_end_are_harmless),
        TEST(only_writable_bits_change),
        TEST(status_errors_clear_by_one),
        TEST(bars_size_and_map),
        TEST(bars_move_while_enabled),
        TEST(capabilities_form_a_list),
        TEST(second_function_sets_the_multi_function_bit),
        TEST(intx_follows_pin_mask_and_sharing),
        TEST(reset_restores_power_on_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
