/*
 * apic.h: the local APIC, by its page at 0xfee00000 or by MSRs (SDM 3A 10; APM 2 16).
 */
#ifndef GUEST_APIC_H
#define GUEST_APIC_H

#include "cpu.h"

#define APIC_ID            0x020
#define APIC_VERSION       0x030
#define APIC_TPR           0x080
#define APIC_PPR           0x0a0
#define APIC_EOI           0x0b0
#define APIC_LDR           0x0d0
#define APIC_DFR           0x0e0
#define APIC_SVR           0x0f0
#define APIC_ISR           0x100
#define APIC_TMR           0x180
#define APIC_IRR           0x200
#define APIC_ESR           0x280
#define APIC_ICR           0x300
#define APIC_ICR2          0x310
#define APIC_LVT_TIMER     0x320
#define APIC_LVT_THERMAL   0x330
#define APIC_LVT_PERF      0x340
#define APIC_LVT_LINT0     0x350
#define APIC_LVT_LINT1     0x360
#define APIC_LVT_ERROR     0x370
#define APIC_TIMER_COUNT   0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE  0x3e0
#define APIC_SELF_IPI      0x3f0 /* x2APIC only */

#define APIC_LVT_MASKED     BIT(16)
#define APIC_TIMER_PERIODIC BIT(17)
#define APIC_TIMER_DEADLINE BIT(18)
#define APIC_EXTINT         0x700
#define APIC_ICR_SELF       (1u << 18)

#define APIC_BASE_BSP    BIT(8)
#define APIC_BASE_X2     BIT(10)
#define APIC_BASE_ENABLE BIT(11)

/* xAPIC mode, enabled, spurious vector 0xff, TPR 0, LVT masked but LINT0 = ExtINT. */
void apic_init(void);
/* Switch to x2APIC mode; from then on apic_read and apic_write use MSRs. Back goes by way of disabled. */
void apic_enable_x2(void);
uint32_t apic_read(unsigned reg);
void apic_write(unsigned reg, uint32_t v);
void apic_eoi(void);
/* The bit of a vector in one of the 256-bit registers APIC_ISR, APIC_TMR, APIC_IRR. */
bool apic_vector_bit(unsigned reg, unsigned vector);
/* Fixed IPI to oneself. */
void apic_self_ipi(unsigned vector);
unsigned apic_id(void);

#endif
