/*
 * conforming-call-gate.c: a call gate to conforming code of more privilege changes neither the privilege nor
 * the stack, and copies no parameters.
 *
 * SDM 3A 5.8.4 table 5-3, 2A "CALL" (SAME-PRIVILEGE); APM 2 4.11.2.
 */
#include "frame32.h"

extern const char call[], behind[], there[];
asm(TEXT_BEGIN
    "call: lcall $0x48, $0\n behind: nop\n there: mov %cs, %eax\n mov (%esp), %ecx\n mov 4(%esp), %edx\n"
    "int $0x81\n");

int main(void)
{
    GDT(SEL_FREE) = desc(0, 0xfffff, D_CODE | D_CONF, D_32 | D_G);
    GDT(SEL_FREE + 8) = gate(D_CALL32 | D_DPL(3), SEL_FREE, (uint32_t)there, 4);
    struct regs r = regs_user(call);
    struct trap t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax & 0xffff, SEL_FREE | 3);
    CHECK_EQ(t.regs.ss, SEL_UDATA);
    CHECK_EQ(t.regs.esp, r.esp - 8);
    CHECK_EQ(t.regs.ecx, (uint32_t)behind);
    CHECK_EQ(t.regs.edx & 0xffff, SEL_UCODE);
    return 0;
}
