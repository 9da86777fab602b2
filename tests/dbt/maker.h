/*
 * maker.h: makes sequences.
 */
#ifndef TESTS_DBT_MAKER_H
#define TESTS_DBT_MAKER_H

#include "../insn/forms.h"
#include "seq.h"

/* Instruction forms by what they are; see pool_of. */
enum pool_class { POOL_INTEGER, POOL_VECTOR, POOL_X87, POOL_MEMORY, POOL_FLAGS, POOL_PRIVILEGED, POOLS };

struct pools {
    struct forms forms;
    uint32_t *form[POOLS];
    unsigned count[POOLS];
    uint64_t seed;
    bool smap;
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
