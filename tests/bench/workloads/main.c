/*
 * main.c: small workloads that check and time themselves, for a machine and the host alike.
 *
 * The number of repetitions is found by running: doubled until it can be measured, then scaled to the time
 * asked for. What counts is the smallest of several measurements. One processor is used, as a machine with
 * one vCPU has it.
 */
#include "workloads.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define MAX_ONLY 64
/* What --touch leaves to the kernel and to the workloads. */
#define TOUCH_LEAVES (24u << 20)

static const struct workload *const tables[] = {integer_workloads, fp_workloads, memory_workloads,
                                                system_workloads};
static const char usage[] =
    "usage: workloads [--list] [--only NAME]... [--seconds S] [--repeat N] [--touch MIB]\n"
    "  --list        print the workloads and their groups\n"
    "  --only NAME   only this workload or group\n"
    "  --seconds S   how long one measurement takes; 0: one operation. Default 0.3\n"
    "  --repeat N    how many measurements, of which the smallest counts. Default 5\n"
    "  --touch MIB   first touch and free this much memory, or what is free\n"
    "Prints NAME NS-PER-OP OPS CHECKSUM for each. Status: 0 checksums right, 1 one wrong, 2 usage.\n";

struct options {
    const char *only[MAX_ONLY];
    int n_only;
    double seconds;
    long repeat, touch_mib;
    bool list;
};

void fail(const char *what)
{
    fprintf(stderr, "workloads: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Seconds that n operations take. The first checksum that is not the right one is left in *checksum. */
static double measure(const struct workload *w, uint64_t n, uint64_t *checksum)
{
    double start = now();

    for (uint64_t i = 0; i < n; i++) {
        uint64_t got = w->op(w->arg);

        if (got != w->checksum && *checksum == w->checksum)
            *checksum = got;
    }
    return now() - start;
}

static uint64_t operations(const struct workload *w, double seconds, uint64_t *checksum)
{
    uint64_t n = 1;
    double took = measure(w, n, checksum);

    while (took < seconds / 4) {
        n *= took < seconds / 64 ? 8 : 2;
        took = measure(w, n, checksum);
    }
    if (took < seconds)
        n = (uint64_t)((double)n * seconds / took);
    return n;
}

static bool run(const struct workload *w, const struct options *o)
{
    const char *missing = w->missing ? w->missing() : NULL;
    uint64_t checksum = w->checksum, n;
    double best = 0;

    if (missing) {
        printf("%s skip %s\n", w->name, missing);
        return true;
    }
    if (w->prepare)
        w->prepare(w->arg);
    n = operations(w, o->seconds, &checksum);
    for (long i = 0; i < o->repeat; i++) {
        double took = measure(w, n, &checksum);

        if (i == 0 || took < best)
            best = took;
    }
    if (w->finish)
        w->finish();
    n *= w->units;
    printf("%s %.3f %llu %016llx%s\n", w->name, best * 1e9 / (double)n, (unsigned long long)n,
           (unsigned long long)checksum, checksum == w->checksum ? "" : " WRONG");
    return checksum == w->checksum;
}

static bool wanted(const struct workload *w, const struct options *o)
{
    for (int i = 0; i < o->n_only; i++) {
        if (!strcmp(o->only[i], w->name) || !strcmp(o->only[i], w->group))
            return true;
    }
    return o->n_only == 0;
}

/* A guest's memory is taken from the host at the first touch, which no workload shall pay for. */
static void touch(size_t wanted_bytes)
{
    struct sysinfo info;
    size_t bytes;
    char *p;

    if (sysinfo(&info))
        fail("sysinfo");
    bytes = info.freeram * info.mem_unit;
    bytes = bytes > TOUCH_LEAVES ? bytes - TOUCH_LEAVES : 0;
    if (bytes > wanted_bytes)
        bytes = wanted_bytes;
    if (bytes == 0)
        return;
    p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        fail("mmap for --touch");
    for (size_t i = 0; i < bytes; i += 4096)
        p[i] = 1;
    munmap(p, bytes);
}

static void use_one_processor(void)
{
    cpu_set_t set;
    int cpu = sched_getcpu();

    CPU_ZERO(&set);
    CPU_SET(cpu < 0 ? 0 : (size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set))
        fail("sched_setaffinity");
}

static double number(const char *option, const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= min && value <= max)) {
        fprintf(stderr, "workloads: %s %s: a number from %.0f to %.0f is needed\n", option, text, min, max);
        exit(2);
    }
    return value;
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.seconds = 0.3, .repeat = 5};

    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (!strcmp(name, "--exit"))
            _exit(EXIT_OPTION_STATUS);
        if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
            fputs(usage, stdout);
            exit(0);
        }
        if (!strcmp(name, "--list")) {
            o.list = true;
            continue;
        }
        i++;
        if (value && !strcmp(name, "--only") && o.n_only < MAX_ONLY) {
            o.only[o.n_only++] = value;
        } else if (value && !strcmp(name, "--seconds")) {
            o.seconds = number(name, value, 0, 60);
        } else if (value && !strcmp(name, "--repeat")) {
            o.repeat = (long)number(name, value, 1, 1000);
        } else if (value && !strcmp(name, "--touch")) {
            o.touch_mib = (long)number(name, value, 0, 1 << 20);
        } else {
            fputs(usage, stderr);
            exit(2);
        }
    }
    return o;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    int seen = 0, wrong = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!o.list) {
        use_one_processor();
        touch((size_t)o.touch_mib << 20);
    }
    for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++) {
        for (const struct workload *w = tables[t]; w->name; w++) {
            if (!wanted(w, &o))
                continue;
            seen++;
            if (o.list)
                printf("%s %s\n", w->name, w->group);
            else
                wrong += !run(w, &o);
        }
    }
    if (!seen) {
        fprintf(stderr, "workloads: no workload or group of that name; --list shows them\n");
        return 2;
    }
    if (!o.list)
        printf("workloads: %d run, %d wrong\n", seen, wrong);
    return wrong != 0;
}
