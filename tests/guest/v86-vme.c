/*
 * v86-vme.c: with CR4.VME virtual-8086 mode has an IF of its own (VIF), and INT n goes to the table of the
 * task itself where the redirection bitmap has a 0.
 *
 * SDM 3B 20.3.2, 20.3.3, table 20-2; APM 2 8.8.2 to 8.8.5. It spares a monitor an exit for nearly every DOS
 * call.
 */
#include "frame32.h"

extern const char ints[], ivt_handler[], clis[], stis[], pops[], pop_tf[], wide[], iret_[], at_iret[];

asm(LOW_BEGIN
    "ints: int $0x50\n int3\n"
    "ivt_handler: pushf\n pop %bx\n mov %sp, %bp\n mov (%bp), %cx\n mov 2(%bp), %dx\n mov 4(%bp), %si\n "
    "iret\n"
    "clis: cli\n pushf\n pop %ax\n int3\n"
    "stis: sti\n pushf\n pop %ax\n int3\n"
    "pops: pushw $0x0202\n popf\n pushf\n pop %ax\n int3\n"
    "pop_tf: pushw $0x0302\n popf\n int3\n"
    "wide: pushfl\n int3\n"
    "iret_: pushw $0x0202\n pushw $0\n pushw $at_iret\n iret\n int3\n at_iret: pushf\n pop %ax\n "
    "int3\n" LOW_END);

static struct trap go(const char *at, uint32_t flags)
{
    struct regs r = regs_v86(at);
    r.eflags |= flags;
    return run(&r);
}

static void redirect(unsigned vector, bool to_idt)
{
    uint8_t bit = (uint8_t)(1u << (vector & 7));
    if (to_idt)
        main_tss.redirect[vector / 8] |= bit;
    else
        main_tss.redirect[vector / 8] &= (uint8_t)~bit;
}

int main(void)
{
    if (!cpu_has_vme())
        exit_skip("no VME in CPUID");
    volatile uint32_t *ivt = (volatile uint32_t *)0;
    asm("" : "+r"(ivt));
    ivt[0x50] = (uint32_t)ivt_handler;
    idt[0x50] |= (uint64_t)D_DPL(3) << 40;
    idt[BP] |= (uint64_t)D_DPL(3) << 40;
    write_cr4(read_cr4() | CR4_VME);

    /* Redirected, IOPL 0: IOPL in the image is 3, IF is VIF; VIF is cleared behind. */
    redirect(0x50, false);
    struct trap t = go(ints, FLAG_VIF | FLAG_IF);
    CHECK_EQ(t.vector, BP);
    CHECK_EQ(t.regs.ecx & 0xffff, (uint32_t)ints + 2);
    CHECK_EQ(t.regs.edx & 0xffff, 0);
    CHECK_EQ(t.regs.esi & 0xffff, 0x3202);
    CHECK_EQ(t.regs.ebx & 0xffff, 0x3002);
    CHECK_EQ(t.regs.eflags & (FLAG_VIF | FLAG_IF), FLAG_VIF | FLAG_IF); /* IRET set VIF again */
    /* IOPL 3: the true IF, and no VIF. */
    t = go(ints, FLAG_IOPL(3) | FLAG_IF);
    CHECK_EQ(t.vector, BP);
    CHECK_EQ(t.regs.esi & 0xffff, 0x3202);
    CHECK_EQ(t.regs.ebx & 0xffff, 0x3002);
    /* Not redirected: #GP below IOPL 3, else the gate. */
    redirect(0x50, true);
    CHECK_END(go(ints, 0), GP, 0, ints);
    CHECK_END(go(ints, FLAG_IOPL(3)), 0x50, 0, ints + 2);
    /* No room for the bitmap: #GP. */
    redirect(0x50, false);
    main_tss.t.io_base = 31;
    CHECK_END(go(ints, 0), GP, 0, ints);
    main_tss.t.io_base = offsetof(struct main_tss, io);

    /* CLI, STI, PUSHF, POPF, IRET work on VIF. */
    t = go(clis, FLAG_VIF | FLAG_IF);
    CHECK_EQ(t.vector, BP);
    CHECK_EQ(t.regs.eax & 0xffff, 0x3002);
    CHECK_EQ(t.regs.eflags & (FLAG_VIF | FLAG_IF), FLAG_IF);
    t = go(stis, 0);
    CHECK_EQ(t.vector, BP);
    CHECK_EQ(t.regs.eax & 0xffff, 0x3202);
    CHECK_EQ(t.regs.eflags & (FLAG_VIF | FLAG_IF), FLAG_VIF);
    CHECK_END(go(stis, FLAG_VIP), GP, 0, stis);
    t = go(pops, 0);
    CHECK_EQ(t.vector, BP);
    CHECK_EQ(t.regs.eax & 0xffff, 0x3202);
    CHECK_EQ(t.regs.eflags & (FLAG_VIF | FLAG_IF | FLAG_IOPL(3)), FLAG_VIF);
    CHECK_EQ(go(pops, FLAG_VIP).vector, GP);
    CHECK_EQ(go(pop_tf, 0).vector, GP);
    CHECK_END(go(wide, 0), GP, 0, wide); /* with a 32-bit operand nothing is virtualised */
    t = go(iret_, 0);
    CHECK_EQ(t.vector, BP);
    CHECK_EQ(t.regs.eip, (uint32_t)at_iret + 3);
    CHECK_EQ(t.regs.eflags & FLAG_VIF, FLAG_VIF);
    CHECK_EQ(go(iret_, FLAG_VIP).vector, GP);
    return 0;
}
