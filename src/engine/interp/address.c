/*
 * address.c: segmented addresses, and address forms that the inline path leaves out (SDM 3A 5.3, SDM
 * 1 3.7.5).
 *
 * In 64-bit mode only FS and GS have a base and nothing has a limit; everywhere else each access is checked
 * against its segment.
 */
#include "engine/interp/insn.h"

static bool segment_fault(struct interp *v, unsigned seg)
{
    return cpu_raise_err(&v->c, seg == SEG_SS ? VEC_SS : VEC_GP, 0);
}

/* Does [ea, ea+size) lie within the segment? Expand-down: above the limit, up to 64 KiB or 4 GiB by B. */
static bool within_limit(const struct x86_seg *s, uint64_t ea, unsigned size)
{
    uint64_t last = ea + size - 1;
    bool expand_down = (s->attr & (SEG_S | SEG_T_CODE | SEG_T_DC)) == (SEG_S | SEG_T_DC);
    if (!expand_down)
        return last <= s->limit;
    return ea > s->limit && last <= (s->attr & SEG_DB ? 0xffffffffu : 0xffffu);
}

bool seg_address(struct interp *v, unsigned seg, uint64_t ea, unsigned size, unsigned acc, uint64_t *lin)
{
    const struct x86_seg *s = &v->c.st.seg[seg];
    if (is64(v)) {
        *lin = ea + (seg == SEG_FS || seg == SEG_GS ? s->base : 0);
        return true;
    }
    if (x86_protected(&v->c.st)) {
        bool code = s->attr & SEG_T_CODE, rw = s->attr & SEG_T_RW;
        if ((s->attr & SEG_UNUSABLE) || !(s->attr & SEG_P))
            return segment_fault(v, seg);
        if (acc & ACC_WRITE ? code || !rw : code && !rw)
            return segment_fault(v, seg);
    }
    if (!within_limit(s, ea, size))
        return segment_fault(v, seg);
    *lin = (uint32_t)(s->base + ea);
    return true;
}

uint64_t insn_ea(struct interp *v, const struct insn *in)
{
    uint64_t ea = address_sum(v, in);
    if (!(in->flags & IN_SEG))
        return ea;
    if (in->base == offsetof(struct interp, block_rip))
        ea += in->off + in->len;
    return ea & mask_bytes(IN_ASZ_BYTES(in->flags));
}

bool insn_address_slow(struct interp *v, const struct insn *in, unsigned size, unsigned acc, uint64_t *lin)
{
    return seg_address(v, IN_SEG_NO(in->flags), insn_ea(v, in), size, acc, lin);
}
