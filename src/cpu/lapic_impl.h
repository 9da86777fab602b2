/*
 * cpu/lapic_impl.h: the inside of a local APIC, shared by the lapic files and by nobody else.
 *
 * Three kinds of state, by who may touch it:
 *   - atomics: everything that a message from another thread reads or sets. IRR, TMR and the signals are
 *     read-modify-written from any thread; the other registers are written by the vCPU's thread only.
 *   - plain fields: the vCPU's thread alone.
 *   - the timer's fields: whoever holds `lock` (the vCPU's thread, and the clock's in the callback). Under it
 *     only leaf operations are called: timer_arm, the setting of IRR bits, cpu_kick.
 */
#ifndef CPU_LAPIC_IMPL_H
#define CPU_LAPIC_IMPL_H

#include "cpu/cpuid.h"
#include "cpu/lapic.h"

/* IA32_APIC_BASE (SDM 3A 11.4.4, 11.12.1) */
#define BASE_BSP    0x100u
#define BASE_X2APIC 0x400u
#define BASE_ENABLE 0x800u

/* Register numbers: MMIO offset >> 4, MSR - 0x800 (SDM 3A tables 11-1 and 11-6). */
enum lapic_reg {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_RRD = 0x0c,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT = 0x32,
    REG_INITIAL_COUNT = 0x38,
    REG_CURRENT_COUNT = 0x39,
    REG_DIVIDE = 0x3e,
    REG_SELF_IPI = 0x3f,
    REG_COUNT = 0x40
};

/* The local vector table in the order of its registers (SDM 3A 11.5.1). */
enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };
#define LVT_VECTOR       0x000ffu
#define LVT_MODE         0x00700u
#define LVT_STATUS       0x01000u /* read only; deliveries complete at once, so always 0 */
#define LVT_POLARITY_LOW 0x02000u
#define LVT_REMOTE_IRR   0x04000u
#define LVT_LEVEL        0x08000u
#define LVT_MASKED       0x10000u
#define LVT_TIMER_MODE   0x60000u
#define TIMER_ONE_SHOT   0x00000u
#define TIMER_PERIODIC   0x20000u
#define TIMER_DEADLINE   0x40000u

#define SVR_ENABLE   0x100u
#define SVR_NO_FOCUS 0x200u /* focus processor checking is off */

/* Delivery modes: LVT, ICR and MSI data share the code, at bit 8 of each. */
enum lapic_mode {
    MODE_FIXED,
    MODE_LOWEST,
    MODE_SMI,
    MODE_RESERVED,
    MODE_NMI,
    MODE_INIT,
    MODE_SIPI,
    MODE_EXTINT
};

/* Error status (SDM 3A 11.5.3) */
#define ESR_SEND_ILLEGAL     0x20u
#define ESR_RECEIVE_ILLEGAL  0x40u
#define ESR_ILLEGAL_REGISTER 0x80u

#define LAPIC_BROADCAST UINT32_MAX

/* `signals`: LAPIC_* in the low byte, the SIPI's vector above it. */
#define SIGNALS_MASK    0xffu
#define SIPI_VECTOR_POS 8

struct lapic {
    struct lapic_bus *bus;
    struct clock *clock;
    struct cpu *cpu; /* NULL until lapic_bind */
    unsigned id;
    bool has_x2apic, has_deadline;
    uint64_t base_reserved; /* bits of IA32_APIC_BASE that must be 0 */

    /* Any thread. */
    _Atomic uint64_t irr[4], isr[4], tmr[4];
    _Atomic uint32_t signals;
    _Atomic uint32_t error; /* errors since the last write to ESR */
    _Atomic uint32_t pins;  /* bit n: level of LINTn */
    _Atomic uint64_t base;  /* IA32_APIC_BASE */
    _Atomic uint32_t tpr, svr, ldr, dfr, lvt[LVT_COUNT];
    _Atomic int in_service; /* highest vector in ISR, or -1 */

    /* The vCPU's thread. */
    uint32_t esr, icr, icr_high;

    /* Under `lock`. */
    pthread_mutex_t lock;
    struct timer timer;
    uint32_t initial_count, divide;
    bool counting;             /* a count was started and, if one-shot, has not run out */
    uint64_t start, due;       /* ns: the count was at its initial value; armed for */
    uint64_t not_before;       /* ns: no periodic interrupt earlier */
    _Atomic uint64_t deadline; /* IA32_TSC_DEADLINE; read without the lock */
};

static inline bool lapic_x2apic(const struct lapic *a)
{
    return atomic_load_explicit(&a->base, memory_order_relaxed) & BASE_X2APIC;
}

/* lapic.c. `own`: the caller is the vCPU's own thread, which needs no kick. */
int lapic_highest(const _Atomic uint64_t set[4]);
uint8_t lapic_ppr(const struct lapic *a);
void lapic_eoi(struct lapic *a);
/* A message arrives (any thread): what an enabled or disabled APIC makes of it (SDM 3A 11.4.7.2, 11.8). */
void lapic_deliver(struct lapic *a, unsigned mode, uint8_t vector, bool level, bool own);
/* An event of the local vector table happens (SDM 3A 11.5.1). */
void lapic_fire(struct lapic *a, enum lapic_lvt which, bool own);
void lapic_error(struct lapic *a, uint32_t esr_bit, bool own);

/* lapic_timer.c */
void lapic_timer_init(struct lapic *a);
void lapic_timer_reset(struct lapic *a);
void lapic_timer_set_lvt(struct lapic *a, uint32_t lvt);
void lapic_timer_set_divide(struct lapic *a, uint32_t divide);
void lapic_timer_set_count(struct lapic *a, uint32_t count);
uint32_t lapic_timer_count(struct lapic *a);
void lapic_timer_load(struct lapic *a, const struct x86_apic *in);

/* lapic_bus.c */
void lapic_bus_join(struct lapic_bus *b, struct lapic *a);
void lapic_bus_leave(struct lapic_bus *b, struct lapic *a);
/* `icr` in the x2APIC's layout or the xAPIC's, as the sender's mode says. */
void lapic_bus_ipi(struct lapic_bus *b, struct lapic *from, uint64_t icr);

#endif
