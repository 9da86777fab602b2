/*
 * emit.c: the machine-code emitter (SDM 2A 2.1, 2.2: instruction format).
 */
#include "engine/dbt/emit.h"

void emit_u8(struct emit *e, uint8_t v)
{
    if (e->at >= e->end) {
        e->overflow = true;
        return;
    }
    e->buf[e->at++] = v;
}
void emit_bytes(struct emit *e, const void *bytes, unsigned n)
{
    if (e->end - e->at < n) {
        e->overflow = true;
        return;
    }
    memcpy(e->buf + e->at, bytes, n);
    e->at += n;
}
void emit_u32(struct emit *e, uint32_t v)
{
    emit_bytes(e, &v, 4);
}
void emit_u64(struct emit *e, uint64_t v)
{
    emit_bytes(e, &v, 8);
}

/* Prefixes, REX and opcode; x, b: index and base or rm. low8: a byte register that needs REX to be named. */
static void emit_head(struct emit *e, unsigned size, unsigned opcode, unsigned reg, unsigned x, unsigned b,
                      bool gs, bool low8)
{
    if (gs)
        emit_u8(e, 0x65);
    if (size == OP16)
        emit_u8(e, 0x66);
    unsigned rex = (size == OP64 ? 8u : 0) | (reg >> 3 & 1) << 2 | (x >> 3 & 1) << 1 | (b >> 3 & 1);
    if (rex || low8)
        emit_u8(e, (uint8_t)(0x40 | rex));
    if (opcode > 0xff)
        emit_u8(e, (uint8_t)(opcode >> 8));
    emit_u8(e, (uint8_t)opcode);
}

void emit_modrm_mem(struct emit *e, unsigned reg, struct hmem m)
{
    const unsigned r = (reg & 7) << 3;
    const unsigned ss = m.scale == 8 ? 3 : m.scale == 4 ? 2 : m.scale == 2 ? 1 : 0;
    const bool index = m.index != H_NONE;
    if (m.base == H_NONE) { /* SIB without base: disp32, not rip-relative */
        emit_u8(e, (uint8_t)(r | 4));
        emit_u8(e, (uint8_t)(ss << 6 | (index ? (m.index & 7u) << 3 : 4u << 3) | 5));
        emit_u32(e, (uint32_t)m.disp);
        return;
    }
    const bool none = m.disp == 0 && (m.base & 7) != H_RBP, small = m.disp == (int8_t)m.disp;
    const unsigned mod = none ? 0 : small ? 0x40 : 0x80;
    if (index || (m.base & 7) == H_RSP) {
        emit_u8(e, (uint8_t)(mod | r | 4));
        emit_u8(e, (uint8_t)(ss << 6 | (index ? (m.index & 7u) << 3 : 4u << 3) | (m.base & 7u)));
    } else {
        emit_u8(e, (uint8_t)(mod | r | (m.base & 7u)));
    }
    if (mod == 0x40)
        emit_u8(e, (uint8_t)m.disp);
    else if (mod == 0x80)
        emit_u32(e, (uint32_t)m.disp);
}

static unsigned num(uint8_t r)
{
    return r == H_NONE ? 0 : r;
}

void emit_op_rr(struct emit *e, unsigned size, unsigned opcode, unsigned reg, unsigned rm)
{
    emit_head(e, size, opcode, reg, 0, rm, false,
              size == OP8 && ((reg >= H_RSP && reg < H_R8) || (rm >= H_RSP && rm < H_R8)));
    emit_u8(e, (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7)));
}

void emit_op_rm(struct emit *e, unsigned size, unsigned opcode, unsigned reg, struct hmem m)
{
    emit_head(e, size, opcode, reg, num(m.index), num(m.base), m.gs,
              size == OP8 && reg >= H_RSP && reg < H_R8);
    emit_modrm_mem(e, reg, m);
}

void emit_mov_imm32(struct emit *e, enum hreg to, uint32_t v)
{
    if (to >= H_R8)
        emit_u8(e, 0x41);
    emit_u8(e, (uint8_t)(0xb8 | (to & 7)));
    emit_u32(e, v);
}

void emit_mov_imm64(struct emit *e, enum hreg to, uint64_t v)
{
    if (v == (uint32_t)v) {
        emit_mov_imm32(e, to, (uint32_t)v);
        return;
    }
    emit_u8(e, (uint8_t)(0x48 | (to >= H_R8)));
    if (v == (uint64_t)(int64_t)(int32_t)v) {
        emit_u8(e, 0xc7);
        emit_u8(e, (uint8_t)(0xc0 | (to & 7)));
        emit_u32(e, (uint32_t)v);
        return;
    }
    emit_u8(e, (uint8_t)(0xb8 | (to & 7)));
    emit_u64(e, v);
}

void emit_alu_imm(struct emit *e, unsigned size, unsigned ext, enum hreg r, int32_t imm)
{
    bool small = imm == (int8_t)imm;
    emit_op_rr(e, size, small ? 0x83 : 0x81, ext, r);
    if (small)
        emit_u8(e, (uint8_t)imm);
    else
        emit_u32(e, (uint32_t)imm);
}

void emit_alu_imm_mem(struct emit *e, unsigned size, unsigned ext, struct hmem m, int32_t imm)
{
    bool small = imm == (int8_t)imm;
    emit_op_rm(e, size, small ? 0x83 : 0x81, ext, m);
    if (small)
        emit_u8(e, (uint8_t)imm);
    else
        emit_u32(e, (uint32_t)imm);
}

static uint32_t emit_rel32(struct emit *e, uint32_t target)
{
    uint32_t where = e->at;
    emit_u32(e, target - (where + 4));
    return where;
}
uint32_t emit_jmp(struct emit *e, uint32_t target)
{
    emit_u8(e, 0xe9);
    return emit_rel32(e, target);
}
uint32_t emit_jcc(struct emit *e, enum hcond c, uint32_t target)
{
    emit_u8(e, 0x0f);
    emit_u8(e, (uint8_t)(0x80 | c));
    return emit_rel32(e, target);
}
uint32_t emit_call(struct emit *e, uint32_t target)
{
    emit_u8(e, 0xe8);
    return emit_rel32(e, target);
}
void emit_jmp_mem(struct emit *e, struct hmem m)
{
    emit_op_rm(e, OP32, 0xff, 4, m);
}
void emit_jmp_reg(struct emit *e, enum hreg r)
{
    emit_op_rr(e, OP32, 0xff, 4, r);
}

void emit_patch(struct emit *e, uint32_t where, uint32_t target)
{
    if (e->overflow)
        return;
    uint32_t rel = target - (where + 4);
    memcpy(e->buf + where, &rel, 4);
}
