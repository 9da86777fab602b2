/*
 * debug-registers-gd.c: with DR7.GD, an access to a debug register is #DB before it happens, with DR6.BD; GD
 * clears itself.
 *
 * SDM 3A 17.2.4, APM 2 13.1.1.4. In-circuit emulators own the registers by it.
 */
#include "frame.h"

int main(void)
{
    write_dr0(0x1234);
    for (unsigned i = 0; i < 3; i++) {
        write_dr6(0xffff0ff0);
        write_dr7(0x400 | BIT(13));
        struct trap t;
        switch (i) {
        case 0: t = TRY("mov %%dr0, %%rax", : : : "rax", "memory"); break;
        case 1: t = TRY("mov %0, %%dr0", : : "r"(0x5678ull) : "memory"); break;
        default: t = TRY("mov %0, %%dr7", : : "r"(0x400ull) : "memory"); break;
        }
        CHECK_FAULT(t, DB, 0);
        CHECK_EQ(t.dr6 & 0xe00f, BIT(13)); /* the handler could read it: GD is clear in there */
        CHECK_EQ(read_dr7(), 0x400);
        CHECK_EQ(read_dr0(), 0x1234);
    }
    CHECK_EQ(read_dr6() & BIT(13), BIT(13)); /* DR6 is cleared by software only */
    return 0;
}
