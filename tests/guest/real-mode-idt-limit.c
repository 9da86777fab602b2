/*
 * real-mode-idt-limit.c: in real mode too LIDT moves the interrupt table, and a vector beyond its limit is
 * #GP.
 *
 * SDM 3B 20.1.4, 2A "INT n" (real-address-mode: IDT limit); APM 2 8.6.1. DOS extenders and boot loaders set a
 * limit of 0 to reset the machine.
 */
#include "frame32.h"

extern const char one[], other_40[], fault_at[];
LOW_DATA uint32_t table[256];

asm(LOW_BEGIN
    "one: nop\nfault_at: int $0x40\n int $0x81\n"
    "other_40: mov $0x77, %bl\n iret\n" LOW_END);

int main(void)
{
    struct regs r = regs_real(one);
    for (unsigned i = 0; i < 256; i++)
        table[i] = *(volatile uint32_t *)(uintptr_t)(real_idtr.base + 4 * i);
    table[0x40] = (uint32_t)other_40;
    real_idtr.base = (uint32_t)table;
    struct trap t = real_run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.ebx & 0xff, 0x77);

    real_idtr.limit = 0x40 * 4 + 2; /* one byte of the entry is missing */
    t = real_run(&r);
    CHECK_EQ(t.vector, GP);
    CHECK_EQ(t.regs.eip, (uint32_t)fault_at);
    CHECK_EQ(t.regs.esp, 0x7000); /* no error code */

    real_idtr.limit = 0x40 * 4 + 3;
    t = real_run(&r);
    CHECK_EQ(t.vector, GP); /* of INT 0x81 now: INT 0x40 went through */
    CHECK_EQ(t.regs.ebx & 0xff, 0x77);
    CHECK_EQ(t.regs.eip, (uint32_t)fault_at + 2);
    return 0;
}
