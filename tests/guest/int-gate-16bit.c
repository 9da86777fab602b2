/*
 * int-gate-16bit.c: gates of the 80286 type push words, the error code too, and go to a 16-bit offset; IRET
 * with 16 bits keeps the upper half of EFLAGS.
 *
 * SDM 3A 6.12.1, 21.4 (mixing 16- and 32-bit gates), 2A "INT n" (OperandSize 16); APM 2 8.7.
 */
#include "frame32.h"

extern const char plain[], plain_next[], fault[], fault_at[], user[], handler[], handler_error[];
LOW_DATA static volatile uint16_t frame[8];
LOW_DATA static volatile uint32_t seen[2];

/* The handlers run in the 16-bit segment on the interrupted (flat) stack. */
asm(TEXT_BEGIN
    "plain: int $0x40\nplain_next: mov %esp, %ecx\n int $0x81\n"
    "user: int $0x40\n int $0x81\n"
    "fault: mov $0xfff0, %eax\nfault_at: mov %eax, %ds\n int $0x81\n" LOW_BEGIN
    "handler: push %bp\n mov %esp, %ebp\n push %ax\n mov $0x38, %ax\n mov %ax, %ds\n"
    "mov 2(%ebp), %ax\n mov %ax, frame\n mov 4(%ebp), %ax\n mov %ax, frame+2\n mov 6(%ebp), %ax\n mov %ax, "
    "frame+4\n"
    "mov 8(%ebp), %ax\n mov %ax, frame+6\n mov 10(%ebp), %ax\n mov %ax, frame+8\n"
    "pushfl\n popl %eax\n mov %eax, seen\n mov %ebp, seen+4\n pop %ax\n pop %bp\n iret\n"
    "handler_error: pop %dx\n pop %si\n pop %di\n popw %bx\n movzx %dx, %edx\n int $0x81\n" LOW_END);

int main(void)
{
    struct regs r = regs_kernel(plain);
    idt[0x40] = gate(D_INT16 | D_DPL(3), SEL_CODE16, (uint32_t)handler, 0);
    GDT(SEL_FREE) = desc(0x100000, 0xffff, D_CODE, D_32);
    r.cs = SEL_FREE; /* code of 16 bits of address, so that the frame's IP is enough */
    r.eip = (uint32_t)plain - 0x100000;
    r.eflags |= FLAG_IF | FLAG_ID | FLAG_AC;
    struct trap t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(frame[0], (uint32_t)plain_next - 0x100000);
    CHECK_EQ(frame[1], SEL_FREE);
    CHECK_EQ(frame[2], (FLAG_IF | 2));
    CHECK_EQ(seen[0] & (FLAG_IF | FLAG_ID), FLAG_ID);
    CHECK_EQ(seen[1], r.esp - 8); /* three words, and BP */
    CHECK_EQ(t.regs.ecx, r.esp);
    CHECK_EQ(t.regs.eflags & (FLAG_IF | FLAG_ID | FLAG_AC), FLAG_IF | FLAG_ID | FLAG_AC);

    idt[0x40] = gate(D_TRAP16 | D_DPL(3), SEL_CODE16, (uint32_t)handler, 0);
    t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(seen[0] & FLAG_IF, FLAG_IF); /* a trap gate leaves IF */

    /* A fault: its error code is a word as well. */
    idt[GP] = gate(D_INT16, SEL_CODE16, (uint32_t)handler_error, 0);
    r.eip = (uint32_t)fault - 0x100000;
    t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.edx, 0xfff0);
    CHECK_EQ(t.regs.esi & 0xffff, (uint32_t)fault_at - 0x100000);
    CHECK_EQ(t.regs.edi & 0xffff, SEL_FREE);
    CHECK_EQ(t.regs.esp, r.esp);

    /* From CPL 3: SS and SP as words on the stack of the TSS. */
    GDT(SEL_FREE + 8) = desc(0x100000, 0xffff, D_CODE | D_DPL(3), D_32);
    r = regs_user((const void *)((uint32_t)user - 0x100000));
    r.cs = (SEL_FREE + 8) | 3;
    GDT(SEL_FREE + 16) = desc((uint32_t)user_stack, 0xfff, D_DATA | D_DPL(3), 0);
    r.ss = (SEL_FREE + 16) | 3;
    r.esp = 0x800;
    idt_default(GP);
    t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(frame[1], (SEL_FREE + 8) | 3);
    CHECK_EQ(frame[3], 0x800);
    CHECK_EQ(frame[4], (SEL_FREE + 16) | 3);
    CHECK_EQ(t.regs.esp & 0xffff, 0x800); /* IRET with 16 bits leaves the rest of ESP */
    return 0;
}
