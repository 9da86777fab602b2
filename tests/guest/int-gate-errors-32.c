/*
 * int-gate-errors-32.c: faults on the way through a 32-bit gate name the vector with IDT, or the selector;
 * the stack of the TSS is checked with #TS.
 *
 * SDM 3A 6.13, 6.12.1, 2A "INT n"; APM 2 8.4.1, 8.7.3.
 */
#include "frame32.h"

extern const char user_int[];
asm(TEXT_BEGIN "user_int: int $0x40\n int $0x81\n");

static struct trap go(const char *at)
{
    struct regs r = regs_user(at);
    return run(&r);
}

int main(void)
{
    uint32_t h = (uint32_t)user_int;
    idt[0x40] = gate(D_INT32, SEL_KCODE, h, 0);
    CHECK_END(go(user_int), GP, 0x40 * 8 + 2, user_int);
    idt[0x40] = gate(D_INT32 | D_DPL(3) | D_ABSENT, SEL_KCODE, h, 0);
    CHECK_END(go(user_int), NP, 0x40 * 8 + 2, user_int);
    idt[0x40] = gate(D_CALL32 | D_DPL(3), SEL_KCODE, h, 0); /* not a gate for here */
    CHECK_END(go(user_int), GP, 0x40 * 8 + 2, user_int);
    idt[0x40] = gate(D_INT32 | D_DPL(3), 0, h, 0);
    CHECK_END(go(user_int), GP, 0, user_int);
    idt[0x40] = gate(D_INT32 | D_DPL(3), SEL_KDATA, h, 0);
    CHECK_END(go(user_int), GP, SEL_KDATA, user_int);
    GDT(SEL_FREE) = desc(0, 0xfffff, D_CODE | D_ABSENT, D_32 | D_G);
    idt[0x40] = gate(D_INT32 | D_DPL(3), SEL_FREE, h, 0);
    CHECK_END(go(user_int), NP, SEL_FREE, user_int);

    /* A handler at CPL 1, whose stack is wrong; the fault's own handler is at CPL 0. */
    GDT(SEL_FREE) = desc(0, 0xfffff, D_CODE | D_DPL(1), D_32 | D_G);
    idt[0x40] = gate(D_INT32 | D_DPL(3), SEL_FREE, h, 0);
    main_tss.t.esp1 = 0x9000;
    main_tss.t.ss1 = 0;
    CHECK_END(go(user_int), TS, 0, user_int);
    main_tss.t.ss1 = SEL_KDATA;
    CHECK_END(go(user_int), TS, SEL_KDATA, user_int);
    main_tss.t.ss1 = (SEL_FREE + 8) | 1;
    GDT(SEL_FREE + 8) = desc(0, 0xfffff, 0x90 | D_DPL(1), D_32 | D_G); /* read-only */
    CHECK_END(go(user_int), TS, SEL_FREE + 8, user_int);
    return 0;
}
