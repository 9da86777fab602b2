/*
 * handlers.S: the guest's exception handlers, copied into its memory; position independent.
 *
 * An exception is logged and its instruction skipped, by the table of lengths; #NM and, where the log page
 * says so, #MF are mended instead. Too many, or one outside the code, end the sequence.
 */
#include "layout.h"

    .text
    .balign 16
    .globl handlers_begin, handlers_end, handler_syscall
handlers_begin:
    .set vector, 0
    .rept 32
    .balign STUB_SIZE
    .if (1 << vector) & ((1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17))
    pushq $vector
    .else
    pushq $0
    pushq $vector
    .endif
    jmp exception
    .set vector, vector + 1
    .endr
    .balign STUB_SIZE
    jmp interrupt
    .balign STUB_SIZE
    jmp stop
    .balign STUB_SIZE
    iretq

exception:
    pushq %rax
    pushq %rcx
    pushq %rdx
    movabsq $SYS(SYS_LOG), %rcx
    movq LOG_COUNT(%rcx), %rax
    incq %rax
    movq %rax, LOG_COUNT(%rcx)
    cmpq $LOG_LIMIT, %rax
    jae stop
    shlq $5, %rax
    movq 24(%rsp), %rdx
    movq %rdx, (%rcx, %rax)
    movl 32(%rsp), %edx
    movl %edx, 8(%rcx, %rax)
    movl 56(%rsp), %edx
    movl %edx, 12(%rcx, %rax)
    movq 40(%rsp), %rdx
    movq %rdx, 16(%rcx, %rax)
    movq %cr2, %rdx
    movq %rdx, 24(%rcx, %rax)
    movq 24(%rsp), %rax
    cmpl $1, %eax
    je debug
    cmpl $2, %eax
    je done
    cmpl $3, %eax
    je done
    cmpl $7, %eax
    je no_math
    cmpl $16, %eax
    je math_fault
skip:
    movq 40(%rsp), %rdx
    subq $LOW_VA, %rdx
    cmpq $0x8000, %rdx
    jb known
    movq 40(%rsp), %rdx
    movabsq $SYS(SYS_HIGH), %rcx
    subq %rcx, %rdx
    cmpq $0x2000, %rdx
    jae stop
known:
    andl $0x1fff, %edx
    movabsq $SYS(SYS_LENGTHS), %rcx
    movzbl (%rcx, %rdx), %eax
    testl %eax, %eax
    jz stop
    addq %rax, 40(%rsp)
done:
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq
debug:
    andl $~0x100, 56(%rsp)
    jmp done
no_math:
    clts
    jmp done
math_fault:
    cmpb $0, LOG_CLEAR(%rcx)
    je skip
    fnclex
    jmp done

interrupt:
    pushq %rax
    pushq %rcx
    pushq %rdx
    movabsq $SYS(SYS_LOG), %rcx
    incq LOG_IRQS(%rcx)
    movl $0x80b, %ecx
    xorl %eax, %eax
    xorl %edx, %edx
    wrmsr
    popq %rdx
    popq %rcx
    popq %rax
    iretq

handler_syscall:
    sysretq

stop:
    cli
1:  hlt
    jmp 1b
handlers_end:
    .section .note.GNU-stack, "", @progbits
