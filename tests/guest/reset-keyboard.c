/*
 * reset-keyboard.c: command 0xfe of the keyboard controller resets the machine, which starts anew from what
 * it was started with; CMOS memory stays.
 *
 * Intel 8042 data sheet (command 0xf0 to 0xff: pulse output port, bit 0 is the reset line). Linux tries this
 * way first.
 */
#include "frame.h"

#define BOOTS 0x7a /* a byte of CMOS memory that firmware leaves alone */

int main(void)
{
    static uint32_t marker = 1; /* the image must be loaded again, not only entered */

    CHECK_EQ(marker, 1);
    marker = 2;
    barrier();
    if (cmos_read(BOOTS) == 0x5a) {
        print("second start\n");
        return 0;
    }
    cmos_write(BOOTS, 0x5a);
    print("reset\n");
    outb(0x64, 0xfe);
    delay_us(1000000);
    print("the keyboard controller does nothing\n");
    return 1;
}
