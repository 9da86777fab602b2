/*
 * fw-cfg.c: the firmware configuration interface by ports and by DMA: signature, machine, kernel, initrd,
 * command line, files.
 *
 * QEMU docs/specs/fw_cfg. Firmware and test suites learn by it what machine they run in and what to boot.
 */
#include "frame.h"

#define SELECTOR 0x510
#define DATA     0x511
#define DMA      0x514

#define COMMAND_LINE "console=ttyS0 last"
#define INITRD       "the initial RAM disk"

enum {
    SIGNATURE,
    ID,
    RAM_SIZE = 3,
    NB_CPUS = 5,
    KERNEL_SIZE = 8,
    INITRD_SIZE = 11,
    MAX_CPUS = 15,
    KERNEL_DATA = 17,
    INITRD_DATA,
    CMDLINE_SIZE = 20,
    CMDLINE_DATA,
    SETUP_SIZE = 23,
    SETUP_DATA,
    FILE_DIR
};
enum { CTL_ERROR = 1, CTL_READ = 2, CTL_SKIP = 4, CTL_SELECT = 8, CTL_WRITE = 16 };

struct descriptor {
    uint32_t control, length;
    uint64_t address;
};
struct file {
    uint32_t size;
    uint16_t key, reserved;
    char name[56];
};

static uint32_t be32(uint32_t v)
{
    return __builtin_bswap32(v);
}

static void read_item(unsigned key, void *to, unsigned size)
{
    outw(SELECTOR, (uint16_t)key);
    for (unsigned i = 0; i < size; i++)
        ((uint8_t *)to)[i] = inb(DATA);
}

static uint64_t number(unsigned key, unsigned size)
{
    uint64_t v = 0;
    read_item(key, &v, size);
    return v;
}

/* The control word that comes back. */
static uint32_t dma(uint32_t control, void *to, uint32_t length)
{
    volatile struct descriptor d = {be32(control), be32(length), __builtin_bswap64((uint64_t)to)};
    uint64_t at = (uint64_t)&d;
    barrier();
    outl(DMA, be32((uint32_t)(at >> 32)));
    outl(DMA + 4, be32((uint32_t)at));
    barrier();
    CHECK(WAIT_FOR((be32(d.control) & ~CTL_ERROR) == 0, 10000));
    return be32(d.control);
}

static uint32_t dma_item(unsigned key, void *to, uint32_t length)
{
    return dma(key << 16 | CTL_SELECT | CTL_READ, to, length);
}

static void check_machine(void)
{
    char text[8];
    read_item(SIGNATURE, text, 4);
    CHECK(!memcmp(text, "QEMU", 4));
    CHECK_EQ(number(ID, 4), 3); /* ports and DMA */
    CHECK_EQ(inl(DMA), 0x554d4551);
    CHECK_EQ(inl(DMA + 4), 0x47464320); /* "QEMU CFG" */
    CHECK_EQ(number(RAM_SIZE, 8), 128 << 20);
    CHECK_EQ(number(NB_CPUS, 2), 1);
    CHECK_EQ(number(MAX_CPUS, 2), 1);

    /* Behind an item's end come zeros, and so they do without an item. */
    read_item(SIGNATURE, text, 8);
    CHECK(!memcmp(text, "QEMU\0\0\0", 8));
    CHECK_EQ(number(0x3fff, 8), 0);
}

static void check_files_of_the_run(void)
{
    extern const char image_start[], image_end[];
    static char buffer[4096];

    CHECK_EQ(number(CMDLINE_SIZE, 4), sizeof(COMMAND_LINE));
    read_item(CMDLINE_DATA, buffer, sizeof(COMMAND_LINE));
    CHECK(!memcmp(buffer, COMMAND_LINE, sizeof(COMMAND_LINE)));
    CHECK_EQ(number(INITRD_SIZE, 4), sizeof(INITRD) - 1);
    read_item(INITRD_DATA, buffer, sizeof(INITRD) - 1);
    CHECK(!memcmp(buffer, INITRD, sizeof(INITRD) - 1));
    CHECK_EQ(number(KERNEL_SIZE, 4), (uint64_t)(image_end - image_start));
    read_item(KERNEL_DATA, buffer, 32);
    CHECK(!memcmp(buffer, image_start, 32));
    CHECK_EQ(number(SETUP_SIZE, 4), (SETUP_SECTS + 1) * 512);
    read_item(SETUP_DATA, buffer, 0x206);
    CHECK(!memcmp(buffer + 0x202, "HdrS", 4));
}

static void check_dma(void)
{
    static char buffer[256];

    memset(buffer, 0x55, sizeof(buffer));
    CHECK_EQ(dma_item(INITRD_DATA, buffer + 1, 7), 0);
    CHECK(!memcmp(buffer, "\x55the ini\x55", 9));
    /* It goes on where it was; the data port does as well. */
    CHECK_EQ(dma(CTL_READ, buffer, 4), 0);
    CHECK(!memcmp(buffer, "tial", 4));
    CHECK_EQ(inb(DATA), ' ');
    CHECK_EQ(dma(CTL_SKIP, NULL, 4), 0);
    CHECK_EQ(dma(CTL_READ, buffer, 32), 0);
    CHECK(!memcmp(buffer, "disk\0\0\0\0\0\0\0\0", 12));
    CHECK_EQ(buffer[31], 0);
    /* Select alone; nothing at all. */
    CHECK_EQ(dma(INITRD_DATA << 16 | CTL_SELECT, NULL, 100), 0);
    CHECK_EQ(inb(DATA), 't');
    CHECK_EQ(dma(0, buffer, 4), 0);
    CHECK_EQ(inb(DATA), 'h');
    /* Nothing here can be written. */
    CHECK_EQ(dma(INITRD_DATA << 16 | CTL_SELECT | CTL_WRITE, buffer, 4), CTL_ERROR);
    read_item(INITRD_DATA, buffer, 4);
    CHECK(!memcmp(buffer, "the ", 4));
}

/* The RAM that etc/e820 shows, in the file directory, which is in the order of names. */
static void check_directory(void)
{
    uint32_t count = be32((uint32_t)number(FILE_DIR, 4));
    struct file last = {0}, f;
    unsigned found = 0, e820_key = 0, e820_size = 0;
    uint64_t ram = 0;

    CHECK(count >= 1);
    for (unsigned i = 0; i < count; i++) {
        CHECK_EQ(dma(CTL_READ, &f, sizeof(f)), 0);
        unsigned key = __builtin_bswap16(f.key);
        CHECK(key >= 0x20);
        unsigned k = 0;
        while (k < sizeof(f.name) && f.name[k] && f.name[k] == last.name[k])
            k++;
        CHECK(i == 0 || (uint8_t)f.name[k] > (uint8_t)last.name[k]);
        if (!memcmp(f.name, "etc/e820", 9)) {
            found++;
            e820_key = key;
            e820_size = be32(f.size);
        }
        last = f;
    }
    CHECK_EQ(found, 1);
    CHECK_EQ(e820_size % sizeof(struct e820_entry), 0);
    outw(SELECTOR, (uint16_t)e820_key);
    for (unsigned i = 0; i < e820_size / sizeof(struct e820_entry); i++) {
        struct e820_entry e;
        CHECK_EQ(dma(CTL_READ, &e, sizeof(e)), 0);
        if (e.type == E820_RAM)
            ram += e.size;
    }
    CHECK_EQ(ram, 128 << 20);
}

int main(void)
{
    check_machine();
    check_files_of_the_run();
    check_dma();
    check_directory();
    return 0;
}
