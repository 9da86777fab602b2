/*
 * pvclock.c: KVM's paravirtual clock: a page from which the guest computes nanoseconds from its TSC.
 *
 * The clock runs at one rate from time 0 on, so the page needs one reference point for the life of the
 * machine: time 0, at which the guest's TSC read its offset. All vCPUs thus compute the same time from the
 * same TSC, which is what the flag TSC_STABLE promises, and the page is rewritten only when the offset
 * changes.
 */
#include "cpu/pvclock.h"

#define SYSTEM_TIME_ENABLE 1u
#define FLAG_TSC_STABLE    1u

struct wall_clock {
    uint32_t version, sec, nsec;
};

struct vcpu_time {
    uint32_t version, pad0;
    uint64_t tsc_timestamp, system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags, pad[2];
};
_Static_assert(sizeof(struct wall_clock) == 12 && sizeof(struct vcpu_time) == 32, "KVM's layout");

/*
 * Write a structure that begins with its version: odd while it changes, then even and higher than before. x86
 * keeps stores in order; the fences keep the compiler to it.
 */
static void publish(struct cpu *c, gpa_t gpa, const void *image, uint64_t len)
{
    uint32_t version;
    if (!mem_ptr(c->mem, gpa, len)) {
        log_guest(&c->bad_msr, "CPU %u: paravirtual clock at 0x%llx is not in memory", c->id,
                  (unsigned long long)gpa);
        return;
    }
    mem_read(c->mem, gpa, &version, sizeof(version));
    version = (version + 1) | 1;
    mem_write(c->mem, gpa, &version, sizeof(version));
    atomic_thread_fence(memory_order_release);
    mem_write(c->mem, gpa + sizeof(version), (const uint8_t *)image + sizeof(version), len - sizeof(version));
    atomic_thread_fence(memory_order_release);
    version++;
    mem_write(c->mem, gpa, &version, sizeof(version));
}

void pvclock_write_wall_clock(struct cpu *c, uint64_t gpa)
{
    if (!gpa)
        return;
    uint64_t ns = clock_wall_base(c->clock); /* the time to which the guest adds its system time */
    struct wall_clock w = {.sec = (uint32_t)(ns / NS_PER_SEC), .nsec = (uint32_t)(ns % NS_PER_SEC)};
    publish(c, gpa, &w, sizeof(w));
}

void pvclock_update(struct cpu *c)
{
    uint64_t msr = c->st.msr.kvm_system_time;
    if (!(msr & SYSTEM_TIME_ENABLE))
        return;
    struct vcpu_time t = {.tsc_timestamp = c->st.tsc_offset, .system_time = 0, .flags = FLAG_TSC_STABLE};
    clock_pv_scale(c->clock, &t.tsc_to_system_mul, &t.tsc_shift);
    publish(c, msr & ~(uint64_t)SYSTEM_TIME_ENABLE, &t, sizeof(t));
}
