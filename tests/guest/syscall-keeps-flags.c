/*
 * syscall-keeps-flags.c: SYSCALL clears the flags that FMASK names, and no others, arithmetic ones included.
 *
 * SDM 2B "SYSCALL", APM 3 "SYSCALL": RFLAGS = RFLAGS AND NOT FMASK. A kernel may pass conditions by them.
 */
#include "frame.h"

uint64_t seen_flags, seen_r11;
extern const char syscall_entry[], user_syscall[];

asm(".text\n"
    "syscall_entry:\n"
    "mov %rsp, %rdx\n"
    "mov $stack_bottom+4096, %esp\n"
    "pushf; pop seen_flags\n"
    "mov %r11, seen_r11\n"
    "mov %rdx, %rsp\n"
    "mov $2, %r11d\n"
    "sysretq\n"
    ".section .user.text, \"ax\"\n"
    "user_syscall:\n"
    "push %rdi; popf\n"
    "syscall\n"
    "int $0x80\n"
    ".text\n");

int main(void)
{
    uint64_t all = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF | FLAG_DF | FLAG_AC | FLAG_ID;

    wrmsr(MSR_STAR, (uint64_t)SEL_KCODE << 32 | (uint64_t)SEL_UCODE32 << 48);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
    for (unsigned bit = 0; bit < 22; bit++) {
        uint64_t mask = all & BIT(bit);
        wrmsr(MSR_FMASK, mask | FLAG_IF | FLAG_TF);
        struct user_state u = user_state_for((uint64_t(*)(uint64_t))user_syscall, all | FLAGS_ALWAYS);
        user_run(&u, NULL, NULL);
        CHECK_EQ(seen_r11, all | FLAGS_ALWAYS);
        CHECK_EQ(seen_flags, (all & ~mask) | FLAGS_ALWAYS);
    }
    return 0;
}
