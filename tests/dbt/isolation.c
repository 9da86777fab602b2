/*
 * isolation.c: dbt-isolation: guests that try to get out of their memory, and one that never stops making
 * code.
 *
 *   --seed N   other sequences
 *   --cases N  how many of each kind
 *
 * Everything that the engines map lies between guard pages (guard.c). The sequences are those of
 * dbt-sequences that reach for what is not theirs, compared with the interpreter as there.
 *
 * Exit status 0 when all is well, 1 when not, 2 for bad usage.
 */
#include "guard.h"
#include "machine.h"
#include "maker.h"
#include "print.h"

#include "insn/values.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CACHE_LIMIT MIB(64) /* what the engine allows its code (dbt.c) */
#define RUNS        4u

struct test {
    struct pools pools;
    struct machine *interp, *dbt;
    struct code code;
    uint64_t cases, failed;
    uint8_t base[RAM_PAGES * PAGE_SIZE];
};

static const char *const tried[] = {"faults", "pages", "bounds", "foreign", "device", "modify", "alias"};

static void run_kind(struct test *t, const char *name)
{
    struct ending want, got;
    struct seq s;
    uint64_t differ = 0, exceptions = 0;
    unsigned kind = 0;
    while (strcmp(kinds[kind].name, name))
        kind++;
    for (uint64_t n = 0; n < t->cases; n++) {
        guard_note(name, n);
        make_seq(&t->pools, n, (int)kind, &s);
        if (!seq_lay_out(&s, &t->code))
            continue;
        machine_load(t->interp, &s, &t->code);
        machine_run(t->interp, &want);
        if (want.endless)
            continue;
        const uint64_t taken = load_le(want.ram + (PG_SYS + SYS_LOG) * PAGE_SIZE + LOG_COUNT, 8);
        exceptions += taken <= LOG_LIMIT ? taken : 0;
        unsigned d = 0;
        for (unsigned run = 0; run < RUNS && !d; run++) {
            machine_load(t->dbt, &s, &t->code);
            machine_run(t->dbt, &got);
            d = endings_differ(&s, &want, &got);
        }
        if (d && !differ++) {
            printf("%s differs: dbt-sequences --seed %" PRIu64 " --kind %s --case %" PRIu64 " shows it\n",
                   name, t->pools.seed, name, n);
            endings_print(&want, &got, d);
        }
    }
    printf("%-8s %" PRIu64 " sequences, %" PRIu64 " exceptions, %" PRIu64 " differ\n", name, t->cases,
           exceptions, differ);
    t->failed += differ;
}

/* ---- code for ever ---- */

/*
 * A loop that rewrites a function and calls it often enough to be translated, `times` times: each time it is
 * another function, of as many memory accesses as a block takes.
 */
static void make_forever(struct seq *s, uint32_t times)
{
    struct maker m = {.s = s};
    *s = (struct seq){.rflags = 0, .fcw = 0x37f, .mxcsr = 0x1f80};
    s->gpr[RSP] = LOW(STACK_AT) + PAGE_SIZE;
    s->gpr[RSI] = LOW(DATA_AT) + 1024;
    const uint32_t k = add_counter(&m, times);
    const unsigned top = s->n;
    uint8_t fetch[7] = {0x8b, 0x04, 0x25};
    store_le(fetch + 3, k, 4);
    add_bytes(&m, fetch, sizeof(fetch)); /* mov eax, [counter] */
    const unsigned store = add_fixed(&m, "\x89\x04\x25", 3, FIX_ABS, 0, 1);
    unsigned call[5];
    for (unsigned i = 0; i < ARRAY_LEN(call); i++)
        call[i] = add_call(&m, 0);
    add_loop(&m, k, top);
    add_jmp(&m, AT_END);
    const unsigned function = s->n;
    add_mov32(&m, RDX, 0);
    for (unsigned i = 0; i < 28; i++) { /* add [rsi + ...], rdx: too far apart to share a check */
        uint8_t add[7] = {0x48, 0x01, 0x96};
        store_le(add + 3, 600 * (i & 3) + 8 * i, 4);
        add_bytes(&m, add, sizeof(add));
    }
    ADD(&m, 0xc3);
    patch_target(&m, store, function);
    for (unsigned i = 0; i < ARRAY_LEN(call); i++)
        patch_target(&m, call[i], function);
    for (unsigned i = 0; i < s->n; i++)
        if (s->item[i].target == AT_END)
            s->item[i].target = (uint16_t)s->n;
}

static void run_forever(struct test *t)
{
    struct engine_counters before, after;
    struct ending want, got;
    struct seq s;
    uint64_t most = 0, shrank = 0, last = 0;
    guard_note("code for ever", 0);
    make_forever(&s, 300);
    if (!seq_lay_out(&s, &t->code))
        assert(false);
    machine_load(t->interp, &s, &t->code);
    machine_run(t->interp, &want);
    machine_counters(t->dbt, &before);
    for (unsigned n = 0; n < 40; n++) {
        guard_note("code for ever", n);
        machine_load(t->dbt, &s, &t->code);
        machine_run(t->dbt, &got);
        t->failed += endings_differ(&s, &want, &got) != 0;
        machine_counters(t->dbt, &after);
        most = MAX(most, after.cache_bytes);
        shrank += after.cache_bytes < last;
        last = after.cache_bytes;
    }
    printf("code for ever: %" PRIu64 " blocks made, cache at most %" PRIu64 " KiB of %" PRIu64
           ", emptied %" PRIu64 " times seen, evict_max_s %.6f\n",
           after.blocks - before.blocks, most >> 10, CACHE_LIMIT >> 10, shrank, after.evict_max_s);
    if (most > CACHE_LIMIT || !shrank || after.evict_max_s <= 0) {
        printf("the cache is not bounded, or was never full\n");
        t->failed++;
    }
}

int main(int argc, char **argv)
{
    static struct test t;
    static const struct option names[] = {{"seed", 1, NULL, 's'}, {"cases", 1, NULL, 'n'}, {0}};
    struct cpuid_model model;
    struct err e = {0};
    struct rng r;
    uint64_t seed = 1;
    t.cases = 5000;
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
        switch (c) {
        case 's': seed = strtoull(optarg, NULL, 0); break;
        case 'n': t.cases = strtoull(optarg, NULL, 0); break;
        default: fprintf(stderr, "usage: dbt-isolation [--seed N] [--cases N]\n"); return 2;
        }
    setvbuf(stdout, NULL, _IOLBF, 0);
    guard_start();
    const struct cpuid_config cfg = {.cpus = 1, .tsc_khz = 1000000};
    cpuid_compose(&model, &cfg);
    pools_init(&t.pools, &model, seed);
    rng_init(&r, seed, ~0ull);
    for (unsigned at = 0; at < sizeof(t.base); at += 64)
        value_vector(&r, t.base + at, 64);
    t.interp = machine_new("interp", &model, t.base, &e);
    t.dbt = t.interp ? machine_new("dbt", &model, t.base, &e) : NULL;
    if (!t.dbt) {
        fprintf(stderr, "dbt-isolation: %s\n", e.text);
        return 2;
    }
    for (unsigned i = 0; i < ARRAY_LEN(tried); i++)
        run_kind(&t, tried[i]);
    run_forever(&t);
    machine_free(t.interp);
    machine_free(t.dbt);
    pools_free(&t.pools);
    printf("seed %" PRIu64 ": %" PRIu64 " failures\n", seed, t.failed);
    return t.failed ? 1 : 0;
}
