/*
 * device.c: /dev/kvm: is it there, may we use it, and has the kernel what this engine needs?
 */
#include "engine/kvm/impl.h"
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every kernel from 5.10 on has all of these; of an older one, the message says what it lacks. */
static const struct {
    int cap;
    const char *name;
} needed[] = {
    {KVM_CAP_USER_MEMORY, "memory slots"},
    {KVM_CAP_READONLY_MEM, "read-only memory slots (Linux 3.7)"},
    {KVM_CAP_SET_TSS_ADDR, "KVM_SET_TSS_ADDR"},
    {KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_SET_IDENTITY_MAP_ADDR"},
    {KVM_CAP_EXT_CPUID, "KVM_SET_CPUID2"},
    {KVM_CAP_MP_STATE, "KVM_GET_MP_STATE"},
    {KVM_CAP_XSAVE, "KVM_GET_XSAVE"},
    {KVM_CAP_VCPU_EVENTS, "KVM_GET_VCPU_EVENTS"},
    {KVM_CAP_DEBUGREGS, "KVM_GET_DEBUGREGS"},
    {KVM_CAP_SET_GUEST_DEBUG, "KVM_SET_GUEST_DEBUG"},
    {KVM_CAP_ADJUST_CLOCK, "KVM_SET_CLOCK"},
    {KVM_CAP_GET_TSC_KHZ, "KVM_GET_TSC_KHZ"},
    {KVM_CAP_TSC_DEADLINE_TIMER, "the TSC-deadline timer"},
    {KVM_CAP_IRQ_ROUTING, "KVM_SET_GSI_ROUTING"},
    {KVM_CAP_SIGNAL_MSI, "KVM_SIGNAL_MSI"},
    {KVM_CAP_SPLIT_IRQCHIP, "a local APIC without I/O APIC (Linux 4.5)"},
    {KVM_CAP_IMMEDIATE_EXIT, "immediate exits (Linux 4.13)"},
    {KVM_CAP_EXCEPTION_PAYLOAD, "exception payloads (Linux 4.20)"},
};

/* Does the processor offer its virtualization to this system? (SDM 2A "CPUID" leaf 1 ECX[5]; APM 3 E.4.2) */
static bool has_vmx(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & BIT(5));
}
static bool has_svm(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & BIT(2));
}
bool kvm_processor_virtualizes(void)
{
    return has_vmx() || has_svm();
}

static bool no_device(struct err *e)
{
    if (kvm_processor_virtualizes())
        return err_host(e, "there is no %s; load it: modprobe %s", KVM_DEVICE,
                        has_vmx() ? "kvm-intel" : "kvm-amd");
    return err_host(
        e,
        "there is no %s, and the processor offers neither VMX nor SVM to this system; switch virtualization "
        "on in the firmware, or use a host that has it",
        KVM_DEVICE);
}

static bool no_permission(struct err *e)
{
    struct stat st;
    struct group *g = stat(KVM_DEVICE, &st) == 0 ? getgrgid(st.st_gid) : NULL;
    if (g && (st.st_mode & S_IRGRP) && (st.st_mode & S_IWGRP))
        return err_host(e, "no permission for %s; join its group: usermod -aG %s USER, then log in again",
                        KVM_DEVICE, g->gr_name);
    return err_host(e, "no permission for %s, which belongs to one user alone; chgrp kvm %s && chmod g+rw %s",
                    KVM_DEVICE, KVM_DEVICE, KVM_DEVICE);
}

static bool check(int fd, struct err *e)
{
    int version = ioctl(fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION)
        return err_host(e, "%s speaks version %d of its interface, not %d", KVM_DEVICE, version,
                        KVM_API_VERSION);
    for (unsigned i = 0; i < ARRAY_LEN(needed); i++)
        if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
            return err_host(e, "this kernel's KVM has not %s; use Linux 5.10 or later", needed[i].name);
    return true;
}

int kvm_open_device(struct err *e)
{
    int fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
        no_device(e);
    else if (fd < 0 && (errno == EACCES || errno == EPERM))
        no_permission(e);
    else if (fd < 0)
        err_host(e, "%s cannot be opened: %s", KVM_DEVICE, strerror(errno));
    if (fd < 0 || check(fd, e))
        return fd;
    close(fd);
    return -1;
}
