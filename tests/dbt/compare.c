/*
 * compare.c: what differs between two endings.
 */
#include "machine.h"

#include "insn/case.h"

#define IRQ_INSNS 14u /* of one interrupt's handler (handlers.S) */
#define PAGE(n)   ((n)*PAGE_SIZE)

const char *const difference_names[DIFFERENCES] = {"registers", "rip",   "flags",  "system",
                                                   "cr2",       "x87",   "mxcsr",  "vectors",
                                                   "memory",    "insns", "ending", "device"};

static bool system_differs(const struct x86_state *a, const struct x86_state *b)
{
    for (unsigned i = 0; i < X86_NSEG; i++)
        if (a->seg[i].base != b->seg[i].base || a->seg[i].limit != b->seg[i].limit ||
            a->seg[i].sel != b->seg[i].sel || a->seg[i].attr != b->seg[i].attr)
            return true;
    return a->cr0 != b->cr0 || a->cr3 != b->cr3 || a->cr4 != b->cr4 || a->efer != b->efer ||
           a->xcr0 != b->xcr0 || a->cpl != b->cpl || a->mp != b->mp || a->dr6 != b->dr6 || a->dr7 != b->dr7 ||
           memcmp(a->dr, b->dr, sizeof(a->dr)) || a->ev.shadow != b->ev.shadow ||
           a->ev.nmi_pending != b->ev.nmi_pending || a->ev.debug_pending != b->ev.debug_pending ||
           a->ev.dr6_pending != b->ev.dr6_pending || memcmp(&a->msr, &b->msr, sizeof(a->msr));
}

static uint64_t log_word(const struct ending *o, unsigned at)
{
    return load_le(o->ram + PAGE(PG_SYS + SYS_LOG) + at, 8);
}

/* An accessed bit may be set for an access that is not made in the end (SDM 3A 4.8); a dirty bit may not. */
static bool table_differs(const uint8_t *interp, const uint8_t *dbt)
{
    for (unsigned at = 0; at < PAGE_SIZE; at += 8) {
        const uint64_t x = load_le(interp + at, 8), y = load_le(dbt + at, 8);
        if (x != y && (x | PTE_A) != y)
            return true;
    }
    return false;
}

/* The log page but for the number of interrupts. */
static bool log_differs(const uint8_t *a, const uint8_t *b)
{
    const unsigned behind = LOG_IRQS + 8;
    return memcmp(a, b, LOG_IRQS) || memcmp(a + behind, b + behind, PAGE_SIZE - behind);
}

static bool page_differs(const struct seq *s, unsigned page, const uint8_t *interp, const uint8_t *dbt)
{
    if (!memcmp(interp, dbt, PAGE_SIZE))
        return false;
    if (page == PG_PT || page == PG_OTHERPT)
        return table_differs(interp, dbt);
    if (s->irqs_vary && page == PG_SYS + SYS_IRQ)
        return false;
    return !s->irqs_vary || page != PG_SYS + SYS_LOG || log_differs(interp, dbt);
}

static bool memory_differs(const struct seq *s, const struct ending *interp, const struct ending *dbt)
{
    for (unsigned p = 0; p < RAM_PAGES; p++)
        if (page_differs(s, p, interp->ram + PAGE(p), dbt->ram + PAGE(p)))
            return true;
    return false;
}

unsigned endings_differ(const struct seq *s, const struct ending *a, const struct ending *b)
{
    const struct x86_state *x = &a->st, *y = &b->st;
    unsigned d = 0;
    uint64_t ia = a->insns, ib = b->insns;
    if (s->irqs_vary) {
        ia -= IRQ_INSNS * log_word(a, LOG_IRQS);
        ib -= IRQ_INSNS * log_word(b, LOG_IRQS);
    }
    d |= memcmp(x->gpr, y->gpr, sizeof(x->gpr)) ? D_GPR : 0;
    d |= x->rip != y->rip ? D_RIP : 0;
    d |= x86_rflags(x) != x86_rflags(y) ? D_FLAGS : 0;
    d |= system_differs(x, y) ? D_SYSTEM : 0;
    d |= x->cr2 != y->cr2 ? D_CR2 : 0;
    d |= memcmp(&x->fpu.fx, &y->fpu.fx, XS_MXCSR) || memcmp(x->fpu.fx.st, y->fpu.fx.st, 128) ? D_X87 : 0;
    d |= x->fpu.fx.mxcsr != y->fpu.fx.mxcsr ? D_MXCSR : 0;
    d |= memcmp(x->fpu.ymm, y->fpu.ymm, sizeof(x->fpu.ymm)) ? D_VECTOR : 0;
    d |= memory_differs(s, a, b) ? D_MEMORY : 0;
    d |= ia != ib ? D_INSNS : 0;
    d |= a->exit != b->exit || a->endless || b->endless ? D_EXIT : 0;
    d |= a->device_reads != b->device_reads || a->device_writes != b->device_writes ||
                 a->device_sum != b->device_sum
             ? D_DEVICE
             : 0;
    return d;
}
