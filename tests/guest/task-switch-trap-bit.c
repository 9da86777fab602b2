/*
 * task-switch-trap-bit.c: the T bit of a 32-bit TSS is #DB with DR6.BT, before the new task's first
 * instruction; a switch clears DR7's local enables.
 *
 * SDM 3B 17.3.1.5, 17.2.4, 3A 7.2.1; APM 2 13.1.1.3, 13.1.3.4.
 */
#include "frame32.h"

#define SEL_T SEL_FREE
static struct tss32 t;
extern const char task[], jump[];
asm(TEXT_BEGIN "task: nop\n int $0x81\n jump: ljmp $0x40, $0\n");

int main(void)
{
    t = (struct tss32){.eip = (uint32_t)task,
                       .eflags = 2,
                       .esp = (uint32_t)user_stack + 4096,
                       .es = SEL_KDATA,
                       .cs = SEL_KCODE,
                       .ss = SEL_KDATA,
                       .ds = SEL_KDATA,
                       .trap = 1};
    GDT(SEL_T) = desc((uint32_t)&t, 103, D_TSS32, 0);
    write_dr6(0xffff0ff0);
    write_dr7(0x400 | 1 | 2 << 2); /* L0, G1: at address 0 */
    struct regs r = regs_kernel(jump);
    struct trap e = run(&r);
    CHECK_END(e, DB, 0, task);
    CHECK_EQ(e.dr6 & 0xf00f, BIT(15));
    CHECK_EQ(e.regs.eflags & FLAG_RF, 0);
    CHECK_EQ(read_dr7() & 0xff, 2 << 2);
    return 0;
}
