/*
 * maker.h: makes sequences.
 */
#ifndef TESTS_DBT_MAKER_H
#define TESTS_DBT_MAKER_H

#include "insn/forms.h"
#include "seq.h"

/* Instruction forms by what they are; see pool_of. */
enum pool_class { POOL_INTEGER, POOL_VECTOR, POOL_X87, POOL_MEMORY, POOL_FLAGS, POOL_PRIVILEGED, POOLS };

struct pools {
    struct forms forms;
    uint32_t *form[POOLS];
    unsigned count[POOLS];
    uint64_t seed;
    bool smap, pcid;
};
void pools_init(struct pools *p, const struct cpuid_model *m, uint64_t seed);
void pools_free(struct pools *p);

#define MAX_POINTERS 6u
#define AT_END       0xffffu /* as an item's number: behind the last one */

struct maker {
    const struct pools *pools;
    struct seq *s;
    struct rng r;
    uint8_t pointer[MAX_POINTERS]; /* registers that hold addresses */
    unsigned npointers;
    unsigned weight[POOLS]; /* of 100, how many instructions come from where */
    unsigned spoil;         /* of 100, how many instructions may overwrite a pointer */
    bool no_repeat;         /* no REP: it can be interrupted, which not every sequence bears */
    uint8_t groups;         /* used so far */
    unsigned nslots;        /* of the scratch page, four bytes each */
};

/* ---- insn.c ---- */

/* One instruction from a pool, its memory operands through the pointers. */
void add_random_of(struct maker *m, enum pool_class pool);
void add_random(struct maker *m);
void add_some(struct maker *m, unsigned least, unsigned most);

/* ---- pieces.c: instructions by name ---- */

unsigned add_bytes(struct maker *m, const void *bytes, unsigned len);
#define ADD(m, ...) add_bytes(m, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
/* len bytes, and behind them 32 bits that are fixed up when the code is laid out. */
unsigned add_fixed(struct maker *m, const void *bytes, unsigned len, enum fix fix, unsigned target,
                   uint32_t add);
unsigned add_jmp(struct maker *m, unsigned target);
unsigned add_jcc(struct maker *m, unsigned cc, unsigned target);
unsigned add_call(struct maker *m, unsigned target);
/* A jump to the target plus `add` bytes by one of the indirect ways. */
void add_indirect(struct maker *m, unsigned target, uint32_t add);
void patch_target(struct maker *m, unsigned item, unsigned target);
/* A scratch word, set to `value` here. */
uint32_t add_counter(struct maker *m, uint32_t value);
/* A scratch word counts down, and jumps back while it is not 0. */
void add_loop(struct maker *m, uint32_t counter, unsigned target);
void add_mov32(struct maker *m, unsigned reg, uint32_t value);
void add_mov64(struct maker *m, unsigned reg, uint64_t value);

/* ---- begin.c ---- */

/* Registers and flags at random, RSP on the stack, four pointers to good places. */
void maker_begin(struct maker *m, bool user);
bool maker_coin(struct maker *m);
uint64_t data_va(unsigned page);
uint64_t maker_good_place(struct maker *m);
/* Near the border of two pages, of whatever kind they are. */
uint64_t maker_border_place(struct maker *m);
uint64_t maker_bad_place(struct maker *m);
/* Give so many of 100 pointers another place. */
void maker_repoint(struct maker *m, uint64_t (*place)(struct maker *m), unsigned percent);
/* Jumps forward over a few instructions: indirect, to an alias when `add` says so; conditional. */
void add_skip(struct maker *m, uint32_t add);
void add_jcc_skip(struct maker *m);
void add_mxcsr(struct maker *m, uint32_t value);

/* ---- kinds_code.c ---- */

/* An instruction with a 32-bit immediate in its last bytes, and a store into that; through: added to the
 * address. */
unsigned add_victim(struct maker *m);
void add_store_into(struct maker *m, unsigned victim, uint32_t through);
/* At the count `when` only: what is in between. Returns the jump to be patched. */
unsigned add_only_at(struct maker *m, uint32_t counter, unsigned when);
void make_modify(struct maker *m);
void make_alias(struct maker *m);
void make_flow(struct maker *m);

/* ---- kinds_system.c ---- */

void make_paging(struct maker *m);
void make_irq(struct maker *m);
void make_modes(struct maker *m);
void make_bounds(struct maker *m);
void make_foreign(struct maker *m);

/* ---- kinds.c ---- */

struct kind {
    const char *name;
    void (*make)(struct maker *m);
    unsigned share; /* of 100 sequences */
};
extern const struct kind kinds[];
extern const unsigned kind_count;
/* Sequence `number`, of that kind (or -1: by its number). */
void make_seq(const struct pools *p, uint64_t number, int kind, struct seq *s);

#endif
