/*
 * test_pc.c: the wires of the PC: which line leads where, what is in memory, what the guest finds at which
 * port. On a fake engine; most of it without a guest, by accesses on the machine's bus.
 */
#include "machine/pc.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "fake_engine.h"

#include "boot/layout.h"
#include "dev/chip/acpi_pm.h"
#include "dev/chip/testdev.h"
#include "dev/fwcfg/fwcfg.h"

static struct loop *loop;

static void on_event(void *opaque)
{
    loop_stop(loop);
}

static struct pc *new_pc(uint64_t memory)
{
    struct err e = {0};
    struct console_spec null = {.kind = CONSOLE_NULL};
    loop = loop_new(&e);
    assert_non_null(loop);
    struct pc_config cfg = {.engine = &fake_good,
                            .loop = loop,
                            .cpus = 1,
                            .memory = memory,
                            .kernel = kernel_file(),
                            .append = "console=ttyS0",
                            .console = console_open(&null, loop, NULL, &e),
                            .event = on_event};
    struct pc *pc = pc_new(&cfg, &e);
    if (!pc)
        fail_msg("%s", e.text);
    return pc;
}

static void end_pc(struct pc *pc)
{
    pc_stop(pc);
    pc_free(pc);
    loop_free(loop);
    assert_null(fake);
}

/* ---- chips as a guest programs them ---- */

static void ioapic_write(struct engine *en, unsigned reg, uint32_t v)
{
    bus_mmio_write(en->cfg.bus, LAYOUT_IOAPIC, 4, reg);
    bus_mmio_write(en->cfg.bus, LAYOUT_IOAPIC + 0x10, 4, v);
}

/* Pin n interrupts with vector 0x40 + n; level triggered where asked for (82093AA section 3.2.4). */
static void ioapic_open(struct engine *en, unsigned pin, bool level)
{
    ioapic_write(en, 0x11 + 2 * pin, 0);
    ioapic_write(en, 0x10 + 2 * pin, (0x40 + pin) | (level ? 1u << 15 : 0));
}

/* Vectors 0x20 and 0x28, all open but what the masks say (8259A, "Initialization command words"). */
static void pic_open(struct engine *en, uint16_t mask)
{
    static const uint8_t init[][2] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 4}, {0x21, 1},
                                      {0xa0, 0x11}, {0xa1, 0x28}, {0xa1, 2}, {0xa1, 1}};
    for (unsigned i = 0; i < ARRAY_LEN(init); i++)
        out(en, init[i][0], 1, init[i][1]);
    out(en, 0x21, 1, mask & 0xff);
    out(en, 0xa1, 1, mask >> 8);
}

/* What makes each device raise its line. */
static void raise_keyboard(struct engine *en, struct pc *pc)
{
    out(en, 0x64, 1, 0xd2); /* the next byte appears as if the keyboard had sent it */
    out(en, 0x60, 1, 0x1c);
}
static void raise_com1(struct engine *en, struct pc *pc)
{
    out(en, 0x3fc, 1, 8); /* OUT2 */
    out(en, 0x3f9, 1, 2); /* transmitter empty */
}
static void raise_sci(struct engine *en, struct pc *pc)
{
    out(en, ACPI_SMI_CMD_PORT, 1, ACPI_ENABLE_VALUE);
    out(en, ACPI_PM1A_EVT_PORT + 2, 2, ACPI_PM1_PWRBTN);
    pc_power_button(pc);
}

static const struct {
    unsigned irq, pin;
    void (*raise)(struct engine *en, struct pc *pc);
} lines[] = {
    {1, 1, raise_keyboard},
    {4, 4, raise_com1},
    {9, 9, raise_sci},
};

static void isa_lines_lead_to_both_controllers(void **state)
{
    for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
        struct pc *pc = new_pc(MIB(64));
        struct engine *en = &fake->en;

        pic_open(en, (uint16_t) ~(BIT(lines[i].irq) | BIT(2)));
        for (unsigned pin = 0; pin < 24; pin++)
            ioapic_open(en, pin, false);
        assert_false(en->intr);
        assert_int_equal(en->msis, 0);

        lines[i].raise(en, pc);
        assert_int_equal(en->msis, 1);
        assert_int_equal(en->msi[0].addr, 0xfee00000);
        assert_int_equal(en->msi[0].data & 0xff, 0x40 + lines[i].pin);
        assert_true(en->intr);
        assert_int_equal(en->cfg.extint_ack(en->cfg.opaque),
                         lines[i].irq < 8 ? 0x20 + lines[i].irq : 0x28 + lines[i].irq - 8);
        assert_false(en->intr);
        end_pc(pc);
    }
}

static void end_of_interrupt_reaches_the_ioapic(void **state)
{
    struct pc *pc = new_pc(MIB(64));
    struct engine *en = &fake->en;

    ioapic_open(en, 9, true);
    raise_sci(en, pc);
    assert_int_equal(en->msis, 1);
    en->cfg.eoi(en->cfg.opaque, 0x48); /* another vector */
    assert_int_equal(en->msis, 1);
    en->cfg.eoi(en->cfg.opaque, 0x49); /* still asserted */
    assert_int_equal(en->msis, 2);
    out(en, ACPI_PM1A_EVT_PORT, 2, ACPI_PM1_PWRBTN);
    en->cfg.eoi(en->cfg.opaque, 0x49);
    assert_int_equal(en->msis, 2);
    end_pc(pc);
}

/* Ticks a hundred times, asleep in between: timer, event loop, lines, MSI, wake-up. */
static enum engine_exit guest_ticks(struct engine *en, struct engine_exit_info *info)
{
    if (!en->st.gpr[RAX]) {
        en->st.gpr[RAX] = 1;
        ioapic_open(en, 2, false); /* ISA line 0 leads to pin 2 */
        out(en, 0x43, 1, 0x34);    /* counter 0, mode 2 */
        out(en, 0x40, 1, 0xa9);    /* 1193 clocks: a millisecond */
        out(en, 0x40, 1, 0x04);
    }
    if (en->msis >= 100)
        out(en, 0xf4, 1, 9);
    return EXIT_HALT;
}

static void timer_interrupts_wake_the_vcpu(void **state)
{
    struct pc *pc = new_pc(MIB(64));
    struct err e;
    guest = guest_ticks;
    assert_true(pc_start(pc, &e));
    loop_run(loop);
    struct pc_event ev = pc_take_event(pc);
    assert_int_equal(ev.kind, PC_DEBUG_EXIT);
    assert_int_equal(ev.debug_exit, 9);
    assert_int_equal(pc_take_event(pc).kind, PC_NOTHING);
    assert_int_equal(fake->en.msi[0].data & 0xff, 0x42);
    end_pc(pc);
}

static void memory_leaves_the_hole_below_4_gib_free(void **state)
{
    struct pc *pc = new_pc(GIB(4));
    struct mem *m = pc_mem(pc);
    uint8_t b = 1;

    assert_int_equal(mem_ram_size(m), GIB(4) - 0x60000); /* less 640 KiB to 1 MiB */
    assert_true(mem_write(m, LAYOUT_HOLE - 1, &b, 1));
    assert_null(mem_find(m, LAYOUT_HOLE));
    assert_null(mem_find(m, GIB(4) - 1));
    assert_true(mem_write(m, GIB(4), &b, 1));
    assert_true(mem_write(m, GIB(5) - 1, &b, 1));
    assert_null(mem_find(m, GIB(5)));
    assert_false(mem_write(m, LAYOUT_BIOS, &b, 1));
    end_pc(pc);
}

static uint8_t cmos(struct engine *en, uint8_t index)
{
    out(en, 0x70, 1, index);
    return (uint8_t)in(en, 0x71, 1);
}

static void guest_finds_what_firmware_leaves(void **state)
{
    struct pc *pc = new_pc(GIB(4));
    struct engine *en = &fake->en;
    char text[16] = "";
    uint64_t rsdp = 0;

    /* 64 KiB units above 16 MiB, below the hole; above 4 GiB. */
    assert_int_equal(cmos(en, 0x34) | cmos(en, 0x35) << 8, (GIB(3) - MIB(16)) >> 16);
    assert_int_equal(cmos(en, 0x5b) | cmos(en, 0x5c) << 8 | cmos(en, 0x5d) << 16, GIB(1) >> 16);
    assert_int_equal(cmos(en, 0x14) & 2, 2); /* coprocessor */

    assert_true(mem_read(pc_mem(pc), LAYOUT_ZERO_PAGE + BP_ACPI_RSDP_ADDR, &rsdp, 8));
    assert_true(mem_read(pc_mem(pc), rsdp, text, 8));
    assert_string_equal(text, "RSD PTR ");
    assert_true(mem_read(pc_mem(pc), LAYOUT_CMDLINE, text, 14));
    assert_string_equal(text, "console=ttyS0");
    assert_int_equal(en->st.rip, KERNEL_LOAD + BOOT_ENTRY64_OFFSET);
    assert_int_equal(en->st.gpr[RSI], LAYOUT_ZERO_PAGE);
    end_pc(pc);
}

static void ports_answer_or_float(void **state)
{
    struct pc *pc = new_pc(MIB(64));
    struct engine *en = &fake->en;

    assert_int_equal(in(en, 0x3fd, 1), 0x60); /* COM1: line status */
    static const uint16_t absent[] = {0x2fd, 0x3ed, 0x2ed, 0x1f7, 0x3c2};
    for (unsigned i = 0; i < ARRAY_LEN(absent); i++)
        assert_int_equal(in(en, absent[i], 1), 0xff);
    out(en, 0xcf8, 4, 0x80000000);
    assert_int_equal(in(en, 0xcfc, 4), 0x00081b36);
    assert_int_equal(bus_mmio_read(en->cfg.bus, LAYOUT_ECAM, 4), 0x00081b36);
    out(en, 0xcf8, 4, 0x80000800);
    assert_int_equal(in(en, 0xcfc, 4), 0xffffffff); /* no device 1 */
    end_pc(pc);
}

static void two_events_before_power_on_count_as_one(void **state)
{
    struct pc *pc = new_pc(MIB(64));
    struct err e;
    guest = guest_ticks;
    out(&fake->en, 0xcf9, 1, 6);
    out(&fake->en, 0xf4, 1, 1);
    assert_int_equal(pc_take_event(pc).kind, PC_RESET);
    assert_int_equal(pc_take_event(pc).kind, PC_NOTHING);
    out(&fake->en, 0xf4, 1, 1);
    assert_int_equal(pc_take_event(pc).kind, PC_NOTHING);

    loop_run(loop); /* has been stopped by the first of them */
    assert_true(pc_start(pc, &e));
    assert_true(pc_reset(pc, &e));
    loop_run(loop);
    assert_int_equal(pc_take_event(pc).kind, PC_DEBUG_EXIT);
    end_pc(pc);
}

/* ---- other ways to start, and devices that are there when asked for ---- */

static struct pc_config config_for(struct err *e)
{
    static const struct console_spec null = {.kind = CONSOLE_NULL};
    loop = loop_new(e);
    assert_non_null(loop);
    return (struct pc_config){.engine = &fake_good,
                              .loop = loop,
                              .cpus = 1,
                              .memory = MIB(64),
                              .console = console_open(&null, loop, NULL, e),
                              .event = on_event};
}

static struct pc *expect_pc(const struct pc_config *cfg)
{
    struct err e = {0};
    struct pc *pc = pc_new(cfg, &e);
    if (!pc)
        fail_msg("%s", e.text);
    return pc;
}

static const char *rom_file(void)
{
    static uint8_t rom[KIB(192)];
    const char *path = test_path("rom");
    for (unsigned i = 0; i < sizeof(rom); i++)
        rom[i] = (uint8_t)(i >> 8);
    put_file(path, rom, sizeof(rom));
    return path;
}

static uint64_t fwcfg_number(struct engine *en, unsigned key, unsigned size)
{
    uint64_t v = 0;
    out(en, FWCFG_PORT, 2, key);
    for (unsigned i = 0; i < size; i++)
        v |= (uint64_t)in(en, FWCFG_PORT + 1, 1) << (8 * i);
    return v;
}

/* SDM 3A table 9-1: the processor starts by itself; the machine has put the ROM there, and nothing else. */
static void firmware_finds_a_processor_after_reset(void **state)
{
    struct err e = {0};
    struct pc_config cfg = config_for(&e);
    cfg.firmware = rom_file();
    cfg.kernel = kernel_file();
    cfg.append = "words";
    struct pc *pc = expect_pc(&cfg);
    struct engine *en = &fake->en;
    const struct x86_state *s = &en->st;
    uint8_t b = 0;

    assert_string_equal(pc_start_words(pc), "offered to the firmware");
    assert_int_equal(s->rip, 0xfff0);
    assert_int_equal(s->seg[SEG_CS].base, 0xffff0000);
    assert_false(s->cr0 & CR0_PE);
    assert_true(mem_read(pc_mem(pc), 0xfffffff0, &b, 1));
    assert_int_equal(b, 0xff);
    assert_true(mem_read(pc_mem(pc), 0xe0000, &b, 1));
    assert_int_equal(b, 0x00); /* 64 KiB into the file */
    assert_true(mem_read(pc_mem(pc), 0xe0100, &b, 1));
    assert_int_equal(b, 0x01);
    const struct mem_slot *low = mem_find(pc_mem(pc), 0);
    for (uint64_t i = 0; i < low->size; i++)
        assert_int_equal(low->hva[i], 0);

    /* The kernel is offered, not started. */
    assert_int_equal(fwcfg_number(en, FWCFG_KERNEL_SIZE, 4), KERNEL_SIZE);
    assert_int_equal(fwcfg_number(en, FWCFG_KERNEL_DATA, 4), 0x150e0700);
    assert_int_equal(fwcfg_number(en, FWCFG_SETUP_SIZE, 4), 2 * BOOT_SECTOR);
    assert_int_equal(fwcfg_number(en, FWCFG_CMDLINE_SIZE, 4), 6);
    assert_int_equal(fwcfg_number(en, FWCFG_CMDLINE_DATA, 5), 0x7364726f77); /* "words" */
    assert_int_equal(fwcfg_number(en, FWCFG_INITRD_SIZE, 4), 0);
    assert_int_equal(fwcfg_number(en, FWCFG_RAM_SIZE, 8), MIB(64));
    end_pc(pc);
}

static void firmware_is_there_again_after_a_reset(void **state)
{
    struct err e = {0};
    struct pc_config cfg = config_for(&e);
    cfg.firmware = rom_file();
    struct pc *pc = expect_pc(&cfg);
    guest = guest_ticks;
    assert_true(pc_start(pc, &e));
    assert_true(pc_reset(pc, &e));
    assert_int_equal(fake->en.boots, 1);
    loop_run(loop);
    assert_int_equal(pc_take_event(pc).kind, PC_DEBUG_EXIT);
    end_pc(pc);
}

static void testdev_lines_lead_to_the_ioapic(void **state)
{
    struct err e = {0};
    struct pc_config cfg = config_for(&e);
    cfg.kernel = kernel_file();
    cfg.testdev = true;
    struct pc *pc = expect_pc(&cfg);
    struct engine *en = &fake->en;
    for (unsigned n = 0; n < 24; n++) {
        unsigned pin = n == 0 ? 2 : n;
        if (n == 2)
            continue; /* the cascade: no line of its own */
        unsigned before = en->msis;
        ioapic_open(en, pin, false);
        out(en, (uint16_t)(TESTDEV_IRQ_PORT + n), 1, 1);
        assert_int_equal(en->msis, before + 1);
        assert_int_equal(en->msi[before % FAKE_MSIS].data & 0xff, 0x40 + pin);
        out(en, (uint16_t)(TESTDEV_IRQ_PORT + n), 1, 0);
        assert_int_equal(en->msis, before + 1);
    }
    end_pc(pc);
}

static void test_ports_are_nobodys_unless_asked_for(void **state)
{
    struct pc *pc = new_pc(MIB(64));
    struct engine *en = &fake->en;
    assert_int_equal(in(en, TESTDEV_PORT, 4), 0xffffffff);
    assert_int_equal(in(en, 0xe9, 1), 0xff);
    assert_true(bus_mmio_read(en->cfg.bus, TESTDEV_MMIO, 8) == ~0ull);
    end_pc(pc);
}

static void debug_console_takes_a_free_port_alone(void **state)
{
    static const struct {
        uint16_t port;
        bool testdev, taken;
    } rows[] = {{0xe9, false, true},   {0x402, false, true}, {0xe9, true, false},
                {0x3f8, false, false}, {0xf4, false, false}, {0x511, false, false}};
    static const struct console_spec null = {.kind = CONSOLE_NULL};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        struct pc_config cfg = config_for(&e);
        cfg.kernel = kernel_file();
        cfg.testdev = rows[i].testdev;
        cfg.debugcon = console_open(&null, loop, NULL, &e);
        cfg.debugcon_port = rows[i].port;
        struct pc *pc = pc_new(&cfg, &e);
        assert_true(!!pc == rows[i].taken);
        if (pc) {
            assert_int_equal(in(&fake->en, rows[i].port, 1), 0xe9);
            end_pc(pc);
        } else {
            assert_int_equal(e.kind, ERR_CONFIG);
            assert_non_null(strstr(e.text, "--debugcon 0x"));
            loop_free(loop);
        }
    }
}

/* "FILE WORDS,FILE": each file is opened, its words kept; of other kinds of kernel a comma is part of the
 * name. */
static void modules_are_cut_at_commas(void **state)
{
    uint8_t kernel[128] = {0};
    const uint32_t header[] = {
        0x1badb002, 0x10003, (uint32_t) - (0x1badb002 + 0x10003), 0x100000, 0x100000, 0, 0, 0x100000};
    memcpy(kernel, header, sizeof(header));
    char kernel_path[128], text[400];
    snprintf(kernel_path, sizeof(kernel_path), "%s", test_path("multiboot"));
    put_file(kernel_path, kernel, sizeof(kernel));
    put_file(test_path("one"), "1", 1);
    put_file(test_path("two"), "22", 2);
    const struct {
        const char *format, *says; /* says NULL: taken */
        unsigned modules;
    } rows[] = {
        {"%s/one", NULL, 1},
        {"%s/one a b,%s/two", NULL, 2},
        {"%s/one,%s/two c,", NULL, 2},
        {"%s/three", "three': no such file", 0},
        {"%s/one,%s/three x", "three': no such file", 0},
        {"%s/one,,%s/two", "initrd ''", 0},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        struct pc_config cfg = config_for(&e);
        char format[64];
        snprintf(format, sizeof(format), "%s", rows[i].format);
        size_t at = 0;
        for (const char *c = format; *c && at + 1 < sizeof(text); c++) {
            if (c[0] == '%' && c[1] == 's') {
                at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", test_dir());
                c++;
            } else {
                text[at++] = *c;
            }
        }
        text[at] = '\0';
        cfg.kernel = kernel_path;
        cfg.initrd = text;
        struct pc *pc = pc_new(&cfg, &e);
        if (!!pc != !rows[i].says || (!pc && !strstr(e.text, rows[i].says)))
            fail_msg("row %u: %s", i, e.text);
        if (!pc) {
            loop_free(loop);
            continue;
        }
        uint32_t count = 0;
        assert_string_equal(pc_start_words(pc), "multiboot, address fields");
        assert_true(mem_read(pc_mem(pc), fake->en.st.gpr[RBX] + 20, &count, 4));
        assert_int_equal(count, rows[i].modules);
        end_pc(pc);
    }

    struct err e = {0};
    struct pc_config cfg = config_for(&e);
    snprintf(text, sizeof(text), "%s", test_path("a,b c"));
    put_file(text, "x", 1);
    cfg.kernel = kernel_file();
    cfg.initrd = text;
    end_pc(expect_pc(&cfg));
}

static int clean_up(void **state)
{
    remove_test_dir();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(isa_lines_lead_to_both_controllers),
        cmocka_unit_test(end_of_interrupt_reaches_the_ioapic),
        cmocka_unit_test(timer_interrupts_wake_the_vcpu),
        cmocka_unit_test(memory_leaves_the_hole_below_4_gib_free),
        cmocka_unit_test(guest_finds_what_firmware_leaves),
        cmocka_unit_test(ports_answer_or_float),
        cmocka_unit_test(two_events_before_power_on_count_as_one),
        cmocka_unit_test(firmware_finds_a_processor_after_reset),
        cmocka_unit_test(firmware_is_there_again_after_a_reset),
        cmocka_unit_test(testdev_lines_lead_to_the_ioapic),
        cmocka_unit_test(test_ports_are_nobodys_unless_asked_for),
        cmocka_unit_test(debug_console_takes_a_free_port_alone),
        cmocka_unit_test(modules_are_cut_at_commas),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
