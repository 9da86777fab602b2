/*
 * iret-vm-user.c: IRET at CPL 3 ignores VM in its image, as it ignores IOPL and IF: only CPL 0 enters
 * virtual-8086 mode.
 *
 * SDM 2A "IRET/IRETD" (VM is looked at with CPL = 0 only), 3A 5.8; APM 3 "IRET". A program that could set VM
 * would get flat addresses of its own making.
 */
#include "frame32.h"

extern const char code[], next[];
asm(TEXT_BEGIN
    "code: push $0\n push $0\n push $0\n push $0\n push $0x23\n push $0x7000\n"
    "pushl $0x23202\n push $0x1b\n push $next\n iret\nnext: pushf\n pop %eax\n int $0x81\n");

int main(void)
{
    struct regs r = regs_user(code);
    struct trap t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax, FLAGS_ALWAYS);
    CHECK_EQ(t.regs.cs, SEL_UCODE);
    CHECK_EQ(t.regs.esp, r.esp - 6 * 4); /* three words are taken: same privilege */
    return 0;
}
