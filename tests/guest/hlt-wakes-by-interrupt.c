/*
 * hlt-wakes-by-interrupt.c: HLT ends by an interrupt, and goes on behind it; one that is pending already ends
 * it at once.
 *
 * SDM 2A "HLT", APM 3 "HLT". An idle kernel that does not wake is a hung machine; one that wakes without
 * reason burns a host's processor.
 */
#include "frame.h"

static volatile unsigned ticks;
static volatile uint64_t seen_rip;

static void handler(struct regs *r)
{
    seen_rip = r->rip;
    ticks++;
    apic_eoi();
}

extern const char behind_hlt[];

static USER_CODE uint64_t user_hlt(uint64_t arg)
{
    asm volatile("hlt");
    return 0;
}

int main(void)
{
    trap_set_handler(0x93, handler);
    apic_write(APIC_TIMER_DIVIDE, 0xb);
    apic_write(APIC_LVT_TIMER, 0x93);
    for (unsigned i = 1; i <= 20; i++) {
        apic_write(APIC_TIMER_COUNT, i * 20000);
        asm volatile("sti; hlt; .globl behind_hlt; behind_hlt: cli" ::: "memory");
        CHECK_EQ(ticks, i);
        CHECK_EQ(seen_rip, (uint64_t)behind_hlt);
    }

    /* Pending before HLT. */
    apic_self_ipi(0x93);
    sti_hlt_cli();
    CHECK_EQ(ticks, 21);

    /* HLT alone many times: each needs its own interrupt. */
    apic_write(APIC_LVT_TIMER, 0x93 | APIC_TIMER_PERIODIC);
    apic_write(APIC_TIMER_COUNT, 100000);
    unsigned start = ticks;
    for (unsigned i = 0; i < 10; i++)
        sti_hlt_cli();
    apic_write(APIC_TIMER_COUNT, 0);
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
    CHECK(ticks - start >= 10);

    CHECK_EQ(user_try(user_hlt, 0).vector, GP);
    return 0;
}
