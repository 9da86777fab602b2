/*
 * sysenter-32bit.c: SYSENTER goes from any level to flat segments of CPL 0 by three MSRs with IF clear;
 * SYSEXIT goes to CPL 3 with EDX and ECX. A null SYSENTER_CS is #GP, and so is SYSEXIT outside CPL 0 and
 * either in real mode.
 *
 * SDM 2B "SYSENTER", "SYSEXIT", 3A 5.8.7; APM 3 "SYSENTER", APM 2 6.1.2. 32-bit Linux enters its kernel so.
 */
#include "frame32.h"

extern const char user[], entry[], entry_exit[], user_next[], user_exit[], real_enter[];
static volatile uint32_t seen[4];
asm(TEXT_BEGIN
    "user: sysenter\n user_next: mov %cs, %eax\n mov %ss, %ecx\n int $0x81\n"
    "user_exit: sysexit\n"
    "entry: int $0x81\n"
    "entry_exit: mov $0x10, %eax\n mov %eax, %ds\n mov %esp, seen\n pushf\n popl seen+4\n mov $user_next, "
    "%edx\n"
    "mov $0x7654, %ecx\n sysexit\n" LOW_BEGIN "real_enter: sysenter\n int $0x81\n" LOW_END);

int main(void)
{
    if (!cpu_has_sep())
        exit_skip("no SEP in CPUID");
    GDT(SEL_FREE) = GDT(SEL_KCODE);
    GDT(SEL_FREE + 8) = GDT(SEL_KDATA);
    GDT(SEL_FREE + 16) = GDT(SEL_UCODE);
    GDT(SEL_FREE + 24) = GDT(SEL_UDATA);
    struct regs r = regs_user(user);
    r.eflags |= FLAG_IF | FLAG_CF;
    wrmsr(MSR_SYSENTER_CS, 0);
    CHECK_END(run(&r), GP, 0, user);
    wrmsr(MSR_SYSENTER_CS, SEL_FREE | 3);
    wrmsr(MSR_SYSENTER_ESP, (uint32_t)user_stack + 2048);
    wrmsr(MSR_SYSENTER_EIP, (uint32_t)entry);
    struct trap t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eip, (uint32_t)entry + 2);
    CHECK_EQ(t.regs.cs, SEL_FREE);
    CHECK_EQ(t.regs.ss, SEL_FREE + 8);
    CHECK_EQ(t.regs.esp, (uint32_t)user_stack + 2048);
    CHECK_EQ(t.regs.eflags & (FLAG_IF | FLAG_CF), FLAG_CF);

    wrmsr(MSR_SYSENTER_EIP, (uint32_t)entry_exit);
    t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(seen[0], (uint32_t)user_stack + 2048);
    CHECK_EQ(seen[1] & FLAG_IF, 0);
    CHECK_EQ(t.regs.cs, (SEL_FREE + 16) | 3);
    CHECK_EQ(t.regs.ss, (SEL_FREE + 24) | 3);
    CHECK_EQ(t.regs.esp, 0x7654);
    CHECK_EQ(t.regs.eax & 0xffff, (SEL_FREE + 16) | 3);

    r.eip = (uint32_t)user_exit;
    CHECK_END(run(&r), GP, 0, user_exit);
    r = regs_real(real_enter);
    t = real_run(&r);
    CHECK_EQ(t.vector, GP);
    return 0;
}
