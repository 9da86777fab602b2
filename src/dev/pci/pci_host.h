/*
 * dev/pci/pci_host.h: the host bridge: two ways to configuration space, and itself at 00:00.0.
 *
 * Configuration mechanism 1 (PCI Local Bus 3.0 section 3.2.2.3.2): a 32-bit access at port 0xcf8 is
 * CONFIG_ADDRESS, accesses of 1, 2 and 4 bytes at 0xcfc to 0xcff go to the register it selects. Enhanced
 * configuration access (PCI Express 3.0 section 7.2.2): 256 MiB of memory, 4096 bytes for each function of
 * 256 buses; the base is aligned to its size. Only bus 0 exists; everything else reads as ones.
 *
 * Port 0xcf9, a byte in the middle of CONFIG_ADDRESS, is the chip set's reset control register: accesses of
 * one byte there are handed to struct pci_cf9.
 *
 * The bridge has the ids of the generic PCI Express host 0x1b36:0x0008, which every system knows as needing
 * no driver, class 0x060000, no BARs and no interrupt.
 */
#ifndef DEV_PCI_PCI_HOST_H
#define DEV_PCI_PCI_HOST_H

#include "bus/bus.h"
#include "dev/pci/pci.h"

#define PCI_CONFIG_ADDRESS_PORT 0xcf8
#define PCI_CONFIG_DATA_PORT    0xcfc
#define PCI_ECAM_SIZE           MIB(256)

/* Who owns port 0xcf9. Called with the host bridge's lock held. Either may be NULL: ones, ignored. */
struct pci_cf9 {
    uint8_t (*read)(void *opaque);
    void (*write)(void *opaque, uint8_t value);
    void *opaque;
};

struct pci_host {
    pthread_mutex_t lock;
    uint32_t config_address;
    gpa_t ecam_base;
    struct pci_cf9 cf9;
    struct pci_bus bus;
    struct pci_dev bridge;
    struct log_limit odd_access; /* accesses that no PCI host has to support */
};

/* `intx`: where the bus's four interrupt lines lead (GSIs 16 to 19 by the machine's _PRT). */
void pci_host_init(struct pci_host *h, gpa_t ecam_base, const struct irq_line intx[PCI_INTX_LINES],
                   const struct pci_cf9 *cf9);
/* Power-on state of the bridge; the other functions on the bus are reset by their owners. */
void pci_host_reset(struct pci_host *h);
void pci_host_destroy(struct pci_host *h);
/* Registers ports 0xcf8 to 0xcff and the ECAM range. */
void pci_host_attach(struct pci_host *h, struct bus *b);

#endif
