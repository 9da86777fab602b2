/*
 * test_moves.c: a machine that moves between two engines while it runs: test_moves GUEST ENGINE ENGINE
 * [MOVES].
 *
 * At random moments the vCPU is taken out of one engine, its whole state pulled and pushed into the other,
 * and goes on there. The guest checks itself (moves_guest.c); at the end its chain of hashes is worked out
 * again here.
 */
#include "boot/boot.h"
#include "engine/engine.h"
#include "moves.h"
#include "sha256.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MEMORY        0xa0000ull
#define GUEST_MAX     (MOVES_SHARED - MOVES_LOAD)
#define LIMIT_SECONDS 240 /* for what hangs */

struct side {
    const struct engine_ops *ops;
    struct engine *engine;
    struct engine_vcpu *vcpu;
};

struct test {
    struct mem *mem;
    struct bus *bus;
    struct clock *clock;
    struct cpuid_model model;
    pthread_mutex_t lock;
    struct side side[2];
    _Atomic unsigned on; /* which of them runs */
    _Atomic unsigned move;
    unsigned moves;
    _Atomic bool ended;
};

static void die(const char *what, const char *why)
{
    printf("FAIL: %s: %s\n", what, why);
    exit(1);
}

static struct moves_shared *shared(struct test *t)
{
    return (struct moves_shared *)mem_ptr(t->mem, MOVES_SHARED, sizeof(struct moves_shared));
}

/* ---- the machine ---- */

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0xff;
}

static void port_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct test *t = opaque;
    const struct side *s = &t->side[atomic_load(&t->on)];
    atomic_store(&t->ended, true);
    s->ops->kick(s->vcpu);
}

static const struct bus_desc port = {"end", port_read, port_write, 1, 4};

static void nothing(void *opaque, unsigned vcpu)
{
}

static void open_side(struct test *t, struct side *s, const char *name)
{
    struct err e = {0};
    const struct engine_config cfg = {.mem = t->mem,
                                      .bus = t->bus,
                                      .clock = t->clock,
                                      .cpuid = &t->model,
                                      .cpus = 1,
                                      .wake = nothing,
                                      .opaque = t};
    s->engine = s->ops->open(&cfg, &e);
    if (!s->engine || !(s->vcpu = s->ops->vcpu_create(s->engine, 0, &e)))
        die(name, e.text);
}

static void find_engine(struct side *s, const char *name)
{
    s->ops = engine_find(name);
    if (!s->ops)
        die(name, "no such engine");
    struct engine_probe p = s->ops->probe();
    if (!p.usable) {
        printf("SKIP: %s: %s\n", name, p.why);
        exit(77);
    }
}

static struct clock *make_clock(const struct test *t)
{
    struct clock *c = clock_new_host(NULL);
    uint64_t offset;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t (*ask)(void) = t->side[i].ops->tsc_khz;
        uint32_t khz = ask && !clock_counts_tsc(c, &offset) ? ask() : 0;
        if (khz) {
            clock_free(c);
            c = clock_new_tsc(khz, NULL);
        }
    }
    return c;
}

static void load_guest(struct test *t, const char *path)
{
    static uint8_t image[GUEST_MAX];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(image, 1, sizeof(image), f) : 0;
    if (!n || n == sizeof(image) || !mem_write(t->mem, MOVES_LOAD, image, n))
        die(path, "cannot be loaded");
    fclose(f);
}

static void enter_guest(struct test *t)
{
    struct side *s = &t->side[0];
    struct boot_entry entry;
    struct x86_state st = {0};
    boot_long_mode(t->mem, &entry);
    entry.rip = MOVES_LOAD;
    s->ops->pull(s->vcpu, GROUP_ALL, &st);
    boot_set_state(&entry, &st);
    st.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (t->model.has_avx) {
        st.cr4 |= CR4_OSXSAVE;
        st.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
        shared(t)->avx = 1;
    }
    s->ops->push(s->vcpu, GROUP_ALL, &st);
}

/* ---- moving ---- */

/* Runs the clock's timers, and kicks the vCPU at random moments, once for each move. */
static void *kicker(void *opaque)
{
    struct test *t = opaque;
    unsigned seed = 12345;
    time_t limit = time(NULL) + LIMIT_SECONDS;
    for (unsigned m = 0; m <= t->moves; m++) {
        unsigned pause_us = (unsigned)rand_r(&seed) % 20000;
        for (unsigned us = 0; us < pause_us; us += 200) {
            clock_run(t->clock);
            usleep(200);
        }
        if (m == t->moves)
            shared(t)->stop = 1;
        const struct side *s = &t->side[atomic_load(&t->on)];
        s->ops->kick(s->vcpu);
        while (atomic_load(&t->move) <= m && !atomic_load(&t->ended)) {
            clock_run(t->clock);
            usleep(200);
            if (time(NULL) > limit)
                die("the guest", "hangs");
        }
        if (atomic_load(&t->ended))
            break;
    }
    return NULL;
}

static void move(struct test *t)
{
    static struct x86_state s;
    unsigned from = atomic_load(&t->on), to = !from;
    t->side[from].ops->pull(t->side[from].vcpu, GROUP_ALL, &s);
    t->side[to].ops->push(t->side[to].vcpu, GROUP_ALL, &s);
    t->side[to].ops->flush_code(t->side[to].vcpu);
    atomic_store(&t->on, to);
}

static void run(struct test *t)
{
    struct engine_exit_info info;
    while (!atomic_load(&t->ended)) {
        struct side *s = &t->side[atomic_load(&t->on)];
        enum engine_exit why = s->ops->run(s->vcpu, &info);
        if (why != EXIT_KICK && why != EXIT_HALT)
            die(s->ops->name, why == EXIT_ERROR ? info.text : engine_exit_names[why]);
        if (why != EXIT_KICK || atomic_load(&t->ended))
            continue;
        if (atomic_load(&t->move) < t->moves)
            move(t);
        atomic_fetch_add(&t->move, 1);
    }
}

static void check(struct test *t)
{
    static const char *const names[] = {
        [MOVES_TSC_BACK] = "the TSC went back",
        [MOVES_TIMER_EARLY] = "the timer came early",
        [MOVES_X87] = "x87 register",
        [MOVES_X87_CONTROL] = "x87 control word",
        [MOVES_VECTOR] = "vector register",
        [MOVES_MXCSR] = "MXCSR",
        [MOVES_IPI_LOST] = "an interrupt was lost",
        [MOVES_IPI_EARLY] = "an interrupt came with IF clear",
    };
    const struct moves_shared *s = shared(t);
    uint32_t k[64], h[8];
    sha256_constants(k);
    memcpy(h, sha256_initial, sizeof(h));
    for (uint32_t n = 1; n <= s->rounds; n++)
        for (unsigned i = 0; i < 20; i++)
            sha256_round(h, n * 20 + i, k);
    printf("%s and %s: %u moves, %u rounds, %u timer ticks, %u IPIs%s\n", t->side[0].ops->name,
           t->side[1].ops->name, MIN(atomic_load(&t->move), t->moves), s->rounds, s->ticks, s->ipis,
           s->avx ? ", with AVX" : "");
    if (s->failure)
        die("the guest", s->failure < ARRAY_LEN(names) ? names[s->failure] : "an unknown failure");
    if (memcmp(h, (const void *)s->digest, sizeof(h)))
        die("the guest", "the chain of SHA-256 is wrong");
    if (atomic_load(&t->move) < t->moves || !s->rounds || !s->ticks)
        die("the guest", "ended too early");
}

int main(int argc, char **argv)
{
    static struct test t = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct err e = {0};
    pthread_t thread;
    if (argc < 4) {
        fprintf(stderr, "usage: test_moves GUEST ENGINE ENGINE [MOVES]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    t.moves = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 50;
    for (unsigned i = 0; i < 2; i++)
        find_engine(&t.side[i], argv[2 + i]);
    t.clock = make_clock(&t);
    t.mem = mem_new();
    t.bus = bus_new();
    if (!mem_add_ram(t.mem, 0, MEMORY, &e))
        die("memory", e.text);
    bus_add_pio(t.bus, MOVES_PORT, 1, &port, &t, &t.lock);
    cpuid_compose(&t.model, &(struct cpuid_config){.cpus = 1, .tsc_khz = (uint32_t)clock_tsc_khz(t.clock)});
    load_guest(&t, argv[1]);
    for (unsigned i = 0; i < 2; i++)
        open_side(&t, &t.side[i], argv[2 + i]);
    enter_guest(&t);
    pthread_create(&thread, NULL, kicker, &t);
    run(&t);
    pthread_join(thread, NULL);
    check(&t);
    for (unsigned i = 0; i < 2; i++) {
        t.side[i].ops->vcpu_destroy(t.side[i].vcpu);
        t.side[i].ops->close(t.side[i].engine);
    }
    printf("PASS\n");
    return 0;
}
