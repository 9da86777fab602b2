/*
 * debug-console.c: the bytes written to the debug console's port arrive at the host in order, and a read of
 * it gives 0xe9, by which a guest sees that it is there.
 *
 * The port is Bochs's and QEMU's (docs/system/invocation, -debugcon). Firmware and small kernels speak by it
 * before they have any driver.
 */
#include "frame.h"

#define PORT 0xe9

int main(void)
{
    static const char text[] = "by a string, ";
    const char *s = text;
    uint64_t n = sizeof(text) - 1;

    CHECK_EQ(inb(PORT), 0xe9);
    for (const char *c = "by bytes, "; *c; c++)
        outb(PORT, (uint8_t)*c);
    asm volatile("rep outsb" : "+S"(s), "+c"(n) : "d"(PORT) : "memory");
    outb(PORT, 0x01);
    outb(PORT, 0x7f);
    for (const char *c = ", and at last\n"; *c; c++)
        outb(PORT, (uint8_t)*c);
    CHECK_EQ(inb(PORT), 0xe9);
    return 0;
}
