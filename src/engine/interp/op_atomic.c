/*
 * op_atomic.c: XCHG with memory, XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B.
 *
 * Those in memory are one locked host access, whether the guest's had LOCK or not (XCHG has it always).
 */
#include "engine/interp/host_alu.h"
#include "engine/interp/insn.h"
#include "engine/interp/select.h"

#define DEFINE_ATOMIC(T, suf, bits, unused)                                                        \
    OP(xchg_m##bits)                                                                               \
    {                                                                                              \
        T *p = wr_op(v, in, sizeof(T), true);                                                      \
        if (!p)                                                                                    \
            return insn_fault(v, in);                                                              \
        T old = __atomic_exchange_n(p, *(T *)&R8AT(v, in->src), __ATOMIC_SEQ_CST);                 \
        wr_end(v);                                                                                 \
        reg_write(v, in->src, old, sizeof(T));                                                     \
        return in + 1;                                                                             \
    }                                                                                              \
    OP(xadd_m##bits)                                                                               \
    {                                                                                              \
        uint16_t cc;                                                                               \
        T a = *(T *)&R8AT(v, in->src), *p = wr_op(v, in, sizeof(T), true);                         \
        if (!p)                                                                                    \
            return insn_fault(v, in);                                                              \
        __asm__ volatile("lock xadd" suf " %[a],%[p]" CC_OUT                                       \
                         : [a] "+q"(a), [p] "+m"(*p), "=&a"(cc)                                    \
                         :                                                                         \
                         : "cc", "memory");                                                        \
        ST(v)->cc = cc;                                                                            \
        wr_end(v);                                                                                 \
        reg_write(v, in->src, a, sizeof(T));                                                       \
        return in + 1;                                                                             \
    }                                                                                              \
    OP(xadd_r##bits)                                                                               \
    {                                                                                              \
        uint16_t cc;                                                                               \
        T a = *(T *)&R8AT(v, in->src), d = *(T *)&R8AT(v, in->dst), sum = a;                       \
        __asm__("add" suf " %[d],%[sum]" CC_OUT : [sum] "+q"(sum), "=&a"(cc) : [d] "q"(d) : "cc"); \
        ST(v)->cc = cc;                                                                            \
        reg_write(v, in->src, d, sizeof(T));                                                       \
        reg_write(v, in->dst, sum, sizeof(T)); /* the sum last: XADD AX, AX */                     \
        return in + 1;                                                                             \
    }                                                                                              \
    OP(cmpxchg_m##bits)                                                                            \
    {                                                                                              \
        uint64_t rax = ST(v)->gpr[RAX], after;                                                     \
        T b = *(T *)&R8AT(v, in->src), *p = wr_op(v, in, sizeof(T), true);                         \
        if (!p)                                                                                    \
            return insn_fault(v, in);                                                              \
        __asm__ volatile("lock cmpxchg" suf " %[b],%[p]\n\tmov %%rax,%[after]" CC_OUT              \
                         : [p] "+m"(*p), "+a"(rax), [after] "=&r"(after)                           \
                         : [b] "q"(b)                                                              \
                         : "cc", "memory");                                                        \
        ST(v)->cc = (uint16_t)rax;                                                                 \
        wr_end(v);                                                                                 \
        ST(v)->gpr[RAX] = after;                                                                   \
        return in + 1;                                                                             \
    }                                                                                              \
    OP(cmpxchg_r##bits)                                                                            \
    {                                                                                              \
        uint16_t cc;                                                                               \
        T a = (T)ST(v)->gpr[RAX], d = *(T *)&R8AT(v, in->dst);                                     \
        __asm__("cmp" suf " %[d],%[a]" CC_OUT : "=&a"(cc) : [a] "q"(a), [d] "q"(d) : "cc");        \
        ST(v)->cc = cc;                                                                            \
        if (a == d) {                                                                              \
            reg_write(v, in->dst, *(T *)&R8AT(v, in->src), sizeof(T));                             \
        } else {                                                                                   \
            /* The destination is not written, not even cut to 32 bits. */                         \
            reg_write(v, offsetof(struct interp, c.st.gpr[RAX]), d, sizeof(T));                    \
        }                                                                                          \
        return in + 1;                                                                             \
    }
FOR_WIDTHS(DEFINE_ATOMIC, 0)

/* Only ZF changes. */
static void set_zf(struct interp *v, bool zf)
{
    ST(v)->cc = (uint16_t)((ST(v)->cc & ~CC_ZF) | (zf ? CC_ZF : 0));
}

OP(cmpxchg8b)
{
    uint64_t *p = wr_op(v, in, 8, true), *g = ST(v)->gpr;
    if (!p)
        return insn_fault(v, in);
    uint64_t want = (uint32_t)g[RAX] | g[RDX] << 32, put = (uint32_t)g[RBX] | g[RCX] << 32;
    bool same = __atomic_compare_exchange_n(p, &want, put, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    wr_end(v);
    set_zf(v, same);
    if (!same) {
        g[RAX] = (uint32_t)want;
        g[RDX] = want >> 32;
    }
    return in + 1;
}

OP(cmpxchg16b)
{
    uint64_t lin, *g = ST(v)->gpr, lo = g[RAX], hi = g[RDX];
    bool same;
    if (!insn_address(v, in, 16, ACC_WRITE, &lin))
        return insn_fault(v, in);
    if (lin & 15) /* SDM 2A "CMPXCHG16B": alignment is required */
        return insn_gp0(v, in);
    unsigned __int128 *p = wr_begin(v, lin, 16, true);
    if (!p)
        return insn_fault(v, in);
    __asm__ volatile("lock cmpxchg16b %[p]"
                     : [p] "+m"(*p), "+a"(lo), "+d"(hi), "=@ccz"(same)
                     : "b"(g[RBX]), "c"(g[RCX])
                     : "memory");
    wr_end(v);
    set_zf(v, same);
    if (!same) {
        g[RAX] = lo;
        g[RDX] = hi;
    }
    return in + 1;
}

#define WIDTHS(name)                          \
    {                                         \
        name##8, name##16, name##32, name##64 \
    }
enum { XADD, CMPXCHG };
static insn_fn *const fns[][2][4] = {
    [XADD] = {WIDTHS(xadd_r), WIDTHS(xadd_m)},
    [CMPXCHG] = {WIDTHS(cmpxchg_r), WIDTHS(cmpxchg_m)},
};
static insn_fn *const xchg_m[4] = WIDTHS(xchg_m);

bool select_xchg_memory(struct sel *s, struct insn *in)
{
    unsigned mem = sel_is_mem(s, 0) ? 0 : 1;
    sel_mem(s, in, mem);
    in->src = sel_reg(s->d.op[1 - mem].reg.value);
    in->fn = xchg_m[width_index(sel_size(s, mem))];
    return true;
}

static bool select_exchange(struct sel *s, struct insn *in, unsigned op)
{
    bool mem = sel_is_mem(s, 0);
    if (mem)
        sel_mem(s, in, 0);
    else
        in->dst = sel_reg(s->d.op[0].reg.value);
    in->src = sel_reg(s->d.op[1].reg.value);
    in->fn = fns[op][mem][width_index(sel_size(s, 0))];
    return true;
}

static bool select_double(struct sel *s, struct insn *in, unsigned wide)
{
    sel_mem(s, in, 0);
    in->fn = wide ? cmpxchg16b : cmpxchg8b;
    return true;
}

const struct sel_row op_atomic_rows[] = {
    {ZYDIS_MNEMONIC_XADD, select_exchange, XADD},
    {ZYDIS_MNEMONIC_CMPXCHG, select_exchange, CMPXCHG},
    {ZYDIS_MNEMONIC_CMPXCHG8B, select_double, 0},
    {ZYDIS_MNEMONIC_CMPXCHG16B, select_double, 1},
    {0},
};
