/*
 * frame.c: from the entry to main(): the state that frame.h promises.
 */
#include "frame.h"

_Noreturn void frame_main(void);

void frame_main(void)
{
    console_init();
    trap_init();
    paging_init();
    write_cr4(CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT);
    write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
    wrmsr(MSR_EFER, EFER_LME | EFER_LMA | EFER_SCE | (cpu_has_nx() ? EFER_NXE : 0));
    asm volatile("fninit");
    write_dr7(0x400);
    write_dr6(0xffff0ff0);
    pic_init();
    ioapic_init();
    apic_init();
    if (main() != 0)
        exit_fail(EXIT_CHECK);
    exit_pass();
}
