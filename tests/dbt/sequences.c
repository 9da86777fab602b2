/*
 * sequences.c: dbt-sequences: random instruction sequences in the translator against the interpreter.
 *
 *   --seed N     other sequences (the default is fixed: the same run every time)
 *   --cases N    how many
 *   --case N     just this one, printed in full and made smaller
 *   --kind NAME  only this kind
 *   --one        block size 1: one instruction at a time
 *   --show N     print at most N differing sequences in full (default 3)
 *   --list       the kinds
 *
 * The interpreter runs a sequence once, the translator several times from the same start: it translates only
 * what has run before. After each run all state and all memory are compared.
 *
 * Exit status 0 when nothing differs, 1 when something does, 2 for bad usage.
 */
#include "machine.h"
#include "maker.h"
#include "print.h"
#include "shrink.h"

#include "insn/values.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS      4u /* of the translator: it interprets a block twice */
#define MAX_STEPS 40000u

struct options {
    uint64_t seed, cases, only;
    bool single, one, list;
    unsigned show;
    int kind;
};

struct test {
    struct options opt;
    struct cpuid_model model;
    struct pools pools;
    struct machine *interp, *dbt;
    uint64_t by_kind[16], failed_kind[16], endless, endless_at, skipped, failed, exceptions, retired, direct;
    struct code code;
    struct ending want, got;
    unsigned run; /* of the translator, in which the difference showed */
    uint8_t base[RAM_PAGES * PAGE_SIZE];
};

static void run_machine(struct test *t, struct machine *m, const struct seq *s, struct ending *o)
{
    machine_load(m, s, &t->code);
    if (t->opt.one)
        machine_run_steps(m, s, MAX_STEPS, o);
    else
        machine_run(m, o);
}

/* What differs, 0: nothing. */
static unsigned run_seq(struct test *t, const struct seq *s)
{
    unsigned d = 0;
    if (!seq_lay_out(s, &t->code)) {
        t->skipped++;
        return 0;
    }
    run_machine(t, t->interp, s, &t->want);
    if (t->want.endless || (t->opt.one && t->want.exit == EXIT_KICK)) {
        t->endless_at = t->endless++ ? t->endless_at : s->number; /* where it is stopped is nobody's affair */
        return 0;
    }
    for (t->run = 1; t->run <= (t->opt.one ? 2 : RUNS) && !d; t->run++) {
        run_machine(t, t->dbt, s, &t->got);
        d = endings_differ(s, &t->want, &t->got);
    }
    t->run--;
    return d;
}

static bool still_fails(void *opaque, const struct seq *s)
{
    return run_seq(opaque, s);
}

/* Behind run_seq, which gave d. */
static void show(struct test *t, struct seq *s, unsigned d, bool full)
{
    printf("sequence %" PRIu64 " (%s)%s:\n", s->number, kinds[s->kind].name, d ? " differs" : "");
    if (full) {
        seq_print(s, &t->pools.forms.decoder);
        printf("  interpreter:\n");
        ending_print(&t->want);
        if (t->got.ram) { /* not where the interpreter's run had no end */
            printf("  translator, run %u:\n", t->run);
            ending_print(&t->got);
        }
    }
    if (!d)
        return;
    endings_print(&t->want, &t->got, d);
    seq_shrink(s, still_fails, t);
    d = run_seq(t, s);
    printf("made smaller: run %u\n", t->run);
    seq_print(s, &t->pools.forms.decoder);
    ending_print(&t->want);
    endings_print(&t->want, &t->got, d);
    printf("  again: dbt-sequences --seed %" PRIu64 " --case %" PRIu64 "%s%s%s\n\n", t->opt.seed, s->number,
           t->opt.one ? " --one" : "", t->opt.kind >= 0 ? " --kind " : "",
           t->opt.kind >= 0 ? kinds[t->opt.kind].name : "");
}

static void run_all(struct test *t)
{
    struct seq s;
    for (uint64_t n = 0; n < t->opt.cases; n++) {
        make_seq(&t->pools, t->opt.single ? t->opt.only : n, t->opt.kind, &s);
        const unsigned kind = s.kind;
        t->by_kind[kind]++;
        unsigned d = run_seq(t, &s);
        const uint64_t exceptions = load_le(t->want.ram + (PG_SYS + SYS_LOG) * PAGE_SIZE + LOG_COUNT, 8);
        if (exceptions <= LOG_LIMIT) /* not overwritten */
            t->exceptions += exceptions;
        if (d) {
            t->failed++;
            t->failed_kind[kind]++;
        }
        if (t->opt.single || (d && t->opt.show)) {
            t->opt.show -= t->opt.show > 0;
            show(t, &s, d, t->opt.single);
        }
    }
}

static int find_kind(const char *name)
{
    for (unsigned i = 0; i < kind_count; i++)
        if (!strcmp(kinds[i].name, name))
            return (int)i;
    return -2;
}

static bool parse(struct options *o, int argc, char **argv)
{
    static const struct option names[] = {
        {"seed", 1, NULL, 's'}, {"cases", 1, NULL, 'n'}, {"case", 1, NULL, 'c'}, {"kind", 1, NULL, 'k'},
        {"one", 0, NULL, 'o'},  {"show", 1, NULL, 'w'},  {"list", 0, NULL, 'l'}, {0}};
    *o = (struct options){.seed = 1, .cases = 300000, .show = 3, .kind = -1};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
        switch (c) {
        case 's': o->seed = strtoull(optarg, NULL, 0); break;
        case 'n': o->cases = strtoull(optarg, NULL, 0); break;
        case 'c':
            o->single = true;
            o->only = strtoull(optarg, NULL, 0);
            o->cases = 1;
            break;
        case 'k': o->kind = find_kind(optarg); break;
        case 'o': o->one = true; break;
        case 'w': o->show = (unsigned)strtoul(optarg, NULL, 0); break;
        case 'l': o->list = true; break;
        default: return false;
        }
    return optind == argc && o->kind != -2;
}

static void report(struct test *t, double seconds)
{
    struct engine_counters k;
    machine_counters(t->dbt, &k);
    printf("sequences: %" PRIu64 ", seed %" PRIu64 ", block size %s, %.0f a second\n", t->opt.cases,
           t->opt.seed, t->opt.one ? "1" : "full", (double)t->opt.cases / (seconds > 0 ? seconds : 1));
    for (unsigned i = 0; i < kind_count; i++)
        if (t->by_kind[i])
            printf("  %-10s %8" PRIu64 "   %" PRIu64 " differ\n", kinds[i].name, t->by_kind[i],
                   t->failed_kind[i]);
    printf("%" PRIu64 " exceptions; the translator retired %" PRIu64 " instructions, %" PRIu64
           " of them translated\n",
           t->exceptions, k.insns, k.insns_direct);
    if (t->endless || t->skipped)
        printf("not compared: %" PRIu64 " without an end (the first: %" PRIu64 "), %" PRIu64 " too long\n",
               t->endless, t->endless_at, t->skipped);
    printf("differences: %" PRIu64 " sequences\n", t->failed);
}

int main(int argc, char **argv)
{
    static struct test t;
    struct err e = {0};
    struct rng r;
    struct timespec t0, t1;
    if (!parse(&t.opt, argc, argv)) {
        fprintf(stderr,
                "usage: dbt-sequences [--seed N] [--cases N] [--case N] [--kind NAME] [--one] [--show N] "
                "[--list]\n");
        return 2;
    }
    if (t.opt.list) {
        for (unsigned i = 0; i < kind_count; i++)
            printf("%-10s %u of 100\n", kinds[i].name, kinds[i].share);
        return 0;
    }
    const struct cpuid_config cfg = {.cpus = 1, .tsc_khz = 1000000};
    cpuid_compose(&t.model, &cfg);
    pools_init(&t.pools, &t.model, t.opt.seed);
    rng_init(&r, t.opt.seed, ~0ull);
    for (unsigned at = 0; at < sizeof(t.base); at += 64)
        value_vector(&r, t.base + at, 64);
    t.interp = machine_new("interp", &t.model, t.base, &e);
    t.dbt = t.interp ? machine_new("dbt", &t.model, t.base, &e) : NULL;
    if (!t.dbt) {
        fprintf(stderr, "dbt-sequences: %s\n", e.text);
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &t0);
    run_all(&t);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    report(&t, (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) * 1e-9);
    machine_free(t.interp);
    machine_free(t.dbt);
    pools_free(&t.pools);
    return t.failed || 2 * (t.endless + t.skipped) > t.opt.cases ? 1 : 0;
}
