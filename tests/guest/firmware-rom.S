/*
 * firmware-rom.S: a processor with nothing but a ROM starts at its reset vector, in the state of SDM 3A 9.1 (table 9-1,
 * 9.1.4); the end of the ROM is seen below 1 MiB too, and no copy of it can be written.
 *
 * Tests of processors come as such ROMs. This one is 256 KiB, so that only its second half is seen below 1 MiB. It says
 * how far it has come by a letter to the debug port 0xe9 for each step, "PASS" on the serial port, and by the
 * debug-exit port 0xf4: 0, or the number of the check that did not hold.
 */

/* Addresses are those below 1 MiB; the first half of the ROM is seen only at its own place. */
#define BASE      0xc0000
#define TOP(a)    ((a) - BASE + 0xfffc0000)
#define IN_F000(a) ((a) - start) /* offset in segment 0xf000 */
#define STACK     0x7000
#define RESULT    0x5000 /* what the interrupt handler leaves */

    .macro step letter
    mov $\letter, %al
    out %al, $0xe9
    .endm

    /* The check before this macro's jump has a number, which is what a failure exits with. */
    .macro must condition, number
    j\condition 1f
    mov $\number, %eax
    jmp fail
1:
    .endm

    .macro must32 condition, number
    j\condition 1f
    mov $\number, %eax
    jmp fail_32
1:
    .endm

    .text
    .code16
rom_start:
    .ascii "first half"

    .org 0x20000
low_start:
    .ascii "seen below 1 MiB"

    .org 0x30000
start:
    /* Registers first, while they are as the reset left them. */
    mov %cs, %ax
    cmp $0xf000, %ax
    must e, 1
    mov %ds, %ax
    mov %es, %bx
    or %bx, %ax
    mov %ss, %bx
    or %bx, %ax
    must z, 2
    mov %cr0, %eax
    test $0x80000001, %eax
    must z, 3
    mov $STACK, %esp
    pushfl
    pop %eax
    test $0x20200, %eax /* VM, IF */
    must z, 4
    step 'a'

    /* RAM below 640 KiB keeps what is written. */
    movl $0x12345678, 0x7c00
    movl $0x9abcdef0, 0x7c04
    cmpl $0x12345678, 0x7c00
    must e, 5
    step 'b'

    /* The ROM does not. */
    mov $0xe000, %ax
    mov %ax, %es
    cmpl $0x6e656573, %es:0 /* "seen" */
    must e, 6
    movl $0, %es:0
    cmpl $0x6e656573, %es:0
    must e, 7
    step 'c'

    /* Protected mode, to see all of it; A20 first. */
    cli
    in $0x92, %al
    or $2, %al
    and $0xfe, %al
    out %al, $0x92
    lgdtl %cs:IN_F000(gdtr)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $0x08, $protected

    .code32
protected:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0xe0000, %esi
    mov $TOP(0xe0000), %edi
    mov $0x20000 / 4, %ecx
    cld
    repe cmpsl
    must32 e, 8
    cmpl $0x73726966, TOP(rom_start) /* "firs" */
    must32 e, 9
    movl $0, TOP(rom_start)
    cmpl $0x73726966, TOP(rom_start)
    must32 e, 10
    movl $0x0badcafe, 0x200000
    cmpl $0x0badcafe, 0x200000
    must32 e, 11
    step 'd'

    /* Back to real mode, with 16-bit segments first (SDM 3A 9.9.2). */
    ljmp $0x18, $IN_F000(half_way)
    .code16
half_way:
    mov $0x20, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov %cr0, %eax
    and $0xfe, %al
    mov %eax, %cr0
    ljmp $0xf000, $IN_F000(real_again)
real_again:
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $STACK, %sp
    step 'e'

    /* An interrupt by the vector table at 0, into the ROM and back. */
    movw $IN_F000(handler), 0x42 * 4
    movw $0xf000, 0x42 * 4 + 2
    movw $0, RESULT
    stc
    int $0x42
    must c, 12 /* IRET brings the flags back */
    cmpw $0x4242, RESULT
    must e, 13
    step 'f'

    mov $IN_F000(pass_text), %si
    call print
    xor %eax, %eax
    jmp leave

handler:
    movw $0x4242, RESULT
    clc
    iret

/* CS:SI, up to a zero, to the serial port. */
print:
    cs lodsb
    test %al, %al
    jz 2f
    mov %al, %ah
    mov $0x3fd, %dx
1:  in %dx, %al
    test $0x20, %al
    jz 1b
    mov %ah, %al
    mov $0x3f8, %dx
    out %al, %dx
    jmp print
2:  ret

fail:
leave:
    out %eax, $0xf4
1:  hlt
    jmp 1b

    .code32
fail_32:
    out %eax, $0xf4
1:  hlt
    jmp 1b
    .code16

pass_text:
    .asciz "PASS\r\n"

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* 0x08: 32-bit code, all 4 GiB */
    .quad 0x00cf93000000ffff /* 0x10: data, all 4 GiB */
    .quad 0x00009b0f0000ffff /* 0x18: 16-bit code, 64 KiB from 0xf0000 */
    .quad 0x000093000000ffff /* 0x20: data, 64 KiB from 0 */
gdtr:
    .word gdtr - gdt - 1
    .long gdt

    .org 0x3fff0 /* the reset vector, F000:FFF0 */
    ljmp $0xf000, $IN_F000(start)
    .org 0x40000

    .section .note.GNU-stack, "", @progbits
