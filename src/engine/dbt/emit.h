/*
 * engine/dbt/emit.h: the machine-code emitter: x86-64 instructions with the operand kinds that the translator
 * needs, into a bounded buffer.
 *
 * `at` positions are offsets into the code cache; relative jumps count from them, so that the same bytes run
 * at the cache's other mapping.
 */
#ifndef ENGINE_DBT_EMIT_H
#define ENGINE_DBT_EMIT_H

#include "base/base.h"

/* Host registers, in encoding order. */
enum hreg {
    H_RAX,
    H_RCX,
    H_RDX,
    H_RBX,
    H_RSP,
    H_RBP,
    H_RSI,
    H_RDI,
    H_R8,
    H_R9,
    H_R10,
    H_R11,
    H_R12,
    H_R13,
    H_R14,
    H_R15,
    H_NONE = 0xff
};

struct emit {
    uint8_t *buf;  /* the cache, writable */
    uint32_t at;   /* where the next byte goes */
    uint32_t end;  /* nothing goes here or behind */
    bool overflow; /* something did not fit; what was emitted is to be thrown away */
};

/* A memory operand of the host. */
struct hmem {
    uint8_t base, index; /* enum hreg or H_NONE */
    uint8_t scale;       /* 1, 2, 4, 8 */
    bool gs;             /* relative to gs: the vCPU block */
    int32_t disp;
};
static inline struct hmem gs_at(size_t offset)
{
    return (struct hmem){H_NONE, H_NONE, 1, true, (int32_t)offset};
}
static inline struct hmem mem_at(enum hreg base, int32_t disp)
{
    return (struct hmem){(uint8_t)base, H_NONE, 1, false, disp};
}

/* Operand size: selects REX.W or the 66 prefix. */
enum { OP8 = 1, OP16 = 2, OP32 = 4, OP64 = 8 };

void emit_u8(struct emit *e, uint8_t v);
void emit_u32(struct emit *e, uint32_t v);
void emit_u64(struct emit *e, uint64_t v);
void emit_bytes(struct emit *e, const void *bytes, unsigned n);

/*
 * An instruction with ModRM. opcode: one byte, or 0x0fNN. `reg` goes to ModRM.reg (a register or an opcode
 * extension). size 8-bit forms force a REX prefix where the register needs one.
 */
void emit_op_rr(struct emit *e, unsigned size, unsigned opcode, unsigned reg, unsigned rm);
void emit_op_rm(struct emit *e, unsigned size, unsigned opcode, unsigned reg, struct hmem m);
/* ModRM, SIB and displacement alone; `reg` low three bits. */
void emit_modrm_mem(struct emit *e, unsigned reg, struct hmem m);

static inline void emit_mov_rr(struct emit *e, unsigned size, enum hreg to, enum hreg from)
{
    emit_op_rr(e, size, 0x8b, to, from);
}
static inline void emit_load(struct emit *e, unsigned size, enum hreg to, struct hmem m)
{
    emit_op_rm(e, size, 0x8b, to, m);
}
static inline void emit_store(struct emit *e, unsigned size, struct hmem m, enum hreg from)
{
    emit_op_rm(e, size, 0x89, from, m);
}
static inline void emit_lea(struct emit *e, unsigned size, enum hreg to, struct hmem m)
{
    emit_op_rm(e, size, 0x8d, to, m);
}
void emit_mov_imm32(struct emit *e, enum hreg to, uint32_t v); /* zero-extended */
void emit_mov_imm64(struct emit *e, enum hreg to, uint64_t v);
/* ALU with immediate: ext is the /digit of opcode 83 or 81 (0 add, 4 and, 5 sub, 7 cmp). */
void emit_alu_imm(struct emit *e, unsigned size, unsigned ext, enum hreg r, int32_t imm);
void emit_alu_imm_mem(struct emit *e, unsigned size, unsigned ext, struct hmem m, int32_t imm);

/* Conditions as in opcodes 70 to 7F. */
enum hcond {
    HC_O,
    HC_NO,
    HC_B,
    HC_AE,
    HC_E,
    HC_NE,
    HC_BE,
    HC_A,
    HC_S,
    HC_NS,
    HC_P,
    HC_NP,
    HC_L,
    HC_GE,
    HC_LE,
    HC_G
};

/* Jumps with a 32-bit displacement to `target`, or to be patched: they return where the displacement lies. */
uint32_t emit_jmp(struct emit *e, uint32_t target);
uint32_t emit_jcc(struct emit *e, enum hcond c, uint32_t target);
uint32_t emit_call(struct emit *e, uint32_t target);
void emit_jmp_mem(struct emit *e, struct hmem m);
void emit_jmp_reg(struct emit *e, enum hreg r);
/* Let the displacement at `where` reach `target`. */
void emit_patch(struct emit *e, uint32_t where, uint32_t target);

#endif
