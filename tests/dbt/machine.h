/*
 * machine.h: an engine with a machine around it that can be put back to where a sequence starts.
 */
#ifndef TESTS_DBT_MACHINE_H
#define TESTS_DBT_MACHINE_H

#include "cpu/cpuid.h"
#include "engine/engine.h"
#include "seq.h"

struct machine;

/* What a run came to. */
struct ending {
    struct x86_state st;
    uint64_t insns;
    unsigned exit; /* enum engine_exit */
    bool endless;  /* stopped by the watchdog */
    uint64_t device_reads, device_writes, device_sum;
    uint8_t *ram; /* RAM_PAGES pages, the machine's own */
};

/* What may differ: bits. */
enum difference {
    D_GPR = 1,
    D_RIP = 2,
    D_FLAGS = 4,
    D_SYSTEM = 8, /* segments, control and debug registers, pending events */
    D_CR2 = 16,
    D_X87 = 32,
    D_MXCSR = 64,
    D_VECTOR = 128,
    D_MEMORY = 256,
    D_INSNS = 512,
    D_EXIT = 1024,
    D_DEVICE = 2048,
};
#define DIFFERENCES 12u
extern const char *const difference_names[DIFFERENCES];

/* engine: "interp" or "dbt". base: RAM_PAGES pages of which the data pages are the start's. */
struct machine *machine_new(const char *engine, const struct cpuid_model *m, const uint8_t *base,
                            struct err *e);
void machine_free(struct machine *m);
/* Put the sequence and its start state in. What is in memory already stays untouched. */
void machine_load(struct machine *m, const struct seq *s, const struct code *c);
/* Until it halts. */
void machine_run(struct machine *m, struct ending *o);
/* One instruction after the other; at most `steps`. */
void machine_run_steps(struct machine *m, const struct seq *s, unsigned steps, struct ending *o);
void machine_counters(struct machine *m, struct engine_counters *out);
unsigned endings_differ(const struct seq *s, const struct ending *a, const struct ending *b);
/* The first difference of each kind, in words, to standard output. */
void endings_print(const struct ending *a, const struct ending *b, unsigned differing);

#endif
