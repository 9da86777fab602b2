/*
 * probe.c: does /dev/kvm work, and is it fast?
 *
 * A device that opens need not be one that works: there is KVM in software, on processors that offer no
 * virtualization to the system; it runs a guest's kernel by emulating each instruction. So a throw-away
 * machine counts in a 64-bit loop, with paging, for some milliseconds, and its figure decides.
 */
#include "engine/kvm/impl.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS     1000000  /* the alarm that takes the guest out */
#define MEASURE_NS  2000000  /* of counting, once */
#define TRIES       6        /* a busy host may give the guest nothing for a while */
#define PATIENCE_NS 50000000 /* until the guest's first exit */
/* Iterations a second, of two instructions each: less than the interpreter's speed is no help to anybody. */
#define FAST_ENOUGH 20000000.0

/* The machine's memory: page tables for its first 2 MiB, and the code. */
enum { PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, CODE = 0x4000, MEMORY = 0x5000 };

struct trial {
    int device, vm, vcpu;
    size_t run_size;
    uint8_t *memory;
    struct kvm_run *run;
    timer_t alarm;
    bool has_alarm;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void fill_memory(uint8_t *m)
{
    static const uint8_t code[] = {
        0xe6, 0x80,       /* out %al, $0x80 */
        0x48, 0xff, 0xc1, /* 1: inc %rcx */
        0xeb, 0xfb,       /* jmp 1b */
    };
    store_le(m + PML4, PDPT | PTE_P | PTE_W, 8);
    store_le(m + PDPT, PD | PTE_P | PTE_W, 8);
    store_le(m + PD, PTE_P | PTE_W | PTE_PS, 8);
    memcpy(m + CODE, code, sizeof(code));
}

static bool set_registers(int vcpu)
{
    /* With IF: Bochs, under which tests run, lets no interrupt take the loop out of the guest without it. */
    struct kvm_regs r = {.rip = CODE, .rflags = FL_ONE | FL_IF};
    struct kvm_sregs s;
    if (ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
        return false;
    s.cr0 = CR0_PE | CR0_NE | CR0_ET | CR0_PG;
    s.cr3 = PML4;
    s.cr4 = CR4_PAE;
    s.efer = EFER_LME | EFER_LMA;
    s.cs = (struct kvm_segment){
        .selector = 8, .limit = UINT32_MAX, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    s.ss = s.ds = s.es = s.fs = s.gs = (struct kvm_segment){
        .selector = 16, .limit = UINT32_MAX, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
    return ioctl(vcpu, KVM_SET_SREGS, &s) == 0 && ioctl(vcpu, KVM_SET_REGS, &r) == 0;
}

static bool make(struct trial *t, struct err *e)
{
    t->vm = ioctl(t->device, KVM_CREATE_VM, 0);
    if (t->vm < 0)
        return err_host(e, "no virtual machine can be made: %s; end other hypervisors on this host",
                        strerror(errno));
    t->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int size = ioctl(t->device, KVM_GET_VCPU_MMAP_SIZE, 0);
    t->vcpu = ioctl(t->vm, KVM_CREATE_VCPU, 0);
    if (t->memory == MAP_FAILED || size < (int)sizeof(struct kvm_run) || t->vcpu < 0)
        return err_host(e, "no vCPU can be made: %s", strerror(errno));
    t->run_size = (size_t)size;
    t->run = mmap(NULL, t->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, t->vcpu, 0);
    fill_memory(t->memory);
    struct kvm_userspace_memory_region r = {.memory_size = MEMORY, .userspace_addr = (uintptr_t)t->memory};
    if (t->run == MAP_FAILED || ioctl(t->vm, KVM_SET_USER_MEMORY_REGION, &r) < 0 || !set_registers(t->vcpu))
        return err_host(e, "no 64-bit guest can be set up: %s", strerror(errno));
    return true;
}

/* A signal to this thread at every tick: one that comes just before KVM_RUN is made good by the next. */
static bool start_alarm(struct trial *t, struct err *e)
{
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = kvm_kick_signal()};
    const struct itimerspec every = {.it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS};
    ev._sigev_un._tid = (int)syscall(SYS_gettid);
    if (!kvm_install_kick_signal(e))
        return false;
    kvm_take_kick_signal();
    if (timer_create(CLOCK_MONOTONIC, &ev, &t->alarm) != 0)
        return err_host(e, "no timer for the probe: %s", strerror(errno));
    t->has_alarm = true;
    timer_settime(t->alarm, 0, &every, NULL);
    return true;
}

static void unmake(struct trial *t)
{
    if (t->has_alarm)
        timer_delete(t->alarm);
    if (t->run && t->run != MAP_FAILED)
        munmap(t->run, t->run_size);
    if (t->vcpu >= 0)
        close(t->vcpu);
    if (t->vm >= 0)
        close(t->vm);
    if (t->memory && t->memory != MAP_FAILED)
        munmap(t->memory, MEMORY);
    if (t->device >= 0)
        close(t->device);
}

/* Until the guest's exit, if `to_exit`, or for that time. False: neither. */
static bool run(struct trial *t, bool to_exit, uint64_t ns)
{
    uint64_t start = now_ns();
    for (;;) {
        int r = ioctl(t->vcpu, KVM_RUN, 0);
        if (r == 0 && t->run->exit_reason == KVM_EXIT_IO)
            return to_exit;
        if ((r == 0 && t->run->exit_reason != KVM_EXIT_INTR) || (r < 0 && errno != EINTR))
            return false;
        if (now_ns() - start >= ns)
            return !to_exit;
    }
}

/* Iterations a second in the best of some measurements, the first that is good enough; 0: the guest did not
 * run. */
static double speed(struct trial *t)
{
    double best = 0;
    if (!run(t, true, PATIENCE_NS))
        return 0;
    for (unsigned i = 0; i < TRIES && best < FAST_ENOUGH; i++) {
        struct kvm_regs before, after;
        bool ok = ioctl(t->vcpu, KVM_GET_REGS, &before) == 0;
        uint64_t start = now_ns();
        if (!ok || !run(t, false, MEASURE_NS) || ioctl(t->vcpu, KVM_GET_REGS, &after) < 0)
            return best;
        best = MAX(best, (double)(after.rcx - before.rcx) * 1e9 / (double)(now_ns() - start));
    }
    return best;
}

static bool judge(struct trial *t, struct err *e)
{
    double rounds = speed(t);
    return rounds >= FAST_ENOUGH || err_host(e,
                                             "%s is too slow: a 64-bit loop runs at %.1f million rounds a "
                                             "second, and %.0f are wanted; is this "
                                             "a guest in an emulator?",
                                             KVM_DEVICE, rounds / 1e6, FAST_ENOUGH / 1e6);
}

/* Nothing need be measured: what is not the processor's own is never chosen. */
static bool in_hardware(struct err *e)
{
    return kvm_processor_virtualizes() || err_host(e,
                                                   "%s is a KVM in software: the processor offers neither "
                                                   "VMX nor SVM to this system; use a host with "
                                                   "virtualization, or one whose hypervisor passes it on",
                                                   KVM_DEVICE);
}

struct engine_probe kvm_probe(void)
{
    struct trial t = {.device = -1, .vm = -1, .vcpu = -1};
    struct engine_probe p = {.usable = false};
    struct err e = {0};
    t.device = kvm_open_device(&e);
    p.usable = t.device >= 0 && in_hardware(&e) && make(&t, &e) && start_alarm(&t, &e) && judge(&t, &e);
    if (!p.usable)
        snprintf(p.why, sizeof(p.why), "%.255s", e.text);
    unmake(&t);
    return p;
}

uint32_t kvm_tsc_khz(void)
{
    struct trial t = {.device = -1, .vm = -1, .vcpu = -1};
    t.device = kvm_open_device(NULL);
    int khz = t.device >= 0 && make(&t, NULL) ? ioctl(t.vcpu, KVM_GET_TSC_KHZ, 0) : 0;
    unmake(&t);
    return khz > 0 ? (uint32_t)khz : 0;
}
