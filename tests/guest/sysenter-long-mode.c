/*
 * sysenter-long-mode.c: SYSENTER in long mode is #UD on AMD's processors and enters 64-bit code on Intel's;
 * SYSCALL in compatibility mode is the other way round: AMD goes to CSTAR, Intel says #UD.
 *
 * SDM 2B "SYSENTER", "SYSCALL"; APM 3 "SYSENTER", "SYSCALL", APM 2 6.1.
 */
#include "frame.h"

extern const char enter_user[], syscall_32[], sysenter_there[], cstar_there[], lstar_there[];
asm(".section .user.text, \"ax\"\nenter_user: sysenter\n"
    ".code32\nsyscall_32: syscall\n 1: mov %ecx, %eax\n int $0x80\n.code64\n.text\n"
    "sysenter_there: ud2\n"
    "lstar_there: ud2\n"
    "cstar_there: mov %cs, %edx\n mov %edx, cs_seen\n mov %r11, flags_seen\n sysretl\n");
static volatile uint32_t cs_seen;
static volatile uint64_t flags_seen;

int main(void)
{
    struct user_state u = user_state_for((uint64_t(*)(uint64_t))enter_user, 0);
    struct trap t;
    asm volatile("" : : "m"(cs_seen), "m"(flags_seen));
    wrmsr(MSR_SYSENTER_CS, SEL_KCODE);
    wrmsr(MSR_SYSENTER_ESP, tss.rsp[0] ? tss.rsp[0] : (uint64_t)user_stack);
    wrmsr(MSR_SYSENTER_EIP, (uint64_t)sysenter_there);
    user_run(&u, NULL, &t);
    if (cpu_is_amd())
        CHECK_TRAP_AT(t, UD, 0, enter_user);
    else
        CHECK_TRAP_AT(t, UD, 0, sysenter_there);

    wrmsr(MSR_STAR, (uint64_t)(SEL_UCODE32 & ~3u) << 48 | (uint64_t)SEL_KCODE << 32);
    wrmsr(MSR_CSTAR, (uint64_t)cstar_there);
    wrmsr(MSR_LSTAR, (uint64_t)lstar_there);
    wrmsr(MSR_FMASK, FLAG_IF);
    u = user_state_for((uint64_t(*)(uint64_t))syscall_32, 0);
    u.cs = SEL_UCODE32;
    uint64_t rax = 0;
    if (!cpu_is_amd()) {
        user_run(&u, &rax, &t);
        CHECK_TRAP_AT(t, UD, 0, syscall_32);
        return 0;
    }
    user_run(&u, &rax, NULL);
    CHECK_EQ(cs_seen, SEL_KCODE);
    CHECK_EQ(rax, (uint64_t)syscall_32 + 2);
    CHECK_EQ(flags_seen & 0xffff, FLAGS_ALWAYS);
    return 0;
}
