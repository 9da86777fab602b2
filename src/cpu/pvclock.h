/*
 * cpu/pvclock.h: KVM's paravirtual clock (Linux Documentation/virt/kvm/x86/msr.rst). The vCPU's thread only.
 */
#ifndef CPU_PVCLOCK_H
#define CPU_PVCLOCK_H

#include "cpu/cpu.h"

/* MSR_KVM_WALL_CLOCK(_NEW) = gpa: write the wall clock there, once. */
void pvclock_write_wall_clock(struct cpu *c, uint64_t gpa);
/*
 * Bring the page that MSR_KVM_SYSTEM_TIME(_NEW) names (st.msr.kvm_system_time) up to date; nothing when it is
 * disabled. To be called when that MSR or the TSC's offset has changed.
 */
void pvclock_update(struct cpu *c);

#endif
