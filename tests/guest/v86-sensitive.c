/*
 * v86-sensitive.c: virtual-8086 mode runs 16-bit code at CPL 3 with paragraph segments; with IOPL below 3
 * CLI, STI, PUSHF, POPF, INT n and IRET are #GP(0), with 3 they work.
 *
 * SDM 3B 20.2, 20.2.7, 20.2.8, 20.3.1; APM 2 4.5.6, 8.8. A DOS box stands and falls with it.
 */
#include "frame32.h"

extern const char cli_[], sti_[], pushf_[], popf_[], int_[], iret_[], hlt_[], lldt_[], arpl_[], movcr[],
    segments[], int3_[], flags[];

asm(LOW_BEGIN
    "cli_: cli\n int3\n sti_: sti\n int3\n pushf_: pushf\n int3\n popf_: popf\n int3\n int_: int $0x40\n "
    "int3\n"
    "iret_: iret\n int3\n hlt_: hlt\n lldt_: lldt %ax\n arpl_: .byte 0x63, 0xc0\n movcr: mov %cr0, %eax\n"
    "int3_: int3\n"
    "segments: mov $0x1234, %ax\n mov %ax, %es\n mov %es:(0), %bx\n mov %ax, %ds\n mov %cs, %cx\n"
    "ljmp $0x100, $(1f - 0x1000)\n 1: mov %cs, %dx\n int3\n"
    "flags: pushf\n pop %ax\n cli\n pushf\n pop %bx\n sti\n pushw $0x7097\n popf\n pushf\n pop %cx\n"
    "pushw $0x0202\n pushw $0\n pushw $1f\n iret\n 1: int3\n" LOW_END);

static struct trap go(const char *at, unsigned iopl)
{
    struct regs r = regs_v86(at);
    r.eflags |= FLAG_IOPL(iopl);
    return run(&r);
}

int main(void)
{
    const char *const sensitive[] = {cli_, sti_, pushf_, popf_, int_, iret_};
    idt[BP] |= (uint64_t)D_DPL(3) << 40;
    for (unsigned iopl = 0; iopl < 3; iopl++)
        for (unsigned i = 0; i < 6; i++) {
            struct trap t = go(sensitive[i], iopl);
            CHECK_END(t, GP, 0, sensitive[i]);
            CHECK_EQ(t.regs.eflags & (FLAG_VM | FLAG_IOPL(3)), FLAG_VM | FLAG_IOPL(iopl));
            CHECK_EQ(t.regs.esp, 0x7000);
        }
    CHECK_END(go(hlt_, 3), GP, 0, hlt_);
    CHECK_END(go(movcr, 3), GP, 0, movcr);
    CHECK_END(go(lldt_, 3), UD, 0, lldt_);
    CHECK_END(go(arpl_, 3), UD, 0, arpl_);
    CHECK_END(go(int3_, 0), BP, 0, int3_ + 1); /* INT3 asks no IOPL, only the gate */
    idt_default(BP);
    CHECK_END(go(int3_, 3), GP, BP * 8 + 2, int3_);
    idt[BP] |= (uint64_t)D_DPL(3) << 40;
    CHECK_END(go(int_, 3), GP, 0x40 * 8 + 2, int_); /* the gate's DPL is 0 */

    *(volatile uint16_t *)0x12340 = 0x5678;
    struct trap t = go(segments, 0);
    CHECK_EQ(t.vector, BP);
    CHECK_EQ(t.regs.ebx & 0xffff, 0x5678);
    CHECK_EQ(t.regs.ds, 0x1234); /* pushed by the exception */
    CHECK_EQ(t.regs.es, 0x1234);
    CHECK_EQ(t.regs.ecx & 0xffff, 0);
    CHECK_EQ(t.regs.edx & 0xffff, 0x100);
    CHECK_EQ(t.regs.cs, 0x100);

    t = go(flags, 3);
    CHECK_EQ(t.vector, BP);
    CHECK_EQ(t.regs.eax & 0xffff, 0x3002);
    CHECK_EQ(t.regs.ebx & 0xffff, 0x3002);
    CHECK_EQ(t.regs.ecx & 0xffff, 0x7097);    /* NT, IOPL kept at 3 */
    CHECK_EQ(t.regs.eflags & 0x7fff, 0x3202); /* the image's IOPL of 0 is not taken */
    CHECK_EQ(t.regs.esp, 0x7000);
    return 0;
}
