/*
 * engine/kvm/impl.h: what the files of the kvm engine share, and nobody else sees.
 *
 * The local APIC, its timer and the paravirtual clock are the kernel's; the 8259s, the I/O APIC and the 8254
 * are ours (split irqchip). A vCPU's state lies in the kernel. What is pushed is kept here, in `st`, until
 * the vCPU runs, and then stored in one go, so that pushes of single groups need no order and never make a
 * state that the kernel would refuse.
 */
#ifndef ENGINE_KVM_IMPL_H
#define ENGINE_KVM_IMPL_H

#include "cpu/lapic.h"
#include "engine/kvm/kvm.h"
#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#define KVM_DEVICE "/dev/kvm"
/* Routes that the kernel watches for ends of level-triggered interrupts; more than any I/O APIC has pins. */
#define LEVEL_ROUTES    32
#define MAX_BREAKPOINTS 4

/* What run() counts: how often the guest left, and how long until it went on. */
enum kvm_count { COUNT_PIO, COUNT_MMIO, COUNT_EOI, COUNT_WINDOW, COUNT_SIGNAL, COUNT_OTHER, COUNT_KINDS };

struct level_route {
    uint64_t addr;
    uint32_t data;
    uint64_t used; /* order of last use; 0: free */
};

struct engine {
    struct engine_config cfg;
    int device, vm;
    size_t run_size; /* of struct kvm_run and what lies behind it */
    struct engine_vcpu **vcpus;
    struct kvm_cpuid2 *cpuid; /* the guest's, but for what differs between vCPUs */
    uint64_t arch_capabilities;
    struct x86_apic *power_on; /* one for each vCPU */
    bool has_tsc_offset;       /* KVM_VCPU_TSC_OFFSET: 5.16 */
    bool has_xcr;              /* KVM_GET_XCRS: not where the host has no XSAVE */
    bool clock_counts_tsc;
    uint64_t clock_offset; /* see clock_counts_tsc() */
    bool logging;
    _Atomic bool extint_line; /* level of the 8259's INTR */

    pthread_mutex_t route_lock; /* a leaf */
    struct level_route route[LEVEL_ROUTES];
    uint64_t route_uses;
};

struct engine_vcpu {
    struct engine *en;
    unsigned id;
    int fd;
    struct kvm_run *run;
    _Atomic bool kicked;
    _Atomic int thread; /* Linux's thread ID while run() is under way, else 0 */

    struct x86_state st; /* the groups in `dirty`, as pushed */
    unsigned dirty;
    bool shutdown; /* nothing can run before the next push of GROUP_MP */

    bool stepping, debug_changed, step_over; /* step_over: do not stop at the breakpoint that stands at RIP */
    unsigned nbreakpoints;
    uint64_t breakpoint[MAX_BREAKPOINTS];

    struct {
        uint64_t n, tsc;
    } counts[COUNT_KINDS];
};

/* state.c, state_regs.c, state_msr.c, state_apic.c: see engine.h */
void kvm_pull(struct engine_vcpu *v, unsigned groups, struct x86_state *out);
void kvm_push(struct engine_vcpu *v, unsigned groups, const struct x86_state *in);
void kvm_reset(struct engine_vcpu *v);
/* Store what was pushed. False: the kernel refuses it; `why` says what. */
bool kvm_store_state(struct engine_vcpu *v, struct engine_exit_info *why);
/* Each of these stores or loads some groups; storing gives false with errno and *what. */
struct state_part {
    const char *what;
    unsigned groups; /* done when any of them is asked for */
    bool (*store)(struct engine_vcpu *v, unsigned groups);
    void (*load)(struct engine_vcpu *v, unsigned groups, struct x86_state *out);
};
bool kvm_store_regs(struct engine_vcpu *v, unsigned groups);
void kvm_load_regs(struct engine_vcpu *v, unsigned groups, struct x86_state *out);
bool kvm_store_sregs(struct engine_vcpu *v, unsigned groups);
void kvm_load_sregs(struct engine_vcpu *v, unsigned groups, struct x86_state *out);
bool kvm_store_debug(struct engine_vcpu *v, unsigned groups);
void kvm_load_debug(struct engine_vcpu *v, unsigned groups, struct x86_state *out);
bool kvm_store_fpu(struct engine_vcpu *v, unsigned groups);
void kvm_load_fpu(struct engine_vcpu *v, unsigned groups, struct x86_state *out);
bool kvm_store_mp(struct engine_vcpu *v, unsigned groups);
void kvm_load_mp(struct engine_vcpu *v, unsigned groups, struct x86_state *out);
bool kvm_store_events(struct engine_vcpu *v, unsigned groups);
void kvm_load_events(struct engine_vcpu *v, unsigned groups, struct x86_state *out);
bool kvm_store_msrs(struct engine_vcpu *v, unsigned groups);
void kvm_load_msrs(struct engine_vcpu *v, unsigned groups, struct x86_state *out);
bool kvm_store_clock(struct engine_vcpu *v, unsigned groups);
void kvm_load_clock(struct engine_vcpu *v, unsigned groups, struct x86_state *out);
bool kvm_store_apic(struct engine_vcpu *v, unsigned groups);
void kvm_load_apic(struct engine_vcpu *v, unsigned groups, struct x86_state *out);
/* One MSR, by the host's right to any value. False: the kernel knows no such MSR, or not this value. */
bool kvm_get_msr(struct engine_vcpu *v, uint32_t index, uint64_t *value);
bool kvm_set_msr(struct engine_vcpu *v, uint32_t index, uint64_t value);

/* run.c */
enum engine_exit kvm_run_vcpu(struct engine_vcpu *v, struct engine_exit_info *info);
void kvm_kick(struct engine_vcpu *v);
void kvm_extint(struct engine *en, bool level);
void kvm_counters(struct engine_vcpu *v, struct engine_counters *out);
/* The signal that takes a vCPU's thread out of the guest; its handler does nothing. Idempotent. */
bool kvm_install_kick_signal(struct err *e);
int kvm_kick_signal(void);
/* The calling thread lets it through from now on. */
void kvm_take_kick_signal(void);

/* failure.c: the text of EXIT_ERROR, and the rest of what is known on standard error. */
enum engine_exit kvm_internal_error(struct engine_vcpu *v, struct engine_exit_info *info);
enum engine_exit kvm_entry_failure(struct engine_vcpu *v, struct engine_exit_info *info);
enum engine_exit kvm_unknown_exit(struct engine_vcpu *v, struct engine_exit_info *info);

/* msi.c */
void kvm_deliver_msi(struct engine *en, uint64_t addr, uint32_t data);

/* memory.c */
bool kvm_add_memory(struct engine *en, struct err *e);
bool kvm_dirty_log(struct engine *en, bool on, struct err *e);
bool kvm_dirty_sync(struct engine *en, struct err *e);

/* guest_cpuid.c */
bool kvm_compose_cpuid(struct engine *en, struct err *e);
bool kvm_set_cpuid(struct engine_vcpu *v, struct err *e);

/* debug.c */
void kvm_apply_debug(struct engine_vcpu *v);
void kvm_single_step(struct engine_vcpu *v, bool on);
bool kvm_breakpoint(struct engine_vcpu *v, uint64_t lin, bool set);

/* device.c: open the device and see that the kernel has what we need. -1: `e` names what is missing, and the
 * mend. */
int kvm_open_device(struct err *e);
/* Does the processor offer VMX or SVM to this system? */
bool kvm_processor_virtualizes(void);

/* probe.c */
struct engine_probe kvm_probe(void);
uint32_t kvm_tsc_khz(void);

#endif
