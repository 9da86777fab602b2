/*
 * apic.c: local APIC access in both modes.
 */
#include "apic.h"
#include "console.h"
#include "trap.h"

static bool x2;

static volatile uint32_t *page(void)
{
    return (volatile uint32_t *)0xfee00000;
}

uint32_t apic_read(unsigned reg)
{
    return x2 ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : page()[reg / 4];
}

void apic_write(unsigned reg, uint32_t v)
{
    if (x2)
        wrmsr(MSR_X2APIC + reg / 16, v);
    else
        page()[reg / 4] = v;
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

bool apic_vector_bit(unsigned reg, unsigned vector)
{
    return apic_read(reg + vector / 32 * 16) >> (vector % 32) & 1;
}

void apic_self_ipi(unsigned vector)
{
    apic_write(APIC_ICR, APIC_ICR_SELF | vector);
}

unsigned apic_id(void)
{
    return x2 ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

void apic_enable_x2(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE | APIC_BASE_X2);
    x2 = true;
}

static void spurious(struct regs *r)
{
}

void apic_init(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
    trap_set_handler(0xff, spurious);
    apic_write(APIC_SVR, 0x1ff);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
    apic_write(APIC_LVT_LINT0, APIC_EXTINT);
    apic_write(APIC_LVT_LINT1, APIC_LVT_MASKED);
    apic_write(APIC_LVT_ERROR, APIC_LVT_MASKED);
}
