/*
 * apic-global-disable.c: without IA32_APIC_BASE's enable bit there is no local APIC at all; with it again
 * there is a new one.
 *
 * SDM 3A 10.4.3 and 10.4.7.2, APM 2 16.3.1. LINT0 is INTR then: the 8259 interrupts the processor directly.
 */
#include "frame.h"

static volatile unsigned ticks;

static void irq0(struct regs *r)
{
    ticks++;
    pic_eoi(0);
}

static bool pit_arrives(unsigned ms)
{
    ticks = 0;
    sti();
    bool ok = WAIT_FOR(ticks >= 3, ms);
    cli();
    return ok;
}

int main(void)
{
    trap_set_handler(PIC_BASE, irq0);
    pit_start(0, 2, 1193);
    pic_mask(0, false);
    apic_write(APIC_LVT_LINT0, APIC_EXTINT | APIC_LVT_MASKED);
    CHECK(!pit_arrives(50));

    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~APIC_BASE_ENABLE);
    CHECK_EQ(cpuid(1, 0).edx & BIT(9), 0);
    CHECK(apic_read(APIC_VERSION) == 0xffffffff || apic_read(APIC_VERSION) == 0); /* nothing answers */
    CHECK(pit_arrives(10000));

    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
    CHECK_EQ(cpuid(1, 0).edx & BIT(9), BIT(9));
    CHECK_EQ(apic_read(APIC_SVR), 0xff); /* as after a reset (10.4.7.1) */
    CHECK_EQ(apic_read(APIC_LVT_LINT0), APIC_LVT_MASKED);
    CHECK_EQ(apic_read(APIC_TPR), 0);
    apic_write(APIC_SVR, 0x1ff);
    apic_write(APIC_LVT_LINT0, APIC_EXTINT);
    CHECK(pit_arrives(10000));
    return 0;
}
