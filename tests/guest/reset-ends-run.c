/*
 * reset-ends-run.c: where the monitor is asked to, a reset ends the run, and is told from a power-off.
 *
 * Expected end: reset (QEMU -no-reboot, Trapeze --on-reset=exit).
 */
#include "frame.h"

int main(void)
{
    outb(0xcf9, 6);
    delay_us(1000000);
    return 1;
}
