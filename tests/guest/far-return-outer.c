/*
 * far-return-outer.c: RET to less privilege takes SS:ESP from the stack, checks them for the new level, and
 * makes data segments null that this level may not use; to more privilege it is #GP.
 *
 * SDM 3A 5.8.6, 2B "RET" (RETURN-TO-OUTER-PRIVILEGE-LEVEL); APM 2 4.11.3, APM 3 "RET (Far)".
 */
#include "frame32.h"

extern const char outer[], landing[], inner[], wrong_ss[], null_ss[], at_wrong[], at_null[], null_cs[];
asm(TEXT_BEGIN
    "outer: mov $0x10, %eax\n mov %eax, %fs\n mov $0x23, %eax\n mov %eax, %gs\n mov $0x40, %eax\n mov %eax, "
    "%es\n"
    "push $0x23\n push $0x6543\n push $0xaaaa\n push $0x1b\n push $landing\n lret $4\n"
    "landing: mov %fs, %eax\n mov %gs, %ebx\n mov %es, %ecx\n mov %ds, %edx\n mov %esp, %esi\n int $0x81\n"
    "inner: push $8\n push $landing\n lret\n"
    "wrong_ss: push $0x10\n push $0x6543\n push $0x1b\n push $landing\nat_wrong: lret\n"
    "null_ss: push $0\n push $0x6543\n push $0x1b\n push $landing\nat_null: lret\n"
    "null_cs: pushl $0\n push $landing\n lret\n");

int main(void)
{
    GDT(SEL_FREE) =
        desc(0, 0xfffff, D_CODE | D_CONF, D_32 | D_G); /* conforming code stays in a data register */
    struct regs r = regs_kernel(outer);
    r.ds = SEL_UDATA;
    struct trap t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.cs, SEL_UCODE);
    CHECK_EQ(t.regs.ss, SEL_UDATA);
    CHECK_EQ(t.regs.esp, 0x6543 + 4); /* released here as well */
    CHECK_EQ(t.regs.eax & 0xffff, 0);
    CHECK_EQ(t.regs.ebx & 0xffff, SEL_UDATA);
    CHECK_EQ(t.regs.ecx & 0xffff, SEL_FREE);
    CHECK_EQ(t.regs.edx & 0xffff, SEL_UDATA);

    r = regs_user(inner);
    CHECK_END(run(&r), GP, SEL_KCODE, inner + 7);
    r = regs_kernel(wrong_ss);
    CHECK_END(run(&r), GP, SEL_KDATA, at_wrong);
    r = regs_kernel(null_ss);
    CHECK_END(run(&r), GP, 0, at_null);
    r = regs_kernel(null_cs);
    CHECK_END(run(&r), GP, 0, null_cs + 7);
    return 0;
}
