/*
 * int-gate-stack-absent.c: a stack segment of the TSS that is not present is #SS with its selector, where
 * everything else that is wrong with it is #TS.
 *
 * SDM 2A "INT n" (INTER-PRIVILEGE-LEVEL-INTERRUPT), 3A 6.15 ("Stack Fault Exception"); APM 2 8.2.13.
 */
#include "frame32.h"

extern const char user_int[];
asm(TEXT_BEGIN "user_int: int $0x40\n int $0x81\n");

int main(void)
{
    GDT(SEL_FREE) = desc(0, 0xfffff, D_CODE | D_DPL(1), D_32 | D_G);
    GDT(SEL_FREE + 8) = desc(0, 0xfffff, D_DATA | D_DPL(1) | D_ABSENT, D_32 | D_G);
    idt[0x40] = gate(D_INT32 | D_DPL(3), SEL_FREE, (uint32_t)user_int, 0);
    main_tss.t.esp1 = 0x9000;
    main_tss.t.ss1 = (SEL_FREE + 8) | 1;
    struct regs r = regs_user(user_int);
    CHECK_END(run(&r), SS, SEL_FREE + 8, user_int);

    /* Present, but without room for the frame: #SS with the selector as well. */
    GDT(SEL_FREE + 8) = desc(0, 0xfff, D_DATA | D_DPL(1), D_32);
    CHECK_END(run(&r), SS, SEL_FREE + 8, user_int);
    return 0;
}
