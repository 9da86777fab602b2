/*
 * image32.h: the figures that assembly and C of a 32-bit image share.
 */
#ifndef GUEST_IMAGE32_H
#define GUEST_IMAGE32_H

#include "image.h"

#undef SEL_TSS
#undef SEL_FREE
#undef SEL_KCODE32
#undef SEL_UCODE32
#undef SEL_UCODE
#undef GDT_ENTRIES
/* Flat: SEL_KCODE, SEL_KDATA, SEL_UDATA of image.h, and */
#define SEL_UCODE   0x1b
#define SEL_TSS     0x28
#define SEL_CODE16  0x30 /* base 0, limit 0xffff, 16-bit */
#define SEL_DATA16  0x38
#define SEL_FREE    0x40
#define GDT_ENTRIES 64

/* The interrupt by which code under run() and real_run() comes back. */
#define VEC_RETURN 0x81

#endif
