/*
 * real-mode-unreal.c: real mode keeps the limit that a segment register had in protected mode; loading a
 * selector changes its base only.
 *
 * SDM 3A 9.9.2 (step 3 asks for limits of 64 KiB because of it), 3.4.3; APM 2 4.5.5 and 14.4. BIOSes and DOS
 * memory managers reach 4 GiB this way.
 */
#include "frame32.h"

extern const char visit[], to_real[], in_real[], back[];
static volatile uint32_t word = 0xcafe1234;
LOW_DATA static volatile uint32_t got[2];
static const void *const address = (const void *)&word;

/* From protected mode by hand: DS stays flat, so that the limit of 4 GiB goes along. */
asm(TEXT_BEGIN
    "visit: push %ebp\n push %ebx\n lidtl real_idtr\n mov %esp, %ebp\n"
    "mov $0x38, %eax\n mov %eax, %ss\n ljmp $0x30, $to_real\n" LOW_BEGIN
    "to_real: mov %cr0, %eax\n and $0xfe, %al\n mov %eax, %cr0\n ljmp $0, $in_real\n"
    "in_real: mov $0x10, %cx\n mov %cx, %ds\n" /* base 0x100 now, limit as before */
    "mov -0x100(%edi), %eax\n xor %cx, %cx\n mov %cx, %ds\n mov (%edi), %ebx\n"
    "mov %eax, %cs:got\n mov %ebx, %cs:got+4\n"
    "mov %cr0, %eax\n or $1, %al\n mov %eax, %cr0\n ljmpl $8, $back\n" LOW_END
    "back: mov $0x10, %eax\n mov %eax, %ds\n mov %eax, %ss\n mov %ebp, %esp\n pop %ebx\n pop %ebp\n ret\n");

int main(void)
{
    extern uint64_t idt[];
    asm volatile("call visit" : : "D"(address) : "eax", "ecx", "edx", "esi", "memory", "cc");
    idt_load((uint32_t)idt, 256 * 8 - 1);
    CHECK_EQ(got[0], 0xcafe1234);
    CHECK_EQ(got[1], 0xcafe1234);
    return 0;
}
