/*
 * engine/dbt/regs.h: where guest registers live while translated code runs.
 *
 * Twelve have a host register: the first ten their own, R10 and R11 have r12 and r13, and RSP has r15, as the
 * host's rsp is the host's. R12 to R15, which compilers take last, stay in st.gpr; r10, r11 and r14 are the
 * translator's scratch registers.
 */
#ifndef ENGINE_DBT_REGS_H
#define ENGINE_DBT_REGS_H

#include "engine/dbt/emit.h"
#include "x86/x86.h"

#define SCRATCH_A H_R14 /* addresses */
#define SCRATCH_B H_R11
#define SCRATCH_C H_R10

/* The host register of a guest register, H_NONE for one that lives in memory. */
static inline uint8_t host_reg(unsigned guest)
{
    static const uint8_t map[X86_NGPR] = {
        [RAX] = H_RAX,  [RCX] = H_RCX,  [RDX] = H_RDX,  [RBX] = H_RBX,  [RSP] = H_R15, [RBP] = H_RBP,
        [RSI] = H_RSI,  [RDI] = H_RDI,  [R8] = H_R8,    [R9] = H_R9,    [R10] = H_R12, [R11] = H_R13,
        [R12] = H_NONE, [R13] = H_NONE, [R14] = H_NONE, [R15] = H_NONE,
    };
    return map[guest];
}

#endif
