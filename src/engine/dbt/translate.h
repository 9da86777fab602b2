/*
 * engine/dbt/translate.h: one block on its way from decoded instructions to host code.
 */
#ifndef ENGINE_DBT_TRANSLATE_H
#define ENGINE_DBT_TRANSLATE_H

#include "engine/dbt/regs.h"
#include "engine/dbt/vcpu.h"

/* What an instruction does with the arithmetic flags. */
enum flag_use {
    FLAGS_NONE,
    FLAGS_SET,   /* sets all six, whatever they were */
    FLAGS_READ,  /* reads, does not change */
    FLAGS_CHANGE /* reads some, or leaves some as they were */
};

/* How an instruction is translated. */
enum way {
    WAY_INTERPRET, /* a callout */
    WAY_COPY,      /* the same instruction with other registers and another memory operand */
    WAY_NOTHING,
    WAY_LEA,
    WAY_PUSH,
    WAY_POP,
    WAY_LEAVE,
    WAY_JCC,
    WAY_JMP,
    WAY_CALL,
    WAY_RET
};

struct plan {
    uint8_t way;   /* enum way */
    uint8_t flags; /* enum flag_use */
    uint8_t align; /* alignment that the memory operand must have, or 0 */
    int8_t mem;    /* explicit memory operand, or -1 */
};

/* Where the guest's arithmetic flags are: bits. */
enum { IN_HOST = 1, IN_CC = 2 };

/* Code that is not on the straight path, emitted behind the block. */
enum cold_kind {
    COLD_CALLOUT, /* the interpreter does instruction `insn`, then on at `resume` */
    COLD_EDGE,    /* on at page offset `target` */
};
struct cold {
    uint8_t kind, insn;
    uint8_t flags_in;  /* where the flags are when it is reached */
    bool to_host;      /* callout: the straight path has them in the host's flags at `resume` */
    uint32_t sites[3]; /* displacements that lead here */
    uint8_t nsites;
    uint32_t resume;
    int32_t target;
};

#define MAX_COLD (3u * BLOCK_INSNS + 4u)

struct tr {
    struct dbt_vcpu *d;
    struct block *b;
    struct emit e;
    unsigned flags;   /* IN_* */
    unsigned n;       /* the instruction in work */
    unsigned bank;    /* TLB and jump table */
    uint32_t callout; /* this block's way to the callout thunk */
    struct plan plan[BLOCK_INSNS];
    struct cold cold[MAX_COLD];
    unsigned ncold;
};

static inline const struct x86_decoded *tr_decoded(const struct tr *t)
{
    return &t->d->decoded[t->n];
}
/* Offset in the page of the next instruction's first byte. */
static inline int32_t tr_next(const struct tr *t)
{
    const struct insn *in = &t->b->insns[t->n];
    return (int32_t)(t->b->gpa & ~PAGE_MASK) + in->off + in->len;
}

/* plan.c: how to translate an instruction under the block's mode; every way but WAY_INTERPRET can be gone. */
struct plan plan_instruction(const struct x86_decoded *d, uint32_t mode);

/* flags.c: move the flags to where they are needed; both keep every guest register and use SCRATCH_B. */
void flags_to_cc(struct tr *t);
void flags_to_host(struct tr *t);
/* The host's flags are about to be overwritten by code of ours. */
void flags_clobber(struct tr *t);

/* guard.c: memory operands. */
struct access {
    unsigned size; /* bytes */
    bool write;
    unsigned align; /* 0: none asked for */
};
/* The linear address of the memory operand into SCRATCH_A (SCRATCH_B is used). */
void tr_address(struct tr *t, const ZydisDecodedOperandMem *m, bool with_segment);
/*
 * SCRATCH_A holds a linear address: make it a host address, or go to the callout that does the whole
 * instruction, of which nothing may have happened yet. All scratch registers are used; the host's flags are
 * overwritten (flags_clobber is called).
 */
void tr_guard(struct tr *t, struct access a);

/* reencode.c: WAY_COPY and WAY_LEA. */
/* Is there a host encoding? (Not for AH and its like together with a register that needs REX.) */
bool copy_possible(const struct x86_decoded *d);
void tr_copy(struct tr *t);
void tr_lea(struct tr *t);
/* Value of a guest register into a host register, and back. */
void tr_get(struct tr *t, enum hreg to, unsigned guest);
void tr_put(struct tr *t, unsigned guest, enum hreg from);
/* Number of a 64-bit general register, or X86_NGPR. */
unsigned guest_gpr(ZydisRegister r);

/* stack.c */
void tr_push(struct tr *t);
void tr_pop(struct tr *t);
void tr_leave(struct tr *t);

/* branch.c */
void tr_jcc(struct tr *t);
void tr_jmp(struct tr *t);
void tr_call(struct tr *t);
void tr_ret(struct tr *t);
/* On at page offset `target`; t->n is the branch, or the number of instructions for falling through. */
void tr_edge(struct tr *t, int32_t target);

/* cold.c */
/* The displacement at `site` is to reach a callout for instruction t->n, reached with the flags in st.cc. */
void cold_callout(struct tr *t, uint32_t site);
void cold_edge(struct tr *t, uint32_t site, int32_t target);
/* The straight path of instruction t->n ends here. */
void cold_resume_here(struct tr *t);
void cold_emit(struct tr *t);
/* In line: the interpreter does instruction t->n. */
void tr_interpret(struct tr *t);
/* Leave translated code with RIP at page offset `target`; flags must be in st.cc. */
void tr_exit(struct tr *t, int32_t target, uint32_t why);

#endif
