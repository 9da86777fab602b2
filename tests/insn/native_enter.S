/*
 * native_enter.S: into a case with all registers loaded, and out of it again.
 */
#include "native_asm.h"

        .text

/* void native_enter(void): returns when the case has ended in native_exit or native_leave. */
        .globl  native_enter
        .type   native_enter, @function
native_enter:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        mov     %rsp, CTX_HOST_RSP
        cmpl    $0, CTX_FSGS
        je      1f
        rdfsbase %rax
        mov     %rax, CTX_HOST_FS
        rdgsbase %rax
        mov     %rax, CTX_HOST_GS
        mov     CTX_IN_FS, %rcx
        wrfsbase %rcx
        mov     CTX_IN_GS, %rcx
        wrgsbase %rcx
1:      cmpl    $0, CTX_LOAD
        je      2f
        movw    CTX_SEL, %es
        movw    CTX_SEL + 4, %ss
        movw    CTX_SEL + 6, %ds
        movw    CTX_SEL + 8, %fs
        movw    CTX_SEL + 10, %gs
2:      mov     $7, %eax
        xor     %edx, %edx
        xrstor64 CTX_IN_XSAVE
        pushq   CTX_IN_FLAGS
        popfq
        movq    CTX_IN_GPR, %rax
        movq    CTX_IN_GPR + 8, %rcx
        movq    CTX_IN_GPR + 16, %rdx
        movq    CTX_IN_GPR + 24, %rbx
        movq    CTX_IN_GPR + 40, %rbp
        movq    CTX_IN_GPR + 48, %rsi
        movq    CTX_IN_GPR + 56, %rdi
        movq    CTX_IN_GPR + 64, %r8
        movq    CTX_IN_GPR + 72, %r9
        movq    CTX_IN_GPR + 80, %r10
        movq    CTX_IN_GPR + 88, %r11
        movq    CTX_IN_GPR + 96, %r12
        movq    CTX_IN_GPR + 104, %r13
        movq    CTX_IN_GPR + 112, %r14
        movq    CTX_IN_GPR + 120, %r15
        movq    CTX_IN_GPR + 32, %rsp
        jmp     *CTX_JUMP
        .globl  native_jump64
native_jump64:
        jmp     *CTX_TARGET
        .globl  native_jump_far
native_jump_far:
        ljmpl   *CTX_TARGET

/* The instruction is done: the jump behind it comes here with everything still as it left it. */
        .globl  native_exit
        .type   native_exit, @function
native_exit:
        movq    %rax, CTX_OUT_GPR
        movq    %rcx, CTX_OUT_GPR + 8
        movq    %rdx, CTX_OUT_GPR + 16
        movq    %rbx, CTX_OUT_GPR + 24
        movq    %rsp, CTX_OUT_GPR + 32
        movq    %rbp, CTX_OUT_GPR + 40
        movq    %rsi, CTX_OUT_GPR + 48
        movq    %rdi, CTX_OUT_GPR + 56
        movq    %r8, CTX_OUT_GPR + 64
        movq    %r9, CTX_OUT_GPR + 72
        movq    %r10, CTX_OUT_GPR + 80
        movq    %r11, CTX_OUT_GPR + 88
        movq    %r12, CTX_OUT_GPR + 96
        movq    %r13, CTX_OUT_GPR + 104
        movq    %r14, CTX_OUT_GPR + 112
        movq    %r15, CTX_OUT_GPR + 120
        movq    CTX_HOST_RSP, %rsp
        pushfq
        popq    CTX_OUT_FLAGS
        pushq   $0x202
        popfq
        mov     $7, %eax
        xor     %edx, %edx
        xsave64 CTX_OUT_XSAVE
        fnstenv CTX_OUT_ENV
        call    host_bases

/* void native_leave(void): from the signal handler, whose registers do not matter any more. */
        .globl  native_leave
        .type   native_leave, @function
native_leave:
        fninit
        ldmxcsr CTX_MXCSR
        movq    CTX_HOST_RSP, %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

/* FS and GS base of the case out, the host's in. Changes RAX and flags. */
host_bases:
        cmpl    $0, CTX_FSGS
        je      1f
        rdfsbase %rax
        mov     %rax, CTX_OUT_FS
        rdgsbase %rax
        mov     %rax, CTX_OUT_GS
        cmpl    $0, CTX_LOAD
        je      2f
        xor     %eax, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        mov     $0x2b, %eax
        mov     %eax, %ss
2:      movq    CTX_HOST_FS, %rax
        wrfsbase %rax
        movq    CTX_HOST_GS, %rax
        wrgsbase %rax
1:      ret

/* The signal handler: on the alternate stack, with the case's AC flag and segment bases. */
        .globl  native_signal
        .type   native_signal, @function
native_signal:
        pushq   $0x202
        popfq
        call    host_bases
        and     $-16, %rsp
        call    native_signal_body

        .section .note.GNU-stack, "", @progbits
