/*
 * real-mode-interrupts.c: interrupts and exceptions of real mode go through the table at IDTR with a frame of
 * three words and no error code; IRET takes the frame back.
 *
 * SDM 3B 20.1.3, 20.1.4; APM 2 8.6.1. Every BIOS call and every boot loader rests on it.
 */
#include "frame32.h"

extern const char int_plain[], int_flags[], div_zero[], div_at[], bound_out[], bound_at[], undefined[],
    undefined_at[], iret_back[], over[], sti_int[], handler[];

asm(LOW_BEGIN
    "int_plain: mov $0x1234, %ax\n int $0x40\n mov $0x5678, %bx\n int $0x81\n"
    /* IF, TF and AC clear in the handler, kept in the frame */
    "handler: pushf\n pop %cx\n mov %sp, %bp\n mov (%bp), %dx\n mov 2(%bp), %si\n mov 4(%bp), %di\n iret\n"
    "int_flags: pushl $0x40ed7\n popfl\n int $0x40\n pushfl\n pop %eax\n cli\n int $0x81\n"
    "div_zero: xor %bx, %bx\n mov $7, %ax\n xor %dx, %dx\n div_at: div %bx\n int $0x81\n"
    "undefined: nop\n undefined_at: ud2\n int $0x81\n"
    "over: mov $0x7fff, %ax\n add $1, %ax\n into\n over_at: int $0x81\n"
    "iret_back: pushw $0x0ed7\n pushw $0x0010\n pushw $(1f - 0x100)\n iret\n .word 0x0b0f\n"
    "1: pushf\n pop %ax\n mov %cs, %bx\n ljmp $0, $2f\n 2: int $0x81\n" LOW_END);
extern const char over_at[];

static void vector_to(unsigned vector, const char *at)
{
    volatile uint32_t *ivt = (volatile uint32_t *)(uintptr_t)real_idtr.base;
    asm("" : "+r"(ivt));
    ivt[vector] = (uint32_t)at;
}

int main(void)
{
    struct regs r = regs_real(int_plain);
    struct trap t = real_run(&r);
    CHECK_EQ(t.vector, 0x40); /* the table's own entry ends it */
    CHECK_EQ(t.regs.eax & 0xffff, 0x1234);
    CHECK_EQ(t.regs.eip, (uint32_t)int_plain + 5);
    CHECK_EQ(t.regs.cs, 0);

    /* The handler sees its frame of three words, with IF and TF clear. */
    vector_to(0x40, handler);
    r = regs_real(int_flags);
    r.esp = 0x7100;
    t = real_run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.edx & 0xffff, (uint32_t)int_flags + 10);
    CHECK_EQ(t.regs.esi & 0xffff, 0);
    CHECK_EQ(t.regs.edi & 0xffff, 0x0ed7);
    CHECK_EQ(t.regs.ecx & 0xffff, 0x0ed7 & ~(FLAG_IF | FLAG_TF));
    CHECK_EQ(t.regs.eax & 0xffff, 0x0ed7);
    CHECK_EQ(t.regs.esp, 0x7100);
    r = regs_real(int_plain);
    t = real_run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.ebx & 0xffff, 0x5678);

    /* Faults push the address of the instruction, traps that of the next; no error code either way. */
    r = regs_real(div_zero);
    t = real_run(&r);
    CHECK_EQ(t.vector, DE);
    CHECK_EQ(t.regs.eip, (uint32_t)div_at);
    CHECK_EQ(t.regs.esp, 0x7000);
    r = regs_real(undefined);
    t = real_run(&r);
    CHECK_EQ(t.vector, UD);
    CHECK_EQ(t.regs.eip, (uint32_t)undefined_at);
    r = regs_real(over);
    t = real_run(&r);
    CHECK_EQ(t.vector, OF);
    CHECK_EQ(t.regs.eip, (uint32_t)over_at);

    /* IRET to another segment. */
    r = regs_real(iret_back);
    t = real_run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.ebx & 0xffff, 0x10);
    CHECK_EQ(t.regs.eax & 0xffff, 0x0ed7);
    CHECK_EQ(t.regs.esp, 0x7000);
    return 0;
}
