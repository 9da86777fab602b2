/*
 * iret-nt-long-mode.c: in long mode there are no tasks: IRET with NT set is #GP(0), a far jump to a TSS or a
 * task gate #GP with its selector.
 *
 * SDM 3A 7.7, 2A "IRET"; APM 2 12.1, APM 3 "IRET".
 */
#include "frame.h"

static struct trap jump(uint16_t sel)
{
    struct {
        uint32_t off;
        uint16_t sel;
    } __attribute__((packed)) p = {0, sel};
    return TRY("ljmpl *%0", : : "m"(p) : "memory");
}

int main(void)
{
    /* The frame is good: without NT it would be a return to the next instruction. */
    struct trap t = TRY(
        "mov %%rsp, %%rcx; mov %%ss, %%eax; push %%rax; push %%rcx; pushq $2; mov %%cs, %%eax;"
        "push %%rax; pushq $1f; pushf; orq $0x4000, (%%rsp); popf; nop; .globl iret_nt; iret_nt: iretq; 1:",
        :
        :
        : "rax", "rcx", "memory");
    extern const char iret_nt[];
    CHECK_TRAP_AT(t, GP, 0, iret_nt);
    CHECK_EQ(t.regs.rflags & FLAG_NT, FLAG_NT);
    CHECK_EQ(read_flags() & FLAG_NT, 0);

    gdt[SEL_FREE >> 3] = 0x0000890000000067; /* an available TSS */
    gdt[(SEL_FREE >> 3) + 1] = 0;
    CHECK_FAULT(jump(SEL_FREE), GP, SEL_FREE);
    CHECK_FAULT(jump(SEL_TSS), GP, SEL_TSS);
    gdt[SEL_FREE >> 3] = 0x0000850000300000; /* a task gate */
    CHECK_FAULT(jump(SEL_FREE), GP, SEL_FREE);
    return 0;
}
