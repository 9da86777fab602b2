/*
 * lapic_regs.c: the local APIC's registers as the guest reaches them: xAPIC page and x2APIC MSRs.
 *
 * One table says for each register who may read and write it and which bits can be written. The page ignores
 * what is reserved and notes registers that do not exist in ESR (SDM 3A 11.4.1, 11.5.3); the MSRs fault
 * (11.12.1.2, 11.12.1.3).
 */
#include "cpu/lapic_impl.h"

#define MSR_FIRST 0x800u

/* How a register can be reached: bits. */
enum { PR = 1, PW = 2, MR = 4, MW = 8 }; /* page and MSR, read and write */
#define PAGE_ANY (PR | PW)
#define RO       (PR | MR)
#define RW       (PR | PW | MR | MW)

/* `writable`: bits that a write sets; `ignored`: read-only bits, which a write may have set. */
static const struct reg_desc {
    const char *name;
    uint8_t access;
    uint32_t writable, ignored;
} regs[REG_COUNT] = {
    [REG_ID] = {"ID", RO | PW}, /* fixed: 11.4.6 leaves it to the processor whether the page can change it */
    [REG_VERSION] = {"version", RO},
    [REG_TPR] = {"TPR", RW, 0xff},
    [REG_APR] = {"APR", PR},
    [REG_PPR] = {"PPR", RO},
    [REG_EOI] = {"EOI", PAGE_ANY | MW, 0},
    [REG_RRD] = {"RRD", PR},
    [REG_LDR] = {"LDR", RO | PW, 0xff000000},
    [REG_DFR] = {"DFR", PAGE_ANY, 0xf0000000},
    [REG_SVR] = {"SVR", RW, 0x3ff},
    [REG_ISR... REG_ISR + 7] = {"ISR", RO},
    [REG_TMR... REG_TMR + 7] = {"TMR", RO},
    [REG_IRR... REG_IRR + 7] = {"IRR", RO},
    [REG_ESR] = {"ESR", RW, 0},
    [REG_ICR] = {"ICR", RW, 0x000ccfff, LVT_STATUS},
    [REG_ICR_HIGH] = {"ICR high", PAGE_ANY, 0xff000000},
    [REG_LVT + LVT_TIMER] = {"LVT timer", RW, LVT_VECTOR | LVT_MASKED | LVT_TIMER_MODE, LVT_STATUS},
    [REG_LVT + LVT_THERMAL] = {"LVT thermal", RW, LVT_VECTOR | LVT_MODE | LVT_MASKED, LVT_STATUS},
    [REG_LVT + LVT_PERF] = {"LVT performance", RW, LVT_VECTOR | LVT_MODE | LVT_MASKED, LVT_STATUS},
    [REG_LVT + LVT_LINT0] = {"LVT LINT0", RW, 0x1a7ff, LVT_STATUS | LVT_REMOTE_IRR},
    [REG_LVT + LVT_LINT1] = {"LVT LINT1", RW, 0x1a7ff, LVT_STATUS | LVT_REMOTE_IRR},
    [REG_LVT + LVT_ERROR] = {"LVT error", RW, LVT_VECTOR | LVT_MASKED, LVT_STATUS},
    [REG_INITIAL_COUNT] = {"initial count", RW, 0xffffffff},
    [REG_CURRENT_COUNT] = {"current count", RO},
    [REG_DIVIDE] = {"divide configuration", RW, 0xb},
    [REG_SELF_IPI] = {"self IPI", MW, 0xff},
};

/* Integrated APIC, six LVT entries, no suppression of EOI broadcasts (SDM 3A 11.4.8). */
#define VERSION (0x14u | (LVT_COUNT - 1) << 16)

static uint32_t slice(const _Atomic uint64_t set[4], unsigned n)
{
    return (uint32_t)(set[n / 2] >> (n % 2 * 32));
}

static uint32_t read_reg(struct lapic *a, unsigned r)
{
    switch (r) {
    case REG_ID: return lapic_x2apic(a) ? a->id : a->id << 24;
    case REG_VERSION: return VERSION;
    case REG_TPR: return a->tpr;
    case REG_APR: /* no arbitration here: the priority it would enter with */
    case REG_PPR: return lapic_ppr(a);
    case REG_LDR: return lapic_x2apic(a) ? (a->id >> 4) << 16 | 1u << (a->id & 15) : a->ldr;
    case REG_DFR: return a->dfr;
    case REG_SVR: return a->svr;
    case REG_ISR ... REG_ISR + 7: return slice(a->isr, r - REG_ISR);
    case REG_TMR ... REG_TMR + 7: return slice(a->tmr, r - REG_TMR);
    case REG_IRR ... REG_IRR + 7: return slice(a->irr, r - REG_IRR);
    case REG_ESR: return a->esr;
    case REG_ICR: return a->icr;
    case REG_ICR_HIGH: return a->icr_high;
    case REG_LVT ... REG_LVT + LVT_COUNT - 1: return a->lvt[r - REG_LVT];
    case REG_INITIAL_COUNT: return a->initial_count;
    case REG_CURRENT_COUNT: return lapic_timer_count(a);
    case REG_DIVIDE: return a->divide;
    default: return 0;
    }
}

static uint32_t writable_bits(const struct lapic *a, unsigned r)
{
    uint32_t w = regs[r].writable;
    return r == REG_LVT + LVT_TIMER && !a->has_deadline ? w & ~TIMER_DEADLINE : w;
}

static void write_lvt(struct lapic *a, unsigned which, uint32_t v)
{
    if (!(a->svr & SVR_ENABLE)) /* masks cannot be cleared (SDM 3A 11.4.7.2) */
        v |= LVT_MASKED;
    if (which == LVT_TIMER) {
        lapic_timer_set_lvt(a, v);
        return;
    }
    if (which != LVT_LINT0) {
        a->lvt[which] = v;
        return;
    }
    /* Remote IRR, set from any thread, has a meaning for level-triggered interrupts only. */
    uint32_t old = a->lvt[which], bits_written = v;
    do
        v = bits_written | (bits_written & LVT_LEVEL ? old & LVT_REMOTE_IRR : 0);
    while (!atomic_compare_exchange_weak(&a->lvt[which], &old, v));
    if ((v & LVT_LEVEL) && !(v & LVT_REMOTE_IRR) && (a->pins & 1) != ((v & LVT_POLARITY_LOW) != 0))
        lapic_fire(a, LVT_LINT0, true); /* a level that waited for the mask to go */
    if (a->cpu)
        cpu_recheck(a->cpu); /* an ExtINT may pass now */
}

static void write_svr(struct lapic *a, uint32_t v)
{
    a->svr = v;
    if (v & SVR_ENABLE)
        return;
    for (unsigned i = 0; i < LVT_COUNT; i++)
        write_lvt(a, i, a->lvt[i] & ~LVT_REMOTE_IRR);
}

/* `v` has only writable bits. */
static void write_reg(struct lapic *a, unsigned r, uint32_t v)
{
    switch (r) {
    case REG_TPR: lapic_set_tpr(a, (uint8_t)v); return;
    case REG_EOI: lapic_eoi(a); return;
    case REG_LDR: a->ldr = v; return;
    case REG_DFR: a->dfr = v | 0x0fffffff; return;
    case REG_SVR: write_svr(a, v); return;
    case REG_ESR: a->esr = atomic_exchange(&a->error, 0); return;
    case REG_ICR: /* the page's; the MSR has its own way */
        a->icr = v;
        lapic_bus_ipi(a->bus, a, (uint64_t)a->icr_high << 32 | v);
        return;
    case REG_ICR_HIGH: a->icr_high = v; return;
    case REG_LVT ... REG_LVT + LVT_COUNT - 1: write_lvt(a, r - REG_LVT, v); return;
    case REG_INITIAL_COUNT: lapic_timer_set_count(a, v); return;
    case REG_DIVIDE: lapic_timer_set_divide(a, v); return;
    default: return;
    }
}

/* ---- the page ---- */

uint32_t lapic_mmio_read(struct lapic *a, uint32_t offset, unsigned size)
{
    unsigned r = offset >> 4, byte = offset & 15;
    if (r >= REG_COUNT || !(regs[r].access & PAGE_ANY)) {
        lapic_error(a, ESR_ILLEGAL_REGISTER, true);
        return 0;
    }
    if (byte > 3) /* the twelve bytes behind each register are reserved */
        return 0;
    return (uint32_t)(read_reg(a, r) >> (byte * 8) & mask_bytes(MIN(size, 4)));
}

void lapic_mmio_write(struct lapic *a, uint32_t offset, unsigned size, uint32_t v)
{
    unsigned r = offset >> 4;
    if (LIKELY(offset == REG_EOI << 4)) {
        lapic_eoi(a);
        return;
    }
    if (r >= REG_COUNT || !(regs[r].access & PAGE_ANY))
        lapic_error(a, ESR_ILLEGAL_REGISTER, true);
    else if ((offset & 15) == 0 && size >= 4 && (regs[r].access & PW))
        write_reg(a, r, v & writable_bits(a, r));
}

/* ---- the MSRs ---- */

bool lapic_msr_read(struct lapic *a, uint32_t msr, uint64_t *v)
{
    unsigned r = msr - MSR_FIRST;
    if (!lapic_x2apic(a) || r >= REG_COUNT || !(regs[r].access & MR))
        return false;
    *v = read_reg(a, r);
    if (r == REG_ICR)
        *v |= (uint64_t)a->icr_high << 32;
    return true;
}

bool lapic_msr_write(struct lapic *a, uint32_t msr, uint64_t v)
{
    unsigned r = msr - MSR_FIRST;
    if (!lapic_x2apic(a) || r >= REG_COUNT || !(regs[r].access & MW))
        return false;
    uint32_t writable = writable_bits(a, r);
    if ((uint32_t)v & ~(writable | regs[r].ignored))
        return false;
    if (r == REG_ICR) {
        v &= ~(uint64_t)regs[r].ignored;
        a->icr = (uint32_t)v;
        a->icr_high = (uint32_t)(v >> 32);
        lapic_bus_ipi(a->bus, a, v);
        return true;
    }
    if (v >> 32)
        return false;
    if (r == REG_SELF_IPI) /* as an IPI with the self shorthand (SDM 3A 11.12.11) */
        lapic_bus_ipi(a->bus, a, 1u << 18 | (uint32_t)v);
    else
        write_reg(a, r, (uint32_t)v & writable);
    return true;
}
