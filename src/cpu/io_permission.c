/*
 * io_permission.c: may this port be accessed? IOPL, or the I/O permission bitmap of the TSS (SDM 1 19.5, APM
 * 2 12.2.5).
 */
#include "cpu/cpu_internal.h"

#define TSS_IO_BASE 102u

bool cpu_io_allowed(struct cpu *c, uint16_t port, unsigned size)
{
    const struct x86_state *s = &c->st;
    const struct x86_seg *tr = &s->seg[SEG_TR];
    uint16_t base, map;
    if (!(s->cr0 & CR0_PE) || (!v86(s) && s->cpl <= iopl(s)))
        return true;
    /* A 16-bit TSS has no bitmap. */
    if ((tr->attr & SEG_UNUSABLE) || !((tr->attr & SEG_TYPE) & 8) || tr->limit < TSS_IO_BASE + 1)
        return cpu_raise_gp0(c);
    if (!c->ops->read(c, table_lin(s, tr->base + TSS_IO_BASE), &base, 2, ACC_IMPLICIT))
        return false;
    /* Two bytes are read whatever the port, so that an access over a byte's end finds its bits. */
    uint32_t at = base + port / 8u;
    if (at + 1 > tr->limit)
        return cpu_raise_gp0(c);
    if (!c->ops->read(c, table_lin(s, tr->base + at), &map, 2, ACC_IMPLICIT))
        return false;
    return !(map >> (port & 7) & ((1u << size) - 1)) || cpu_raise_gp0(c);
}
