/*
 * v86-interrupted.c: an external interrupt in virtual-8086 mode goes through the IDT when IF is set, whatever
 * IOPL and the gate's DPL are, and IRET resumes the code with all its segments.
 *
 * SDM 3B 20.3.1, 3A 6.8.1; APM 2 8.8.1. A DOS box that lost a tick or a register at one would not live long.
 */
#include "frame32.h"

extern const char spin[], ready[];
LOW_DATA static volatile uint16_t come, counted;
asm(LOW_BEGIN
    "spin: mov $0x1234, %si\n mov %cs:come, %bx\n ready: incw %cs:counted\n mov %cs:come, %ax\n cmp %bx, "
    "%ax\n"
    "je ready\n mov %ds, %cx\n mov %fs, %dx\n int3\n" LOW_END);
static volatile uint32_t taken, cs_seen, flags_seen, ds_seen;

static void interrupt(struct regs *r)
{
    taken++;
    cs_seen = r->cs;
    flags_seen = r->eflags;
    ds_seen = r->ds;
    come++;
    apic_eoi();
}

int main(void)
{
    trap_set_handler(0x92, interrupt);
    idt[BP] |= (uint64_t)D_DPL(3) << 40;
    for (unsigned iopl = 0; iopl < 4; iopl += 3) {
        taken = 0;
        struct regs r = regs_v86(spin);
        r.eflags |= FLAG_IF | FLAG_IOPL(iopl);
        r.ds = 0x2345;
        r.fs = 0x3456;
        apic_self_ipi(0x92);
        apic_write(APIC_LVT_TIMER, 0x92 | APIC_TIMER_PERIODIC); /* more than one may be needed */
        apic_write(APIC_TIMER_DIVIDE, 0xb);
        apic_write(APIC_TIMER_COUNT, 2000000);
        struct trap t = run(&r);
        CHECK_EQ(t.vector, BP);
        CHECK(taken >= 1);
        CHECK_EQ(cs_seen, 0);
        CHECK_EQ(flags_seen & (FLAG_VM | FLAG_IF), FLAG_VM | FLAG_IF);
        CHECK_EQ(ds_seen, 0x2345);
        CHECK_EQ(t.regs.esi & 0xffff, 0x1234);
        CHECK_EQ(t.regs.ecx & 0xffff, 0x2345);
        CHECK_EQ(t.regs.edx & 0xffff, 0x3456);
        CHECK_EQ(t.regs.esp, 0x7000);
        apic_write(APIC_TIMER_COUNT, 0);
        apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
    }
    return 0;
}
