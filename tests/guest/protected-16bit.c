/*
 * protected-16bit.c: 16-bit code and stack segments in protected mode: defaults, prefixes, SP alone moves, IP
 * and addresses wrap at 64 KiB.
 *
 * SDM 1 3.6, 3.3.7, 6.2.3; 3A 3.4.5 (D/B flag), 21.3; APM 2 4.7.2, 4.7.3. Windows 3 and OS/2 programs, and
 * every loader on its way, run so.
 */
#include "frame32.h"

extern const char sizes[], sizes_at[], stack[], wrap[], counts[], mixed[], mixed_back[];

asm(LOW_BEGIN
    "sizes: mov $0x12345678, %eax\n mov $0xaaaabbbb, %ebx\n mov %ax, %bx\n" /* BX only */
    "push %ax\n mov %sp, %cx\n pop %ax\n pushl %eax\n mov %sp, %dx\n popl %eax\nsizes_at: int $0x81\n"
    /* ESP's upper half takes no part and stays; a push at 0 wraps to 0xfffe */
    "stack: push %bx\n mov %esp, %ecx\n mov %ss:(0xfffe), %si\n pop %dx\n int $0x81\n"
    "wrap: mov $0xfff0, %bx\n mov $0x20, %si\n mov (%bx,%si), %ax\n int $0x81\n"
    "counts: mov $0x10002, %ecx\n xor %ax, %ax\n 1: inc %ax\n loop 1b\n mov $0x10003, %ecx\n xor %dx, %dx\n"
    "2: inc %dx\n addr32 loop 3f\n 3: cmp $5, %dx\n jne 2b\n int $0x81\n"
    "mixed: lcall $0x30, $1f\n int $0x81\n 1: mov %sp, %bp\n mov (%bp), %ax\n mov 2(%bp), %dx\n"
    "lcalll $8, $mixed_back\n lret\n" LOW_END TEXT_BEGIN "mixed_back: mov $0x5a5a5a5a, %esi\n lret\n");

int main(void)
{
    struct regs r = regs_kernel(sizes);
    r.cs = SEL_CODE16;
    r.ss = r.ds = r.es = SEL_DATA16;
    r.esp = 0x7000;
    struct trap t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax, 0x12345678);
    CHECK_EQ(t.regs.ebx, 0xaaaa5678);
    CHECK_EQ(t.regs.ecx & 0xffff, 0x6ffe);
    CHECK_EQ(t.regs.edx & 0xffff, 0x6ffc);
    CHECK_EQ(t.regs.eip, (uint32_t)sizes_at + 2);

    GDT(SEL_FREE) = desc(0x20000, 0xffff, D_DATA, 0);
    r.eip = (uint32_t)stack;
    r.ss = SEL_FREE;
    r.esp = 0xabcd0000;
    r.ebx = 0x4242;
    t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.ecx, 0xabcdfffe);
    CHECK_EQ(t.regs.edx & 0xffff, 0x4242);
    CHECK_EQ(t.regs.esi & 0xffff, 0x4242);

    *(volatile uint16_t *)0x6010 = 0x2468;
    GDT(SEL_FREE + 8) = desc(0x6000, 0xffff, D_DATA, 0);
    r = (struct regs){.eip = (uint32_t)wrap, .cs = SEL_CODE16, .eflags = 2, .esp = 0x7000, .ss = SEL_DATA16};
    r.ds = r.es = SEL_FREE + 8;
    t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax & 0xffff, 0x2468);

    r.eip = (uint32_t)counts;
    r.ds = SEL_DATA16;
    t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax & 0xffff, 2);  /* LOOP counted CX */
    CHECK_EQ(t.regs.ecx, 0x10003 - 5); /* with an address-size prefix ECX */

    r.eip = (uint32_t)mixed;
    t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax & 0xffff, (uint32_t)mixed + 5);
    CHECK_EQ(t.regs.edx & 0xffff, SEL_CODE16);
    CHECK_EQ(t.regs.esi, 0x5a5a5a5a);
    CHECK_EQ(t.regs.esp, 0x7000);
    return 0;
}
