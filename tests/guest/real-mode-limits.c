/*
 * real-mode-limits.c: an access over the end of a 64 KiB segment faults in real mode: #GP, #SS for the stack,
 * and #GP for code.
 *
 * SDM 3A 5.3, 3B 20.1.1 table 20-1; APM 2 4.5.5 ("Real mode"), 8.2. Nothing wraps inside an operand.
 */
#include "frame32.h"

extern const char load[], load_at[], ok[], push[], past_end[], string[], string_at[];

asm(LOW_BEGIN
    "load: mov $0xffff, %bx\n load_at: mov (%bx), %ax\n int $0x81\n"
    "ok: mov $0xfffe, %bx\n mov (%bx), %ax\n mov $0xffff, %bx\n mov (%bx), %cl\n int $0x81\n"
    "push: mov (%bp), %ax\n int $0x81\n"
    "string: mov $0xfffd, %si\n mov $2, %cx\n cld\n string_at: rep lodsl (%si), %eax\n int $0x81\n"
    "past_end: ljmp $0x0000, $0xfffe\n" LOW_END);

int main(void)
{
    struct regs r = regs_real(load);
    struct trap t = real_run(&r);
    CHECK_EQ(t.vector, GP);
    CHECK_EQ(t.regs.eip, (uint32_t)load_at);
    CHECK_EQ(t.regs.esp, 0x7000);
    r = regs_real(ok);
    CHECK_RETURN(real_run(&r));
    r = regs_real(string);
    t = real_run(&r);
    CHECK_EQ(t.vector, GP);
    CHECK_EQ(t.regs.eip, (uint32_t)string_at);
    CHECK_EQ(t.regs.ecx & 0xffff, 2);

    /* The operand in the stack segment: #SS. */
    r = regs_real(push);
    r.ebp = 0xffff;
    t = real_run(&r);
    CHECK_EQ(t.vector, SS);
    CHECK_EQ(t.regs.eip, (uint32_t)push);
    CHECK_EQ(t.regs.esp, 0x7000);

    volatile uint8_t *code = (volatile uint8_t *)0xfffe;
    code[0] = 0x90; /* NOP, then over the end */
    code[1] = 0x90;
    r = regs_real(past_end);
    t = real_run(&r);
    CHECK_EQ(t.vector, GP);
    code[0] = 0xb8; /* MOV AX, imm16: its operand lies beyond */
    r = regs_real((const void *)0xfffe);
    t = real_run(&r);
    CHECK_EQ(t.vector, GP);
    CHECK_EQ(t.regs.eip, 0xfffe);
    return 0;
}
