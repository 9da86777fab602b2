/*
 * reset-ends-run.c: where the monitor is asked to, a reset ends the run, and is told from a power-off.
 *
 * ACPI 6.4, 4.8.3.6 (the reset register resets the machine). Expected end: reset (QEMU -no-reboot, Trapeze
 * --on-reset=exit).
 */
#include "frame.h"

int main(void)
{
    outb(0xcf9, 6);
    delay_us(1000000);
    return 1;
}
