/*
 * apic-timer-masked-lost.c: a masked timer still counts down, and its interrupt is not kept for later.
 *
 * SDM 3A 10.5.1, 10.5.4. A kernel that changes the timer's mode masks it first, and expects no tick of the
 * old mode.
 */
#include "frame.h"

static volatile unsigned ticks;

static void handler(struct regs *r)
{
    ticks++;
    apic_eoi();
}

/* None comes, and none was kept. */
static void none_comes(void)
{
    sti();
    delay_us(5000);
    cli();
    CHECK_EQ(ticks, 0);
}

int main(void)
{
    trap_set_handler(0x95, handler);

    apic_write(APIC_LVT_TIMER, 0x95 | APIC_LVT_MASKED);
    apic_write(APIC_TIMER_DIVIDE, 0xb);
    apic_write(APIC_TIMER_COUNT, 100000);
    CHECK(WAIT_FOR(apic_read(APIC_TIMER_CURRENT) == 0, 10000));
    CHECK_EQ(apic_read(APIC_TIMER_COUNT), 100000);
    apic_write(APIC_LVT_TIMER, 0x95);
    none_comes();

    if (!cpu_has_tsc_deadline())
        return 0;
    apic_write(APIC_LVT_TIMER, 0x95 | APIC_TIMER_DEADLINE | APIC_LVT_MASKED);
    asm volatile("mfence" ::: "memory");
    uint64_t deadline = rdtsc() + 1000000;
    wrmsr(MSR_TSC_DEADLINE, deadline);
    wait_tsc(deadline);
    delay_us(30000);
    apic_write(APIC_LVT_TIMER, 0x95 | APIC_TIMER_DEADLINE);
    none_comes();
    return 0;
}
