/*
 * entry32.S: the 32-bit and the 64-bit entry of a 32-bit image, and from there the way to frame_main() in protected mode
 * without paging. The 64-bit entry leaves long mode first (SDM 3A 9.8.5.4 backwards; APM 2 14.7).
 */
#include "image32.h"

    .section .entry, "awx"
    .code32
    .globl entry_32
entry_32:
    cli
    mov $0x18, %eax /* the boot protocol's flat data segment: setup.S leaves it to us */
    mov %eax, %ds
    lgdtl gdtr
    ljmp $SEL_KCODE, $protected

    .org 0x200
    .code64
    .globl entry_64
entry_64:
    cli
    mov $gdtr, %eax
    lgdt (%rax)
    mov $low_stack_top, %esp
    mov $leave_long, %eax
    push $SEL_KCODE
    push %rax
    lretq
    .code32
leave_long: /* compatibility mode: paging off, then EFER.LME, then CR4.PAE may go */
    mov $SEL_KDATA, %eax
    mov %eax, %ds
    mov %cr0, %eax
    and $0x7fffffff, %eax
    mov %eax, %cr0
    mov $0xc0000080, %ecx
    xor %eax, %eax
    xor %edx, %edx
    wrmsr
protected:
    cld
    mov $SEL_KDATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    lldt %ax
    mov %eax, %cr4
    mov $0x21, %eax /* PE, NE */
    mov %eax, %cr0
    mov $stack_top, %esp
    push $2
    popf
    mov $low_load, %esi
    mov $low_start, %edi
    mov $low_end, %ecx
    sub %edi, %ecx
    rep movsb
    mov $bss_start, %edi
    mov $bss_end, %ecx
    sub %edi, %ecx
    xor %eax, %eax
    rep stosb
    xor %ebp, %ebp
    call frame_main
    ud2

    .balign 8
gdtr:
    .word GDT_ENTRIES * 8 - 1
    .long gdt, 0

    .section .noinit, "aw", @nobits
    .balign 16
    .skip 4096
low_stack_top:
    .skip 32768
    .globl stack_top
stack_top:
    .skip 8192
    .globl trap_stack_top
trap_stack_top: /* C code of handlers */
    .skip 8192
    .globl stack0_top
stack0_top: /* ESP0 of the TSS */

    .section .note.GNU-stack, "", @progbits
