/*
 * iret-flags-32.c: which flags IRET takes depends on CPL and IOPL; with 16 bits the upper half stays; a
 * return to more privilege is #GP.
 *
 * SDM 2A "IRET/IRETD/IRETQ", 1 3.4.3; APM 3 "IRET", "IRETD".
 */
#include "frame32.h"

extern const char wide[], narrow[], to_kernel[], at_kernel[];
asm(TEXT_BEGIN
    "wide: push %ebx\n mov %cs, %eax\n push %eax\n push $1f\n iret\n"
    "1: pushf\n pop %eax\n push $2\n popf\n int $0x81\n"
    "to_kernel: push $2\n push $8\n push $wide\nat_kernel: iret\n" LOW_BEGIN
    "narrow: pushl $0x240202\n popfl\n pushw $0x0ed7\n push %cs\n pushw $1f\n iretw\n"
    "1: pushfl\n popl %eax\n pushw $2\n popfw\n int $0x81\n" LOW_END);
#define ALL 0x00247ed7u /* all but VM, RF, TF, VIF, VIP */

int main(void)
{
    struct regs r = regs_kernel(wide);
    r.ebx = ALL;
    struct trap t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax, ALL);

    for (unsigned iopl = 0; iopl < 4; iopl += 3) {
        r = regs_user(wide);
        r.ebx = ALL;
        r.eflags |= FLAG_IOPL(iopl);
        t = run(&r);
        CHECK_RETURN(t);
        CHECK_EQ(t.regs.eax, (ALL & ~(FLAG_IOPL(3) | FLAG_IF)) | FLAG_IOPL(iopl) | (iopl == 3 ? FLAG_IF : 0));
    }
    r = regs_user(to_kernel);
    CHECK_END(run(&r), GP, SEL_KCODE, at_kernel);

    r = regs_kernel(narrow);
    r.cs = SEL_CODE16;
    r.ss = r.ds = r.es = SEL_DATA16;
    r.esp = 0x7000;
    t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax, 0x240ed7);
    return 0;
}
