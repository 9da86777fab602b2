/*
 * reset-cf9.c: port 0xcf9 resets the machine, which starts anew from what it was started with; CMOS memory
 * stays.
 *
 * Intel PIIX3/PIIX4 data sheets (Reset Control Register: bit 1 kind, bit 2 does it). Linux's reboot=pci.
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
    outb(0xcf9, 2); /* bit 2 is clear: nothing yet */
    delay_us(1000);
    print("reset\n");
    outb(0xcf9, 6);
    delay_us(1000000);
    print("port 0xcf9 does nothing\n");
    return 1;
}
