/*
 * stack.c: pushes and pops by the stack-address size (SDM 1 6.2.3).
 */
#include "engine/interp/insn.h"

static unsigned sp_size(const struct interp *v)
{
    return is64(v) ? 8 : v->mode & MODE_STACK32 ? 4 : 2;
}

void stack_move(struct interp *v, int64_t n)
{
    uint64_t *rsp = &v->c.st.gpr[RSP], sum = *rsp + (uint64_t)n;
    switch (sp_size(v)) {
    case 8: *rsp = sum; break;
    case 4: *rsp = (uint32_t)sum; break;
    default: *rsp = (*rsp & ~0xffffull) | (uint16_t)sum;
    }
}

static bool stack_address(struct interp *v, int64_t skip, unsigned size, unsigned acc, uint64_t *lin)
{
    unsigned n = sp_size(v);
    uint64_t sp = (v->c.st.gpr[RSP] + (uint64_t)skip) & mask_bytes(n);
    return seg_address(v, SEG_SS, sp, size, acc, lin);
}

bool stack_load(struct interp *v, uint64_t lin, void *buf, unsigned size)
{
    struct tlb_entry *e = tlb_at(v, lin);
    if (UNLIKELY(((lin + size - 1) & PAGE_MASK) != e->rd))
        return tlb_load_slow(v, lin, buf, size, true);
    memcpy(buf, (const void *)(lin + e->addend), size);
    return true;
}

bool stack_peek(struct interp *v, int64_t skip, uint64_t *val, unsigned size)
{
    uint64_t lin, out = 0;
    if (!stack_address(v, skip, size, ACC_READ, &lin))
        return false;
    if (!stack_load(v, lin, &out, size))
        return false;
    *val = out;
    return true;
}

bool stack_can_push(struct interp *v, unsigned size)
{
    uint64_t lin;
    bool ok =
        stack_address(v, -(int64_t)size, size, ACC_WRITE, &lin) && wr_begin_slow(v, lin, size, true, true);
    v->wr.kind = WR_NONE;
    return ok;
}

bool stack_push(struct interp *v, uint64_t val, unsigned size)
{
    uint64_t lin;
    if (!stack_address(v, -(int64_t)size, size, ACC_WRITE, &lin))
        return false;
    struct tlb_entry *e = tlb_at(v, lin);
    if (LIKELY(((lin + size - 1) & PAGE_MASK) == e->wr)) {
        memcpy((void *)(lin + e->addend), &val, size);
    } else {
        void *p = wr_begin_slow(v, lin, size, false, true);
        if (!p)
            return false;
        memcpy(p, &val, size);
        wr_end(v);
    }
    stack_move(v, -(int64_t)size);
    return true;
}

bool stack_pop(struct interp *v, uint64_t *val, unsigned size)
{
    if (!stack_peek(v, 0, val, size))
        return false;
    stack_move(v, size);
    return true;
}
