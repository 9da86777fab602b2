/*
 * boot/put.h: writing to guest memory at places that the layout chose.
 */
#ifndef BOOT_PUT_H
#define BOOT_PUT_H

#include "mem/mem.h"

/* All places come from the layout; a refusal means that `m` was not made from this layout. */
static inline void boot_put(struct mem *m, gpa_t at, const void *data, uint64_t len)
{
    bool done = mem_load(m, at, data, len);
    assert(done);
    (void)done;
}

#endif
