/*
 * pci.c: making PCI functions and putting them on a bus; everything here happens before the machine runs.
 */
#include "dev/pci/pci.h"

void pci_bus_init(struct pci_bus *b, const struct irq_line intx[PCI_INTX_LINES])
{
    *b = (struct pci_bus){0};
    memcpy(b->intx, intx, sizeof(b->intx));
    pthread_mutex_init(&b->irq_lock, NULL);
}

void pci_bus_destroy(struct pci_bus *b)
{
    pthread_mutex_destroy(&b->irq_lock);
}

void pci_dev_init(struct pci_dev *d, const struct pci_desc *desc, void *opaque)
{
    *d = (struct pci_dev){.desc = desc, .opaque = opaque, .cap_free = PCI_HEADER_END};

    store_le(d->config + PCI_VENDOR_ID, desc->vendor, 2);
    store_le(d->config + PCI_DEVICE_ID, desc->device, 2);
    store_le(d->config + PCI_CLASS_PROG, desc->class_code, 3);
    store_le(d->config + PCI_SUBSYSTEM_VENDOR_ID, desc->subsystem_vendor, 2);
    store_le(d->config + PCI_SUBSYSTEM_ID, desc->subsystem, 2);
    d->config[PCI_REVISION_ID] = desc->revision;
    d->config[PCI_INTERRUPT_PIN] = desc->interrupt_pin;

    /* The decode enables become writable with the first BAR of their kind (PCI 3.0 section 6.2.2). */
    uint16_t command = PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR;
    if (desc->interrupt_pin)
        command |= PCI_COMMAND_INTX_DISABLE;
    store_le(d->writable + PCI_COMMAND, command, 2);
    store_le(d->w1c + PCI_STATUS, PCI_STATUS_ERRORS, 2);
    d->writable[PCI_CACHE_LINE_SIZE] = 0xff;
    d->writable[PCI_INTERRUPT_LINE] = 0xff;

    for (unsigned n = 0; n < PCI_BARS; n++)
        d->bar[n].addr = PCI_BAR_UNMAPPED;
}

void pci_dev_bar(struct pci_dev *d, unsigned n, enum pci_bar_kind kind, uint64_t size)
{
    /* Bits 3:0 (PCI 3.0 section 6.2.5.1): I/O is 01; memory has its width in bits 2:1 and prefetchable in
     * bit 3. */
    static const struct {
        uint8_t type, registers;
        uint64_t min, max;
    } kinds[] = {
        [PCI_BAR_IO] = {0x1, 1, 4, 256},
        [PCI_BAR_MEM32] = {0x0, 1, 16, GIB(2)},
        [PCI_BAR_MEM64] = {0x4, 2, 16, BIT(62)},
        [PCI_BAR_MEM64_PREFETCH] = {0xc, 2, 16, BIT(62)},
    };
    assert(!d->bus && kind != PCI_BAR_NONE && n + kinds[kind].registers <= PCI_BARS);
    assert(size >= kinds[kind].min && size <= kinds[kind].max && (size & (size - 1)) == 0);

    unsigned at = PCI_BAR0 + 4 * n, bytes = 4 * kinds[kind].registers;
    assert(load_le(d->writable + at, bytes) == 0);
    d->bar[n].kind = kind;
    d->bar[n].size = size;
    d->config[at] = kinds[kind].type;
    store_le(d->writable + at, ~(size - 1), bytes);
    d->writable[PCI_COMMAND] |= kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
}

uint8_t pci_dev_capability(struct pci_dev *d, uint8_t id, uint8_t size)
{
    unsigned at = d->cap_free, end = (unsigned)align_up(at + size, 4);
    assert(!d->bus && size >= 2 && end <= 256);

    d->config[at] = id;
    d->config[d->cap_last ? d->cap_last + 1u : PCI_CAPABILITY_LIST] = (uint8_t)at;
    d->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    d->cap_last = (uint8_t)at;
    d->cap_free = (uint16_t)end;
    return (uint8_t)at;
}

void pci_add(struct pci_bus *b, struct pci_dev *d, uint8_t devfn)
{
    assert(!b->dev[devfn] && !d->bus);
    d->bus = b;
    d->devfn = devfn;
    b->dev[devfn] = d;

    unsigned slot = devfn & ~7u, functions = 0;
    for (unsigned fn = 0; fn < 8; fn++)
        functions += b->dev[slot + fn] != NULL;
    for (unsigned fn = 0; fn < 8 && functions > 1; fn++)
        if (b->dev[slot + fn])
            b->dev[slot + fn]->config[PCI_HEADER_TYPE] |= PCI_HEADER_MULTI_FUNCTION;
}

struct pci_dev *pci_find(const struct pci_bus *b, uint8_t devfn)
{
    return b->dev[devfn];
}
