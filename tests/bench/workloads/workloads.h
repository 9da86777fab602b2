/*
 * workloads.h: what a workload is, and the tables of them.
 *
 * One op() does a fixed piece of work and returns a checksum of what it made, so that every single one can be
 * compared with a constant. It takes some ten microseconds on real hardware: the loop around it costs nothing
 * beside it.
 */
#ifndef WORKLOADS_H
#define WORKLOADS_H

#include <stdint.h>

struct workload {
    const char *name;
    /* Figures are summed up by group: integer, list, fp, memory, system. */
    const char *group;
    uint64_t (*op)(uint64_t arg);
    uint64_t arg;
    /* Units of work in one op(): what is printed is the time of one unit. */
    uint32_t units;
    /* What op() returns. */
    uint64_t checksum;
    /* Before the first and after the last op(); may be NULL. */
    void (*prepare)(uint64_t arg);
    void (*finish)(void);
    /* Why it cannot run on this processor, or NULL if it can; may be NULL. */
    const char *(*missing)(void);
};

/* Each ends with a row without a name. */
extern const struct workload integer_workloads[], fp_workloads[], memory_workloads[], system_workloads[];

/* Operations that the integer table names and that have a file of their own. */
uint64_t btree_op(uint64_t keys);
uint64_t bytecode_op(uint64_t loops);
void bytecode_prepare(uint64_t loops);
uint64_t lz_op(uint64_t size);
void lz_prepare(uint64_t size);

/* Status of `workloads --exit`. */
#define EXIT_OPTION_STATUS 7

/* Ends the program: `what` failed, for the reason in errno. */
__attribute__((noreturn)) void fail(const char *what);

/* The next number of a sequence of 64-bit numbers (Vigna's splitmix64), which `state` counts through. */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A checksum that depends on the order of what it is fed with. */
static inline uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 0x100000001b3u + (sum >> 47);
}

#endif
