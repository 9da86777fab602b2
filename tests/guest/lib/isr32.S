/*
 * isr32.S: the 256 entries of a 32-bit image's IDT. The interrupted stack may be any: registers go to one static
 * struct regs (trap32.h) and C code runs on a stack of its own.
 */
#include "image32.h"

#define R(n) trap_regs + 4 * (n) /* EAX EBX ECX EDX ESI EDI EBP EIP CS EFLAGS ESP SS DS ES FS GS vector error */

    .text
    .balign 16
    .globl isr_entries
isr_entries:
    .set vector, 0
    .rept 256
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    push $0
    .endif
    push $vector
    jmp isr_common
    .set vector, vector + 1
    .endr

isr_common:
    push %ds
    push %eax
    mov $SEL_KDATA, %eax
    mov %eax, %ds
    popl R(0)
    popl R(12)
    popl R(16)
    popl R(17)
    popl R(7)
    popl R(8)
    popl R(9)
    mov %ebx, R(1)
    mov %ecx, R(2)
    mov %edx, R(3)
    mov %esi, R(4)
    mov %edi, R(5)
    mov %ebp, R(6)
    mov %es, R(13)
    mov %fs, R(14)
    mov %gs, R(15)
    testl $0x20000, R(9)
    jnz 1f
    testb $3, R(8)
    jnz 2f
    mov %esp, R(10)
    mov %ss, R(11)
    jmp 3f
1:  popl R(10)
    popl R(11)
    popl R(13)
    popl R(12)
    popl R(14)
    popl R(15)
    jmp 3f
2:  popl R(10)
    popl R(11)
3:  mov $SEL_KDATA, %eax
    mov %eax, %ss
    mov $trap_stack_top, %esp
    mov %eax, %es
    cld
    call trap_dispatch

/* Go to where trap_regs says: IRET with a frame that fits. FS and GS stay as they are when CPL does. */
    .globl regs_enter
regs_enter:
    testl $0x20000, R(9)
    jnz 1f
    testb $3, R(8)
    jnz 2f
    lss R(10), %esp
    jmp 3f
1:  mov $stack0_top, %esp
    pushl R(15)
    pushl R(14)
    pushl R(12)
    pushl R(13)
    pushl R(11)
    pushl R(10)
    jmp 4f
2:  mov $stack0_top, %esp
    pushl R(11)
    pushl R(10)
    mov R(14), %fs
    mov R(15), %gs
3:  mov R(13), %es
4:  pushl R(9)
    pushl R(8)
    pushl R(7)
    mov R(1), %ebx
    mov R(2), %ecx
    mov R(3), %edx
    mov R(4), %esi
    mov R(5), %edi
    mov R(6), %ebp
    pushl R(0)
    testl $0x20000, R(9)
    jnz 5f
    mov R(12), %ds
5:  pop %eax
    iret

/* void run_raw(void): trap_regs is where to go; comes back by an exception (trap_dispatch resumes at 1 below). */
    .globl run_raw
run_raw:
    push %ebx
    push %esi
    push %edi
    push %ebp
    mov %esp, trap_try + 4
    movl $1f, trap_try
    jmp regs_enter
1:  movl $0, trap_try
    pop %ebp
    pop %edi
    pop %esi
    pop %ebx
    ret

    .section .note.GNU-stack, "", @progbits
