/*
 * pci_config.c: reads and writes of a function's configuration space, and what follows from a write.
 *
 * BAR sizing needs no code of its own: the writable mask of a BAR leaves out the bits below its size, so that
 * a write of all ones reads back as the size's mask with the type bits (PCI 3.0 section 6.2.5.1).
 */
#include "dev/pci/pci.h"

static uint16_t config16(const struct pci_dev *d, unsigned offset)
{
    return (uint16_t)load_le(d->config + offset, 2);
}

static bool bar_is_64(enum pci_bar_kind kind)
{
    return kind == PCI_BAR_MEM64 || kind == PCI_BAR_MEM64_PREFETCH;
}

/*
 * Where BAR n decodes by the registers as they stand. An address of 0 and one whose range reaches the end of
 * its space count as "not placed": the former is the state after reset, the latter is seen between the two
 * writes of sizing when software leaves decoding on.
 */
static uint64_t bar_address(const struct pci_dev *d, unsigned n)
{
    const struct pci_bar *bar = &d->bar[n];
    uint16_t command = config16(d, PCI_COMMAND);
    bool io = bar->kind == PCI_BAR_IO;

    if (!(command & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
        return PCI_BAR_UNMAPPED;
    uint64_t addr = load_le(d->config + PCI_BAR0 + 4 * n, bar_is_64(bar->kind) ? 8 : 4);
    addr &= ~(bar->size - 1);
    uint64_t limit = io ? 0xffff : bar_is_64(bar->kind) ? UINT64_MAX : UINT32_MAX;
    uint64_t last;
    if (addr == 0 || !add_u64(addr, bar->size - 1, &last) || last > limit || (!io && last == limit))
        return PCI_BAR_UNMAPPED;
    return addr;
}

static void update_bars(struct pci_dev *d)
{
    for (unsigned n = 0; n < PCI_BARS; n++) {
        if (d->bar[n].kind == PCI_BAR_NONE)
            continue;
        uint64_t addr = bar_address(d, n);
        if (addr == d->bar[n].addr)
            continue;
        d->bar[n].addr = addr;
        if (d->desc->bar_changed)
            d->desc->bar_changed(d->opaque, n, addr);
    }
}

/* Bring the line in step with the pin, the command register's mask, and the status bit. irq_lock is held. */
static void update_intx(struct pci_dev *d)
{
    struct pci_bus *b = d->bus;
    uint8_t pin = d->config[PCI_INTERRUPT_PIN];
    if (!b || pin == 0)
        return;
    /* The status bit shows the pin's wish whether or not it is masked (PCI 3.0 section 6.2.3). */
    if (d->intx_level)
        d->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
    else
        d->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;

    bool drive = d->intx_level && !(config16(d, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE);
    if (drive == d->intx_driven)
        return;
    d->intx_driven = drive;
    unsigned line = ((d->devfn >> 3) + pin - 1) % PCI_INTX_LINES;
    unsigned before = b->intx_count[line];
    b->intx_count[line] = drive ? before + 1 : before - 1;
    if (!before != !b->intx_count[line])
        irq_set(&b->intx[line], drive);
}

void pci_intx(struct pci_dev *d, bool level)
{
    assert(d->bus && d->config[PCI_INTERRUPT_PIN]);
    pthread_mutex_lock(&d->bus->irq_lock);
    d->intx_level = level;
    update_intx(d);
    pthread_mutex_unlock(&d->bus->irq_lock);
}

uint32_t pci_config_read(struct pci_dev *d, unsigned offset, unsigned size)
{
    if (!d || !range_within(offset, size, PCI_CONFIG_SIZE))
        return (uint32_t)mask_bytes(size);
    if (!d->bus)
        return (uint32_t)load_le(d->config + offset, size);
    /* The status byte is shared with pci_intx. */
    pthread_mutex_lock(&d->bus->irq_lock);
    uint32_t value = (uint32_t)load_le(d->config + offset, size);
    pthread_mutex_unlock(&d->bus->irq_lock);
    return value;
}

static void write_masked(struct pci_dev *d, unsigned offset, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++) {
        unsigned at = offset + i;
        uint8_t v = (uint8_t)(value >> (8 * i));
        uint8_t w = d->writable[at];
        d->config[at] = (uint8_t)((d->config[at] & ~w) | (v & w));
        d->config[at] &= (uint8_t) ~(v & d->w1c[at]);
    }
}

void pci_config_write(struct pci_dev *d, unsigned offset, unsigned size, uint32_t value)
{
    if (!d || !range_within(offset, size, PCI_CONFIG_SIZE))
        return;
    assert(d->bus);
    pthread_mutex_lock(&d->bus->irq_lock);
    write_masked(d, offset, size, value);
    if (ranges_overlap(offset, size, PCI_COMMAND, 2))
        update_intx(d);
    pthread_mutex_unlock(&d->bus->irq_lock);

    if (ranges_overlap(offset, size, PCI_COMMAND, 2) || ranges_overlap(offset, size, PCI_BAR0, 4 * PCI_BARS))
        update_bars(d);
    if (d->desc->config_written)
        d->desc->config_written(d->opaque, offset, size);
}

void pci_dev_reset(struct pci_dev *d)
{
    assert(d->bus);
    pthread_mutex_lock(&d->bus->irq_lock);
    for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++)
        d->config[i] &= (uint8_t) ~(d->writable[i] | d->w1c[i]);
    d->intx_level = false;
    update_intx(d);
    pthread_mutex_unlock(&d->bus->irq_lock);
    update_bars(d);
}
