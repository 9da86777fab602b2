/*
 * pci_host.c: the host bridge: configuration mechanism 1, ECAM, and the bridge's own function 00:00.0.
 */
#include "dev/pci/pci_host.h"

#define CONFIG_ENABLE       BIT(31)
#define CONFIG_ADDRESS_BITS 0x80fffffcu /* 30:24 are reserved, 1:0 read as 0 (PCI 3.0 figure 3-2) */
#define CF9_OFFSET          1

static const struct pci_desc bridge_desc = {
    .name = "pci-host",
    .vendor = 0x1b36,
    .device = 0x0008,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x060000,
};

static struct pci_dev *function_at(struct pci_host *h, unsigned bus, unsigned devfn)
{
    return bus == 0 ? pci_find(&h->bus, (uint8_t)devfn) : NULL;
}

/* ---- mechanism 1 ---- */

/* The function that CONFIG_ADDRESS selects and its register; NULL when disabled or absent. */
static struct pci_dev *selected(struct pci_host *h, unsigned *reg)
{
    *reg = h->config_address & 0xfc;
    if (!(h->config_address & CONFIG_ENABLE))
        return NULL;
    return function_at(h, bits(h->config_address, 16, 8), (unsigned)bits(h->config_address, 8, 8));
}

/*
 * Offsets 0 to 3 are CONFIG_ADDRESS, 4 to 7 CONFIG_DATA. Only an aligned access of 32 bits is CONFIG_ADDRESS;
 * others in its range pass to the bus behind it, where one byte at 0xcf9 is the reset control register and
 * the rest is nothing.
 */
static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    struct pci_host *h = opaque;
    if (offset == 0 && size == 4)
        return h->config_address;
    if (offset == CF9_OFFSET && size == 1)
        return h->cf9.read ? h->cf9.read(h->cf9.opaque) : 0xff;
    if (offset < 4 && range_within(offset, size, 4))
        return mask_bytes(size);
    if (!range_within(offset, size, 8) || offset < 4) {
        log_guest(&h->odd_access, "pci: read of %u bytes at port 0x%x", size,
                  PCI_CONFIG_ADDRESS_PORT + (unsigned)offset);
        return mask_bytes(size);
    }
    unsigned reg;
    struct pci_dev *d = selected(h, &reg);
    return pci_config_read(d, reg + (unsigned)offset - 4, size);
}

static void port_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct pci_host *h = opaque;
    if (offset == 0 && size == 4) {
        h->config_address = (uint32_t)value & CONFIG_ADDRESS_BITS;
    } else if (offset == CF9_OFFSET && size == 1) {
        if (h->cf9.write)
            h->cf9.write(h->cf9.opaque, (uint8_t)value);
    } else if (offset < 4 && range_within(offset, size, 4)) {
        /* Linux tries port 0xcfb in its search for configuration mechanism 2. */
    } else if (!range_within(offset, size, 8) || offset < 4) {
        log_guest(&h->odd_access, "pci: write of %u bytes at port 0x%x", size,
                  PCI_CONFIG_ADDRESS_PORT + (unsigned)offset);
    } else {
        unsigned reg;
        struct pci_dev *d = selected(h, &reg);
        pci_config_write(d, reg + (unsigned)offset - 4, size, (uint32_t)value);
    }
}

static const struct bus_desc port_desc = {
    .name = "pci-config",
    .read = port_read,
    .write = port_write,
    .min_size = 1,
    .max_size = 4,
};

/* ---- ECAM: address bits 27:20 bus, 19:12 device and function, 11:0 register ---- */

static uint64_t ecam_read(void *opaque, uint64_t offset, unsigned size)
{
    struct pci_host *h = opaque;
    struct pci_dev *d = function_at(h, bits(offset, 20, 8), (unsigned)bits(offset, 12, 8));
    return pci_config_read(d, offset & (PCI_CONFIG_SIZE - 1), size);
}

static void ecam_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct pci_host *h = opaque;
    struct pci_dev *d = function_at(h, bits(offset, 20, 8), (unsigned)bits(offset, 12, 8));
    pci_config_write(d, offset & (PCI_CONFIG_SIZE - 1), size, (uint32_t)value);
}

static const struct bus_desc ecam_desc = {
    .name = "pci-ecam",
    .read = ecam_read,
    .write = ecam_write,
    .min_size = 1,
    .max_size = 4,
};

/* ---- life ---- */

void pci_host_init(struct pci_host *h, gpa_t ecam_base, const struct irq_line intx[PCI_INTX_LINES],
                   const struct pci_cf9 *cf9)
{
    assert((ecam_base & (PCI_ECAM_SIZE - 1)) == 0);
    *h = (struct pci_host){.ecam_base = ecam_base, .cf9 = *cf9};
    pthread_mutex_init(&h->lock, NULL);
    pci_bus_init(&h->bus, intx);
    pci_dev_init(&h->bridge, &bridge_desc, h);
    pci_add(&h->bus, &h->bridge, PCI_DEVFN(0, 0));
}

void pci_host_reset(struct pci_host *h)
{
    pthread_mutex_lock(&h->lock);
    h->config_address = 0;
    pci_dev_reset(&h->bridge);
    pthread_mutex_unlock(&h->lock);
}

void pci_host_destroy(struct pci_host *h)
{
    pci_bus_destroy(&h->bus);
    pthread_mutex_destroy(&h->lock);
}

void pci_host_attach(struct pci_host *h, struct bus *b)
{
    bus_add_pio(b, PCI_CONFIG_ADDRESS_PORT, 8, &port_desc, h, &h->lock);
    bus_add_mmio(b, h->ecam_base, PCI_ECAM_SIZE, &ecam_desc, h, &h->lock);
}
