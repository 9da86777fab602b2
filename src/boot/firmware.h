/*
 * boot/firmware.h: a ROM image that the processor starts in by itself, at its reset vector: the last bytes of
 * the 4 GiB space, and its end once more below 1 MiB, where the first far jump leads (SDM 3A 9.1.4).
 */
#ifndef BOOT_FIRMWARE_H
#define BOOT_FIRMWARE_H

#include "boot/layout.h"
#include "host/host.h"
#include "mem/mem.h"

/* The layout with a ROM of the file's size. ERR_CONFIG naming `path`: no multiple of 4 KiB, or too large. */
bool firmware_plan(struct layout *l, const struct host_file *f, const char *path, struct err *e);
/* Both copies. `m` has the ranges of the planned layout. */
void firmware_load(struct mem *m, const struct layout *l, const struct host_file *f);

#endif
