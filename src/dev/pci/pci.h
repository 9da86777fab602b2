/*
 * dev/pci/pci.h: PCI functions: configuration space, base address registers, capabilities, INTx.
 *
 * A function is a const struct pci_desc (what it is, and what it wants to hear of) and a struct pci_dev (its
 * 4096 bytes of configuration space, with masks that say which bits software may change). Everything that the
 * guest does to configuration space comes through pci_config_read and pci_config_write, which know only bytes
 * and masks; what follows from a change (a BAR that moves, a decode that is switched off, INTx that is
 * masked) is derived from the bytes afterwards.
 *
 * PCI Local Bus Specification 3.0 chapter 6; PCI Express Base Specification 3.0 chapter 7. Type 0 headers
 * only: there are no bridges, all functions are on one bus.
 *
 * Threads: functions are made and added before the machine runs. Configuration accesses, and with them all
 * callbacks of a struct pci_desc, run with the lock of the host bridge held; a callback may take the device's
 * own lock (order: host bridge, device, interrupt chip), so a device does not touch its configuration space
 * with its own lock held. pci_intx is the exception: it may be called from any thread, with or without the
 * device's lock.
 */
#ifndef DEV_PCI_PCI_H
#define DEV_PCI_PCI_H

#include "base/base.h"
#include "bus/bus.h"
#include <pthread.h>

#define PCI_CONFIG_SIZE     4096
#define PCI_BARS            6
#define PCI_INTX_LINES      4
#define PCI_DEVFN(slot, fn) ((uint8_t)((slot) << 3 | (fn)))

/* Registers of a type 0 header (PCI 3.0 figure 6-1). */
enum {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08,
    PCI_CLASS_PROG = 0x09,
    PCI_CLASS_DEVICE = 0x0a,
    PCI_CACHE_LINE_SIZE = 0x0c,
    PCI_LATENCY_TIMER = 0x0d,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BIST = 0x0f,
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_ROM_ADDRESS = 0x30,
    PCI_CAPABILITY_LIST = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
    PCI_HEADER_END = 0x40,
};

/* PCI 3.0 sections 6.2.2, 6.2.3. */
enum {
    PCI_COMMAND_IO = 0x0001,
    PCI_COMMAND_MEMORY = 0x0002,
    PCI_COMMAND_MASTER = 0x0004,
    PCI_COMMAND_PARITY = 0x0040,
    PCI_COMMAND_SERR = 0x0100,
    PCI_COMMAND_INTX_DISABLE = 0x0400,
    PCI_STATUS_INTERRUPT = 0x0008,
    PCI_STATUS_CAP_LIST = 0x0010,
    PCI_STATUS_ERRORS = 0xf900, /* write 1 to clear */
    PCI_HEADER_MULTI_FUNCTION = 0x80,
};

/* What a base address register is (PCI 3.0 section 6.2.5.1). */
enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM32, PCI_BAR_MEM64, PCI_BAR_MEM64_PREFETCH };

/* The address of a BAR that decodes nothing. */
#define PCI_BAR_UNMAPPED UINT64_MAX

struct pci_desc {
    const char *name;
    uint16_t vendor, device;
    uint16_t subsystem_vendor, subsystem;
    uint32_t class_code; /* base class, sub-class, programming interface: 0xbbsspp */
    uint8_t revision;
    uint8_t interrupt_pin; /* 0 none, 1 to 4: INTA to INTD */
    /*
     * BAR `bar` now decodes at `addr`, or nothing (PCI_BAR_UNMAPPED). Called once for each change: of the
     * register, of the enable bits in the command register, and on reset. May be NULL.
     */
    void (*bar_changed)(void *opaque, unsigned bar, uint64_t addr);
    /* Software has written [offset, offset+size); the bytes are already in `config`. May be NULL. */
    void (*config_written)(void *opaque, unsigned offset, unsigned size);
};

struct pci_bar {
    enum pci_bar_kind kind;
    uint64_t size; /* bytes, a power of two */
    uint64_t addr; /* where it decodes, or PCI_BAR_UNMAPPED */
};

struct pci_bus;

struct pci_dev {
    const struct pci_desc *desc;
    void *opaque;
    struct pci_bus *bus;
    uint8_t devfn;
    uint8_t cap_last;  /* last capability in the list, 0: none yet */
    uint16_t cap_free; /* first byte that is free for a capability, at most 256 */
    bool intx_level;   /* what the device asks for; the bus's irq_lock */
    bool intx_driven;  /* what it contributes to its line; the bus's irq_lock */
    struct pci_bar bar[PCI_BARS];
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t writable[PCI_CONFIG_SIZE]; /* bits that software writes */
    uint8_t w1c[PCI_CONFIG_SIZE];      /* bits that software clears by writing 1 */
};

/*
 * A bus: who sits at each device and function number, and its four interrupt lines. INTx of a function in
 * slot s and with pin p (1 to 4) drives line (s + p - 1) mod 4, the usual swizzle; several functions may
 * share a line.
 */
struct pci_bus {
    struct pci_dev *dev[256];
    struct irq_line intx[PCI_INTX_LINES];
    unsigned intx_count[PCI_INTX_LINES]; /* functions that drive the line */
    pthread_mutex_t irq_lock;            /* a leaf but for the interrupt chip */
};

void pci_bus_init(struct pci_bus *b, const struct irq_line intx[PCI_INTX_LINES]);
/* No function on it is used any more. */
void pci_bus_destroy(struct pci_bus *b);

/* A function with its header filled, no BARs, no capabilities. `desc` and `opaque` live on. */
void pci_dev_init(struct pci_dev *d, const struct pci_desc *desc, void *opaque);
/*
 * Declare BAR n, `size` a power of two (at least 16 for memory, 4 for I/O, at most 256 for I/O on a PC). The
 * 64-bit kinds take n and n+1. Before pci_add.
 */
void pci_dev_bar(struct pci_dev *d, unsigned n, enum pci_bar_kind kind, uint64_t size);
/*
 * Append a capability of `size` bytes, id and link included (PCI 3.0 section 6.7); returns its offset. The
 * bytes after the first two are zero and read-only until the caller fills config, writable and w1c. Running
 * out of the 192 bytes is a bug of the caller. Before pci_add.
 */
uint8_t pci_dev_capability(struct pci_dev *d, uint8_t id, uint8_t size);
/*
 * Power-on state: every bit that software can change is 0, all BARs unmapped (reported), INTx withdrawn.
 * Called by the function's owner while no vCPU runs, after pci_add.
 */
void pci_dev_reset(struct pci_dev *d);

/*
 * Put a function on the bus at `devfn`, which must be free. Where a slot has more than one function, each
 * carries the multi-function bit; function 0 must exist by the time the machine runs (PCI 3.0
 * section 3.2.2.3.4).
 */
void pci_add(struct pci_bus *b, struct pci_dev *d, uint8_t devfn);
/* NULL when nothing is there. */
struct pci_dev *pci_find(const struct pci_bus *b, uint8_t devfn);

/*
 * Configuration access, size 1 to 4 bytes at any offset; what reaches beyond 4096 bytes reads as ones and is
 * not written. `d` may be NULL: absent functions read as ones (PCI 3.0 section 6.1).
 */
uint32_t pci_config_read(struct pci_dev *d, unsigned offset, unsigned size);
void pci_config_write(struct pci_dev *d, unsigned offset, unsigned size, uint32_t value);

/* The function asserts or withdraws its interrupt pin; masked while the command register disables INTx. */
void pci_intx(struct pci_dev *d, bool level);

#endif
