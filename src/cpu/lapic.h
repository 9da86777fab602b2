/*
 * cpu/lapic.h: the local APIC of one vCPU (SDM 3A 11, APM 2 16): xAPIC and x2APIC, timer one-shot, periodic
 * and TSC-deadline.
 *
 * Threads: registers are read and written by the vCPU's thread. lapic_bus_msi and lapic_lint may be called
 * from any thread: they are atomic and kick the cpu. The timer's callback runs on the clock's thread, with
 * the APIC's lock held, which only timer registers take; it sets IRR and kicks.
 */
#ifndef CPU_LAPIC_H
#define CPU_LAPIC_H

#include "cpu/cpu.h"

#define LAPIC_BASE 0xfee00000ull
/* Rate of the timer's input clock before the divider: the bus clock that CPUID 0x40000010 EBX reports. */
#define LAPIC_TIMER_HZ 1000000000ull

/* Where interrupts of all vCPUs meet: delivers by destination (SDM 3A 11.6). The machine makes one. */
struct lapic_bus;
struct lapic_bus *lapic_bus_new(unsigned max_cpus);
void lapic_bus_free(struct lapic_bus *b);
/* An MSI, or an IOAPIC's message in the same format (SDM 3A 11.11). Any thread. */
void lapic_bus_msi(struct lapic_bus *b, uint64_t addr, uint32_t data);

/* Reset state, on the bus. id: below the bus's max_cpus, its APIC ID; 0 is the bootstrap processor. NULL: no
 * memory. */
struct lapic *lapic_new(struct lapic_bus *b, struct clock *k, unsigned id);
void lapic_free(struct lapic *a);
/* Who is to be kicked, whose TSC the deadline compares with, and who hears of EOIs: after cpu_init, before it
 * runs. */
void lapic_bind(struct lapic *a, struct cpu *c);
/* Power-on or INIT (init: APIC ID and base stay). */
void lapic_reset(struct lapic *a, bool init);
/*
 * After a reset, in place of firmware: enabled, LINT0 passes the 8259's interrupts, LINT1 NMIs (virtual wire
 * mode, MultiProcessor Specification 1.4 section 3.6.2.2). The boot processor's only.
 */
void lapic_virtual_wire(struct lapic *a);

/*
 * Level of the pin LINT0 (0) or LINT1 (1): fixed, NMI and INIT modes of its local vector table entry act
 * here; ExtINT is the cpu's extint_line with lapic_takes_extint. Any thread, one at a time for each pin.
 */
void lapic_lint(struct lapic *a, unsigned pin, bool level);

/* MMIO page at apic_base: offset 0 to 0xfff; 32-bit accesses at 16-byte steps, others as SDM 3A 11.4.1
 * allows. */
uint32_t lapic_mmio_read(struct lapic *a, uint32_t offset, unsigned size);
void lapic_mmio_write(struct lapic *a, uint32_t offset, unsigned size, uint32_t v);
/* x2APIC MSRs 0x800 to 0x8ff: false where the manual gives #GP. */
bool lapic_msr_read(struct lapic *a, uint32_t msr, uint64_t *v);
bool lapic_msr_write(struct lapic *a, uint32_t msr, uint64_t v);
/* IA32_APIC_BASE: false where a transition or reserved bit gives #GP (SDM 3A 11.12.5). */
uint64_t lapic_base(const struct lapic *a);
bool lapic_set_base(struct lapic *a, uint64_t v);
/* Is the xAPIC page enabled, and where? (false in x2APIC mode or when disabled) */
bool lapic_mmio_at(const struct lapic *a, gpa_t *gpa);
/* IA32_TSC_DEADLINE. */
uint64_t lapic_deadline(const struct lapic *a);
void lapic_set_deadline(struct lapic *a, uint64_t tsc);
/* The guest's TSC offset changed: the armed deadline means another time now. */
void lapic_tsc_changed(struct lapic *a);

/*
 * The whole state out and in, for a move between engines. The vCPU's thread, or while it does not run; the
 * guest's TSC offset is in place before. Pins (LINT0, LINT1) and signals that are not taken yet stay.
 */
void lapic_get_state(struct lapic *a, struct x86_apic *out);
void lapic_set_state(struct lapic *a, const struct x86_apic *in);

uint8_t lapic_tpr(const struct lapic *a);
void lapic_set_tpr(struct lapic *a, uint8_t tpr);

/* Highest vector that may interrupt now (IRR above PPR), or -1. Cheap: called at each boundary with poll set.
 */
int lapic_pending(struct lapic *a);
/* The vCPU takes it: IRR to ISR. Returns the vector, or the spurious vector when it has gone. */
int lapic_accept(struct lapic *a);
/* Would LINT0 pass an ExtINT from the 8259 (virtual wire mode, or APIC disabled)? */
bool lapic_takes_extint(const struct lapic *a);
/* NMI, INIT, SIPI delivered to this vCPU since the last call: each is taken once. SIPI vector in *sipi. */
enum { LAPIC_NMI = 1, LAPIC_INIT = 2, LAPIC_SIPI = 4 };
unsigned lapic_take_signals(struct lapic *a, uint8_t *sipi);
unsigned lapic_peek_signals(const struct lapic *a);

#endif
