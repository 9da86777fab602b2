/*
 * kvm.c: the processor's own virtualization as an engine: opening and closing of machines and vCPUs.
 */
#include "engine/kvm/impl.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * VT-x runs real mode in a task of its own and needs four pages of guest addresses for it (KVM_SET_TSS_ADDR,
 * KVM_SET_IDENTITY_MAP_ADDR). Below the top of 4 GiB, where firmware would be, no machine of ours has RAM.
 */
#define IDENTITY_MAP 0xfffbc000ull
#define TASK_STATE   0xfffbd000u

/* ---- machines ---- */

static void close_engine(struct engine *en)
{
    if (en->vm >= 0)
        close(en->vm);
    if (en->device >= 0)
        close(en->device);
    pthread_mutex_destroy(&en->route_lock);
    free(en->power_on);
    free(en->cpuid);
    free(en->vcpus);
    free(en);
}

/*
 * The state of each local APIC after power-on is stated once, by cpu/'s own: so one is made and asked.
 */
static bool ask_power_on_state(struct engine *en)
{
    const unsigned n = en->cfg.cpus;
    struct lapic_bus *bus = lapic_bus_new(n);
    en->power_on = calloc(n, sizeof(*en->power_on));
    bool ok = bus && en->power_on;
    for (unsigned i = 0; ok && i < n; i++) {
        struct lapic *a = lapic_new(bus, en->cfg.clock, i);
        if ((ok = a != NULL)) {
            if (i == 0)
                lapic_virtual_wire(a);
            lapic_get_state(a, &en->power_on[i]);
        }
        lapic_free(a);
    }
    lapic_bus_free(bus);
    return ok;
}

static bool enable(struct engine *en, uint32_t cap, uint64_t arg)
{
    struct kvm_enable_cap c = {.cap = cap, .args = {arg}};
    return ioctl(en->vm, KVM_ENABLE_CAP, &c) == 0;
}

static bool make_vm(struct engine *en, struct err *e)
{
    uint64_t identity = IDENTITY_MAP;
    do
        en->vm = ioctl(en->device, KVM_CREATE_VM, 0);
    while (en->vm < 0 && errno == EINTR);
    if (en->vm < 0)
        return err_host(e,
                        "kvm: no virtual machine can be made: %s; end other machines, or use --engine auto",
                        strerror(errno));
    int size = ioctl(en->device, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < (int)sizeof(struct kvm_run))
        return err_host(e, "kvm: the kernel's vCPU area has %d bytes: it is not this kernel's header's",
                        size);
    en->run_size = (size_t)size;
    en->has_xcr = ioctl(en->device, KVM_CHECK_EXTENSION, KVM_CAP_XCRS) > 0;
    if (ioctl(en->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
        ioctl(en->vm, KVM_SET_TSS_ADDR, TASK_STATE) < 0 || !enable(en, KVM_CAP_SPLIT_IRQCHIP, LEVEL_ROUTES) ||
        !enable(en, KVM_CAP_EXCEPTION_PAYLOAD, 1))
        return err_host(e, "kvm: a new machine cannot be set up: %s; use --engine auto", strerror(errno));
    return true;
}

static struct engine *open_engine(const struct engine_config *cfg, struct err *e)
{
    struct engine *en = calloc(1, sizeof(*en));
    if (!en) {
        err_host(e, "no memory for a machine");
        return NULL;
    }
    en->cfg = *cfg;
    en->vm = en->device = -1;
    pthread_mutex_init(&en->route_lock, NULL);
    en->clock_counts_tsc = clock_counts_tsc(cfg->clock, &en->clock_offset);
    en->vcpus = calloc(cfg->cpus, sizeof(*en->vcpus));
    bool ok = en->vcpus && ask_power_on_state(en);
    if (!ok)
        err_host(e, "no memory for a machine");
    ok = ok && (en->device = kvm_open_device(e)) >= 0 && kvm_install_kick_signal(e) && make_vm(en, e) &&
         kvm_add_memory(en, e) && kvm_compose_cpuid(en, e);
    if (ok)
        return en;
    close_engine(en);
    return NULL;
}

/* ---- vCPUs ---- */

static void vcpu_destroy(struct engine_vcpu *v)
{
    if (!v)
        return;
    if (v->run)
        munmap(v->run, v->en->run_size);
    if (v->fd >= 0)
        close(v->fd);
    v->en->vcpus[v->id] = NULL;
    free(v);
}

static bool has_tsc_offset(struct engine_vcpu *v)
{
    struct kvm_device_attr a = {.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET};
    return ioctl(v->fd, KVM_HAS_DEVICE_ATTR, &a) == 0;
}

/* Machine checks are never reported; one bank, the fewest that KVM has, keeps their MSRs few. */
static void set_up_machine_check(struct engine_vcpu *v)
{
    uint64_t mcg_cap = 1;
    ioctl(v->fd, KVM_X86_SETUP_MCE, &mcg_cap);
}

static bool set_up(struct engine_vcpu *v, struct err *e)
{
    struct engine *en = v->en;
    v->fd = ioctl(en->vm, KVM_CREATE_VCPU, v->id);
    if (v->fd < 0)
        return err_host(e, "kvm: vCPU %u cannot be made: %s; use fewer --cpus", v->id, strerror(errno));
    void *run = mmap(NULL, en->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
    if (run == MAP_FAILED)
        return err_host(e, "kvm: vCPU %u: no memory is shared with the kernel: %s", v->id, strerror(errno));
    v->run = run;
    en->has_tsc_offset = has_tsc_offset(v);
    set_up_machine_check(v);
    return kvm_set_cpuid(v, e);
}

static struct engine_vcpu *vcpu_create(struct engine *en, unsigned id, struct err *e)
{
    struct engine_vcpu *v = aligned_alloc(64, align_up(sizeof(*v), 64));
    if (!v) {
        err_host(e, "no memory for a vCPU");
        return NULL;
    }
    memset(v, 0, sizeof(*v));
    v->en = en;
    v->id = id;
    v->fd = -1;
    en->vcpus[id] = v;
    if (!set_up(v, e)) {
        vcpu_destroy(v);
        return NULL;
    }
    kvm_reset(v);
    return v;
}

/* run() never says that a vCPU halts: the kernel, which has the local APIC, puts it to sleep and wakes it. */
static bool has_wakeup(struct engine_vcpu *v)
{
    return true;
}

/* The kernel sees every write, and the processor keeps its own caches. */
static void flush_code(struct engine_vcpu *v)
{
}

const struct engine_ops kvm_engine = {
    .name = "kvm",
    .summary = "the processor's own virtualization, through /dev/kvm",
    .probe = kvm_probe,
    .tsc_khz = kvm_tsc_khz,
    .open = open_engine,
    .close = close_engine,
    .vcpu_create = vcpu_create,
    .vcpu_destroy = vcpu_destroy,
    .vcpu_reset = kvm_reset,
    .run = kvm_run_vcpu,
    .kick = kvm_kick,
    .pull = kvm_pull,
    .push = kvm_push,
    .deliver_msi = kvm_deliver_msi,
    .extint = kvm_extint,
    .has_wakeup = has_wakeup,
    .flush_code = flush_code,
    .dirty_log = kvm_dirty_log,
    .dirty_sync = kvm_dirty_sync,
    .single_step = kvm_single_step,
    .breakpoint = kvm_breakpoint,
    .counters = kvm_counters,
};
