/*
 * triple-fault.c: a fault while #DF is delivered shuts the processor down; the machine ends and says so.
 *
 * SDM 3A 6.15 (#DF: shutdown), APM 2 8.2.9. Expected end: triple-fault; whatever else happens is wrong.
 */
#include "frame.h"

int main(void)
{
    print("no IDT from here\n");
    idt_load(0, 0);
    asm volatile("ud2");
    exit_fail(EXIT_CHECK);
}
