/*
 * acpi_dsdt.c: the DSDT: processors, the PCI host bridge with its windows and interrupt routing, legacy
 * devices.
 *
 * In ASL it would read
 *
 *   Name (\_S5, Package () {s5, s5, 0, 0})
 *   Scope (\_SB) {
 *     Device (C000) {_HID ACPI0007, _UID 0} ...
 *     Device (MRES) {_HID PNP0C02, _CRS: ECAM, power management ports}
 *     Device (PCI0) {_HID PNP0A08, _CID PNP0A03, _CRS: buses, ports, memory; _PRT
 *       Device (RTC), (KBD), (MOU), (COM1) ... (FWCF)
 *     }
 *   }
 *
 * The power button is fixed hardware (FADT), for which no object is needed. There are no methods, so nothing
 * here is ever executed.
 */
#include "boot/acpi/acpi_table.h"
#include "boot/acpi/aml.h"
#include "dev/pci/pci_host.h"
#include <stdio.h>

static void name_integer(struct aml *a, const char *name, uint64_t value)
{
    aml_name(a, name);
    aml_integer(a, value);
}

static void name_eisaid(struct aml *a, const char *name, const char *id)
{
    aml_name(a, name);
    aml_eisaid(a, id);
}

static void add_s5(struct aml *a, const struct acpi_config *cfg)
{
    aml_name(a, "\\_S5");
    aml_package(a, 4); /* section 7.4.2: SLP_TYP for PM1a and PM1b, two reserved */
    aml_integer(a, cfg->s5_type);
    aml_integer(a, cfg->s5_type);
    aml_integer(a, 0);
    aml_integer(a, 0);
    aml_end(a);
}

/* Section 8.4: a processor device, tied by _UID to its MADT entry. */
static void add_cpu(struct aml *a, unsigned id)
{
    char name[8];
    snprintf(name, sizeof(name), "C%03X", id & 0xfff);
    aml_device(a, name);
    aml_name(a, "_HID");
    aml_string(a, "ACPI0007");
    name_integer(a, "_UID", id);
    aml_end(a);
}

/* What no device driver claims. Systems use the ECAM range only when it is reserved here (PCI
 * Firmware 3.0, 4.1.2). */
static void add_motherboard(struct aml *a, const struct acpi_config *cfg)
{
    aml_device(a, "MRES");
    name_eisaid(a, "_HID", "PNP0C02");
    aml_name(a, "_CRS");
    aml_resources(a);
    aml_res_memory32_fixed(a, LAYOUT_ECAM, LAYOUT_ECAM_SIZE);
    aml_res_io(a, cfg->pm1_event, 4);
    aml_res_io(a, cfg->pm1_control, 2);
    aml_res_io(a, cfg->pm_timer, 4);
    if (cfg->gpe0)
        aml_res_io(a, cfg->gpe0, cfg->gpe0_size);
    aml_end(a);
    aml_end(a);
}

/* A device with up to two port ranges and an ISA interrupt. `uid` 0: none. */
static void add_isa(struct aml *a, const char *name, const char *hid, unsigned uid, uint16_t port,
                    uint8_t count, uint16_t port2, unsigned irq)
{
    aml_device(a, name);
    name_eisaid(a, "_HID", hid);
    if (uid)
        name_integer(a, "_UID", uid);
    aml_name(a, "_CRS");
    aml_resources(a);
    if (count)
        aml_res_io(a, port, count);
    if (port2)
        aml_res_io(a, port2, 1);
    aml_res_irq(a, irq);
    aml_end(a);
    aml_end(a);
}

/* The id and the shape are QEMU's (docs/specs/fw_cfg); a system's driver goes by them. */
static void add_fwcfg(struct aml *a, uint16_t port)
{
    aml_device(a, "FWCF");
    aml_name(a, "_HID");
    aml_string(a, "QEMU0002");
    name_integer(a, "_STA", 0x0b); /* present, decoding, working; not for users (section 6.3.7) */
    aml_name(a, "_CRS");
    aml_resources(a);
    aml_res_io(a, port, 12);
    aml_end(a);
    aml_end(a);
}

static void add_legacy(struct aml *a, const struct acpi_config *cfg)
{
    add_isa(a, "RTC", "PNP0B00", 0, 0x70, 2, 0, 8);
    if (cfg->keyboard)
        add_isa(a, "KBD", "PNP0303", 0, 0x60, 1, 0x64, 1);
    if (cfg->mouse)
        add_isa(a, "MOU", "PNP0F13", 0, 0, 0, 0, 12);
    for (unsigned i = 0; i < cfg->coms; i++) {
        char name[5] = {'C', 'O', 'M', (char)('1' + i)};
        add_isa(a, name, "PNP0501", i + 1, cfg->com[i].port, 8, 0, cfg->com[i].irq);
    }
    if (cfg->fwcfg)
        add_fwcfg(a, cfg->fwcfg);
}

/* Section 6.2.13: for every slot and pin the GSI, level-triggered by being PCI's. */
static void add_prt(struct aml *a)
{
    enum { SLOTS = 32 };
    aml_name(a, "_PRT");
    aml_package(a, SLOTS * PCI_INTX_LINES);
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        for (unsigned pin = 0; pin < PCI_INTX_LINES; pin++) {
            aml_package(a, 4);
            aml_integer(a, slot << 16 | 0xffff); /* all functions of it */
            aml_integer(a, pin);
            aml_integer(a, 0); /* no link device: the next number is the GSI */
            aml_integer(a, ACPI_PCI_GSI + (slot + pin) % PCI_INTX_LINES);
            aml_end(a);
        }
    }
    aml_end(a);
}

static void add_pci(struct aml *a, const struct acpi_config *cfg)
{
    aml_device(a, "PCI0");
    name_eisaid(a, "_HID", "PNP0A08");
    name_eisaid(a, "_CID", "PNP0A03");
    name_integer(a, "_UID", 0);
    name_integer(a, "_SEG", 0);
    name_integer(a, "_BBN", 0);
    aml_name(a, "_CRS");
    aml_resources(a);
    aml_res_bus_window(a, 0, 255);
    aml_res_io(a, PCI_CONFIG_ADDRESS_PORT, 8); /* the bridge's own, so the window below has a hole */
    aml_res_io_window(a, 0, PCI_CONFIG_ADDRESS_PORT - 1);
    aml_res_io_window(a, PCI_CONFIG_ADDRESS_PORT + 8, 0xffff);
    aml_res_memory_window32(a, (uint32_t)LAYOUT_PCI_WINDOW,
                            (uint32_t)(LAYOUT_PCI_WINDOW + LAYOUT_PCI_WINDOW_SIZE - 1));
    if (cfg->pci_window64_size)
        aml_res_memory_window64(a, cfg->pci_window64, cfg->pci_window64 + cfg->pci_window64_size - 1);
    aml_end(a);
    add_prt(a);
    add_legacy(a, cfg);
    aml_end(a);
}

gpa_t acpi_add_dsdt(struct acpi_buf *b, const struct acpi_config *cfg)
{
    size_t table = acpi_begin(b, "DSDT", 2, ACPI_HEADER_SIZE);
    if (b->full)
        return 0;

    struct aml a;
    aml_init(&a, b->buf + b->len, b->size - b->len);
    add_s5(&a, cfg);
    aml_scope(&a, "\\_SB");
    for (unsigned id = 0; id < cfg->cpus; id++)
        add_cpu(&a, id);
    add_motherboard(&a, cfg);
    add_pci(&a, cfg);
    aml_end(&a);
    b->len += a.len;
    b->full = a.full;
    return acpi_finish(b, table);
}
