/*
 * exceptions-int1.c: INT1 (0xf1) is a #DB that comes as a trap, needs no DPL, and says nothing in DR6.
 *
 * SDM 2A "INT n/INTO/INT3/INT1", 3A 6.15 (#DB) Debuggers of hardware vendors use it; a monitor that
 * treats it as INT 1 refuses it to user programs, and one that treats it as invalid kills them.
 */
#include "frame.h"

static USER_CODE uint64_t user_int1(uint64_t arg)
{
    asm volatile(".byte 0xf1; .globl user_int1_behind; user_int1_behind: nop");
    return 0;
}

extern const char user_int1_behind[];

int main(void)
{
    write_dr6(0xffff0ff0);
    struct trap t = TRY(".byte 0xf1", : : : "memory");
    CHECK_TRAP(t, DB, 0);
    CHECK_EQ(t.dr6 & 0xe00f, 0);
    t = user_try(user_int1, 0); /* the gate's DPL is 0 */
    CHECK_TRAP_AT(t, DB, 0, user_int1_behind);
    CHECK_EQ(t.regs.cs, SEL_UCODE);
    return 0;
}
