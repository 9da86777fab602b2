/*
 * failure.c: what is said when the kernel cannot go on with a guest: why, where, and the bytes of code there.
 */
#include "engine/kvm/impl.h"
#include <errno.h>
#include <stdio.h>

#define CODE_BYTES 15 /* the longest instruction */

static const char *internal_error_name(uint32_t suberror)
{
    switch (suberror) {
    case KVM_INTERNAL_ERROR_EMULATION: return "it cannot emulate the instruction";
    case KVM_INTERNAL_ERROR_SIMUL_EX: return "two exceptions at once";
    case KVM_INTERNAL_ERROR_DELIVERY_EV: return "an exit while an event was being delivered";
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON: return "the processor gave an exit that it does not know";
    }
    return "a reason that this version does not know";
}

static void print_registers(const struct x86_state *s, unsigned id)
{
    static const char *const names[X86_NGPR] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    char line[256];
    for (unsigned i = 0; i < X86_NGPR; i += 4) {
        size_t at = 0;
        for (unsigned j = i; j < i + 4; j++)
            at += (size_t)snprintf(line + at, sizeof(line) - at, " %s %016llx", names[j],
                                   (unsigned long long)s->gpr[j]);
        log_error("vCPU %u:%s", id, line);
    }
    log_error(
        "vCPU %u: rip %016llx rflags %08x cs %04x base %016llx ss %04x cr0 %08llx cr2 %016llx cr3 %016llx "
        "cr4 %08llx "
        "efer %04llx",
        id, (unsigned long long)s->rip, x86_rflags(s), s->seg[SEG_CS].sel,
        (unsigned long long)s->seg[SEG_CS].base, s->seg[SEG_SS].sel, (unsigned long long)s->cr0,
        (unsigned long long)s->cr2, (unsigned long long)s->cr3, (unsigned long long)s->cr4,
        (unsigned long long)s->efer);
}

/* The code at CS:RIP in hexadecimal, as far as it is mapped to memory. */
static void code_bytes(struct engine_vcpu *v, const struct x86_state *s, char *text, size_t size)
{
    uint64_t base = x86_64bit(s) ? 0 : s->seg[SEG_CS].base;
    text[0] = 0;
    for (unsigned i = 0; i < CODE_BYTES; i++) {
        struct kvm_translation t = {.linear_address = base + s->rip + i};
        uint8_t byte;
        if (ioctl(v->fd, KVM_TRANSLATE, &t) < 0 || !t.valid ||
            !mem_read(v->en->cfg.mem, t.physical_address, &byte, 1))
            return;
        size_t at = strlen(text);
        snprintf(text + at, size - at, "%s%02x", i ? " " : "", byte);
    }
}

static enum engine_exit report(struct engine_vcpu *v, struct engine_exit_info *info, const char *why,
                               uint64_t code)
{
    struct x86_state s = {0};
    char bytes[CODE_BYTES * 3 + 1];
    kvm_pull(v, GROUP_GENERAL | GROUP_SEGMENTS | GROUP_CONTROL | GROUP_MSRS, &s);
    code_bytes(v, &s, bytes, sizeof(bytes));
    print_registers(&s, v->id);
    snprintf(info->text, sizeof(info->text),
             "kvm cannot go on: %s (exit %u, code 0x%llx) at cs %04x rip 0x%llx, code %s", why,
             v->run->exit_reason, (unsigned long long)code, s.seg[SEG_CS].sel, (unsigned long long)s.rip,
             bytes[0] ? bytes : "not in memory");
    return EXIT_ERROR;
}

enum engine_exit kvm_internal_error(struct engine_vcpu *v, struct engine_exit_info *info)
{
    uint32_t suberror = v->run->internal.suberror;
    return report(v, info, internal_error_name(suberror), suberror);
}

enum engine_exit kvm_entry_failure(struct engine_vcpu *v, struct engine_exit_info *info)
{
    return report(v, info, "the processor refuses the guest's state",
                  v->run->fail_entry.hardware_entry_failure_reason);
}

enum engine_exit kvm_unknown_exit(struct engine_vcpu *v, struct engine_exit_info *info)
{
    return report(v, info, "the guest left for a reason that this version does not know",
                  v->run->hw.hardware_exit_reason);
}
