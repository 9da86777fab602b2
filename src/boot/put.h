/*
 * boot/put.h: writing to guest memory at places that the layout chose.
 */
#ifndef BOOT_PUT_H
#define BOOT_PUT_H

#include "boot/layout.h"
#include "mem/mem.h"

/* All places come from the layout; a refusal means that `m` was not made from this layout. */
static inline void boot_put(struct mem *m, gpa_t at, const void *data, uint64_t len)
{
    bool done = mem_load(m, at, data, len);
    assert(done);
    (void)done;
}

/* What a BIOS leaves in its data area about EBDA and base memory; kernels keep clear of what lies above. */
static inline void boot_bios_data(struct mem *m)
{
    uint16_t ebda_segment = LAYOUT_EBDA >> 4, base_kib = LAYOUT_EBDA >> 10;
    boot_put(m, LAYOUT_BDA + 0x0e, &ebda_segment, 2);
    boot_put(m, LAYOUT_BDA + 0x13, &base_kib, 2);
}

#endif
