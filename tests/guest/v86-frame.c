/*
 * v86-frame.c: an exception in virtual-8086 mode pushes GS, FS, DS, ES above SS:ESP on the stack of CPL 0,
 * clears VM and leaves null data segments; a handler at any other level is #GP.
 *
 * SDM 3B 20.3.1.1, 2A "IRET" (RETURN-TO-VIRTUAL-8086-MODE); APM 2 8.8.1.
 */
#include "frame32.h"

extern const char handler[], leave[], v86_code[];
static volatile uint32_t frame[9], nulls[4], entry_flags;

asm(TEXT_BEGIN
    "handler: cld\n mov %ds, %eax\n mov %es, %ebx\n mov %fs, %ecx\n mov %gs, %edx\n mov $0x10, %esi\n mov "
    "%esi, %ds\n"
    "mov %esi, %es\n mov %eax, nulls\n mov %ebx, nulls+4\n mov %ecx, nulls+8\n mov %edx, nulls+12\n"
    "pushf\n pop %eax\n mov %eax, entry_flags\n"
    "mov %esp, %esi\n mov $frame, %edi\n mov $9, %ecx\n rep movsl\n mov (%esp), %eax\n mov $0x11, %ebp\n "
    "iret\n" LOW_BEGIN "v86_code: int $0x42\n int3\n" LOW_END);

int main(void)
{
    idt[0x42] = gate(D_INT32 | D_DPL(3), SEL_KCODE, (uint32_t)handler, 0);
    idt[BP] |= (uint64_t)D_DPL(3) << 40;
    struct regs r = regs_v86(v86_code);
    r.eflags |= FLAG_IOPL(3) | FLAG_IF | FLAG_NT;
    r.ds = 0x1111;
    r.es = 0x2222;
    r.fs = 0x3333;
    r.gs = 0x4444;
    r.ss = 0x0010;
    struct trap t = run(&r);
    CHECK_EQ(t.vector, BP); /* the handler's IRET came back */
    CHECK_EQ(t.regs.ebp, 0x11);
    CHECK_EQ(t.regs.ds, 0x1111);
    CHECK_EQ(t.regs.gs, 0x4444);
    uint32_t want[9] = {
        (uint32_t)v86_code + 2, 0, (uint32_t)r.eflags, 0x7000, 0x10, 0x2222, 0x1111, 0x3333, 0x4444};
    for (unsigned i = 0; i < 9; i++)
        CHECK_EQ(i == 1 || i > 3 ? frame[i] & 0xffff : frame[i], want[i]);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(nulls[i], 0);
    CHECK_EQ(entry_flags & (FLAG_VM | FLAG_IF | FLAG_NT | FLAG_TF), 0);

    /* A conforming segment, or one of DPL 3, would run the handler at CPL 3. */
    GDT(SEL_FREE) = desc(0, 0xfffff, D_CODE | D_DPL(3), D_32 | D_G);
    idt[0x42] = gate(D_INT32 | D_DPL(3), SEL_FREE, (uint32_t)handler, 0);
    CHECK_END(run(&r), GP, SEL_FREE, v86_code);
    GDT(SEL_FREE) = desc(0, 0xfffff, D_CODE | D_CONF, D_32 | D_G);
    CHECK_END(run(&r), GP, SEL_FREE, v86_code);
    return 0;
}
