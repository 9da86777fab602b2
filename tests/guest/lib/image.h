/*
 * image.h: the figures that assembly, C and the linker script of an image share.
 */
#ifndef GUEST_IMAGE_H
#define GUEST_IMAGE_H

#define SETUP_SECTS 4        /* sectors of the real-mode part after the first */
#define IMAGE_BASE  0x100000 /* where the protected-mode part is loaded; it cannot be moved */

/* Real-mode loading only: free memory below 640 KiB while the BIOS is still used. */
#define REAL_BOOT_PARAMS 0x70000
#define REAL_STACK       0xe000 /* offset in the segment of the real-mode part */

/* Offsets in struct boot_params (Linux Documentation/arch/x86/zero-page.rst). */
#define BP_ACPI_RSDP    0x070
#define BP_E820_ENTRIES 0x1e8
#define BP_HDR          0x1f1
#define BP_E820_TABLE   0x2d0

/* Selectors of the frame's GDT; the order serves SYSCALL and SYSRET. From SEL_FREE on, images may use
 * entries. */
#define SEL_KCODE   0x08
#define SEL_KDATA   0x10
#define SEL_UCODE32 0x1b
#define SEL_UDATA   0x23
#define SEL_UCODE   0x2b
#define SEL_TSS     0x30
#define SEL_KCODE32 0x40
#define SEL_FREE    0x48
#define GDT_ENTRIES 32

/* The interrupt by which user code comes back (user.h). */
#define VEC_USER_RETURN 0x80

#endif
