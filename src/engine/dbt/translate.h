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
    WAY_DIV,
    WAY_PUSHF,
    WAY_CLI,
    WAY_STI,
    WAY_FROM_SREG,
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

/*
 * Where the guest's arithmetic flags are: bits. IN_RECIPE: nowhere, perhaps, but an instruction makes them
 * again from registers that still hold what they held (flags.c).
 */
enum { IN_HOST = 1, IN_CC = 2, IN_RECIPE = 4 };

struct recipe {
    uint8_t kind; /* RECIPE_* */
    uint8_t size;
    uint8_t a, b; /* guest registers */
    int32_t imm;
};
enum {
    RECIPE_CMP,
    RECIPE_CMP_IMM,
    RECIPE_TEST,
    RECIPE_TEST_IMM,
    RECIPE_ADD, /* of which a holds the result */
    RECIPE_ADD_IMM,
    RECIPE_SUB,
    RECIPE_SUB_IMM
};

/* Where an address starts from: a guest register, or one of these. */
enum base {
    BASE_CODE = X86_NGPR, /* the page of the running code */
    BASE_FS,
    BASE_GS,
    BASE_COMPLEX, /* anything else */
};

/* A memory access: size bytes at base + lo. */
struct access {
    uint8_t base;
    uint8_t align; /* that it must have, or 0 */
    bool write;
    int32_t lo;
    uint32_t size;
};

/* What an instruction does to general registers. */
struct effect {
    uint16_t written; /* bits: new values */
    uint8_t adjusted; /* one register to which a constant is added, or X86_NGPR */
    int32_t by;
};

/* Accesses that share a check: see group.c. */
struct group {
    bool live;
    bool write;
    bool baked; /* reg holds the host address of the base's value at the check, not the delta */
    uint8_t base, reg;
    int32_t lo, hi; /* bytes from the base's value at the check that it covers */
    int32_t moved;  /* added to the base since */
};
#define GROUPS 2u

/* Code that is not on the straight path, emitted behind the block. */
enum cold_kind {
    COLD_REST,   /* the interpreter does the block's instructions from `insn` on */
    COLD_EDGE,   /* on at page offset `target` */
    COLD_WINDOW, /* a check failed */
};
struct cold {
    uint8_t kind, insn;
    uint8_t flags_in; /* where the flags are when it is reached */
    struct recipe recipe;
    uint8_t nsites;
    uint8_t reg;       /* of the window's delta */
    uint32_t sites[3]; /* displacements that lead here */
    uint32_t window, retry, resume;
    int32_t target;
};

#define MAX_COLD (5u * BLOCK_INSNS)

struct tr {
    struct dbt_vcpu *d;
    struct block *b;
    struct emit e;
    unsigned flags;         /* IN_* */
    struct recipe recipe;   /* IN_RECIPE */
    unsigned n;             /* the instruction in work */
    unsigned bank;          /* TLB and jump table */
    uint32_t callout, rest; /* this block's ways to the thunks */
    struct plan plan[BLOCK_INSNS];
    struct group group[GROUPS];
    unsigned last_group; /* used last */
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

/* flags.c: move the flags to where they are needed; both keep every guest register and use SCRATCH_B, the
 * second not when it is in use. */
void flags_to_cc(struct tr *t);
void flags_to_host(struct tr *t, bool b_in_use);
/* The host's flags are about to be overwritten by code of ours. */
void flags_clobber(struct tr *t);
/* Instruction t->n is about to be emitted: it may take the recipe's registers away. */
void flags_before(struct tr *t);
/* Instruction t->n has set the host's flags. */
void flags_made(struct tr *t);
/* It has been emitted, whatever it is. */
void flags_behind(struct tr *t);

/* access.c: the access of instruction n that goes through tr_memory; false: none. */
bool insn_access(const struct tr *t, unsigned n, struct access *a);
struct effect insn_effect(const struct tr *t, unsigned n);

/* group.c */
/*
 * The host's operand for an access of instruction t->n, of which nothing may have happened yet. Emits a check
 * unless one before covers it. SCRATCH_B is used; the host's flags are overwritten if there is a check.
 */
struct hmem tr_memory(struct tr *t, const struct access *a);
/* A scratch register that is not part of *m (may be NULL) nor in `used` (bits); a group that has it ends. */
enum hreg tr_scratch(struct tr *t, const struct hmem *m, unsigned used);
void groups_drop(struct tr *t);
void group_drop_reg(struct tr *t, enum hreg r);
/* Instruction t->n has been emitted. */
void groups_after(struct tr *t);

/* window.c */
void window_check(struct tr *t, struct group *g, bool certain);
struct hmem window_check_complex(struct tr *t, const struct access *a);
void window_cold(struct tr *t, const struct cold *c);
/* to = effective address, cut to `size`. */
void tr_effective(struct tr *t, const ZydisDecodedOperandMem *m, unsigned size, enum hreg to);

/* reencode.c: WAY_COPY and WAY_LEA. */
/* Is there a host encoding? (Not for AH and its like together with a register that needs REX.) */
bool copy_possible(const struct x86_decoded *d);
void tr_copy(struct tr *t);
void tr_lea(struct tr *t);
/* Value of a guest register into a host register. */
void tr_get(struct tr *t, enum hreg to, unsigned guest);
/* Number of a general register of 16 bits or more, or of any width, or X86_NGPR. */
unsigned guest_gpr(ZydisRegister r);
unsigned any_gpr(ZydisRegister r);
bool is_high_byte(ZydisRegister r);

/* stack.c */
void tr_push(struct tr *t);
void tr_pop(struct tr *t);
void tr_leave(struct tr *t);

/* system.c: instructions with an easy case that needs no interpreter. */
void tr_div(struct tr *t);
void tr_pushf(struct tr *t);
void tr_cli(struct tr *t);
void tr_sti(struct tr *t);
void tr_from_sreg(struct tr *t);

/* branch.c */
void tr_jcc(struct tr *t);
void tr_jmp(struct tr *t);
void tr_call(struct tr *t);
void tr_ret(struct tr *t);
/* On at page offset `target`; t->n is the branch, or the number of instructions for falling through. */
void tr_edge(struct tr *t, int32_t target);
/* The same behind a conditional jump, of which `site` is the displacement: where nothing else is to be done,
 * that jump itself is patched. */
void tr_taken(struct tr *t, uint32_t site, int32_t target);

/* span.c: leave the block unless the bytes it was made from are still there. */
void span_verify(struct tr *t);

/* cold.c */
/* The displacement at `site` is to reach the interpreter for the rest of the block; flags are in st.cc. */
void cold_rest(struct tr *t, uint32_t site);
void cold_edge(struct tr *t, uint32_t site, int32_t target);
struct cold *cold_window(struct tr *t);
void cold_site(struct cold *c, uint32_t site);
void cold_emit(struct tr *t);
/* In line: the interpreter does instruction t->n. */
void tr_interpret(struct tr *t);
/* Leave translated code with RIP at page offset `target`; flags must be in st.cc. */
void tr_exit(struct tr *t, int32_t target, uint32_t why);

#endif
