/*
 * pc.c: wires a PC.
 *
 * Interrupts: a device's ISA line n leads to pin n of the 8259 pair and to pin n of the I/O APIC (line 0 to
 * pin 2, as the MADT says); PCI lines lead to the I/O APIC alone. The 8259's INTR leads to the first vCPU,
 * the I/O APIC's messages through the bus to the engine, which has the local APICs. Back come the
 * acknowledgement of an 8259 interrupt and the end of a level-triggered one.
 */
#include "machine/pc_impl.h"
#include <stdlib.h>

/* Ports and interrupts that no chip's header fixes. */
enum {
    IRQ_TIMER = 0,
    IRQ_COM1 = 4,
    IRQ_RTC = 8,
    IRQ_FERR = 13,
    IOAPIC_PIN_TIMER = 2,
    COM1_PORT = 0x3f8,
};

/* ---- interrupt wires ---- */

static void isa_irq(void *opaque, unsigned n, bool level)
{
    struct pc *pc = opaque;
    pic_set_irq(&pc->pic, n, level);
    ioapic_set_irq(&pc->ioapic, n == IRQ_TIMER ? IOAPIC_PIN_TIMER : n, level);
}

static void intr(void *opaque, unsigned n, bool level)
{
    struct pc *pc = opaque;
    pc->cfg.engine->extint(pc->engine, level);
}

static void msi(void *opaque, uint64_t addr, uint32_t data)
{
    struct pc *pc = opaque;
    pc->cfg.engine->deliver_msi(pc->engine, addr, data);
}

static int extint_ack(void *opaque)
{
    struct pc *pc = opaque;
    return pic_ack(&pc->pic);
}

static void eoi(void *opaque, uint8_t vector)
{
    struct pc *pc = opaque;
    ioapic_eoi(&pc->ioapic, vector);
}

static bool ferr(void *opaque, bool level)
{
    struct pc *pc = opaque;
    return ferr_set(&pc->ferr, level);
}

static void wake(void *opaque, unsigned id)
{
    struct pc *pc = opaque;
    if (pc->vcpu[id]) /* NULL: power-on, nothing runs yet */
        vcpu_wake(pc->vcpu[id]);
}

struct irq_line pc_isa_line(struct pc *pc, unsigned n)
{
    return (struct irq_line){.fn = isa_irq, .opaque = pc, .n = n};
}

/* ---- what devices do to the whole machine ---- */

static void power_off(void *opaque)
{
    pc_event(opaque, PC_POWER_OFF, 0);
}

static void reset(void *opaque)
{
    pc_event(opaque, PC_RESET, 0);
}

static void debug_exit(void *opaque, uint32_t value)
{
    pc_event(opaque, PC_DEBUG_EXIT, value);
}

/* ---- building ---- */

/* The host's TSC where it can serve; else, for an engine whose guests count it all the same, at that engine's
 * word. */
static struct clock *make_clock(const struct engine_ops *engine, struct err *e)
{
    struct clock *c = clock_new_host(e);
    uint64_t offset;
    uint32_t khz;
    if (c && engine->tsc_khz && !clock_counts_tsc(c, &offset) && (khz = engine->tsc_khz())) {
        clock_free(c);
        c = clock_new_tsc(khz, e);
    }
    return c;
}

static bool make_processor_model(struct pc *pc, struct err *e)
{
    struct cpuid_config c = {.cpus = pc->cfg.cpus, .mitigations = pc->cfg.mitigations};
    pc->clock = make_clock(pc->cfg.engine, e);
    if (!pc->clock)
        return false;
    c.tsc_khz = (uint32_t)clock_tsc_khz(pc->clock);
    cpuid_compose(&pc->cpuid, &c);
    return true;
}

static bool make_memory(struct pc *pc, struct err *e)
{
    struct layout_range range[LAYOUT_MAX_RANGES];
    unsigned n = layout_ranges(&pc->layout, range);

    pc->mem = mem_new();
    pc->bus = bus_new();
    if (!pc->mem || !pc->bus)
        return err_host(e, "no memory for a machine: free some on the host");
    for (unsigned i = 0; i < n; i++)
        if (!(range[i].rom ? mem_add_rom : mem_add_ram)(pc->mem, range[i].gpa, range[i].size, e))
            return false;
    return true;
}

static bool make_processors(struct pc *pc, struct err *e)
{
    const struct engine_config ec = {
        .mem = pc->mem,
        .bus = pc->bus,
        .clock = pc->clock,
        .cpuid = &pc->cpuid,
        .cpus = pc->cfg.cpus,
        .counted = pc->cfg.counted,
        .extint_ack = extint_ack,
        .eoi = eoi,
        .ferr = ferr,
        .wake = wake,
        .opaque = pc,
    };
    pc->engine = pc->cfg.engine->open(&ec, e);
    if (!pc->engine)
        return false;
    for (unsigned i = 0; i < pc->cfg.cpus; i++) {
        const struct vcpu_config vc = {
            .ops = pc->cfg.engine, .engine = pc->engine, .id = i, .stopped = pc_vcpu_stopped, .opaque = pc};
        if (!(pc->vcpu[i] = vcpu_new(&vc, e)))
            return false;
    }
    return true;
}

static void make_devices(struct pc *pc)
{
    /* interrupt controllers */
    pic_init(&pc->pic, (struct irq_line){.fn = intr, .opaque = pc});
    ferr_init(&pc->ferr, pc_isa_line(pc, IRQ_FERR));
    ioapic_init(&pc->ioapic, pc->bus);
    bus_set_msi_sink(pc->bus, msi, pc);

    /* time */
    pit_init(&pc->pit, pc->clock, pc_isa_line(pc, IRQ_TIMER));
    rtc_init(&pc->rtc, pc->clock, pc_isa_line(pc, IRQ_RTC));

    /* power, reset, end */
    const struct machine_event off = {.fn = power_off, .opaque = pc}, again = {.fn = reset, .opaque = pc};
    acpi_pm_init(&pc->pm, pc->clock, pc_isa_line(pc, ACPI_SCI_IRQ), off);
    reset_ctl_init(&pc->reset, again);
    debug_exit_init(&pc->debug_exit, debug_exit, pc);

    /* keyboard controller: pulls the reset line too */
    i8042_init(&pc->i8042, pc_isa_line(pc, I8042_KBD_IRQ), pc_isa_line(pc, I8042_AUX_IRQ), again);

    /* serial port */
    serial_console_init(&pc->com1, pc->clock, pc_isa_line(pc, IRQ_COM1), pc->cfg.console);

    /* PCI */
    struct irq_line intx[PCI_INTX_LINES];
    for (unsigned i = 0; i < PCI_INTX_LINES; i++)
        intx[i] = (struct irq_line){.fn = ioapic_set_irq, .opaque = &pc->ioapic, .n = ACPI_PCI_GSI + i};
    const struct pci_cf9 cf9 = {.read = reset_cf9_read, .write = reset_cf9_write, .opaque = &pc->reset};
    pci_host_init(&pc->pci, LAYOUT_ECAM, intx, &cf9);

    /* what firmware and tests use */
    fwcfg_init(&pc->fwcfg, pc->mem);
    pc_extra_init(pc);

    pc->devices = true;
}

static bool attach_devices(struct pc *pc, struct err *e)
{
    struct bus *b = pc->bus;
    pic_attach(&pc->pic, b);
    ferr_attach(&pc->ferr, b);
    ioapic_attach(&pc->ioapic, b);
    pit_attach(&pc->pit, b);
    rtc_attach(&pc->rtc, b);
    acpi_pm_attach(&pc->pm, b);
    reset_ctl_attach(&pc->reset, b);
    debug_exit_attach(&pc->debug_exit, b);
    i8042_attach(&pc->i8042, b);
    serial_console_attach(&pc->com1, b, COM1_PORT);
    pci_host_attach(&pc->pci, b);
    fwcfg_attach(&pc->fwcfg, b);
    return pc_extra_attach(pc, e);
}

/* What firmware would leave in the CMOS (the register numbers are IBM's, PC AT Technical Reference, section
 * 1). */
static void fill_cmos(struct pc *pc)
{
    enum { EQUIPMENT = 0x14, HAS_FPU = 0x02 };
    rtc_set_cmos(&pc->rtc, EQUIPMENT, HAS_FPU);
    rtc_set_memory(&pc->rtc, pc->layout.low_end, pc->layout.high_end - LAYOUT_ABOVE_4G);
}

static void describe_to_acpi(struct pc *pc)
{
    pc->boot.acpi = (struct acpi_config){
        .cpus = pc->cfg.cpus,
        .pm1_event = ACPI_PM1A_EVT_PORT,
        .pm1_control = ACPI_PM1A_CNT_PORT,
        .pm_timer = ACPI_PM_TMR_PORT,
        .smi_command = ACPI_SMI_CMD_PORT,
        .acpi_enable = ACPI_ENABLE_VALUE,
        .acpi_disable = ACPI_DISABLE_VALUE,
        .sci = ACPI_SCI_IRQ,
        .s5_type = ACPI_SLP_TYP_S5,
        .reset_port = RESET_CF9_PORT,
        .reset_value = RESET_CF9_SYS_RST | RESET_CF9_RST_CPU,
        .com = {{.port = COM1_PORT, .irq = IRQ_COM1}},
        .coms = 1,
        .keyboard = true,
        .rtc_century = RTC_CENTURY,
        .fwcfg = FWCFG_PORT,
    };
}

static bool build(struct pc *pc, struct err *e)
{
    /* All that may be wrong with the configuration comes before what costs something. */
    if (!make_processor_model(pc, e) || !layout_init(&pc->layout, pc->cfg.memory, pc->cpuid.phys_bits, e) ||
        !pc_boot_open(pc, e) || !make_memory(pc, e) || !make_processors(pc, e))
        return false;
    make_devices(pc);
    if (!attach_devices(pc, e))
        return false;
    fill_cmos(pc);
    describe_to_acpi(pc);
    pc_fwcfg_fill(pc);
    if (!pc_boot_load(pc, e))
        return false;
    /* Nothing can go wrong any more: now a file behind a console may lose what it held. */
    serial_console_connect(&pc->com1);
    pc_extra_connect(pc);
    return true;
}

struct pc *pc_new(const struct pc_config *cfg, struct err *e)
{
    struct pc *pc = calloc(1, sizeof(*pc));
    if (!pc) {
        console_close(cfg->console);
        console_close(cfg->debugcon);
        err_host(e, "no memory for a machine: free some on the host");
        return NULL;
    }
    assert(cfg->cpus >= 1 && cfg->cpus <= PC_MAX_CPUS);
    pc->cfg = *cfg;
    pthread_mutex_init(&pc->event_lock, NULL);
    pthread_mutex_init(&pc->timer_lock, NULL);
    if (build(pc, e))
        return pc;
    pc_free(pc);
    return NULL;
}

static void free_devices(struct pc *pc)
{
    pc_extra_destroy(pc);
    fwcfg_destroy(&pc->fwcfg);
    pci_host_destroy(&pc->pci);
    serial_console_destroy(&pc->com1);
    i8042_destroy(&pc->i8042);
    debug_exit_destroy(&pc->debug_exit);
    reset_ctl_destroy(&pc->reset);
    acpi_pm_destroy(&pc->pm);
    rtc_destroy(&pc->rtc);
    pit_destroy(&pc->pit);
    ioapic_destroy(&pc->ioapic);
    ferr_destroy(&pc->ferr);
    pic_destroy(&pc->pic);
}

void pc_free(struct pc *pc)
{
    if (!pc)
        return;
    if (pc->clock)
        pc_timers_detach(pc);
    console_close(pc->cfg.console); /* before the port that it calls */
    console_close(pc->cfg.debugcon);
    if (pc->devices)
        free_devices(pc);
    for (unsigned i = 0; i < pc->cfg.cpus; i++)
        vcpu_free(pc->vcpu[i]);
    if (pc->engine)
        pc->cfg.engine->close(pc->engine);
    pc_boot_close(pc);
    bus_free(pc->bus);
    mem_free(pc->mem);
    clock_free(pc->clock);
    pthread_mutex_destroy(&pc->timer_lock);
    pthread_mutex_destroy(&pc->event_lock);
    free(pc);
}

struct clock *pc_clock(struct pc *pc)
{
    return pc->clock;
}

struct mem *pc_mem(struct pc *pc)
{
    return pc->mem;
}

struct vcpu *pc_vcpu(struct pc *pc, unsigned id)
{
    return pc->vcpu[id];
}
