/*
 * x2apic-msrs.c: in x2APIC mode the registers are MSRs, 64 bits of ICR in one write, with #GP for what is not
 * there.
 *
 * SDM 3A 10.12, APM 2 16.9 to 16.12. Kernels use this mode wherever CPUID has it.
 */
#include "frame.h"

static volatile unsigned count;

static void handler(struct regs *r)
{
    count++;
    apic_eoi();
}

static struct trap read_register(unsigned reg)
{
    return TRY("rdmsr", : : "c"(MSR_X2APIC + reg / 16) : "rax", "rdx", "memory");
}

static struct trap write_register(unsigned reg, uint64_t v)
{
    return TRY("wrmsr",
               :
               : "c"(MSR_X2APIC + reg / 16), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
               : "memory");
}

static struct trap write_base(uint64_t v)
{
    return TRY("wrmsr", : : "c"(MSR_APIC_BASE), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static void allow(void)
{
    sti();
    asm volatile("nop; nop");
    cli();
}

int main(void)
{
    if (!cpu_has_x2apic())
        exit_skip("no x2APIC in CPUID");
    uint64_t base = rdmsr(MSR_APIC_BASE) & ~(APIC_BASE_X2 | APIC_BASE_ENABLE);
    unsigned id = apic_id();
    trap_set_handler(0x97, handler);

    /* Before the switch its MSRs do not exist; of the four states only some ways are open (figure 10-27). */
    CHECK_FAULT(read_register(APIC_ID), GP, 0);
    CHECK_FAULT(write_base(base | APIC_BASE_X2), GP, 0);
    apic_write(APIC_SVR, 0x1ff);
    apic_enable_x2();
    CHECK_FAULT(write_base(base | APIC_BASE_ENABLE), GP, 0); /* not back to xAPIC */
    CHECK_EQ(rdmsr(MSR_APIC_BASE) & (APIC_BASE_X2 | APIC_BASE_ENABLE), APIC_BASE_X2 | APIC_BASE_ENABLE);

    CHECK_EQ(apic_id(), id);
    CHECK_EQ(apic_read(APIC_SVR) & 0x1ff, 0x1ff);
    CHECK_EQ(cpuid_has_leaf(0xb) ? cpuid(0xb, 0).edx : id, id);
    CHECK_EQ(apic_read(APIC_LDR), (id & ~15u) << 12 | 1u << (id & 15)); /* 10.12.10.2 */
    CHECK(apic_read(APIC_VERSION) & 0xff);

    CHECK_FAULT(write_register(APIC_ID, 0), GP, 0);
    CHECK_FAULT(write_register(APIC_VERSION, 0), GP, 0);
    CHECK_FAULT(write_register(APIC_LDR, 0), GP, 0);
    CHECK_FAULT(read_register(APIC_DFR), GP, 0);
    CHECK_FAULT(read_register(APIC_ICR2), GP, 0);
    CHECK_FAULT(read_register(APIC_EOI), GP, 0);
    CHECK_FAULT(read_register(APIC_SELF_IPI), GP, 0);
    CHECK_FAULT(write_register(APIC_EOI, 1), GP, 0);
    CHECK_FAULT(write_register(APIC_ESR, 1), GP, 0);
    CHECK_FAULT(write_register(APIC_TPR, 0x100), GP, 0);
    CHECK_FAULT(write_register(APIC_TPR, BIT(32)), GP, 0);
    CHECK_FAULT(write_register(APIC_TIMER_CURRENT, 0), GP, 0);
    CHECK_FAULT(write_register(APIC_IRR, 0), GP, 0);
    CHECK_FAULT(read_register(0x3f0 + 0x10), GP, 0);
    CHECK_FAULT(read_register(0x010), GP, 0);

    /* IPIs to itself: by ICR in one write, by destination, by SELF_IPI. */
    wrmsr(MSR_X2APIC + APIC_ICR / 16, APIC_ICR_SELF | 0x97);
    allow();
    CHECK_EQ(count, 1);
    wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)id << 32 | 0x97);
    allow();
    CHECK_EQ(count, 2);
    wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)apic_read(APIC_LDR) << 32 | BIT(11) | 0x97);
    allow();
    CHECK_EQ(count, 3);
    wrmsr(MSR_X2APIC + APIC_SELF_IPI / 16, 0x97);
    allow();
    CHECK_EQ(count, 4);
    wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)(id + 1) << 32 | 0x97); /* nobody */
    allow();
    CHECK_EQ(count, 4);
    CHECK_EQ(rdmsr(MSR_X2APIC + APIC_ICR / 16) >> 32, id + 1);

    /* TPR and CR8 are one. */
    apic_write(APIC_TPR, 0xa0);
    CHECK_EQ(read_cr8(), 10);
    wrmsr(MSR_X2APIC + APIC_SELF_IPI / 16, 0x97);
    allow();
    CHECK_EQ(count, 4);
    CHECK(apic_vector_bit(APIC_IRR, 0x97));
    write_cr8(0);
    allow();
    CHECK_EQ(count, 5);

    /* The timer. */
    apic_write(APIC_TIMER_DIVIDE, 0xb);
    apic_write(APIC_LVT_TIMER, 0x97);
    apic_write(APIC_TIMER_COUNT, 10000);
    sti();
    CHECK(WAIT_FOR(count == 6, 10000));
    cli();

    /* Off, and to xAPIC by way of off: state starts anew. */
    CHECK_NO_TRAP(write_base(base));
    CHECK_FAULT(read_register(APIC_ID), GP, 0);
    CHECK_NO_TRAP(write_base(base | APIC_BASE_ENABLE));
    CHECK_EQ(*(volatile uint32_t *)(0xfee00000 + APIC_SVR), 0xff);
    return 0;
}
