/*
 * apic-priority-tpr.c: the local APIC delivers by priority class, holds back what TPR and what is in service
 * forbid.
 *
 * SDM 3A 10.8.3 to 10.8.5, APM 2 16.6. CR8 is the upper half of TPR; an interrupt of a higher class comes in
 * the middle of a lower one's handler.
 */
#include "frame.h"

static volatile uint8_t order[16];
static volatile unsigned count;

static void handler(struct regs *r)
{
    order[count++ % 16] = (uint8_t)r->vector;
    apic_eoi();
}

/* Sends a higher and a lower one to itself, and looks who comes. */
static void nested(struct regs *r)
{
    order[count++ % 16] = (uint8_t)r->vector;
    CHECK(apic_vector_bit(APIC_ISR, 0x65));
    CHECK_EQ(apic_read(APIC_PPR), 0x60);
    apic_self_ipi(0x55);
    apic_self_ipi(0x66); /* same class: waits although the number is higher */
    apic_self_ipi(0x71);
    sti();
    asm volatile("nop; nop");
    cli();
    CHECK_EQ(count, 2);
    CHECK_EQ(order[1], 0x71);
    CHECK(apic_vector_bit(APIC_IRR, 0x55));
    CHECK(apic_vector_bit(APIC_IRR, 0x66));
    apic_eoi();
}

static void allow(void)
{
    sti();
    asm volatile("nop; nop");
    cli();
}

int main(void)
{
    for (unsigned v = 0x40; v < 0xf0; v++)
        trap_set_handler(v, handler);

    /* Highest first. */
    apic_self_ipi(0x51);
    apic_self_ipi(0x91);
    apic_self_ipi(0x71);
    apic_self_ipi(0x71); /* one IRR bit */
    allow();
    CHECK_EQ(count, 3);
    CHECK_EQ(order[0], 0x91);
    CHECK_EQ(order[1], 0x71);
    CHECK_EQ(order[2], 0x51);

    /* TPR by either way: its class and those below wait. */
    write_cr8(7);
    CHECK_EQ(apic_read(APIC_TPR), 0x70);
    CHECK_EQ(apic_read(APIC_PPR), 0x70);
    count = 0;
    apic_self_ipi(0x7f);
    apic_self_ipi(0x82);
    allow();
    CHECK_EQ(count, 1);
    CHECK_EQ(order[0], 0x82);
    apic_write(APIC_TPR, 0x6f);
    CHECK_EQ(read_cr8(), 6);
    allow();
    CHECK_EQ(count, 2);
    CHECK_EQ(order[1], 0x7f);
    /* Lowering CR8 with interrupts on lets it in at once. */
    write_cr8(15);
    count = 0;
    apic_self_ipi(0xe0);
    allow();
    CHECK_EQ(count, 0);
    sti();
    write_cr8(0);
    asm volatile("nop");
    CHECK_EQ(count, 1);
    cli();

    trap_set_handler(0x65, nested);
    count = 0;
    apic_self_ipi(0x65);
    allow();
    CHECK_EQ(count, 4);
    CHECK_EQ(order[2], 0x66);
    CHECK_EQ(order[3], 0x55);
    CHECK_EQ(apic_read(APIC_PPR), 0);
    return 0;
}
