/*
 * apic-software-disable.c: with SVR's enable bit clear, the LVT is masked and stays so, and IPIs are not
 * accepted.
 *
 * SDM 3A 10.4.7.2, APM 2 16.4.7. A kernel that hands the APIC over (kexec, CPU hotplug) counts on its
 * silence.
 */
#include "frame.h"

static const uint16_t lvt[] = {APIC_LVT_TIMER, APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR};
static volatile unsigned count;

static void handler(struct regs *r)
{
    count++;
    apic_eoi();
}

int main(void)
{
    trap_set_handler(0x61, handler);
    for (unsigned i = 0; i < sizeof(lvt) / sizeof(*lvt); i++)
        apic_write(lvt[i], 0x61);
    apic_write(APIC_SVR, 0xff);
    for (unsigned i = 0; i < sizeof(lvt) / sizeof(*lvt); i++) {
        CHECK_EQ(apic_read(lvt[i]), 0x61 | APIC_LVT_MASKED);
        apic_write(lvt[i], 0x62); /* the mask cannot be cleared, the rest can be written */
        CHECK_EQ(apic_read(lvt[i]), 0x62 | APIC_LVT_MASKED);
    }
    apic_self_ipi(0x61);
    sti();
    delay_us(1000);
    cli();
    CHECK_EQ(count, 0);
    apic_write(APIC_SVR, 0x1ff);
    CHECK_EQ(apic_read(APIC_LVT_TIMER), 0x62 | APIC_LVT_MASKED);
    apic_self_ipi(0x61);
    sti();
    delay_us(1000);
    cli();
    CHECK(count == 1);
    return 0;
}
