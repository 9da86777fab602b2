/*
 * gen.c: from a form and a case number to an instruction with all its state.
 *
 * Everything is random first; then what the instruction needs is put right: counts made small, branch targets
 * laid into the code pages, and last the registers of each memory operand, so that it lies where it was meant
 * to: in the data pages, over their ends, or somewhere that faults.
 */
#include "gen.h"

#include "mode.h"
#include "values.h"

struct maker {
    const struct gen *g;
    struct rng r;
    struct icase *k;
    struct x86_decoded *d;
};

/* ---- places ---- */

static unsigned reg_number(ZydisRegister reg)
{
    return (unsigned)ZydisRegisterGetId(reg) & 15;
}

static void add_patch(struct icase *k, uint64_t va, const void *bytes, unsigned len)
{
    if (va < DATA_VA || va >= DATA_VA + DATA_SIZE || k->npatches == MAX_PATCHES)
        return;
    unsigned off = (unsigned)(va - DATA_VA);
    len = MIN(len, (unsigned)DATA_SIZE - off);
    len = MIN(len, PATCH_BYTES - k->patch_used);
    if (!len)
        return;
    struct patch *p = &k->patch[k->npatches++];
    *p = (struct patch){.off = (uint16_t)off, .len = (uint16_t)len, .at = k->patch_used};
    memcpy(k->patch_bytes + p->at, bytes, len);
    k->patch_used += (uint16_t)len;
}

/* Is it clear of the instruction and what follows it, also when cut to the code's size? */
static bool clear_of_case(const struct icase *k, uint64_t to)
{
    to &= mask_bytes(k->code_bits / 8);
    return to + 16 < k->in.rip || to > k->in.rip + k->len + case_exit_len(k->code_bits);
}
/* An instruction pointer that a branch may go to: on INT3s. */
static uint64_t code_target(struct maker *m)
{
    for (;;) {
        uint64_t to = CODE_VA - mode_base(m->k, SEG_CS) + rng_below(&m->r, CODE_SIZE);
        if (clear_of_case(m->k, to))
            return to;
    }
}
/* The same, and at times a place that faults. */
static uint64_t branch_target(struct maker *m)
{
    const uint64_t base = mode_base(m->k, SEG_CS);
    for (;;) {
        uint64_t to;
        switch (rng_below(&m->r, 32)) {
        case 0: to = CODE_VA + CODE_SIZE - base + rng_below(&m->r, 64); break;
        case 1: to = DATA_VA - base + rng_below(&m->r, DATA_SIZE); break; /* not executable */
        case 2: to = 0x800000000000ull + (rng64(&m->r) >> 20); break;
        default: return code_target(m);
        }
        if (clear_of_case(m->k, to))
            return to;
    }
}

static uint64_t noncanonical(struct rng *r)
{
    return (0x0000800000000000ull | rng64(r) >> 17) + ((rng64(r) & 0x7ffe) << 48);
}

/* Where a memory operand of `size` bytes is to lie. */
static uint64_t place(struct maker *m, unsigned size, unsigned align)
{
    struct rng *r = &m->r;
    unsigned how = rng_below(r, 100);
    const uint64_t end = DATA_VA + DATA_SIZE, rend = end + RO_SIZE;
    uint64_t mid = DATA_VA + 512 + rng_below(r, DATA_SIZE - 2048);
    uint64_t into = size > 1 ? 1 + rng_below(r, size - 1) : 0;
    if (how < 62)
        return align_down(mid, align);
    if (how < 82)
        return mid;
    if (how < 89) /* over a page border */
        return DATA_VA + PAGE_SIZE - into;
    if (how < 91) /* over the end of what is writable */
        return end - into;
    if (how < 93)
        return align_down(end + 64 + rng_below(r, RO_SIZE - 1024), align);
    if (how < 95) /* the last bytes, or over the end */
        return rend - (rng_chance(r, 50) ? size : into);
    if (how < 96) /* over the beginning */
        return DATA_VA - into;
    if (how < 97) /* the first bytes; the last writable ones */
        return rng_chance(r, 50) ? DATA_VA : end - size;
    if (how < 98)
        return align_down(rend + rng_below(r, PAGE_SIZE), align);
    return 0; /* non-canonical, where a register can make it so */
}

/* ---- memory operands ---- */

static uint64_t segment_base(const struct maker *m, const ZydisDecodedOperandMem *mem)
{
    unsigned n = mem->segment - ZYDIS_REGISTER_ES; /* ES CS SS DS FS GS: as in enum x86_sreg */
    return mode_base(m->k, n < 6 ? (enum x86_sreg)n : SEG_DS);
}

static void set_disp(struct maker *m, int64_t disp)
{
    unsigned size = m->d->i.raw.disp.size / 8;
    memcpy(m->k->bytes + m->d->i.raw.disp.offset, &disp, size);
}

/* Indices of a gather: near the base, now and then far. */
static void place_vector_index(struct maker *m, const ZydisDecodedOperandMem *mem)
{
    unsigned n = reg_number(mem->index);
    bool wide =
        m->d->i.mnemonic == ZYDIS_MNEMONIC_VPGATHERQD || m->d->i.mnemonic == ZYDIS_MNEMONIC_VPGATHERQQ ||
        m->d->i.mnemonic == ZYDIS_MNEMONIC_VGATHERQPS || m->d->i.mnemonic == ZYDIS_MNEMONIC_VGATHERQPD;
    int32_t reach = (int32_t)(1800 / mem->scale);
    for (unsigned at = 0; at < 32; at += wide ? 8 : 4) {
        int64_t v = (int64_t)rng_below(&m->r, (unsigned)(2 * reach)) - reach;
        if (rng_chance(&m->r, 2))
            v *= 64;
        uint8_t *to = m->k->in.xsave + (at < 16 ? XS_XMM : XS_YMM_HI) + 16 * n + at % 16;
        memcpy(to, &v, wide ? 8 : 4);
    }
}

/*
 * Choose base and index so that the operand's address becomes `to`; returns what it has become (the scale may
 * not divide). 0 stands for a non-canonical address.
 */
static uint64_t aim(struct maker *m, const ZydisDecodedOperandMem *mem, uint64_t to)
{
    struct icase *k = m->k;
    uint64_t *gpr = k->in.gpr;
    const unsigned width = m->d->i.address_width;
    const bool narrow = width != 64, has_base = mem->base != ZYDIS_REGISTER_NONE,
               vsib = mem->type == ZYDIS_MEMOP_TYPE_VSIB,
               has_index = mem->index != ZYDIS_REGISTER_NONE && !vsib,
               rip = mem->base == ZYDIS_REGISTER_RIP || mem->base == ZYDIS_REGISTER_EIP;
    const unsigned base = reg_number(mem->base), index = reg_number(mem->index);
    if (vsib) {
        place_vector_index(m, mem);
        to = DATA_VA + 2048 + rng_below(&m->r, 4096);
        if (rng_chance(&m->r, 6))
            to += RO_SIZE + 2048;
    }
    if (!to)
        to = has_base && !rip && !narrow ? noncanonical(&m->r) : DATA_VA + 1024;
    const uint64_t ea = to - segment_base(m, mem);
    const uint64_t mask = mask_bytes(width / 8);
    if (rip) {
        set_disp(m, (int64_t)(ea - (k->in.rip + k->len)));
        return to;
    }
    if (!has_base && !has_index) {
        if (mem->disp.has_displacement && m->d->i.raw.disp.size == 64)
            set_disp(m, (int64_t)ea);
        else if (m->d->i.raw.disp.size)
            set_disp(m, (int32_t)ea);
        return to;
    }
    uint64_t disp = (uint64_t)mem->disp.value, rest = ea - disp;
    if (has_index && has_base && index != base) {
        gpr[index] = narrow || rng_chance(&m->r, 60) ? value_gpr(&m->r) : rng_below(&m->r, 64);
        gpr[base] = rest - (gpr[index] & mask) * mem->scale;
    } else if (has_index) {
        unsigned times = mem->scale + (has_base ? 1 : 0);
        rest &= mask;
        gpr[index] = rest / times;
        to -= rest % times;
    } else {
        gpr[base] = rest;
    }
    if (narrow) { /* the upper parts do not matter */
        if (has_base)
            gpr[base] = (gpr[base] & mask) | (rng64(&m->r) << width);
        if (has_index && index != base)
            gpr[index] = (gpr[index] & mask) | (rng64(&m->r) << width);
        else if (has_index)
            to = (((gpr[index] & mask) * (mem->scale + (has_base ? 1u : 0u)) + disp) & mask) +
                 segment_base(m, mem);
    }
    return to;
}

static unsigned alignment_of(unsigned size)
{
    return size >= 64   ? 64
           : size >= 32 ? 32
           : size >= 16 ? 16
           : size >= 8  ? 8
           : size >= 4  ? 4
           : size       ? size
                        : 1;
}

/* ---- what lies in memory ---- */

/* An image that FXRSTOR or XRSTOR takes, most of the time. */
static void patch_image(struct maker *m, uint64_t at)
{
    _Alignas(64) uint8_t image[XSAVE_SIZE];
    struct rng *r = &m->r;
    value_xsave(r, image, m->g->misaligned_mode);
    uint64_t bv = rng_below(r, 8);
    memcpy(image + XS_BV, &bv, 8);
    if (rng_chance(r, 30)) /* compacted form (SDM 1 13.4.3) */
    {
        uint64_t comp = BIT(63) | bv | rng_below(r, 8);
        memcpy(image + XS_XCOMP, &comp, 8);
    }
    if (rng_chance(r, 5)) {
        unsigned where = rng_below(r, 2) ? XS_MXCSR + 2 + rng_below(r, 2) : XS_BV + rng_below(r, 64);
        image[where] ^= (uint8_t)BIT(rng_below(r, 8));
    }
    for (unsigned i = 0; i < 16; i += 8) /* what the host's system has and the guest's has not */
        store_le(image + XS_BV + i, load_le(image + XS_BV + i, 8) & ~m->g->foreign_xcr0, 8);
    add_patch(m->k, at, image, XSAVE_SIZE);
}

static void patch_operand(struct maker *m, uint64_t at, unsigned size)
{
    uint8_t v[96];
    struct rng *r = &m->r;
    switch (m->d->i.mnemonic) {
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
    case ZYDIS_MNEMONIC_XRSTOR:
    case ZYDIS_MNEMONIC_XRSTOR64:
    case ZYDIS_MNEMONIC_XSAVE: /* keep what they leave alone */
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEOPT:
    case ZYDIS_MNEMONIC_XSAVEOPT64: patch_image(m, at); return;
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_VLDMXCSR: {
        uint32_t x = value_mxcsr(r, m->g->misaligned_mode);
        if (rng_chance(r, 15))
            x ^= 1u << rng_below(r, 32);
        add_patch(m->k, at, &x, 4);
        return;
    }
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFD:
    case ZYDIS_MNEMONIC_POPFQ: {
        uint64_t x = rng64(r) & ~(uint64_t)FL_TF;
        add_patch(m->k, at, &x, 8);
        return;
    }
    case ZYDIS_MNEMONIC_FLD:
    case ZYDIS_MNEMONIC_FBLD:
        if (size == 10) {
            value_x87(r, v);
            if (m->d->i.mnemonic == ZYDIS_MNEMONIC_FBLD && rng_chance(r, 90))
                for (unsigned i = 0; i < 9; i++)
                    v[i] = (uint8_t)(rng_below(r, 10) << 4 | rng_below(r, 10));
            add_patch(m->k, at, v, 10);
            return;
        }
        break;
    case ZYDIS_MNEMONIC_RET: {
        uint64_t x = branch_target(m);
        add_patch(m->k, at, &x, 8);
        return;
    }
    case ZYDIS_MNEMONIC_JMP:
    case ZYDIS_MNEMONIC_CALL:
        if (m->d->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY) {
            uint64_t x = branch_target(m);
            add_patch(m->k, at, &x, 8);
        }
        return;
    default: break;
    }
    value_vector(r, v, sizeof(v));
    unsigned before = rng_chance(r, 30) ? rng_below(r, 17) : 0;
    add_patch(m->k, at - before, v, MIN((unsigned)sizeof(v), MAX(size, 8u) + before));
}

/* A bit string's offset register: near its base most of the time (SDM 1 3.1.1.9). */
static void near_bit_offset(struct maker *m)
{
    const ZydisDecodedOperand *o = &m->d->op[1];
    if (m->d->op[0].type != ZYDIS_OPERAND_TYPE_MEMORY || o->type != ZYDIS_OPERAND_TYPE_REGISTER)
        return;
    int64_t bit = (int64_t)rng_below(&m->r, 8000) - 4000;
    uint64_t *g = &m->k->in.gpr[reg_number(o->reg.value)];
    if (o->size == 16)
        *g = (*g & ~0xffffull) | (uint16_t)bit;
    else if (o->size == 32)
        *g = (*g & ~0xffffffffull) | (uint32_t)bit;
    else
        *g = (uint64_t)bit;
}

static void place_operands(struct maker *m)
{
    struct x86_decoded *d = m->d;
    uint64_t first = 0;
    for (unsigned n = 0; n < d->i.operand_count; n++) {
        const ZydisDecodedOperand *o = &d->op[n];
        if (o->type != ZYDIS_OPERAND_TYPE_MEMORY || o->mem.type == ZYDIS_MEMOP_TYPE_AGEN)
            continue;
        unsigned size = o->size ? o->size / 8 : 64, align = alignment_of(size);
        uint64_t at = place(m, size, align);
        /* Two operands of a string instruction may overlap. */
        if (first && rng_chance(&m->r, 40) &&
            (o->mem.base == ZYDIS_REGISTER_RSI || o->mem.base == ZYDIS_REGISTER_RDI))
            at = first + (uint64_t)((int64_t)rng_below(&m->r, 40) - 20);
        if (at && o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && o->mem.base == ZYDIS_REGISTER_RSP &&
            (o->actions & ZYDIS_OPERAND_ACTION_WRITE))
            at += size; /* a push */
        bool popf = d->i.mnemonic == ZYDIS_MNEMONIC_POPF || d->i.mnemonic == ZYDIS_MNEMONIC_POPFD ||
                    d->i.mnemonic == ZYDIS_MNEMONIC_POPFQ;
        if (popf && at < RO_VA + RO_SIZE && at + size > RO_VA) /* an image without TF is needed */
            at = DATA_VA + 4096;
        at = aim(m, &o->mem, at);
        first = first ? first : at;
        if (at >= DATA_VA && at < DATA_VA + DATA_SIZE)
            patch_operand(m, at, size);
    }
}

/* ---- instructions with wishes of their own ---- */

static void set_low(uint64_t *g, uint64_t v, unsigned width_bits)
{
    uint64_t mask = width_bits >= 64 ? ~0ull : BIT(width_bits) - 1;
    *g = (*g & ~mask) | (v & mask);
}

static void wishes(struct maker *m)
{
    struct rng *r = &m->r;
    uint64_t *gpr = m->k->in.gpr;
    const struct x86_decoded *d = m->d;
    const ZydisInstructionAttributes rep =
        ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;
    if (d->i.attributes & rep) {
        uint64_t n = rng_chance(r, 12) ? 0 : rng_chance(r, 70) ? rng_below(r, 9) : rng_below(r, 70);
        set_low(&gpr[RCX], n, d->i.address_width);
        if (rng_chance(r, 40)) /* SCAS finds or misses */
            memset(&gpr[RAX], (int)(rng64(r) & 0x81), 8);
        return;
    }
    switch (d->i.mnemonic) {
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD: {
        static const uint8_t counts[] = {0,  1,  7,  8,  9,  15, 16, 17,   18,
                                         27, 31, 32, 33, 63, 64, 65, 0x80, 0xff};
        uint64_t n = rng_chance(r, 60) ? counts[rng_below(r, sizeof(counts))] : rng64(r);
        set_low(&gpr[RCX], n, 8);
        for (unsigned i = 0; i < 2; i++) /* an immediate the same way */
            if (d->i.raw.imm[i].size == 8)
                m->k->bytes[d->i.raw.imm[i].offset] = (uint8_t)n;
        break;
    }
    case ZYDIS_MNEMONIC_DIV:
    case ZYDIS_MNEMONIC_IDIV: {
        unsigned width = d->op[0].size;
        bool is_signed = d->i.mnemonic == ZYDIS_MNEMONIC_IDIV;
        uint64_t high = is_signed && gpr[RAX] >> (width - 1) & 1 ? ~0ull : 0;
        if (rng_chance(r, 25))
            high = rng_below(r, 4);
        if (width == 8)
            set_low(&gpr[RAX], (gpr[RAX] & 0xff) | (rng_chance(r, 50) ? high : rng_below(r, 64)) << 8, 16);
        else if (rng_chance(r, 85))
            set_low(&gpr[RDX], high, width);
        break;
    }
    case ZYDIS_MNEMONIC_LOOP:
    case ZYDIS_MNEMONIC_LOOPE:
    case ZYDIS_MNEMONIC_LOOPNE:
    case ZYDIS_MNEMONIC_JRCXZ:
    case ZYDIS_MNEMONIC_JECXZ:
        if (rng_chance(r, 70))
            set_low(&gpr[RCX], rng_below(r, 3), d->i.address_width);
        break;
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC: near_bit_offset(m); break;
    case ZYDIS_MNEMONIC_BEXTR:
    case ZYDIS_MNEMONIC_BZHI: {
        uint64_t *g = &gpr[reg_number(d->op[2].reg.value)];
        *g = (*g & ~0xffffull) | (rng64(r) & 0x4f4f);
        break;
    }
    case ZYDIS_MNEMONIC_JMP:
    case ZYDIS_MNEMONIC_CALL:
        if (d->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER)
            gpr[reg_number(d->op[0].reg.value)] = branch_target(m);
        break;
    case ZYDIS_MNEMONIC_XSAVE:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEOPT:
    case ZYDIS_MNEMONIC_XSAVEOPT64:
    case ZYDIS_MNEMONIC_XSAVEC:
    case ZYDIS_MNEMONIC_XSAVEC64:
    case ZYDIS_MNEMONIC_XRSTOR:
    case ZYDIS_MNEMONIC_XRSTOR64:
        if (rng_chance(r, 80)) {
            gpr[RAX] = rng_below(r, 8);
            gpr[RDX] = 0;
        }
        /* Not what the host's system has switched on and the guest's has not. */
        gpr[RAX] &= ~(uint64_t)(uint32_t)m->g->foreign_xcr0;
        gpr[RDX] &= ~(m->g->foreign_xcr0 >> 32);
        break;
    case ZYDIS_MNEMONIC_CMPXCHG:
        if (d->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER && rng_chance(r, 50))
            gpr[RAX] = gpr[reg_number(d->op[0].reg.value)];
        break;
    case ZYDIS_MNEMONIC_PCMPESTRI:
    case ZYDIS_MNEMONIC_PCMPESTRM:
    case ZYDIS_MNEMONIC_VPCMPESTRI:
    case ZYDIS_MNEMONIC_VPCMPESTRM:
        if (rng_chance(r, 80)) {
            gpr[RAX] = (uint64_t)((int64_t)rng_below(r, 40) - 20);
            gpr[RDX] = (uint64_t)((int64_t)rng_below(r, 40) - 20);
        }
        break;
    default: break;
    }
}

/* CMPXCHG and CMPXCHG8B/16B on memory: equal half of the time. Behind the placing of operands. */
static void equal_comparands(struct maker *m)
{
    const struct x86_decoded *d = m->d;
    struct icase *k = m->k;
    bool pair = d->i.mnemonic == ZYDIS_MNEMONIC_CMPXCHG8B || d->i.mnemonic == ZYDIS_MNEMONIC_CMPXCHG16B;
    if ((!pair && d->i.mnemonic != ZYDIS_MNEMONIC_CMPXCHG) || d->op[0].type != ZYDIS_OPERAND_TYPE_MEMORY ||
        !k->npatches || rng_chance(&m->r, 50))
        return;
    uint8_t *v = k->patch_bytes + k->patch[0].at;
    unsigned half = d->op[0].size / 16, len = k->patch[0].len;
    if (pair && len >= 2 * half) {
        memcpy(v, &k->in.gpr[RAX], half);
        memcpy(v + half, &k->in.gpr[RDX], half);
    } else if (!pair) {
        memcpy(v, &k->in.gpr[RAX], MIN(8u, len));
    }
}

static void immediates(struct maker *m)
{
    const struct x86_decoded *d = m->d;
    struct icase *k = m->k;
    for (unsigned i = 0; i < 2; i++) {
        unsigned size = d->i.raw.imm[i].size / 8;
        if (!size)
            continue;
        uint64_t v;
        if (d->i.raw.imm[i].is_relative) {
            uint64_t next = k->in.rip + k->len;
            do
                v = (size == 1 ? code_target(m) : branch_target(m)) - next;
            while (size == 1 ? (int64_t)v != (int8_t)v : size == 4 && (int64_t)v != (int32_t)v);
        } else {
            v = value_gpr(&m->r);
        }
        if (d->i.mnemonic == ZYDIS_MNEMONIC_ENTER)
            v = i ? rng_below(&m->r, 70) : rng_below(&m->r, rng_chance(&m->r, 80) ? 512 : 0x10000);
        if (d->i.raw.imm[i].size > 8 && d->i.mnemonic == ZYDIS_MNEMONIC_RET)
            v = rng64(&m->r);
        memcpy(k->bytes + d->i.raw.imm[i].offset, &v, size);
    }
}

/* Where the instruction stands: in the first page; over the border of the two; over the end of the second. */
static uint64_t instruction_place(struct maker *m)
{
    const uint64_t code = CODE_VA - mode_base(m->k, SEG_CS);
    unsigned how = rng_below(&m->r, 100), len = m->k->len;
    if (how < 94)
        return code + 0x200 + rng_below(&m->r, 64);
    if (how < 99 || len < 2)
        return code + PAGE_SIZE - rng_below(&m->r, len);
    return code + CODE_SIZE - 1 - rng_below(&m->r, len - 1);
}

/* XSAVE and kin: registers that name components cannot be aimed. Every such form has encodings without. */
static bool mask_is_address(const struct x86_decoded *d)
{
    if (d->i.meta.category != ZYDIS_CATEGORY_XSAVE && d->i.meta.category != ZYDIS_CATEGORY_XSAVEOPT)
        return false;
    for (unsigned n = 0; n < d->i.operand_count_visible; n++) {
        const ZydisDecodedOperandMem *mem = &d->op[n].mem;
        if (d->op[n].type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        const ZydisRegister regs[2] = {mem->base, mem->index};
        for (unsigned i = 0; i < 2; i++)
            if (regs[i] != ZYDIS_REGISTER_NONE && (ZydisRegisterGetId(regs[i]) & ~2) == 0) /* RAX, RDX */
                return true;
    }
    return false;
}

/*
 * Prefixes in any order and number, LOCK and repeat prefixes where they do not belong, and instructions of
 * more than 15 bytes. What comes out may be another instruction, or none: then both sides are to say so.
 * False: it is one that cannot be compared, and the bytes are as before.
 */
static bool spoil(struct maker *m)
{
    static const uint8_t prefixes[] = {0x66, 0x66, 0x67, 0x67, 0xf2, 0xf3, 0xf0, 0x26, 0x2e, 0x36, 0x3e};
    const struct forms *f = m->g->forms;
    if (form_has_control_register(
            m->d)) /* LOCK MOV CR0 is CR8 on an AMD host; the guest's CPUID has not that */
        return false;
    uint8_t bytes[CASE_BYTES];
    struct x86_decoded d;
    const unsigned more = rng_chance(&m->r, 15) ? CASE_BYTES - m->k->len : 1 + rng_below(&m->r, 4);
    const unsigned len = MIN(m->k->len + more, (unsigned)CASE_BYTES);
    /* Some in front of all, some in front of the REX prefix or opcode. */
    for (unsigned i = 0; i < len - m->k->len; i++) {
        bytes[i] = prefixes[rng_below(&m->r, sizeof(prefixes))];
        if (f->code_bits == 64 && rng_chance(&m->r, 10)) /* a REX prefix that is not the last counts not */
            bytes[i] = 0x40 | (uint8_t)rng_below(&m->r, 16);
    }
    memcpy(bytes + (len - m->k->len), m->k->bytes, m->k->len);
    enum x86_decode_result result = x86_decode(&f->decoder, f->code_bits, bytes, len, &d);
    if (result == X86_TRUNCATED)
        return false;
    if (result == X86_DECODED &&
        (d.i.length != len || !isa_offered(m->g->model, d.i.meta.isa_set) ||
         d.i.encoding > ZYDIS_INSTRUCTION_ENCODING_3DNOW || form_excluded(&d) || mask_is_address(&d)))
        return false;
    memcpy(m->k->bytes, bytes, len);
    m->k->len = (uint8_t)len;
    m->k->undecoded = result != X86_DECODED;
    if (m->k->undecoded)
        memset(m->d, 0, sizeof(*m->d));
    else
        *m->d = d;
    return true;
}

void gen_case(const struct gen *g, uint64_t number, struct icase *k, struct x86_decoded *d)
{
    struct maker m = {.g = g, .k = k, .d = d};
    k->form = (uint32_t)(number % g->forms->count);
    k->number = number;
    k->code_bits = (uint8_t)g->forms->code_bits;
    k->npatches = 0;
    k->patch_used = 0;
    rng_init(&m.r, g->seed, number);
    do
        k->len = (uint8_t)form_encode(g->forms, &g->forms->form[k->form], &m.r, g->fsgsbase, k->bytes, d);
    while (mask_is_address(d));
    k->undecoded = false;
    if (rng_chance(&m.r, 5))
        spoil(&m);
    for (unsigned i = 0; i < X86_NGPR; i++)
        k->in.gpr[i] = value_gpr(&m.r);
    k->in.rflags = value_flags(&m.r);
    k->in.fs_base = g->fsgsbase ? DATA_VA + rng_below(&m.r, 4096) : 0;
    k->in.gs_base = g->fsgsbase ? DATA_VA - rng_below(&m.r, 4096) : 0;
    if (k->code_bits != 64) {
        k->in.fs_base = mode_base(k, SEG_FS);
        k->in.gs_base = mode_base(k, SEG_GS);
    }
    value_xsave(&m.r, k->in.xsave, g->misaligned_mode);
    k->in.rip = instruction_place(&m);
    immediates(&m);
    wishes(&m);
    place_operands(&m);
    equal_comparands(&m);
    if (k->code_bits != 64) /* upper halves are not to be seen */
        for (unsigned i = 0; i < 8; i++)
            k->in.gpr[i] = (uint32_t)k->in.gpr[i];
    /* What was varied behind the decoder's back: displacement and immediates. */
    if (!k->undecoded)
        x86_decode(&g->forms->decoder, k->code_bits, k->bytes, k->len, d);
}
