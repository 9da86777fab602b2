/*
 * io-permission-bitmap.c: at CPL 3 above IOPL a port is open only where the TSS's bitmap has clear bits for
 * all of it.
 *
 * SDM 1 19.5.2, 3A 7.7, APM 2 12.2.4. ioperm(2): a hole in it lets a program drive the disk.
 */
#include "frame.h"

#define PORT 0x3ff /* serial scratch register: any value, no effect */
#define WIDE 0x237 /* nothing is there; the last bit of its byte of the bitmap */

static USER_CODE uint64_t user_in1(uint64_t port)
{
    return inb((uint16_t)port);
}

static USER_CODE uint64_t user_in2(uint64_t port)
{
    return inw((uint16_t)port);
}

static USER_CODE uint64_t user_in4(uint64_t port)
{
    return inl((uint16_t)port);
}

static USER_CODE uint64_t user_out(uint64_t port)
{
    outb((uint16_t)port, 0x5c);
    return 0;
}

static USER_CODE uint64_t user_insb(uint64_t port)
{
    uint8_t b[4];
    void *p = b;
    asm volatile("insb" : "+D"(p) : "d"((uint16_t)port) : "memory");
    return b[0];
}

static void allow(uint16_t port, bool yes)
{
    if (yes)
        tss.io_bitmap[port / 8] &= (uint8_t) ~(1u << port % 8);
    else
        tss.io_bitmap[port / 8] |= (uint8_t)(1u << port % 8);
    barrier();
}

static void check_refused(uint64_t (*fn)(uint64_t), uint16_t port)
{
    struct trap t = user_try(fn, port);
    CHECK_EQ(t.vector, GP);
    CHECK_EQ(t.error, 0);
}

int main(void)
{
    outb(PORT, 0x11);
    check_refused(user_in1, PORT);
    check_refused(user_out, PORT);
    check_refused(user_insb, PORT);
    CHECK_EQ(inb(PORT), 0x11);

    allow(PORT, true);
    CHECK_EQ(user_call(user_in1, PORT), 0x11);
    CHECK_EQ(user_call(user_insb, PORT), 0x11);
    user_call(user_out, PORT);
    CHECK_EQ(inb(PORT), 0x5c);
    check_refused(user_in1, PORT - 1);
    check_refused(user_in1, PORT + 1);

    /* Wider accesses need every port's bit: over a byte of the bitmap too. */
    allow(WIDE, true);
    check_refused(user_in2, WIDE);
    check_refused(user_in2, WIDE - 1);
    allow(WIDE + 1, true);
    CHECK_NO_TRAP(user_try(user_in2, WIDE));
    check_refused(user_in4, WIDE);
    allow(WIDE + 2, true);
    allow(WIDE + 3, true);
    CHECK_NO_TRAP(user_try(user_in4, WIDE));
    allow(WIDE + 3, false);
    check_refused(user_in4, WIDE);

    /* With IOPL 3 the bitmap does not count. */
    struct user_state u = user_state_for(user_in1, 0x80);
    u.rflags |= FLAG_IOPL(3);
    user_run(&u, NULL, NULL);
    check_refused(user_in1, 0x80);

    /* The last port, and the byte of ones that must follow the bitmap: the processor reads two bytes. */
    allow(0xffff, true);
    CHECK_NO_TRAP(user_try(user_in1, 0xffff));

    /* Beyond the TSS's limit every port is refused. */
    gdt[SEL_TSS >> 3] = 0;
    tss_load((uint32_t)offsetof(struct tss, io_bitmap) + PORT / 8);
    check_refused(user_in1, PORT); /* two bytes are read: the second is beyond */
    tss_load((uint32_t)offsetof(struct tss, io_bitmap) + PORT / 8 + 1);
    CHECK_NO_TRAP(user_try(user_in1, PORT));
    allow(PORT + 9, true);
    check_refused(user_in1, PORT + 9);
    tss.io_base = 0xffff; /* no bitmap at all */
    barrier();
    check_refused(user_in1, PORT);
    return 0;
}
