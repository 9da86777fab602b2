/*
 * v86-io-bitmap.c: I/O in virtual-8086 mode asks the permission bitmap always, whatever IOPL is; an access of
 * more bytes asks for each.
 *
 * SDM 1 19.5.2, 3B 20.2.8.1; APM 2 12.2.5. A monitor gives a DOS program the ports it wants and no other.
 */
#include "frame32.h"

extern const char in_byte[], in_word[];
asm(LOW_BEGIN "in_byte: in %dx, %al\n int3\n in_word: in %dx, %ax\n int3\n" LOW_END);

static struct trap go(const char *at, unsigned port, unsigned iopl)
{
    struct regs r = regs_v86(at);
    r.edx = port;
    r.eflags |= FLAG_IOPL(iopl);
    return run(&r);
}
static void allow(unsigned port)
{
    main_tss.io[port / 8] &= (uint8_t) ~(1u << (port & 7));
}

int main(void)
{
    idt[BP] |= (uint64_t)D_DPL(3) << 40;
    for (unsigned iopl = 0; iopl < 4; iopl += 3)
        CHECK_END(go(in_byte, 0x80, iopl), GP, 0, in_byte);
    allow(0x80);
    for (unsigned iopl = 0; iopl < 4; iopl += 3)
        CHECK_EQ(go(in_byte, 0x80, iopl).vector, BP);
    CHECK_END(go(in_byte, 0x81, 3), GP, 0, in_byte);
    CHECK_END(go(in_word, 0x80, 3), GP, 0, in_word);
    allow(0x81);
    CHECK_EQ(go(in_word, 0x80, 3).vector, BP);
    allow(0x87);
    allow(0x88);
    CHECK_EQ(go(in_word, 0x87, 0).vector, BP);        /* over a byte of the bitmap */
    CHECK_END(go(in_byte, 0x400, 3), GP, 0, in_byte); /* beyond the TSS's limit */
    return 0;
}
