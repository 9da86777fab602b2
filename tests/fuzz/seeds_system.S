/*
 * seeds_system.S: short programs of system instructions, as seeds: what is reached only with the right number in the
 * right register.
 *
 * A table of records: code size (16, 32, 64), number of bytes, bytes. A record with size 0 ends it.
 */
    .section .rodata
    .globl fuzz_system_seeds
fuzz_system_seeds:

    .macro begin bits
    .byte \bits
    .byte 99f - 98f
98:
    .code\bits
    .endm
    .macro end
    hlt
99:
    .code64
    .endm

/* Read a model-specific register and write it back with a bit turned over. */
    .macro msr bits, index, low, high=0
    begin \bits
    movl $\index, %ecx
    rdmsr
    xorl $\low, %eax
    .if \high
    xorl $\high, %edx
    .endif
    wrmsr
    rdmsr
    end
    .endm
    .irp index, 0x10, 0x1b, 0x3a, 0x3b, 0x48, 0x49, 0x8b, 0xfe, 0x10a, 0x174, 0x175, 0x176, 0x179, 0x17a, 0x1a0, 0x1d9
    msr 64, \index, 0x100
    .endr
    .irp index, 0x200, 0x201, 0x250, 0x258, 0x26f, 0x277, 0x2ff, 0x6e0, 0xda0, 0x4b564d00, 0x4b564d01, 0xc0010010, 0xc0010015
    msr 64, \index, 0x801
    .endr
    .irp index, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103
    msr 64, \index, 0x801
    msr 32, \index, 0x801
    .endr
    .irp index, 0x802, 0x808, 0x80b, 0x80d, 0x80f, 0x828, 0x830, 0x832, 0x835, 0x838, 0x839, 0x83e, 0x83f
    begin 64
    movl $0x1b, %ecx
    rdmsr
    orl $0xc00, %eax
    wrmsr
    movl $\index, %ecx
    rdmsr
    movl $0x45, %eax
    xorl %edx, %edx
    wrmsr
    end
    .endr
    msr 64, 0xc0000082, 0, 0x80000000

/* The local APIC's timer, by its registers. */
    begin 64
    movl $0xfee00000, %ebx
    movl $0x1ff, 0xf0(%rbx)
    movl $0x20041, 0x320(%rbx)
    movl $0xb, 0x3e0(%rbx)
    movl $100, 0x380(%rbx)
    movl 0x390(%rbx), %eax
    sti
    movl $0x44041, 0x300(%rbx)
    movl %eax, 0xb0(%rbx)
    end

/* Control and debug registers. */
    .irp bits, 32, 64
    .irp reg, %cr0, %cr3, %cr4, %dr0, %dr6, %dr7
    begin \bits
    .if \bits == 64
    mov \reg, %rax
    mov %rax, \reg
    xor $0x10080, %eax
    mov %rax, \reg
    .else
    mov \reg, %eax
    mov %eax, \reg
    xor $0x10080, %eax
    mov %eax, \reg
    .endif
    end
    .endr
    begin \bits
    clts
    smsw %ax
    lmsw %ax
    xorl %ecx, %ecx
    xgetbv
    xsetbv
    invlpg (0xb000)
    wbinvd
    cpuid
    end
    .endr
    begin 64
    mov %cr8, %rax
    mov $5, %al
    mov %rax, %cr8
    mov %cr4, %rax
    bts $17, %rax
    mov %rax, %cr4
    mov $0xb000, %ebx
    xor %eax, %eax
    invpcid (%rbx), %rax
    mov $2, %eax
    invpcid (%rbx), %rax
    mov %cr3, %rax
    bts $63, %rax
    mov %rax, %cr3
    end

/* Paging off and on; into and out of long mode from 32-bit code. */
    begin 32
    mov %cr0, %eax
    btr $31, %eax
    mov %eax, %cr0
    mov %cr4, %eax
    bts $5, %eax
    mov %eax, %cr4
    mov $0x10000, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    bts $8, %eax
    wrmsr
    mov %cr0, %eax
    bts $31, %eax
    mov %eax, %cr0
    ljmp $0x18, $0x6000
    end
    begin 16
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmp $0x08, $0x6000
    end
    begin 16
    mov %cr0, %eax
    and $0xfe, %al
    mov %eax, %cr0
    ljmp $0x2000, $0x10
    end

/* Gates, tasks, system calls. */
    .irp selector, 0x08, 0x18, 0x20, 0x38, 0x48, 0x68, 0x78, 0x88, 0x90, 0x98, 0xa8, 0xb0
    begin 32
    lcall $\selector, $0x6000
    ljmp $\selector, $0x6000
    end
    begin 64
    pushq $\selector
    pushq $0x6000
    lretq
    end
    begin 64
    movl $0x6000, 0xb000
    movl $\selector, 0xb004
    lcall *0xb000
    end
    .endr
    .irp bits, 32, 64
    begin \bits
    int $0x20
    int3
    .byte 0xf1
    int $6
    end
    begin \bits
    syscall
    sysret
    end
    begin \bits
    sysenter
    sysexit
    end
    .endr
    begin 64
    sysretq
    end
    begin 64
    pushq $0x28 | 3
    pushq $0x9e00
    pushf
    pushq $0x30 | 3
    pushq $0x20000
    iretq
    end
    begin 32
    pushl $0
    pushl $0
    pushl $0
    pushl $0
    pushl $0x800
    pushl $0x8000
    pushl $0x23202
    pushl $0x2000
    pushl $0
    iretl
    end
    begin 32
    pushf
    orl $0x4000, (%esp)
    popf
    iretl
    end
    .irp bits, 32, 64
    begin \bits
    mov $0x78, %eax
    ltr %ax
    mov $0x58, %eax
    lldt %ax
    lar %ax, %ecx
    lsl %ax, %ecx
    verr %ax
    verw %ax
    sgdt (0xb040)
    lgdt (0xb040)
    sidt (0xb040)
    lidt (0xb040)
    str %ax
    sldt %ax
    end
    begin \bits
    mov $0x10, %eax
    mov %eax, %ss
    mov %eax, %fs
    pop %gs
    push %gs
    lss (0xb040), %esp
    end
    .endr

/* Code that changes itself: the next instruction, its own block, a block that was run before. */
    .irp bits, 16, 32, 64
    begin \bits
    call 1f
1:
    .if \bits == 64
    pop %rbx
    movb $0x43, 2f - 1b(%rbx)
2:  incb %al
    movb $0x90, 2b - 1b + 1(%rbx)
    .elseif \bits == 32
    pop %ebx
    movb $0x43, 2f - 1b(%ebx)
2:  incb %al
    movb $0x90, 2b - 1b + 1(%ebx)
    .else
    pop %bx
    movb $0x43, %cs:2f - 1b(%bx)
2:  incb %al
    movb $0x90, 2b - 1b + 1(%bx)
    .endif
    jmp 2b
    end
    .endr

    .byte 0

    .section .note.GNU-stack, "", @progbits
