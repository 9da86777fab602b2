/*
 * task-switch-gate.c: an exception through a task gate is a nested switch that pushes the error code on the
 * new task's stack; IRET goes back to the faulting instruction. INT n through one asks the gate's DPL.
 *
 * SDM 3A 6.12.2, 7.3, 7.4; APM 2 8.7.5 ("Interrupts through task gates"), 12.3.
 */
#include "frame32.h"

#define SEL_T SEL_FREE
extern const char task[], user_int[];
static struct tss32 t;
static volatile uint32_t seen[4], fixed;

asm(TEXT_BEGIN
    "task: popl seen\n str %eax\n mov %eax, seen+4\n mov %esp, seen+8\n incl fixed\n movl $0x10, "
    "main_tss+44\n"
    "iret\n jmp task\n"
    "user_int: int $0x44\n int $0x81\n");

static void prepare(const char *at)
{
    t = (struct tss32){.eip = (uint32_t)at,
                       .eflags = 2,
                       .esp = (uint32_t)user_stack + 4096,
                       .es = SEL_KDATA,
                       .cs = SEL_KCODE,
                       .ss = SEL_KDATA,
                       .ds = SEL_KDATA};
    GDT(SEL_T) = desc((uint32_t)&t, 103, D_TSS32, 0);
}

int main(void)
{
    prepare(task);
    idt[GP] = gate(D_TASK, SEL_T, 0, 0);
    /* A fault on loading DS; the task mends the register that holds the selector, in the TSS. */
    uint32_t sel = 0xfff8, at;
    asm volatile("movl $1f, %1\n 1: mov %0, %%fs" : "+c"(sel), "=m"(at) : : "memory");
    CHECK_EQ(fixed, 1);
    CHECK_EQ(sel, SEL_KDATA); /* ECX is at 44 of the TSS */
    CHECK_EQ(seen[0], 0xfff8);
    CHECK_EQ(seen[1], SEL_T);
    CHECK_EQ(seen[2], (uint32_t)user_stack + 4096); /* one doubleword was there */
    CHECK_EQ(main_tss.t.eip, at);
    idt_default(GP);

    idt[0x44] = gate(D_TASK, SEL_T, 0, 0);
    struct regs r = regs_user(user_int);
    CHECK_END(run(&r), GP, 0x44 * 8 + 2, user_int);
    prepare(task);
    t.esp -= 4; /* there is no error code: something to pop */
    idt[0x44] = gate(D_TASK | D_DPL(3), SEL_T, 0, 0);
    CHECK_RETURN(run(&r));
    CHECK_EQ(fixed, 2);
    CHECK_EQ(main_tss.t.eip, (uint32_t)user_int + 2);
    CHECK_EQ(main_tss.t.ss, SEL_UDATA);
    CHECK_EQ(main_tss.t.cs, SEL_UCODE);

    /* A busy TSS: #GP with its selector. */
    GDT(SEL_T) |= (uint64_t)D_BUSY << 40;
    CHECK_END(run(&r), GP, SEL_T, user_int);
    GDT(SEL_T) &= ~((uint64_t)0x80 << 40 | (uint64_t)D_BUSY << 40);
    CHECK_END(run(&r), NP, SEL_T, user_int);
    idt[0x44] = gate(D_TASK | D_DPL(3) | D_ABSENT, SEL_T, 0, 0);
    CHECK_END(run(&r), NP, 0x44 * 8 + 2, user_int);
    idt[0x44] = gate(D_TASK | D_DPL(3), SEL_KDATA, 0, 0);
    CHECK_END(run(&r), GP, SEL_KDATA, user_int);
    return 0;
}
