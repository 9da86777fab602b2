/*
 * boot/linux_params.h: where things lie in a Linux kernel image's setup header and in the zero page (struct
 * boot_params). Offsets into the page; the setup header has the same offsets in the image file.
 * Linux Documentation/arch/x86/boot.rst and zero-page.rst.
 */
#ifndef BOOT_LINUX_PARAMS_H
#define BOOT_LINUX_PARAMS_H

#define BOOT_SECTOR         512u
#define BOOT_PARAMS_SIZE    4096u
#define BOOT_E820_MAX       128u
#define BOOT_ENTRY64_OFFSET 0x200u /* of the 64-bit entry from the load address */
#define BOOT_SETUP_DEFAULT  4u     /* what a setup_sects of 0 means */

/* Fields of the zero page alone; u32 unless noted. */
enum {
    BP_ACPI_RSDP_ADDR = 0x070, /* u64 */
    BP_EXT_RAMDISK_IMAGE = 0x0c0,
    BP_EXT_RAMDISK_SIZE = 0x0c4,
    BP_EXT_CMD_LINE_PTR = 0x0c8,
    BP_E820_ENTRIES = 0x1e8, /* u8 */
    BP_E820_TABLE = 0x2d0,   /* 20 bytes an entry */
};

/* The setup header; in the comment its size in bytes and what it is. */
enum {
    HDR_SETUP_SECTS = 0x1f1,      /* 1: size of the real-mode part in sectors, less the boot sector */
    HDR_SYSSIZE = 0x1f4,          /* 4: size of the protected-mode part in 16-byte units */
    HDR_VID_MODE = 0x1fa,         /* 2 */
    HDR_BOOT_FLAG = 0x1fe,        /* 2: 0xaa55 */
    HDR_JUMP = 0x200,             /* 2: a short jump; its displacement says where the header ends */
    HDR_MAGIC = 0x202,            /* 4: "HdrS" */
    HDR_VERSION = 0x206,          /* 2: boot protocol, major and minor byte */
    HDR_TYPE_OF_LOADER = 0x210,   /* 1 */
    HDR_LOADFLAGS = 0x211,        /* 1 */
    HDR_CODE32_START = 0x214,     /* 4: where the protected-mode part lies */
    HDR_RAMDISK_IMAGE = 0x218,    /* 4 */
    HDR_RAMDISK_SIZE = 0x21c,     /* 4 */
    HDR_CMD_LINE_PTR = 0x228,     /* 4 */
    HDR_INITRD_ADDR_MAX = 0x22c,  /* 4: highest address that the initrd's last byte may have */
    HDR_KERNEL_ALIGNMENT = 0x230, /* 4 */
    HDR_RELOCATABLE = 0x234,      /* 1 */
    HDR_XLOADFLAGS = 0x236,       /* 2 */
    HDR_CMDLINE_SIZE = 0x238,     /* 4: longest command line, without its NUL */
    HDR_SETUP_DATA = 0x250,       /* 8: list of struct setup_data */
    HDR_PREF_ADDRESS = 0x258,     /* 8 */
    HDR_INIT_SIZE = 0x260,        /* 4: memory needed from the load address on before the map is looked at */
    HDR_END_2_04 = 0x230,         /* end of the header of protocol 2.04 */
    HDR_END_2_12 = 0x268,         /* of 2.12 */
    HDR_END_MAX = 0x290,          /* no header may reach beyond: the zero page has other things there */
};

#define HDR_BOOT_FLAG_VALUE 0xaa55u
#define HDR_MAGIC_VALUE     0x53726448u /* "HdrS" */
#define HDR_VERSION_MIN     0x0204u     /* 2.04, Linux 2.6.14: the first whose syssize has 32 bits */
#define HDR_VERSION_64BIT   0x020cu     /* 2.12, Linux 3.8: the first with xloadflags */
#define HDR_LOADER_UNKNOWN  0xffu       /* a loader with no number of its own */
#define HDR_VID_NORMAL      0xffffu

enum {
    LOADFLAG_LOADED_HIGH = 0x01,
    XLF_KERNEL_64 = 0x0001,
    XLF_CAN_BE_LOADED_ABOVE_4G = 0x0002,
};

#endif
