/*
 * setup.S: the real-mode part of a test image: the Linux setup header, and the way from a boot loader that enters in
 * real mode to the 32-bit entry.
 *
 * An image is a bzImage (Linux Documentation/arch/x86/boot.rst, protocol 2.15). A loader that speaks the 64-bit
 * protocol reads the header here and runs nothing of this file. A loader that enters in real mode (QEMU's -kernel)
 * comes to setup_code, which fills boot_params as such a loader would have: header, command line, E820 map.
 */
#include "image.h"

    .code16
    .section .setup, "awx"
    .globl setup_start
setup_start:
    .org 0x1f1
setup_header:
    .byte SETUP_SECTS     /* 0x1f1 setup_sects */
    .word 0               /* 0x1f2 root_flags */
    .long image_paras     /* 0x1f4 syssize, units of 16 bytes: from the linker script */
    .word 0               /* 0x1f8 ram_size */
    .word 0xffff          /* 0x1fa vid_mode: normal */
    .word 0               /* 0x1fc root_dev */
    .word 0xaa55          /* 0x1fe boot_flag */
    .byte 0xeb, setup_code - 1f /* 0x200 jump over the header; its operand tells the header's end */
1:  .ascii "HdrS"         /* 0x202 */
    .word 0x020f          /* 0x206 version */
    .long 0               /* 0x208 realmode_swtch */
    .word 0x1000          /* 0x20c start_sys_seg */
    .word kernel_version - setup_start - 0x200 /* 0x20e */
    .byte 0               /* 0x210 type_of_loader */
    .byte 1               /* 0x211 loadflags: LOADED_HIGH */
    .word 0x8000          /* 0x212 setup_move_size */
    .long IMAGE_BASE      /* 0x214 code32_start */
    .long 0               /* 0x218 ramdisk_image */
    .long 0               /* 0x21c ramdisk_size */
    .long 0               /* 0x220 bootsect_kludge */
    .word REAL_STACK      /* 0x224 heap_end_ptr */
    .byte 0               /* 0x226 ext_loader_ver */
    .byte 0               /* 0x227 ext_loader_type */
    .long 0               /* 0x228 cmd_line_ptr */
    .long 0x7fffffff      /* 0x22c initrd_addr_max */
    .long IMAGE_BASE      /* 0x230 kernel_alignment */
    .byte 0               /* 0x234 relocatable_kernel */
    .byte 20              /* 0x235 min_alignment, log2 */
    .word image_xloadflags /* 0x236 xloadflags: XLF_KERNEL_64, unless the image says otherwise */
    .long 2047            /* 0x238 cmdline_size */
    .long 0               /* 0x23c hardware_subarch */
    .quad 0               /* 0x240 hardware_subarch_data */
    .long 0               /* 0x248 payload_offset */
    .long 0               /* 0x24c payload_length */
    .quad 0               /* 0x250 setup_data */
    .quad IMAGE_BASE      /* 0x258 pref_address */
    .long image_init_size /* 0x260 init_size */
    .long 0               /* 0x264 handover_offset */
    .long 0               /* 0x268 kernel_info_offset */
header_end:

setup_code:
    cli
    cld
    mov %cs, %ax
    sub $0x20, %ax /* entered at segment + 0x20, offset 0: make offsets those of this file */
    mov %ax, %ds
    mov %ax, %ss
    mov $REAL_STACK, %esp
    pushw %ax
    pushw $1f - setup_start
    lretw
1:
    mov $REAL_BOOT_PARAMS >> 4, %ax
    mov %ax, %es
    xor %eax, %eax
    xor %di, %di
    mov $1024, %cx
    rep stosl
    mov $setup_header - setup_start, %si
    mov %si, %di
    mov $header_end - setup_header, %cx
    rep movsb

    /* E820 map (ACPI 6.4, 15.1): 20-byte entries, packed as boot_params wants them. */
    xor %ebx, %ebx
    mov $BP_E820_TABLE, %di
2:  mov $0xe820, %eax
    mov $0x534d4150, %edx
    mov $20, %ecx
    int $0x15
    jc 3f
    cmp $0x534d4150, %eax
    jne 3f
    add $20, %di
    incb %es:BP_E820_ENTRIES
    cmpb $128, %es:BP_E820_ENTRIES
    je 3f
    test %ebx, %ebx
    jnz 2b
3:
    cli
    in $0x92, %al /* A20 by the fast gate; bit 0 would reset */
    or $2, %al
    and $0xfe, %al
    out %al, $0x92

    xor %eax, %eax
    mov %ds, %ax
    shl $4, %eax
    add $boot_gdt - setup_start, %eax
    mov %eax, boot_gdtr - setup_start + 2
    lgdtl boot_gdtr - setup_start
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    mov $0x18, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $REAL_BOOT_PARAMS, %esi
    xor %ebp, %ebp
    xor %edi, %edi
    xor %ebx, %ebx
    ljmpl $0x10, $IMAGE_BASE

    .balign 8
boot_gdt: /* as the 32-bit boot protocol has it: __BOOT_CS 0x10, __BOOT_DS 0x18, flat */
    .quad 0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
boot_gdtr:
    .word boot_gdtr - boot_gdt - 1
    .long 0
kernel_version:
    .asciz "trapeze guest test image"
    .org (SETUP_SECTS + 1) * 512

    .section .note.GNU-stack, "", @progbits
