/*
 * debug-btf.c: with DEBUGCTL.BTF, TF traps behind taken branches only; #DB clears BTF.
 *
 * SDM 3B 17.4.3, 17.4.1; APM 2 13.1.1.5 (DebugCtl), 13.1.4. ptrace's block step is this.
 */
#include "frame.h"

#define MSR_DEBUGCTL 0x1d9
#define BTF          BIT(1)
static volatile unsigned hits;
static volatile uint64_t rips[8], control;

static void debug(struct regs *r)
{
    if (hits < 8)
        rips[hits] = r->rip;
    hits++;
    control = rdmsr(MSR_DEBUGCTL);
    wrmsr(MSR_DEBUGCTL, BTF);
    write_dr6(0xffff0ff0);
    if (hits == 3)
        r->rflags &= ~FLAG_TF;
}

extern const char btf_a[], btf_b[];

int main(void)
{
    trap_set_handler(DB, debug);
    wrmsr(MSR_DEBUGCTL, BTF);
    asm volatile(
        "pushf; orq $0x100, (%%rsp); popf\n"
        ".globl btf_a, btf_b\n"
        "nop; nop; xor %%eax, %%eax; jnz btf_a\n" /* not taken */
        "mov $2, %%ecx; jmp btf_a; nop\n"
        "btf_a: nop; dec %%ecx; jnz btf_a\n"
        "nop; jmp btf_b; nop\nbtf_b: nop"
        :
        :
        : "rax", "rcx", "memory", "cc");
    CHECK_EQ(hits, 3);
    CHECK_EQ(rips[0], (uint64_t)btf_a);
    CHECK_EQ(rips[1], (uint64_t)btf_a);
    CHECK_EQ(rips[2], (uint64_t)btf_b);
    CHECK_EQ(control & BTF, 0);
    wrmsr(MSR_DEBUGCTL, 0);
    return 0;
}
