/*
 * frame.h: everything an image can use. An image is one C file with main(); returning from it is exit_pass().
 *
 * main() starts, whichever way the image was loaded, in 64-bit mode at CPL 0 with interrupts off: GDT, IDT,
 * TSS and page tables of the frame; CR0 = PE MP ET NE WP PG, CR4 = PAE OSFXSR OSXMMEXCPT, EFER = LME LMA SCE,
 * and NXE where there is NX; FPU initialised; both 8259s remapped to 0x20 and 0x28 and masked; local APIC
 * enabled in xAPIC mode, its LVT masked but LINT0 (ExtINT); IOAPIC masked. C code here uses general registers
 * only.
 */
#ifndef GUEST_FRAME_H
#define GUEST_FRAME_H

#include "apic.h"
#include "check.h"
#include "chips.h"
#include "console.h"
#include "cpu.h"
#include "firmware.h"
#include "mem.h"
#include "paging.h"
#include "trap.h"
#include "user.h"

int main(void);

/* What the boot loader left, at the 64-bit entry. */
struct entry_state {
    uint64_t boot_params; /* RSI */
    uint64_t cr0, cr3, cr4, rflags, efer;
    uint16_t cs, ds, es, ss;
    uint16_t gdt_limit;
    uint64_t gdt_base;
} __attribute__((packed));
extern struct entry_state entry_state;

/* At the 32-bit entry, if that was the way; at the one for multiboot and PVH (lib/multiboot.h, lib/pvh.h). */
struct entry_32_state {
    uint32_t eax, ebx, esi, edi, ebp;
    uint32_t cr0, cr4, eflags;
    uint16_t cs, ds, es, ss;
    uint16_t gdt_limit;
    uint32_t gdt_base;
    uint16_t unused;
} __attribute__((packed));
extern struct entry_32_state entry_32_state, loader_state;

#endif
