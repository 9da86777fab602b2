/*
 * dev/fwcfg/fwcfg.h: the firmware configuration interface that QEMU's machines have (QEMU docs/specs/fw_cfg):
 * items of bytes under 16-bit keys, read by selector and data port, or by DMA; some of the items have names,
 * like files.
 *
 *   0x510  selector, 2 bytes, write only      0x511  data, 1 byte, read only
 *   0x514  address of a DMA descriptor, 8 bytes, big-endian; the write of its lower half starts the transfer
 *
 * All items are read only. Items are set before the machine runs.
 */
#ifndef DEV_FWCFG_FWCFG_H
#define DEV_FWCFG_FWCFG_H

#include "bus/bus.h"
#include "mem/mem.h"

#define FWCFG_PORT      0x510
#define FWCFG_PORTS     2
#define FWCFG_DMA_PORT  0x514
#define FWCFG_DMA_PORTS 8

/* Keys. ADDR, SIZE and ENTRY are u32, counts u16, RAM_SIZE u64, all little-endian. */
enum fwcfg_key {
    FWCFG_SIGNATURE = 0x00, /* "QEMU" */
    FWCFG_ID = 0x01,        /* u32: bit 0 always, bit 1 DMA */
    FWCFG_UUID = 0x02,
    FWCFG_RAM_SIZE = 0x03,
    FWCFG_NOGRAPHIC = 0x04, /* u16 */
    FWCFG_NB_CPUS = 0x05,
    FWCFG_KERNEL_ADDR = 0x07,
    FWCFG_KERNEL_SIZE = 0x08,
    FWCFG_INITRD_ADDR = 0x0a,
    FWCFG_INITRD_SIZE = 0x0b,
    FWCFG_BOOT_MENU = 0x0e, /* u16 */
    FWCFG_MAX_CPUS = 0x0f,
    FWCFG_KERNEL_ENTRY = 0x10,
    FWCFG_KERNEL_DATA = 0x11,
    FWCFG_INITRD_DATA = 0x12,
    FWCFG_CMDLINE_ADDR = 0x13,
    FWCFG_CMDLINE_SIZE = 0x14, /* with its NUL */
    FWCFG_CMDLINE_DATA = 0x15,
    FWCFG_SETUP_ADDR = 0x16,
    FWCFG_SETUP_SIZE = 0x17,
    FWCFG_SETUP_DATA = 0x18,
    FWCFG_FILE_DIR = 0x19,
    FWCFG_FILE_FIRST = 0x20,
};
#define FWCFG_FILES_MAX 16
#define FWCFG_NAME_SIZE 56 /* with its NUL */

struct fwcfg_item {
    const void *data;
    uint32_t size;
};

struct fwcfg {
    pthread_mutex_t lock;
    struct mem *mem; /* what DMA reaches */
    struct fwcfg_item item[FWCFG_FILE_FIRST + FWCFG_FILES_MAX];
    uint64_t number[FWCFG_FILE_FIRST]; /* the data of items that are numbers */
    unsigned files;
    uint8_t directory[4 + FWCFG_FILES_MAX * 64]; /* as the guest reads it */

    uint16_t selected;
    uint32_t offset;
    uint32_t dma_high; /* upper half of a descriptor's address */
    struct log_limit dma_refused;
};

void fwcfg_init(struct fwcfg *f, struct mem *mem);
void fwcfg_reset(struct fwcfg *f);
void fwcfg_destroy(struct fwcfg *f);

/* `data` lives on. Setting an item again replaces it. */
void fwcfg_set(struct fwcfg *f, enum fwcfg_key key, const void *data, uint32_t size);
/* A little-endian number of `size` bytes, 2, 4 or 8. */
void fwcfg_set_number(struct fwcfg *f, enum fwcfg_key key, uint64_t value, unsigned size);
/* Add a named item; the directory is kept in the order of names. At most FWCFG_FILES_MAX. `data` lives on. */
void fwcfg_add_file(struct fwcfg *f, const char *name, const void *data, uint32_t size);

void fwcfg_attach(struct fwcfg *f, struct bus *b);

#endif
