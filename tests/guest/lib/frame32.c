/*
 * frame32.c: from the entry to main() of a 32-bit image: the state that frame32.h promises.
 */
#include "frame32.h"

_Noreturn void frame_main(void);

void frame_main(void)
{
    console_init();
    trap_init();
    asm volatile("fninit");
    write_dr7(0x400);
    write_dr6(0xffff0ff0);
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    apic_init();
    if (main() != 0)
        exit_fail(EXIT_CHECK);
    exit_pass();
}
