/*
 * ioapic.c: the 82093AA I/O APIC: redirection table, edges and levels in, messages out.
 */
#include "dev/chip/ioapic.h"

/* Direct registers, offsets from IOAPIC_BASE (data sheet 290566, 3.1; EOI: ICH). */
enum { IOREGSEL = 0x00, IOWIN = 0x10, IOEOI = 0x40 };

/* Indirect registers (3.2). */
enum { REG_ID, REG_VER, REG_ARB, REG_RTE = 0x10, VERSION = 0x20 };

/* Redirection table entry (3.2.4). */
enum {
    RTE_MODE_SHIFT = 8,
    RTE_LOGICAL = 1 << 11,
    RTE_STATUS = 1 << 12,
    RTE_POLARITY = 1 << 13,
    RTE_REMOTE_IRR = 1 << 14,
    RTE_LEVEL = 1 << 15,
    RTE_MASKED = 1 << 16,
    RTE_LOW_WRITABLE = 0x1ffff & ~(RTE_STATUS | RTE_REMOTE_IRR),
    RTE_DEST_SHIFT = 56,
};

enum { MODE_FIXED, MODE_LOWEST, MODE_SMI, MODE_NMI = 4, MODE_INIT, MODE_EXTINT = 7 };

/* Message address and data (SDM 3A 11.11.1, 11.11.2). */
enum {
    MSI_ADDRESS = 0xfee,
    MSI_ADDRESS_SHIFT = 20,
    MSI_DEST_SHIFT = 12,
    MSI_RH = 1 << 3,
    MSI_DM = 1 << 2,
    MSI_MODE_SHIFT = 8,
    MSI_ASSERT = 1 << 14,
    MSI_LEVEL = 1 << 15,
};

static unsigned mode_of(uint64_t rte)
{
    return bits(rte, RTE_MODE_SHIFT, 3);
}

/* Only fixed and lowest priority can be level triggered (3.2.4, delivery mode). */
static bool is_level(uint64_t rte)
{
    return (rte & RTE_LEVEL) && mode_of(rte) <= MODE_LOWEST;
}

static void send(struct ioapic *a, unsigned pin)
{
    uint64_t rte = a->s.rte[pin];
    unsigned mode = mode_of(rte);
    uint64_t addr = (uint64_t)MSI_ADDRESS << MSI_ADDRESS_SHIFT;
    uint32_t data = (uint32_t)bits(rte, 0, 8) | mode << MSI_MODE_SHIFT | MSI_ASSERT;

    if (mode == 3 || mode == 6) {
        log_guest(&a->bad_mode, "ioapic: pin %u has the reserved delivery mode %u, interrupt dropped", pin,
                  mode);
        return;
    }
    addr |= (rte >> RTE_DEST_SHIFT) << MSI_DEST_SHIFT;
    if (rte & RTE_LOGICAL)
        addr |= MSI_DM;
    if (mode == MODE_LOWEST)
        addr |= MSI_RH;
    if (is_level(rte)) {
        data |= MSI_LEVEL;
        a->s.rte[pin] |= RTE_REMOTE_IRR;
    }
    bus_msi(a->bus, addr, data);
}

/* A level-triggered pin interrupts whenever it is asserted, unmasked and not waiting for an EOI. */
static void check_level(struct ioapic *a, unsigned pin)
{
    uint64_t rte = a->s.rte[pin];

    if (is_level(rte) && (a->s.lines & BIT(pin)) && !(rte & (RTE_MASKED | RTE_REMOTE_IRR)))
        send(a, pin);
}

void ioapic_set_irq(void *ioapic, unsigned pin, bool level)
{
    struct ioapic *a = ioapic;

    assert(pin < IOAPIC_PINS);
    pthread_mutex_lock(&a->lock);
    bool rises = level && !(a->s.lines & BIT(pin));

    if (level)
        a->s.lines |= BIT(pin);
    else
        a->s.lines &= ~BIT(pin);
    if (is_level(a->s.rte[pin]))
        check_level(a, pin);
    else if (rises &&
             !(a->s.rte[pin] & RTE_MASKED)) /* an edge on a masked pin is lost (3.2.4, interrupt mask) */
        send(a, pin);
    pthread_mutex_unlock(&a->lock);
}

static void end_of_interrupt(struct ioapic *a, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t rte = a->s.rte[pin];

        if ((rte & RTE_REMOTE_IRR) && (rte & 0xff) == vector) {
            a->s.rte[pin] &= ~(uint64_t)RTE_REMOTE_IRR;
            check_level(a, pin);
        }
    }
}

void ioapic_eoi(struct ioapic *a, uint8_t vector)
{
    pthread_mutex_lock(&a->lock);
    end_of_interrupt(a, vector);
    pthread_mutex_unlock(&a->lock);
}

static uint32_t read_indirect(const struct ioapic *a)
{
    const struct ioapic_state *s = &a->s;

    switch (s->index) {
    case REG_ID: return (uint32_t)s->id << 24;
    case REG_VER: return (IOAPIC_PINS - 1) << 16 | VERSION;
    case REG_ARB: return (uint32_t)s->arb_id << 24;
    }
    if (s->index < REG_RTE || s->index >= REG_RTE + 2 * IOAPIC_PINS)
        return 0;
    return (uint32_t)(s->rte[(s->index - REG_RTE) / 2] >> (s->index & 1 ? 32 : 0));
}

static void write_indirect(struct ioapic *a, uint32_t v)
{
    struct ioapic_state *s = &a->s;

    if (s->index == REG_ID)
        s->id = s->arb_id = bits(v, 24, 4); /* 3.2.3: the arbitration identity is loaded with it */
    if (s->index < REG_RTE || s->index >= REG_RTE + 2 * IOAPIC_PINS)
        return;

    unsigned pin = (s->index - REG_RTE) / 2;
    uint64_t rte = s->rte[pin];

    if (s->index & 1)
        rte = (rte & UINT32_MAX) | (uint64_t)(v & 0xff000000) << 32;
    else
        rte = (rte & ~(uint64_t)RTE_LOW_WRITABLE) | (v & RTE_LOW_WRITABLE);
    if (!is_level(rte))
        rte &= ~(uint64_t)RTE_REMOTE_IRR; /* has a meaning for level-triggered entries only */
    s->rte[pin] = rte;
    check_level(a, pin);
}

static uint64_t mmio_read(void *ioapic, uint64_t offset, unsigned size)
{
    struct ioapic *a = ioapic;

    switch (offset) {
    case IOREGSEL: return a->s.index;
    case IOWIN: return read_indirect(a);
    }
    return 0;
}

static void mmio_write(void *ioapic, uint64_t offset, unsigned size, uint64_t value)
{
    struct ioapic *a = ioapic;

    if (offset == IOREGSEL)
        a->s.index = (uint8_t)value;
    else if (offset == IOWIN && size == 4)
        write_indirect(a, (uint32_t)value);
    else if (offset == IOEOI)
        end_of_interrupt(a, (uint8_t)value);
    else
        log_guest(&a->bad_access, "ioapic: write of %u bytes at offset 0x%llx ignored", size,
                  (unsigned long long)offset);
}

static const struct bus_desc desc = {"ioapic", mmio_read, mmio_write, 1, 4};

void ioapic_attach(struct ioapic *a, struct bus *b)
{
    bus_add_mmio(b, IOAPIC_BASE, PAGE_SIZE, &desc, a, &a->lock);
}

void ioapic_reset(struct ioapic *a)
{
    pthread_mutex_lock(&a->lock);
    a->s = (struct ioapic_state){.lines = a->s.lines};
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        a->s.rte[pin] = RTE_MASKED;
    pthread_mutex_unlock(&a->lock);
}

void ioapic_init(struct ioapic *a, struct bus *b)
{
    *a = (struct ioapic){.bus = b};
    pthread_mutex_init(&a->lock, NULL);
    ioapic_reset(a);
}

void ioapic_destroy(struct ioapic *a)
{
    pthread_mutex_destroy(&a->lock);
}
