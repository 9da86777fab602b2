/*
 * call-gate-parameters.c: CALL through a gate to more privilege changes to the stack of the TSS, copies the
 * gate's number of parameters, and RET n releases them on both stacks.
 *
 * SDM 3A 5.8.4, 5.8.5, 5.8.6, 2A "CALL"; APM 2 4.11.2.
 */
#include "frame32.h"

#define SEL_CG  SEL_FREE
#define SEL_K16 (SEL_FREE + 8)
extern const char caller[], callee[], caller_at[], callee16[], caller_jmp[], after[];
static volatile uint32_t seen[8], ss_seen, cs_seen;
LOW_DATA static volatile uint16_t seen16[8];

asm(TEXT_BEGIN
    "caller: push $0x11\n push $0x22\n push $0x33\ncaller_at: lcall $0x40, $0x12345678\nafter: mov %ds, "
    "%ecx\n int $0x81\n"
    "callee: mov $0x10, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %esp, %esi\n mov $seen, %edi\n mov $7, "
    "%ecx\n cld\n rep movsl\n"
    "mov %ss, %eax\n mov %eax, ss_seen\n mov %cs, %eax\n mov %eax, cs_seen\n mov %esp, %ebx\n lret $12\n"
    "caller_jmp: ljmp $0x40, $0\n" LOW_BEGIN
    "callee16: mov $0x10, %ax\n mov %ax, %ds\n mov %ax, %es\n mov %esp, %esi\n mov $seen16, %edi\n mov $6, "
    "%ecx\n"
    "cld\n addr32 rep movsw\n lret $4\n" LOW_END);
extern const char stack0_top[];

int main(void)
{
    struct regs r = regs_user(caller);
    uint32_t esp = r.esp - 12;
    GDT(SEL_CG) = gate(D_CALL32 | D_DPL(3), SEL_KCODE, (uint32_t)callee, 3);
    struct trap t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(seen[0], (uint32_t)after);
    CHECK_EQ(seen[1] & 0xffff, SEL_UCODE);
    CHECK_EQ(seen[2], 0x33);
    CHECK_EQ(seen[3], 0x22);
    CHECK_EQ(seen[4], 0x11);
    CHECK_EQ(seen[5], esp);
    CHECK_EQ(seen[6] & 0xffff, SEL_UDATA);
    CHECK_EQ(ss_seen, SEL_KDATA);
    CHECK_EQ(cs_seen, SEL_KCODE);
    CHECK_EQ(t.regs.ebx, (uint32_t)stack0_top - 28);
    CHECK_EQ(t.regs.esp, r.esp);      /* the parameters are gone here too */
    CHECK_EQ(t.regs.ecx & 0xffff, 0); /* DS was the kernel's: null now */

    /* A 16-bit gate: words. */
    GDT(SEL_K16) = desc(0, 0xffff, D_CODE, 0);
    GDT(SEL_CG) = gate(D_CALL16 | D_DPL(3), SEL_K16, (uint32_t)callee16, 2);
    GDT(SEL_FREE + 16) = desc(0x100000, 0xfffff, D_CODE | D_DPL(3), D_32 | D_G);
    r.cs = (SEL_FREE + 16) | 3;
    r.eip = (uint32_t)caller - 0x100000;
    GDT(SEL_FREE + 24) = desc((uint32_t)user_stack, 0xfff, D_DATA | D_DPL(3), 0);
    r.ss = (SEL_FREE + 24) | 3;
    r.esp = 0x800;
    t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(seen16[0], (uint32_t)after - 0x100000);
    CHECK_EQ(seen16[1], (SEL_FREE + 16) | 3);
    CHECK_EQ(seen16[2], 0x33); /* the words at SP: 0x33 was pushed as a doubleword */
    CHECK_EQ(seen16[3], 0);
    CHECK_EQ(seen16[4], 0x800 - 12);
    CHECK_EQ(seen16[5], (SEL_FREE + 24) | 3);
    CHECK_EQ(t.regs.esp & 0xffff, 0x800 - 12 + 4);

    /* What is refused: DPL, presence, a target of less privilege, JMP to more. */
    r = regs_user(caller);
    GDT(SEL_CG) = gate(D_CALL32, SEL_KCODE, (uint32_t)callee, 3);
    CHECK_END(run(&r), GP, SEL_CG, caller_at);
    GDT(SEL_CG) = gate(D_CALL32 | D_DPL(3) | D_ABSENT, SEL_KCODE, (uint32_t)callee, 3);
    CHECK_END(run(&r), NP, SEL_CG, caller_at);
    GDT(SEL_CG) = gate(D_CALL32 | D_DPL(3), SEL_KDATA, (uint32_t)callee, 3);
    CHECK_END(run(&r), GP, SEL_KDATA, caller_at);
    GDT(SEL_CG) = gate(D_CALL32 | D_DPL(3), 0, (uint32_t)callee, 3);
    CHECK_END(run(&r), GP, 0, caller_at);
    GDT(SEL_CG) = gate(D_CALL32 | D_DPL(3), SEL_KCODE, (uint32_t)callee, 3);
    r.eip = (uint32_t)caller_jmp;
    CHECK_END(run(&r), GP, SEL_KCODE, caller_jmp);
    r.eip = (uint32_t)caller;
    /* To CPL 1, whose stack segment has DPL 0: #TS. */
    GDT(SEL_FREE + 32) = desc(0, 0xfffff, D_CODE | D_DPL(1), D_32 | D_G);
    GDT(SEL_CG) = gate(D_CALL32 | D_DPL(3), SEL_FREE + 32, (uint32_t)callee, 3);
    main_tss.t.ss1 = SEL_KDATA;
    main_tss.t.esp1 = (uint32_t)user_stack + 2048;
    CHECK_END(run(&r), TS, SEL_KDATA, caller_at);
    return 0;
}
