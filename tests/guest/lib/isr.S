/*
 * isr.S: the 256 entries of the IDT, and the assembly part of try_call and user_run.
 */
#include "image.h"

    .text

/* Each entry is ISR_SIZE bytes, so that trap.c can compute its address. Vectors 8, 10-14, 17, 21, 29, 30 have error codes. */
    .balign 16
    .globl isr_entries
isr_entries:
    .set vector, 0
    .rept 256
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    push $0
    .endif
    push $vector
    jmp isr_common
    .set vector, vector + 1
    .endr

isr_common: /* struct regs of trap.h */
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    call trap_dispatch
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
    add $16, %rsp
    iretq

    .macro SAVE
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    .endm
    .macro RESTORE
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    .endm

/* void try_call_raw(fn, arg): trap_try is as struct trap_try says. */
    .globl try_call_raw
try_call_raw:
    SAVE
    sub $8, %rsp
    mov %rsp, trap_try + 8
    movq $1f, trap_try
    mov %rdi, %rax
    mov %rsi, %rdi
    call *%rax
1:  movq $0, trap_try
    add $8, %rsp
    RESTORE
    ret

/*
 * uint64_t user_enter(const struct user_state *u): IRETQ to it; comes back by VEC_USER_RETURN with RAX as its result,
 * or after an exception, which trap_dispatch resumes at 1 below.
 */
    .globl user_enter
user_enter:
    SAVE
    mov %rsp, user_resume_rsp
    mov %rsp, trap_try + 8
    mov %rsp, tss + 4 /* RSP0 */
    movq $1f, trap_try
    push 32(%rdi)
    push 24(%rdi)
    push 16(%rdi)
    push 8(%rdi)
    push (%rdi)
    mov 40(%rdi), %rdi
    xor %eax, %eax
    xor %ebx, %ebx
    xor %ecx, %ecx
    xor %edx, %edx
    xor %esi, %esi
    xor %ebp, %ebp
    iretq

    .globl isr_user_return
isr_user_return:
    mov user_resume_rsp, %rsp
1:  movq $0, trap_try
    cld
    mov $SEL_KDATA, %ecx
    mov %ecx, %ds
    mov %ecx, %es
    RESTORE
    ret

/* What user code returns to (user.h). */
    .section .user.text, "ax"
    .globl user_return_stub
user_return_stub:
    int $VEC_USER_RETURN

    .bss
    .balign 8
user_resume_rsp:
    .quad 0

    .section .note.GNU-stack, "", @progbits
