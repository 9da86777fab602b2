/*
 * boot/acpi/acpi.h: the ACPI tables of the PC (ACPI 6.0): what devices there are, and where.
 *
 * RSDP in the BIOS area; XSDT, FADT, DSDT, MADT and MCFG in the layout's ACPI range; FACS in its NVS range.
 * Addresses that the layout fixes (local and I/O APIC, ECAM, PCI window) are taken from there; those of chips
 * come in here, from whoever wires the machine.
 */
#ifndef BOOT_ACPI_ACPI_H
#define BOOT_ACPI_ACPI_H

#include "boot/layout.h"

#define ACPI_COM_MAX  4
#define ACPI_CPUS_MAX 4096u /* names C000 to CFFF in the DSDT; about 46 bytes of tables each */

struct acpi_com {
    uint16_t port;
    uint8_t irq;
};

struct acpi_config {
    unsigned cpus; /* APIC ids 0 to cpus - 1 */

    /* Power management and reset; all but gpe0 must be given (dev/chip/acpi_pm.h, dev/chip/reset.h). */
    uint16_t pm1_event;   /* port of PM1a status and enable, 4 bytes */
    uint16_t pm1_control; /* port of PM1a control, 2 bytes */
    uint16_t pm_timer;    /* port of the 32-bit timer */
    uint16_t gpe0;        /* port of the general-purpose event registers; 0: none */
    uint8_t gpe0_size;    /* bytes, status and enable together */
    uint16_t smi_command; /* port that takes the next two values */
    uint8_t acpi_enable, acpi_disable;
    uint8_t sci;     /* GSI of the system control interrupt; also its ISA interrupt number */
    uint8_t s5_type; /* SLP_TYP for soft off */
    uint16_t reset_port;
    uint8_t reset_value;

    /* Legacy devices. */
    struct acpi_com com[ACPI_COM_MAX];
    unsigned coms;
    bool keyboard, mouse; /* an 8042 at ports 0x60 and 0x64: interrupts 1 and 12 */
    bool vga;
    uint16_t fwcfg;      /* first port of QEMU's fw_cfg, which has 12 with the gap in it; 0: none */
    uint8_t rtc_century; /* index of the century in the RTC's memory; 0: none */

    /* Window above RAM for 64-bit BARs; a size of 0: none. */
    gpa_t pci_window64, pci_window64_size;
};

/* First of the four GSIs of the PCI lines in _PRT: slot s, pin p (0 INTA to 3 INTD) is 16 + (s + p) mod 4. */
#define ACPI_PCI_GSI 16

#define ACPI_RSDP_SIZE 36
#define ACPI_FACS_SIZE 64

/* The tables as bytes, for the addresses of a layout. */
struct acpi_image {
    uint8_t rsdp[ACPI_RSDP_SIZE];     /* for LAYOUT_RSDP */
    uint8_t tables[LAYOUT_ACPI_SIZE]; /* for layout.acpi_tables; the XSDT comes first */
    size_t size;                      /* bytes of `tables` used */
    uint8_t facs[ACPI_FACS_SIZE];     /* for layout.acpi_nvs */
};

/* ERR_CONFIG when there are more vCPUs than ACPI_CPUS_MAX. */
bool acpi_build(struct acpi_image *img, const struct acpi_config *cfg, const struct layout *l, struct err *e);

/* Build the tables and write them to guest memory, which has the ranges of layout_ranges; *rsdp is the RSDP's
 * address. */
bool acpi_install(struct mem *m, const struct acpi_config *cfg, const struct layout *l, gpa_t *rsdp,
                  struct err *e);

#endif
