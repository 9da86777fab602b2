/*
 * pc_extra.c: devices of a PC that are there only where they were asked for: test device and debug console.
 */
#include "machine/pc_impl.h"

static void ioapic_only(void *opaque, unsigned n, bool level)
{
    ioapic_set_irq(opaque, n, level);
}

static void init_testdev(struct pc *pc)
{
    struct irq_line line[TESTDEV_LINES];
    for (unsigned n = 0; n < TESTDEV_LINES; n++)
        line[n] = n < PC_ISA_LINES ? pc_isa_line(pc, n)
                                   : (struct irq_line){.fn = ioapic_only, .opaque = &pc->ioapic, .n = n};
    testdev_init(&pc->testdev, line);
}

void pc_extra_init(struct pc *pc)
{
    if (pc->cfg.testdev)
        init_testdev(pc);
    if (pc->cfg.debugcon)
        debugcon_init(&pc->debugcon, pc->cfg.debugcon);
}

bool pc_extra_attach(struct pc *pc, struct err *e)
{
    if (pc->cfg.testdev)
        testdev_attach(&pc->testdev, pc->bus);
    if (!pc->cfg.debugcon)
        return true;
    uint16_t port = pc->cfg.debugcon_port;
    if (bus_pio_taken(pc->bus, port, 1))
        return err_config(e,
                          "--debugcon 0x%x: that port belongs to another device of the machine; choose "
                          "another, such as 0x402",
                          port);
    debugcon_attach(&pc->debugcon, pc->bus, port);
    return true;
}

void pc_extra_connect(struct pc *pc)
{
    if (pc->cfg.debugcon)
        debugcon_connect(&pc->debugcon);
}

void pc_extra_reset(struct pc *pc)
{
    if (pc->cfg.testdev)
        testdev_reset(&pc->testdev);
}

void pc_extra_destroy(struct pc *pc)
{
    if (pc->cfg.testdev)
        testdev_destroy(&pc->testdev);
    if (pc->cfg.debugcon)
        debugcon_destroy(&pc->debugcon);
}
