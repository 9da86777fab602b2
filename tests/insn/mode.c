/*
 * mode.c: the segments of each code size.
 */
#include "mode.h"

#include "native_asm.h"

/* FS ends with the writable pages; GS grows down and begins behind their first half page. */
#define FS_SEGMENT                                      \
    {                                                   \
        SEL_LDT(2), DATA_VA, DATA_SIZE - 1, .big = true \
    }
#define GS_SEGMENT                                                           \
    {                                                                        \
        SEL_LDT(3), DATA_VA - 0x800, 0xfff, .big = true, .expand_down = true \
    }

static const struct mode modes[] = {
    {64,
     {[SEG_CS] = {SEL_USER_CS, 0, 0xffffffff, .code = true},
      [SEG_SS] = {SEL_USER_DS, 0, 0xffffffff, .big = true}}},
    {32,
     {[SEG_ES] = {SEL_USER_DS, 0, 0xffffffff, .big = true},
      [SEG_CS] = {SEL_USER32_CS, 0, 0xffffffff, .big = true, .code = true},
      [SEG_SS] = {SEL_USER_DS, 0, 0xffffffff, .big = true},
      [SEG_DS] = {SEL_USER_DS, 0, 0xffffffff, .big = true},
      [SEG_FS] = FS_SEGMENT,
      [SEG_GS] = GS_SEGMENT}},
    /* The data pages lie in the middle of their 64 KiB. */
    {16,
     {[SEG_ES] = {SEL_LDT(1), DATA_VA - 0x4000, 0xffff},
      [SEG_CS] = {SEL_LDT(0), CODE_VA, CODE_SIZE - 1, .code = true},
      [SEG_SS] = {SEL_LDT(1), DATA_VA - 0x4000, 0xffff},
      [SEG_DS] = {SEL_LDT(1), DATA_VA - 0x4000, 0xffff},
      [SEG_FS] = FS_SEGMENT,
      [SEG_GS] = GS_SEGMENT}},
};

const struct mode *mode_of(unsigned bits)
{
    return &modes[bits == 64 ? 0 : bits == 32 ? 1 : 2];
}

uint64_t mode_base(const struct icase *k, enum x86_sreg seg)
{
    if (k->code_bits != 64)
        return mode_of(k->code_bits)->seg[seg].base;
    return seg == SEG_FS ? k->in.fs_base : seg == SEG_GS ? k->in.gs_base : 0;
}

unsigned case_code(const struct icase *k, uint8_t code[CASE_CODE])
{
    /* Through a pointer that is aligned (the case may have set AC) and needs no register. */
    static const uint8_t jump64[] = {
        0xff, 0x24, 0x25, CTX_EXIT & 0xff, CTX_EXIT >> 8 & 0xff, CTX_EXIT >> 16 & 0xff, CTX_EXIT >> 24};
    /* Far, with a 32-bit offset. */
    static const uint8_t far[] = {
        0x66, 0xea, CTX_LOW & 0xff, CTX_LOW >> 8 & 0xff, CTX_LOW >> 16 & 0xff, CTX_LOW >> 24, SEL_USER_CS, 0};
    const unsigned n = case_exit_len(k->code_bits);
    memcpy(code, k->bytes, k->len);
    memcpy(code + k->len, k->code_bits == 64 ? jump64 : k->code_bits == 32 ? far + 1 : far, n);
    return k->len + n;
}
