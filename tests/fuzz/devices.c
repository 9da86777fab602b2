/*
 * devices.c: fuzz target: every chip of the whole PC, by what reaches it: port and memory accesses, time,
 * keys and characters, interrupt lines, acknowledgements, resets.
 *
 * An input is a sequence of operations, each a byte and its arguments.
 */
#include "fuzz.h"
#include "pc_rig.h"

#include "cpu/lapic.h"

enum { OPERATIONS = 400 };

static struct pc_rig rig;

/* ---- where accesses go ---- */

static const struct {
    uint16_t port, count;
} ports[] = {
    {0x20, 2}, {0xa0, 2},  {0x4d0, 2},  {0x40, 4}, {0x61, 1},  {0x60, 1}, {0x64, 1},
    {0x70, 2}, {0x3f8, 8}, {0x600, 16}, {0xb2, 2}, {0xcf8, 8}, {0x92, 1}, {0xf4, 4},
};
/* Index, then an offset that may be one beyond; or any port. */
static uint16_t take_port(struct cursor *in)
{
    unsigned which = (unsigned)take(in, 1) % (ARRAY_LEN(ports) + 1);
    if (which == ARRAY_LEN(ports))
        return (uint16_t)take(in, 2);
    return (uint16_t)(ports[which].port + take(in, 1) % (ports[which].count + 1u));
}

static const gpa_t windows[] = {LAYOUT_IOAPIC, LAYOUT_ECAM,       LAYOUT_ECAM + 0x8000,
                                LAYOUT_HPET,   LAYOUT_PCI_WINDOW, LAYOUT_ECAM + LAYOUT_ECAM_SIZE - 0x1000};
static gpa_t take_gpa(struct cursor *in)
{
    return windows[take(in, 1) % ARRAY_LEN(windows)] + (take(in, 2) & 0xfff);
}
static unsigned take_size(unsigned op, unsigned sizes)
{
    return 1u << (op >> 4) % sizes;
}

/* ---- operations ---- */

enum op {
    OP_PORT_READ,
    OP_PORT_WRITE,
    OP_MMIO_READ,
    OP_MMIO_WRITE,
    OP_STEP,
    OP_LATE,
    OP_RECEIVE, /* characters on the serial line */
    OP_LINE,    /* one with errors, or the modem's pins */
    OP_KEY,
    OP_IRQ,
    OP_ACKNOWLEDGE, /* the processor takes an interrupt */
    OP_APIC,        /* and talks to its local APIC */
    OP_BUTTON,
    OP_RESET,
    OP_IOAPIC, /* a register of the I/O APIC at once, as drivers do */
    OP_PCI,
    OP_KINDS
};

static void reset_devices(struct pc *pc)
{
    serial_console_reset(&pc->com1);
    i8042_reset(&pc->i8042);
    acpi_pm_reset(&pc->pm);
    reset_ctl_reset(&pc->reset);
    pci_host_reset(&pc->pci);
    pit_reset(&pc->pit);
    rtc_reset(&pc->rtc);
    ioapic_reset(&pc->ioapic);
    pic_reset(&pc->pic);
    lapic_reset(rig.cpu->apic, false);
}

static void receive(struct pc *pc, struct cursor *in)
{
    uint8_t text[UART_FIFO];
    for (unsigned i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i + left(in));
    uart_rx(&pc->com1.uart, text, MIN(uart_rx_space(&pc->com1.uart), (size_t)(take(in, 1) & 15)));
}

static void acknowledge(void)
{
    struct lapic *a = rig.cpu->apic;
    uint8_t sipi;
    if (atomic_load(&rig.cpu->extint_line) && lapic_takes_extint(a)) {
        int vector = rig.cpu->wiring.extint_ack(rig.cpu->wiring.opaque);
        FUZZ_CHECK(vector >= -1 && vector <= 255, "vector %d", vector);
    } else if (lapic_pending(a) >= 0) {
        int vector = lapic_accept(a);
        FUZZ_CHECK(vector >= 16 && vector <= 255, "vector %d", vector);
    }
    lapic_take_signals(a, &sipi);
}

static void apic(unsigned op, struct cursor *in)
{
    struct lapic *a = rig.cpu->apic;
    uint32_t where = (uint32_t)take(in, 2);
    uint64_t v = 0;
    switch (op >> 4 & 7) {
    case 0: lapic_mmio_read(a, where & 0xfff, 4); break;
    case 1: lapic_mmio_write(a, where & 0xff0, 4, (uint32_t)take(in, 4)); break;
    case 2: lapic_mmio_write(a, 0xb0, 4, 0); break;
    case 3: cpu_rdmsr(rig.cpu, 0x800 + (where & 0x3ff), &v); break;
    case 4: cpu_wrmsr(rig.cpu, 0x800 + (where & 0x3f), take(in, 8)); break;
    case 5: cpu_wrmsr(rig.cpu, 0x1b, LAPIC_BASE | (where & 0xd00)); break;
    case 6: cpu_wrmsr(rig.cpu, 0x6e0, cpu_tsc(rig.cpu) + where); break;
    default: lapic_set_tpr(a, (uint8_t)where);
    }
}

static void operation(struct pc *pc, unsigned op, struct cursor *in)
{
    struct bus *b = pc->bus;
    switch (op % OP_KINDS) {
    case OP_PORT_READ: bus_pio_read(b, take_port(in), take_size(op, 3)); break;
    case OP_PORT_WRITE: {
        uint16_t port = take_port(in);
        bus_pio_write(b, port, take_size(op, 3), (uint32_t)take(in, take_size(op, 3)));
        break;
    }
    case OP_MMIO_READ: bus_mmio_read(b, take_gpa(in), take_size(op, 4)); break;
    case OP_MMIO_WRITE: {
        gpa_t gpa = take_gpa(in);
        bus_mmio_write(b, gpa, take_size(op, 4), take(in, take_size(op, 4)));
        break;
    }
    case OP_STEP: clock_step(pc->clock, take(in, 2) << (op >> 4 & 7)); break;
    case OP_LATE: pc_rig_late(&rig, take(in, 2) << (op >> 4 & 15) * 2); break;
    case OP_RECEIVE: receive(pc, in); break;
    case OP_LINE:
        if (op & 0x80)
            uart_set_pins(&pc->com1.uart, (uint8_t)(take(in, 1) & 0xf0));
        else
            uart_rx_line(&pc->com1.uart, (uint8_t)take(in, 1), (uint8_t)(op >> 4 & 7) << 2);
        break;
    case OP_KEY: i8042_key(&pc->i8042, (uint16_t)take(in, 2), op & 0x80); break;
    case OP_IRQ: {
        unsigned n = (unsigned)take(in, 1);
        if (n & 0x80)
            ioapic_set_irq(&pc->ioapic, n % 24, op & 0x80);
        else
            pic_set_irq(&pc->pic, n % 16, op & 0x80);
        break;
    }
    case OP_ACKNOWLEDGE: acknowledge(); break;
    case OP_APIC: apic(op, in); break;
    case OP_BUTTON: acpi_pm_power_button(&pc->pm); break;
    case OP_RESET: reset_devices(pc); break;
    case OP_IOAPIC:
        bus_mmio_write(b, LAYOUT_IOAPIC, 4, 0x10 + take(in, 1) % 0x30);
        bus_mmio_write(b, LAYOUT_IOAPIC + 0x10, 4, take(in, 4));
        break;
    case OP_PCI:
        bus_pio_write(b, 0xcf8, 4, 0x80000000u | (uint32_t)(take(in, 2) & 0xfffc));
        if (op & 0x80)
            bus_pio_write(b, (uint16_t)(0xcfc + (op >> 4 & 3)), 1u << (op >> 5 & 1), (uint32_t)take(in, 4));
        else
            bus_pio_read(b, 0xcfc, 4);
        break;
    default: break;
    }
}

/* What a guest can reach is within bounds, and an end that it asks for is one that exists. */
static void check(struct pc *pc)
{
    const struct uart *u = &pc->com1.uart;
    FUZZ_CHECK(u->rx_count <= UART_FIFO && u->tx_count <= UART_FIFO, "%u %u", u->rx_count, u->tx_count);
    enum pc_event_kind kind = pc_rig_event(&rig);
    FUZZ_CHECK(kind == PC_NOTHING || kind == PC_POWER_OFF || kind == PC_RESET || kind == PC_DEBUG_EXIT, "%d",
               kind);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = {data, data + size};
    if (!rig.pc)
        pc_rig_new(&rig, MIB(2));
    pc_rig_reset(&rig);
    for (unsigned n = 0; n < OPERATIONS && left(&in); n++) {
        operation(rig.pc, (unsigned)take(&in, 1), &in);
        check(rig.pc);
    }
    return 0;
}
