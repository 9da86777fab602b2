/*
 * reset-port92.c: bit 0 of port 0x92 resets the machine, which starts anew from what it was started with;
 * CMOS memory stays.
 *
 * IBM PS/2 Technical Reference, System Control Port A: bit 0 going to 1 is a fast reset, bit 1 is A20.
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
    outb(0x92, (inb(0x92) & 0xfe));
    outb(0x92, inb(0x92) | 1);
    delay_us(1000000);
    print("port 0x92 does nothing\n");
    return 1;
}
