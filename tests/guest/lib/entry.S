/*
 * entry.S: the 32-bit and the 64-bit entry of an image (Linux Documentation/arch/x86/boot.rst), the entry for multiboot
 * and PVH loaders, and from there the way to frame_main() in one and the same state.
 */
#include "image.h"

/* Store a struct entry_32_state (frame.h): segments are flat, nothing is known of the stack. ESP is lost. */
    .macro keep_state_32 to
    mov %eax, \to
    mov %ebx, \to + 4
    mov %esi, \to + 8
    mov %edi, \to + 12
    mov %ebp, \to + 16
    mov %cr0, %eax
    mov %eax, \to + 20
    mov %cr4, %eax
    mov %eax, \to + 24
    mov $stack_top, %esp
    pushf
    popl \to + 28
    mov %cs, \to + 32
    mov %ds, \to + 34
    mov %es, \to + 36
    mov %ss, \to + 38
    sgdt \to + 40
    .endm

    .section .entry, "awx"

/* 32-bit entry, at IMAGE_BASE: flat segments, ESI = boot_params, paging off. Maps 4 GiB and goes on at the 64-bit one. */
    .code32
    .globl entry_32
entry_32:
    keep_state_32 entry_32_state
from_loader:
    cli
    cld
    mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $boot_tables, %edi
    mov $6 * 1024, %ecx
    xor %eax, %eax
    rep stosl
    movl $boot_tables + 0x1000 + 3, boot_tables
    mov $boot_tables + 0x2000 + 3, %eax
    mov $boot_tables + 0x1000, %edi
1:  mov %eax, (%edi)
    add $8, %edi
    add $0x1000, %eax
    cmp $boot_tables + 0x6000 + 3, %eax
    jne 1b
    mov $boot_tables + 0x2000, %edi
    mov $0x83, %eax
2:  mov %eax, (%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 2b
    mov $0x20, %eax /* PAE */
    mov %eax, %cr4
    mov $boot_tables, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx /* EFER.LME */
    rdmsr
    bts $8, %eax
    wrmsr
    lgdt entry_gdtr
    mov %cr0, %eax
    bts $31, %eax
    mov %eax, %cr0
    ljmp $0x10, $3f
    .code64
3:  mov %esi, %esi /* the upper half is undefined after the change of mode */
    jmp entry_64

    .balign 8
entry_gdt: /* 0x20: for what comes with a GDT that is gone, or none */
    .quad 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
entry_gdtr:
    .word entry_gdtr - entry_gdt - 1
    .long entry_gdt

    .org 0x200
/* 64-bit entry: long mode, RSI = boot_params, no stack. Keeps what the loader gave for the images that check it. */
    .globl entry_64
entry_64:
    mov %rsi, entry_state(%rip)
    mov %cr0, %rax
    mov %rax, entry_state + 8(%rip)
    mov %cr3, %rax
    mov %rax, entry_state + 16(%rip)
    mov %cr4, %rax
    mov %rax, entry_state + 24(%rip)
    mov $stack_top, %esp
    pushf
    pop %rax
    mov %rax, entry_state + 32(%rip)
    mov $0xc0000080, %ecx
    rdmsr
    mov %eax, entry_state + 40(%rip)
    movl $0, entry_state + 44(%rip)
    mov %cs, entry_state + 48(%rip)
    mov %ds, entry_state + 50(%rip)
    mov %es, entry_state + 52(%rip)
    mov %ss, entry_state + 54(%rip)
    sgdt entry_state + 56(%rip)

    cli
    cld
    push $2
    popf
    lea bss_start(%rip), %rdi
    lea bss_end(%rip), %rcx
    sub %rdi, %rcx
    shr $3, %rcx
    xor %eax, %eax
    rep stosq
    lgdt gdtr(%rip)
    push $SEL_KCODE
    push $1f
    lretq
1:  mov $SEL_KDATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    lldt %ax
    mov $stack_top, %esp
    xor %ebp, %ebp
    call frame_main
    ud2

/* Multiboot and PVH: 32-bit protected mode, flat segments, EBX at what the loader tells, boot_params nowhere. */
    .section .text.loader, "ax"
    .code32
    .globl entry_loader
entry_loader:
    keep_state_32 loader_state
    cli
    lgdt entry_gdtr
    ljmp $0x20, $1f
1:  mov $no_boot_params, %esi
    jmp from_loader
    .code64

    .bss
    .balign 8
no_boot_params:
    .skip 4096

    .data
    .balign 8
    .globl entry_32_state, loader_state
entry_32_state:
    .fill 48, 1, 0
loader_state:
    .fill 48, 1, 0
    .globl entry_state
entry_state: /* struct entry_state of frame.h */
    .fill 72, 1, 0
gdtr:
    .word GDT_ENTRIES * 8 - 1
    .quad gdt

    .section .noinit, "aw", @nobits
    .balign 4096
boot_tables:
    .skip 6 * 4096
    .globl stack_bottom, stack_top
stack_bottom:
    .skip 32768
stack_top:

    .section .note.GNU-stack, "", @progbits
