/*
 * syscall-sysret.c: SYSCALL and SYSRET move RIP, RFLAGS, CS and SS as STAR, LSTAR and FMASK say, and nothing
 * else.
 *
 * SDM 2B "SYSCALL", "SYSRET", APM 3 "SYSCALL", "SYSRET". Every system call of every 64-bit kernel goes this
 * way; the stack pointer is the user's until the kernel changes it.
 */
#include "frame.h"

/* Filled by syscall_entry. */
struct seen {
    uint64_t rcx, r11, rsp, rflags, cs, ss, rax;
    uint64_t sysret_rcx, sysret_r11; /* what to return with */
};
struct seen seen;

extern const char syscall_entry[], syscall_behind[], user_syscall_asm[], user_probe[];

asm(".text\n"
    "syscall_entry:\n"
    "mov %rcx, seen\n"
    "mov %r11, seen+8\n"
    "mov %rsp, seen+16\n"
    "mov %rax, seen+48\n"
    "mov $stack_bottom+4096, %esp\n"
    "pushf; pop seen+24\n"
    "mov %cs, seen+32\n"
    "mov %ss, seen+40\n"
    "movq $0, gdt+0x28\n" /* SEL_UCODE: SYSRET does not read the descriptor */
    "mov seen+16, %rsp\n"
    "mov seen+56, %rcx\n"
    "mov seen+64, %r11\n"
    "sysretq\n"
    ".section .user.text, \"ax\"\n"
    /* RDI: flags to make the call with. */
    "user_syscall_asm:\n"
    "push %rdi; popf\n"
    "mov $0x1122334455667788, %rax\n"
    "syscall\n"
    "syscall_behind: int $0x80\n"
    /* Returns what it finds: RFLAGS in RAX, CS and SS as user_probe_result. */
    "user_probe:\n"
    "mov %cs, user_probe_result\n"
    "mov %ss, user_probe_result+8\n"
    "mov %rcx, user_probe_result+16\n"
    "mov %r11, user_probe_result+24\n"
    "pushf; pop %rax\n"
    "int $0x80\n"
    ".text\n");
uint64_t user_probe_result[4] USER_DATA;

static uint64_t flags_all = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF | FLAG_DF;

static uint64_t go(uint64_t flags)
{
    struct user_state u = user_state_for((uint64_t(*)(uint64_t))user_syscall_asm, flags);
    uint64_t rax, rsp = u.rsp;
    seen = (struct seen){.sysret_rcx = seen.sysret_rcx, .sysret_r11 = seen.sysret_r11};
    uint64_t descriptor = gdt[SEL_UCODE >> 3];
    user_run(&u, &rax, NULL);
    CHECK_EQ(gdt[SEL_UCODE >> 3], 0);
    gdt[SEL_UCODE >> 3] = descriptor;
    CHECK_EQ(seen.rcx, (uint64_t)syscall_behind);
    CHECK_EQ(seen.rsp, rsp); /* RSP is not changed */
    CHECK_EQ(seen.rax, 0x1122334455667788);
    CHECK_EQ(seen.cs, SEL_KCODE);
    CHECK_EQ(seen.ss, SEL_KDATA);
    return rax;
}

int main(void)
{
    wrmsr(MSR_STAR, (uint64_t)SEL_KCODE << 32 | (uint64_t)SEL_UCODE32 << 48);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
    wrmsr(MSR_FMASK, FLAG_IF | FLAG_DF | FLAG_TF | FLAG_AC | FLAG_NT);
    CHECK_EQ(rdmsr(MSR_LSTAR), (uint64_t)syscall_entry);

    /* R11 has the flags before; what FMASK names is clear after. */
    seen.sysret_rcx = (uint64_t)syscall_behind;
    seen.sysret_r11 = FLAGS_ALWAYS;
    go(flags_all | FLAGS_ALWAYS);
    CHECK_EQ(seen.r11 & ~FLAG_IF, flags_all | FLAGS_ALWAYS);
    CHECK_EQ(seen.rflags & FLAG_DF, 0);
    wrmsr(MSR_FMASK, 0xffffffff);
    go(flags_all | FLAGS_ALWAYS);
    CHECK_EQ(seen.rflags, FLAGS_ALWAYS);
    wrmsr(MSR_FMASK, FLAG_IF);
    go(FLAG_AC | FLAG_ID | FLAGS_ALWAYS);
    CHECK_EQ(seen.rflags, FLAG_AC | FLAG_ID | FLAGS_ALWAYS);

    /* SYSRET: RIP from RCX, flags from R11 without RF and VM, reserved bits as ever, CPL 3 selectors from
     * STAR. */
    seen.sysret_rcx = (uint64_t)user_probe;
    seen.sysret_r11 = FLAG_CF | FLAG_OF | FLAG_RF | FLAG_ID | FLAG_AC | BIT(3) | BIT(5) | BIT(15);
    uint64_t flags = go(FLAGS_ALWAYS);
    CHECK_EQ(flags & ~FLAG_RF, FLAG_CF | FLAG_OF | FLAG_ID | FLAG_AC | FLAGS_ALWAYS);
    CHECK_EQ(user_probe_result[0], SEL_UCODE);
    CHECK_EQ(user_probe_result[1], SEL_UDATA);
    CHECK_EQ(user_probe_result[2], (uint64_t)user_probe);
    seen.sysret_r11 = FLAGS_ALWAYS;

    /* Without SCE both are invalid. */
    struct user_state u = user_state_for((uint64_t(*)(uint64_t))user_syscall_asm, FLAGS_ALWAYS);
    struct trap t;
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SCE);
    user_run(&u, NULL, &t);
    CHECK_TRAP_AT(t, UD, 0, (uint64_t)syscall_behind - 2);
    CHECK_FAULT(TRY("sysretq", : : : "memory"), UD, 0);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
    return 0;
}
