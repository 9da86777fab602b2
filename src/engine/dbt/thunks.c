/*
 * thunks.c: the few pieces of host code that every block shares: into translated code, out of it, and over to
 * the interpreter for one instruction.
 */
#include "engine/dbt/regs.h"
#include "engine/dbt/vcpu.h"

#include <stddef.h>

#define VEC_AT(n) (offsetof(struct dbt_vcpu, ev.i.c.st.fpu.ymm) + 32 * (size_t)(n))
#define MXCSR_AT  offsetof(struct dbt_vcpu, ev.i.c.st.fpu.fx.mxcsr)

static const uint8_t callee_saved[] = {H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15};

static void push_pop(struct emit *e, unsigned opcode, uint8_t r)
{
    if (r >= H_R8)
        emit_u8(e, 0x41);
    emit_u8(e, (uint8_t)(opcode | (r & 7)));
}

static void gprs(struct emit *e, bool load)
{
    for (unsigned g = 0; g < X86_NGPR; g++)
        if (host_reg(g) != H_NONE)
            emit_op_rm(e, OP64, load ? 0x8b : 0x89, host_reg(g), GS_GPR(g));
}

/* MOVUPS or VMOVUPS ymm between register n and its place in the vCPU. */
static void vector(struct emit *e, bool avx, bool load, unsigned n)
{
    emit_u8(e, 0x65);
    if (avx) {
        emit_u8(e, 0xc5);
        emit_u8(e, n >= 8 ? 0x7c : 0xfc); /* VEX.256.0F, R inverted */
    } else {
        if (n >= 8)
            emit_u8(e, 0x44);
        emit_u8(e, 0x0f);
    }
    emit_u8(e, load ? 0x10 : 0x11);
    emit_modrm_mem(e, n, gs_at(VEC_AT(n)));
}
static void vectors(struct emit *e, bool avx, bool load)
{
    for (unsigned n = 0; n < 16; n++)
        vector(e, avx, load, n);
}
/* LDMXCSR and STMXCSR: 0F AE /2 and /3. */
static void vector_state_out(struct emit *e, bool avx)
{
    vectors(e, avx, false);
    if (avx) {
        const uint8_t vzeroupper[] = {0xc5, 0xf8, 0x77};
        emit_bytes(e, vzeroupper, sizeof(vzeroupper));
    }
    emit_op_rm(e, OP32, 0x0fae, 3, gs_at(MXCSR_AT));
    emit_op_rm(e, OP32, 0x0fae, 2, GS(host_mxcsr));
}
static void vector_state_in(struct emit *e, bool avx)
{
    emit_op_rm(e, OP32, 0x0fae, 2, gs_at(MXCSR_AT));
    vectors(e, avx, true);
}

static void enter(struct emit *e, bool avx)
{
    for (unsigned i = 0; i < ARRAY_LEN(callee_saved); i++)
        push_pop(e, 0x50, callee_saved[i]);
    emit_alu_imm(e, OP64, 5, H_RSP, 8); /* blocks run with rsp a multiple of 16 */
    emit_mov_rr(e, OP64, SCRATCH_A, H_RSI);
    vector_state_in(e, avx);
    gprs(e, true);
    emit_jmp_reg(e, SCRATCH_A);
}

static void give_back(struct emit *e)
{
    emit_alu_imm(e, OP64, 0, H_RSP, 8);
    for (unsigned i = ARRAY_LEN(callee_saved); i-- > 0;)
        push_pop(e, 0x58, callee_saved[i]);
    emit_u8(e, 0xc3);
}

static void leave(struct emit *e, bool avx)
{
    gprs(e, false);
    vector_state_out(e, avx);
    emit_mov_rr(e, OP32, H_RAX, SCRATCH_B);
    give_back(e);
}

/* rdi = the vCPU, and a call of C with the stack as C wants it; `odd`: an address lies on it already. */
static void call_c(struct emit *e, uintptr_t fn, bool odd)
{
    emit_load(e, OP64, H_RDI, GS(self));
    emit_mov_imm64(e, H_RAX, fn);
    if (odd)
        emit_alu_imm(e, OP64, 5, H_RSP, 8);
    emit_op_rr(e, OP32, 0xff, 2, H_RAX);
    if (odd)
        emit_alu_imm(e, OP64, 0, H_RSP, 8);
}
static void out(struct emit *e)
{
    emit_mov_imm32(e, H_RAX, LEAVE_OUT);
    give_back(e);
}
/* Behind a call of C that was called itself: back with eax 0, else out. */
static void back_or_out(struct emit *e, bool avx)
{
    emit_op_rr(e, OP32, 0x85, H_RAX, H_RAX);
    uint32_t leaves = emit_jcc(e, HC_NE, 0);
    vector_state_in(e, avx);
    gprs(e, true);
    emit_u8(e, 0xc3);
    emit_patch(e, leaves, e->at);
    emit_alu_imm(e, OP64, 0, H_RSP, 8); /* the return address */
    out(e);
}

static void callout(struct emit *e, bool avx)
{
    gprs(e, false);
    vector_state_out(e, avx);
    emit_mov_rr(e, OP64, H_RSI, SCRATCH_B);
    emit_mov_rr(e, OP32, H_RDX, SCRATCH_A);
    call_c(e, (uintptr_t)dbt_callout, true);
    back_or_out(e, avx);
}

static void rest(struct emit *e, bool avx)
{
    gprs(e, false);
    vector_state_out(e, avx);
    emit_mov_rr(e, OP64, H_RSI, SCRATCH_B);
    emit_mov_rr(e, OP32, H_RDX, SCRATCH_A);
    call_c(e, (uintptr_t)dbt_interpret_rest, false);
    out(e);
}

static void fill(struct emit *e, bool avx)
{
    gprs(e, false);
    vector_state_out(e, avx);
    emit_store(e, OP64, GS(keep[0]), SCRATCH_A);
    emit_store(e, OP64, GS(keep[1]), SCRATCH_C);
    emit_mov_rr(e, OP32, H_RSI, SCRATCH_B);
    call_c(e, (uintptr_t)dbt_fill, true);
    emit_load(e, OP64, SCRATCH_A, GS(keep[0]));
    emit_load(e, OP64, SCRATCH_C, GS(keep[1]));
    back_or_out(e, avx);
}

bool thunks_emit(struct dbt_vcpu *d)
{
    struct emit e = {.buf = d->code.rw, .at = d->code_at, .end = (uint32_t)d->code.size};
    d->thunks.enter = e.at;
    enter(&e, d->avx);
    d->thunks.leave = e.at;
    leave(&e, d->avx);
    d->thunks.callout = e.at;
    callout(&e, d->avx);
    d->thunks.rest = e.at;
    rest(&e, d->avx);
    d->thunks.fill = e.at;
    fill(&e, d->avx);
    d->code_at = e.at;
    return !e.overflow;
}
