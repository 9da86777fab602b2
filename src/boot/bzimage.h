/*
 * boot/bzimage.h: a Linux kernel image (bzImage) as a file: is it one, is it whole, what does it ask for.
 */
#ifndef BOOT_BZIMAGE_H
#define BOOT_BZIMAGE_H

#include "base/base.h"
#include "host/host.h"

/* What the header says, checked. */
struct bzimage {
    const uint8_t *setup;  /* the file from its start */
    uint32_t setup_size;   /* of the real-mode part, which only firmware reads */
    uint32_t header_end;   /* the setup header is [0x1f1, header_end) */
    bool entry64;          /* it has the 64-bit entry; else it is started at the 32-bit one */
    const uint8_t *kernel; /* the protected-mode part */
    uint64_t kernel_size;
    uint64_t load;        /* where it goes */
    uint64_t run_size;    /* bytes of RAM it needs from there on */
    uint64_t initrd_max;  /* highest address that an initrd's last byte may have */
    bool initrd_above_4g; /* ... unless this: it may lie anywhere */
    uint32_t cmdline_max; /* longest command line, without its NUL */
};

/*
 * Check a file and fill `k`, whose pointers are into the file's memory. ERR_CONFIG naming `path` and the
 * mend: too short, some other kind of file (says which), cut off, too old, or a header that contradicts
 * itself. Boot protocol 2.04 and later; the 64-bit entry exists from 2.12 on.
 */
bool bzimage_parse(struct bzimage *k, const struct host_file *f, const char *path, struct err *e);

/* Has it the two signatures of a Linux image? */
bool bzimage_is(const struct host_file *f);

/* What a file that is no kernel looks like, with the mend where there is a special one, for a message. */
const char *bzimage_guess(const uint8_t *data, uint64_t size);

#endif
