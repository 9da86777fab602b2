/*
 * real32.S: to real mode and back (SDM 3A 9.9). real_regs is loaded; whatever interrupt comes next is noted in it and
 * ends the visit. The interrupt table at 0 has an entry for each vector here.
 */
#include "image32.h"

#define R(n) real_regs + 4 * (n) /* as in isr32.S */

    .text
    .globl real_run_raw
real_run_raw:
    push %ebx
    push %esi
    push %edi
    push %ebp
    mov %esp, resume_esp
    mov %cr0, %eax
    mov %eax, resume_cr0
    lidtl real_idtr
    mov $SEL_DATA16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    ljmp $SEL_CODE16, $to_real

    .section .low, "awx"
    .code16
to_real:
    mov %cr0, %eax
    and $0xfe, %al
    mov %eax, %cr0
    ljmp $0, $1f
1:  xor %ax, %ax
    mov %ax, %ds
    mov R(11), %ss
    mov R(10), %esp
    mov R(13), %es
    mov R(14), %fs
    mov R(15), %gs
    pushl R(9)
    pushl R(8)
    pushl R(7)
    mov R(0), %eax
    mov R(1), %ebx
    mov R(2), %ecx
    mov R(3), %edx
    mov R(4), %esi
    mov R(5), %edi
    mov R(6), %ebp
    mov R(12), %ds
    iretl

/* One entry for each vector; CS is 0 here. */
    .balign 16
    .globl real_entries
real_entries:
    .set vector, 0
    .rept 256
    movw $vector, %cs:R(16)
    jmp real_common
    .balign 16
    .set vector, vector + 1
    .endr
real_common:
    mov %eax, %cs:R(0)
    mov %ebx, %cs:R(1)
    mov %ecx, %cs:R(2)
    mov %edx, %cs:R(3)
    mov %esi, %cs:R(4)
    mov %edi, %cs:R(5)
    mov %ebp, %cs:R(6)
    popw %cs:R(7)
    popw %cs:R(8)
    popw %cs:R(9)
    mov %esp, %cs:R(10)
    mov %ss, %cs:R(11)
    mov %ds, %cs:R(12)
    mov %es, %cs:R(13)
    mov %fs, %cs:R(14)
    mov %gs, %cs:R(15)
    cli
    mov %cs:resume_cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $SEL_KCODE, $back
    .globl real_regs, real_idtr
    .balign 4
real_regs:
    .fill 18, 4, 0
real_idtr:
    .word 0x3ff
    .long 0
resume_cr0:
    .long 0

    .text
    .code32
back:
    mov $SEL_KDATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov resume_esp, %esp
    pop %ebp
    pop %edi
    pop %esi
    pop %ebx
    ret

    .bss
    .balign 4
resume_esp:
    .long 0

    .section .note.GNU-stack, "", @progbits
