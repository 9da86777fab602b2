/*
 * mtrr.c: memory type range registers and the page attribute table, as registers only: software engines have
 * one kind of memory, so types are checked and kept and change nothing (SDM 3A 12.11, 12.12; APM 2 7.7, 7.8).
 */
#include "cpu/cpuid.h"
#include "cpu/msr_impl.h"

#define MTRR_VARIABLE 8u
#define MTRR_FIXED    BIT(8)
#define MTRR_WC       BIT(10)

#define DEF_TYPE_BITS      0xcffull /* type, fixed enable, enable */
#define SYSCFG_DRAM_MODIFY BIT(19)  /* AMD: RdMem and WrMem in the fixed ranges can be seen and written */
#define RDMEM_WRMEM        0x18u

/* UC, WC, WT, WP, WB; 7 is UC- and only in the PAT. */
static bool type_valid(unsigned type, bool pat)
{
    return type == 0 || type == 1 || (type >= 4 && type <= 6) || (pat && type == 7);
}

/* Eight types, one a byte. */
static bool types_valid(uint64_t v, bool pat)
{
    for (unsigned i = 0; i < 8; i++)
        if (!type_valid((unsigned)bits(v, i * 8, 8), pat))
            return false;
    return true;
}

static uint64_t *slot(struct cpu *c, const struct msr_desc *d, uint32_t index)
{
    return (uint64_t *)((char *)c + d->field) + (index - d->first);
}

bool mtrr_read_cap(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v)
{
    *v = MTRR_VARIABLE | MTRR_FIXED | MTRR_WC;
    return true;
}

/* Even: base and type; odd: mask and valid. */
bool mtrr_write_variable(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    uint64_t address = BIT(c->cpuid->phys_bits) - PAGE_SIZE;
    bool is_mask = index & 1;
    if (v & ~(address | (is_mask ? BIT(11) : 0xff)))
        return false;
    if (!is_mask && !type_valid((unsigned)(v & 0xff), false))
        return false;
    *slot(c, d, index) = v;
    return true;
}

bool mtrr_write_fixed(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    uint64_t extra = c->st.msr.syscfg & SYSCFG_DRAM_MODIFY ? 0x0101010101010101ull * RDMEM_WRMEM : 0;
    if (!types_valid(v & ~extra, false))
        return false;
    *slot(c, d, index) = v;
    return true;
}

bool mtrr_write_def_type(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    if ((v & ~DEF_TYPE_BITS) || !type_valid((unsigned)(v & 0xff), false))
        return false;
    c->st.msr.mtrr_def_type = v;
    return true;
}

bool mtrr_write_pat(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v)
{
    if (!types_valid(v, true))
        return false;
    c->st.msr.pat = v;
    return true;
}
