/*
 * run.c: the run loop: into the guest, out of it, and what each exit wants.
 *
 * A kick sets `kicked`, then the kernel's immediate_exit flag, then sends a signal if the vCPU's thread is in
 * run(). Wherever the thread is, KVM_RUN returns with EINTR: the flag ends one that has not begun, the signal
 * one that has. The thread clears the flag first and looks at `kicked` afterwards, so a kick that comes in
 * between costs one more round and is not lost. A kick never ends the loop anywhere else: KVM_RUN completes
 * the access of the last exit before it looks at the flag, so run() always returns at an instruction
 * boundary.
 *
 * INTR of the 8259 works in the same way without `kicked`: the thread comes out, and either the guest can
 * take an interrupt, then it gets the vector, or a window is asked for. The kernel knows whether LINT0 lets
 * it pass.
 */
#include "engine/kvm/impl.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#define GO_ON (-1)

/* The vCPU that this thread runs: who kicks it from inside one of its own exits needs no signal. */
static _Thread_local struct engine_vcpu *here;

/* ---- kicks ---- */

int kvm_kick_signal(void)
{
    return SIGRTMIN + 1;
}

static void on_kick_signal(int sig)
{
}

bool kvm_install_kick_signal(struct err *e)
{
    struct sigaction sa = {.sa_handler = on_kick_signal, .sa_flags = SA_RESTART};
    sigemptyset(&sa.sa_mask);
    if (sigaction(kvm_kick_signal(), &sa, NULL) == 0)
        return true;
    return err_host(e, "kvm: signal %d cannot be used: %s", kvm_kick_signal(), strerror(errno));
}

void kvm_take_kick_signal(void)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, kvm_kick_signal());
    pthread_sigmask(SIG_UNBLOCK, &s, NULL);
}

static void set_immediate_exit(struct engine_vcpu *v, uint8_t value)
{
    __atomic_store_n(&v->run->immediate_exit, value, __ATOMIC_SEQ_CST);
}

static void come_out(struct engine_vcpu *v)
{
    set_immediate_exit(v, 1);
    int thread = atomic_load(&v->thread);
    if (thread && here != v)
        syscall(SYS_tgkill, getpid(), thread, kvm_kick_signal());
}

void kvm_kick(struct engine_vcpu *v)
{
    atomic_store(&v->kicked, true);
    come_out(v);
}

/* ---- the 8259's interrupts: the first vCPU's ---- */

void kvm_extint(struct engine *en, bool level)
{
    struct engine_vcpu *v = en->vcpus[0];
    atomic_store(&en->extint_line, level);
    if (level && v && here != v)
        come_out(v);
}

static void offer_extint(struct engine_vcpu *v)
{
    struct engine *en = v->en;
    bool waits = v->id == 0 && atomic_load(&en->extint_line);
    if (waits && v->run->ready_for_interrupt_injection) {
        struct kvm_interrupt i = {.irq = (uint32_t)en->cfg.extint_ack(en->cfg.opaque)};
        ioctl(v->fd, KVM_INTERRUPT, &i);
        v->run->ready_for_interrupt_injection = 0; /* until the kernel says so again */
        waits = atomic_load(&en->extint_line);
    }
    v->run->request_interrupt_window = waits;
}

/* ---- exits ---- */

static int on_io(struct engine_vcpu *v, struct engine_exit_info *info)
{
    struct bus *b = v->en->cfg.bus;
    const unsigned size = v->run->io.size;
    const uint16_t port = v->run->io.port;
    uint8_t *data = (uint8_t *)v->run + v->run->io.data_offset;
    for (uint32_t i = 0; i < v->run->io.count; i++, data += size) {
        if (v->run->io.direction == KVM_EXIT_IO_OUT)
            bus_pio_write(b, port, size, (uint32_t)load_le(data, size));
        else
            store_le(data, bus_pio_read(b, port, size), size);
    }
    return GO_ON;
}

static int on_mmio(struct engine_vcpu *v, struct engine_exit_info *info)
{
    struct bus *b = v->en->cfg.bus;
    const uint64_t gpa = v->run->mmio.phys_addr;
    const unsigned size = v->run->mmio.len;
    uint8_t *data = v->run->mmio.data;
    if (!v->run->mmio.is_write)
        store_le(data, bus_mmio_read(b, gpa, size), size);
    else if (!mem_find(v->en->cfg.mem, gpa)) /* else a write to ROM, which nobody hears */
        bus_mmio_write(b, gpa, size, load_le(data, size));
    return GO_ON;
}

static int on_eoi(struct engine_vcpu *v, struct engine_exit_info *info)
{
    v->en->cfg.eoi(v->en->cfg.opaque, v->run->eoi.vector);
    return GO_ON;
}

/* The window is open: offer_extint does the rest. */
static int on_window(struct engine_vcpu *v, struct engine_exit_info *info)
{
    return GO_ON;
}

static int on_shutdown(struct engine_vcpu *v, struct engine_exit_info *info)
{
    v->shutdown = true;
    return EXIT_SHUTDOWN;
}

static int on_debug(struct engine_vcpu *v, struct engine_exit_info *info)
{
    v->step_over = true;
    return EXIT_DEBUG;
}

static int on_internal_error(struct engine_vcpu *v, struct engine_exit_info *info)
{
    return kvm_internal_error(v, info);
}

static int on_fail_entry(struct engine_vcpu *v, struct engine_exit_info *info)
{
    return kvm_entry_failure(v, info);
}

/* A signal that is not ours to know of came first. */
static int on_signal(struct engine_vcpu *v, struct engine_exit_info *info)
{
    return GO_ON;
}

/* Every exit that can come; counted under `count`. */
static const struct {
    int (*fn)(struct engine_vcpu *v, struct engine_exit_info *info);
    enum kvm_count count;
} exits[] = {
    [KVM_EXIT_IO] = {on_io, COUNT_PIO},
    [KVM_EXIT_MMIO] = {on_mmio, COUNT_MMIO},
    [KVM_EXIT_IOAPIC_EOI] = {on_eoi, COUNT_EOI},
    [KVM_EXIT_IRQ_WINDOW_OPEN] = {on_window, COUNT_WINDOW},
    [KVM_EXIT_INTR] = {on_signal, COUNT_SIGNAL},
    [KVM_EXIT_SHUTDOWN] = {on_shutdown, COUNT_OTHER},
    [KVM_EXIT_DEBUG] = {on_debug, COUNT_OTHER},
    [KVM_EXIT_INTERNAL_ERROR] = {on_internal_error, COUNT_OTHER},
    [KVM_EXIT_FAIL_ENTRY] = {on_fail_entry, COUNT_OTHER},
};

static int handle_exit(struct engine_vcpu *v, struct engine_exit_info *info, enum kvm_count *count)
{
    uint32_t reason = v->run->exit_reason;
    if (reason >= ARRAY_LEN(exits) || !exits[reason].fn) {
        *count = COUNT_OTHER;
        return kvm_unknown_exit(v, info);
    }
    *count = exits[reason].count;
    return exits[reason].fn(v, info);
}

/* ---- the loop ---- */

static int interrupted(struct engine_vcpu *v)
{
    set_immediate_exit(v, 0);
    return atomic_exchange(&v->kicked, false) ? EXIT_KICK : GO_ON;
}

static int failed(struct engine_vcpu *v, struct engine_exit_info *info, int error)
{
    if (error == EINTR)
        return interrupted(v);
    if (error == EAGAIN) /* a vCPU that waits for its start-up message was woken by it */
        return GO_ON;
    snprintf(info->text, sizeof(info->text), "kvm cannot run the guest: %s", strerror(error));
    return EXIT_ERROR;
}

/* Past a breakpoint at which the guest stands: the flag RF holds it back for one instruction (SDM
 * 3B 17.3.1.1). */
static void step_over(struct engine_vcpu *v)
{
    struct kvm_regs r;
    v->step_over = false;
    if (!v->nbreakpoints || ioctl(v->fd, KVM_GET_REGS, &r) < 0)
        return;
    r.rflags |= FL_RF;
    ioctl(v->fd, KVM_SET_REGS, &r);
}

static enum engine_exit loop(struct engine_vcpu *v, struct engine_exit_info *info)
{
    uint64_t out = 0;
    enum kvm_count count = COUNT_OTHER;
    for (;;) {
        offer_extint(v);
        if (out)
            v->counts[count].tsc += __rdtsc() - out;
        int r = ioctl(v->fd, KVM_RUN, 0), error = errno;
        out = __rdtsc();
        if (LIKELY(r == 0)) {
            r = handle_exit(v, info, &count);
        } else {
            count = COUNT_SIGNAL;
            r = failed(v, info, error);
        }
        v->counts[count].n++;
        if (r != GO_ON)
            return (enum engine_exit)r;
    }
}

enum engine_exit kvm_run_vcpu(struct engine_vcpu *v, struct engine_exit_info *info)
{
    kvm_take_kick_signal();
    if (!kvm_store_state(v, info))
        return EXIT_ERROR;
    if (v->shutdown)
        return EXIT_SHUTDOWN;
    if (v->step_over)
        step_over(v);
    here = v;
    atomic_store(&v->thread, (int)syscall(SYS_gettid));
    enum engine_exit why = loop(v, info);
    atomic_store(&v->thread, 0);
    here = NULL;
    return why;
}

void kvm_counters(struct engine_vcpu *v, struct engine_counters *out)
{
    static const char *const names[COUNT_KINDS] = {
        [COUNT_PIO] = "pio",       [COUNT_MMIO] = "mmio",     [COUNT_EOI] = "eoi",
        [COUNT_WINDOW] = "window", [COUNT_SIGNAL] = "signal", [COUNT_OTHER] = "other",
    };
    const double hz = (double)clock_tsc_khz(v->en->cfg.clock) * 1000;
    *out = (struct engine_counters){.exit_kinds = COUNT_KINDS};
    for (unsigned i = 0; i < COUNT_KINDS; i++)
        out->exits[i] = (struct engine_exit_count){
            names[i], v->counts[i].n, v->en->clock_counts_tsc ? (double)v->counts[i].tsc / hz : 0};
}
