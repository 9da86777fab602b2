/*
 * fp_mask.c: instructions whose memory operand is made of elements chosen by a mask: MASKMOVQ, MASKMOVDQU,
 * VMASKMOV, VPMASKMOV and the gathers. Only chosen elements are touched and can fault.
 */
#include "engine/interp/fp.h"

/* Element at `offset` from effective address ea: it does not wrap with the address size (seen on Zen 5). */
static bool element_address(struct interp *v, const struct insn *in, uint64_t ea, uint64_t offset,
                            unsigned size, unsigned acc, uint64_t *lin)
{
    ea += offset;
    if (UNLIKELY(in->flags & IN_SEG))
        return seg_address(v, IN_SEG_NO(in->flags), ea, size, acc, lin);
    *lin = ea + R64AT(v, in->sbase);
    return true;
}

/* Element i of a mask is its highest bit. */
static bool chosen(const uint8_t *mask, unsigned i, unsigned size)
{
    return mask[i * size + size - 1] & 0x80;
}

/* Elements are exempt from alignment checks (seen on Zen 3), which the TLB would make. */
static bool read_element(struct interp *v, uint64_t lin, void *buf, unsigned size)
{
    if (UNLIKELY(v->tlb == v->tlbs[BANK_CHECKED]))
        return fp_read(v, lin, buf, size);
    return ld_lin(v, lin, buf, size);
}
static bool write_element(struct interp *v, uint64_t lin, const void *buf, unsigned size)
{
    if (UNLIKELY(v->tlb == v->tlbs[BANK_CHECKED]))
        return fp_write(v, lin, buf, size);
    return st_lin(v, lin, buf, size);
}

/* Store the chosen elements; nothing is stored when one of them faults. */
static bool masked_store(struct interp *v, const struct insn *in, uint64_t ea, const uint8_t *data,
                         const uint8_t *mask, unsigned size, unsigned total)
{
    uint64_t lin;
    for (unsigned i = 0; i < total / size; i++)
        if (chosen(mask, i, size) &&
            (!element_address(v, in, ea, i * size, size, ACC_WRITE, &lin) || !fp_probe(v, lin, size)))
            return false;
    for (unsigned i = 0; i < total / size; i++)
        if (chosen(mask, i, size) && (!element_address(v, in, ea, i * size, size, ACC_WRITE, &lin) ||
                                      !write_element(v, lin, data + i * size, size)))
            return false;
    return true;
}

/* ---- MASKMOVDQU, MASKMOVQ; dst: data, src: mask, the address is DS:rDI; imm: unit ---- */

static ALWAYS_INLINE const struct insn *maskmov_bytes(struct interp *v, const struct insn *in,
                                                      enum fp_unit unit, unsigned total)
{
    uint64_t ea = insn_ea(v, in), lin;
    if (!fp_usable(v, unit))
        return fp_unusable(v, in, unit);
    uint8_t data[16], mask[16];
    memcpy(data, fp_operand(v, in->dst), total);
    memcpy(mask, fp_operand(v, in->src), total);
    /* AMD's checks the whole operand, whatever the mask, and enters MMX state before: seen on Zen 3. */
    bool amd = !v->thunks->intel, ok = true;
    if (amd && unit == UNIT_MMX)
        fp_mmx_done(v, 0xff);
    if (amd)
        ok = element_address(v, in, ea, 0, total, ACC_WRITE, &lin) && fp_alignment(v, lin, 7) &&
             fp_probe(v, lin, total);
    if (!ok || !masked_store(v, in, ea, data, mask, 1, total))
        return insn_fault(v, in);
    if (unit == UNIT_MMX)
        fp_mmx_done(v, 0xff);
    return in + 1;
}
OP(maskmovq)
{
    return maskmov_bytes(v, in, UNIT_MMX, 8);
}
OP(maskmovdqu)
{
    return maskmov_bytes(v, in, UNIT_SSE, 16);
}
OP(vmaskmovdqu)
{
    return maskmov_bytes(v, in, UNIT_AVX, 16);
}

static uint16_t operand(const struct sel *s, unsigned op)
{
    ZydisRegister r = s->d.op[op].reg.value;
    uint16_t id = (uint16_t)ZydisRegisterGetId(r);
    return ZydisRegisterGetClass(r) == ZYDIS_REGCLASS_MMX ? FP_MM | id : fp_vector(id);
}
static bool select_maskmov_bytes(struct sel *s, struct insn *in, unsigned unit)
{
    for (unsigned op = s->nops; op < s->d.i.operand_count; op++)
        if (sel_is_mem(s, op))
            sel_mem(s, in, op);
    in->dst = operand(s, 0);
    in->src = operand(s, 1);
    in->fn = unit == UNIT_MMX ? maskmovq : unit == UNIT_SSE ? maskmovdqu : vmaskmovdqu;
    return true;
}

/* ---- VMASKMOVPS and others; imm: bytes in all, osz: bytes of an element ---- */

OP(vmaskmov_load)
{
    unsigned total = (unsigned)in->imm, size = in->osz;
    uint8_t a[32] = {0};
    if (!fp_usable(v, UNIT_AVX))
        return fp_unusable(v, in, UNIT_AVX);
    uint64_t ea = insn_ea(v, in), lin;
    for (unsigned i = 0; i < total / size; i++)
        if (chosen(&R8AT(v, in->src), i, size) &&
            (!element_address(v, in, ea, i * size, size, ACC_READ, &lin) ||
             !read_element(v, lin, a + i * size, size)))
            return insn_fault(v, in);
    memcpy(&R8AT(v, in->dst), a, 32);
    fp_touch(v, UNIT_AVX);
    return in + 1;
}
OP(vmaskmov_store)
{
    if (!fp_usable(v, UNIT_AVX))
        return fp_unusable(v, in, UNIT_AVX);
    if (!masked_store(v, in, insn_ea(v, in), &R8AT(v, in->dst), &R8AT(v, in->src), in->osz,
                      (unsigned)in->imm))
        return insn_fault(v, in);
    return in + 1;
}
static bool select_vmaskmov(struct sel *s, struct insn *in, unsigned element)
{
    bool to_mem = sel_is_mem(s, 0);
    sel_mem(s, in, to_mem ? 0 : 2);
    in->dst = operand(s, to_mem ? 2 : 0);
    in->src = operand(s, 1);
    in->osz = (uint8_t)element;
    in->imm = ZydisRegisterGetClass(s->d.op[1].reg.value) == ZYDIS_REGCLASS_YMM ? 32 : 16;
    in->fn = to_mem ? vmaskmov_store : vmaskmov_load;
    return true;
}

/* ---- gathers (SDM 2C "VPGATHERDD") ---- */

/*
 * imm: elements, bytes of one, bytes of an index (eight bits each); osz: the index register. The mask loses
 * an element's bits when it has been looked at, so that after a fault the instruction goes on where it was.
 */
OP(gather)
{
    unsigned n = (unsigned)in->imm & 0xff, size = (unsigned)in->imm >> 8 & 0xff,
             isize = (unsigned)in->imm >> 16 & 0xff;
    if (!fp_usable(v, UNIT_AVX))
        return fp_unusable(v, in, UNIT_AVX);
    uint8_t *dst = &R8AT(v, in->dst), *mask = &R8AT(v, in->src);
    const uint8_t *index = &R8AT(v, fp_vector(in->osz));
    uint64_t ea = insn_ea(v, in), wrap = mask_bytes(IN_ASZ_BYTES(in->flags));
    fp_touch(v, UNIT_AVX);
    for (unsigned i = 0; i < n; i++) {
        uint64_t at = (uint64_t)sign_extend(load_le(index + i * isize, isize), isize * 8) << in->scale, lin;
        uint8_t a[8];
        if (chosen(mask, i, size)) {
            if (!element_address(v, in, (ea + at) & wrap, 0, size, ACC_READ, &lin) ||
                !read_element(v, lin, a, size))
                return insn_fault(v, in);
            memcpy(dst + i * size, a, size);
        }
        memset(mask + i * size, 0, size);
    }
    memset(mask + n * size, 0, 32 - n * size);
    memset(dst + n * size, 0, 32 - n * size);
    return in + 1;
}
/* arg: bytes of an element, and from bit 4 on of an index */
static bool select_gather(struct sel *s, struct insn *in, unsigned arg)
{
    unsigned size = arg & 15, isize = arg >> 4, width = s->d.i.raw.vex.L ? 32 : 16;
    if (s->nops != 3 || !sel_is_mem(s, 1))
        return false;
    unsigned dst = (unsigned)ZydisRegisterGetId(s->d.op[0].reg.value),
             index = (unsigned)ZydisRegisterGetId(s->d.op[1].mem.index),
             mask = (unsigned)ZydisRegisterGetId(s->d.op[2].reg.value);
    if (dst == index || dst == mask || index == mask)
        return false;
    sel_mem(s, in, 1);
    in->dst = fp_vector(dst);
    in->src = fp_vector(mask);
    in->osz = (uint8_t)index;
    in->imm = (int32_t)(width / MAX(size, isize) | size << 8 | isize << 16);
    in->fn = gather;
    return true;
}

const struct sel_row fp_mask_rows[] = {
    {ZYDIS_MNEMONIC_MASKMOVQ, select_maskmov_bytes, UNIT_MMX},
    {ZYDIS_MNEMONIC_MASKMOVDQU, select_maskmov_bytes, UNIT_SSE},
    {ZYDIS_MNEMONIC_VMASKMOVDQU, select_maskmov_bytes, UNIT_AVX},
    {ZYDIS_MNEMONIC_VMASKMOVPS, select_vmaskmov, 4},
    {ZYDIS_MNEMONIC_VMASKMOVPD, select_vmaskmov, 8},
    {ZYDIS_MNEMONIC_VPMASKMOVD, select_vmaskmov, 4},
    {ZYDIS_MNEMONIC_VPMASKMOVQ, select_vmaskmov, 8},
    {ZYDIS_MNEMONIC_VGATHERDPS, select_gather, 4 << 4 | 4},
    {ZYDIS_MNEMONIC_VGATHERDPD, select_gather, 4 << 4 | 8},
    {ZYDIS_MNEMONIC_VGATHERQPS, select_gather, 8 << 4 | 4},
    {ZYDIS_MNEMONIC_VGATHERQPD, select_gather, 8 << 4 | 8},
    {ZYDIS_MNEMONIC_VPGATHERDD, select_gather, 4 << 4 | 4},
    {ZYDIS_MNEMONIC_VPGATHERDQ, select_gather, 4 << 4 | 8},
    {ZYDIS_MNEMONIC_VPGATHERQD, select_gather, 8 << 4 | 4},
    {ZYDIS_MNEMONIC_VPGATHERQQ, select_gather, 8 << 4 | 8},
    {0},
};
