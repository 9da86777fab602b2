/*
 * vcpu.c: the thread of a virtual processor.
 *
 * The thread serves requests, runs the engine, and handles what run() came back for, by a table. A request is
 * a bit in `requests`, then a kick of the engine and a bump of the wake word: whichever of the three places
 * the thread is in (before run, in run, asleep in HLT), it comes to serve_requests().
 *
 * HLT sleeps on a futex, the wake word, without a lock, because wake-ups come from under device locks and
 * from the hot path of each interrupt. The sleeper announces itself, reads the word, looks for work, and
 * sleeps only if the word is still the same; the waker stores the work, bumps the word, and calls the kernel
 * only if a sleeper is announced. All in sequentially consistent order: either the sleeper sees the work, or
 * it sees the new word, or the waker sees the sleeper.
 */
#include "vcpu/vcpu.h"
#include "host/host.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { REQ_PAUSE = 1, REQ_STOP = 2, REQ_CALL = 4 };

struct vcpu {
    struct vcpu_config cfg;
    struct engine_vcpu *ev;
    pthread_t thread;
    bool started;

    _Atomic uint32_t requests;
    _Atomic uint32_t wake_word;
    _Atomic uint32_t asleep;

    pthread_mutex_t lock; /* of what follows; a leaf */
    pthread_cond_t changed;
    bool paused; /* the thread stands in serve_requests and runs no guest code */
    vcpu_fn *call;
    void *call_opaque;

    struct engine_exit_info info; /* the thread's own */
    struct vcpu_counts counts;
};

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void vcpu_wake(struct vcpu *v)
{
    atomic_fetch_add(&v->wake_word, 1);
    if (atomic_load(&v->asleep))
        futex_wake(&v->wake_word);
}

static void request(struct vcpu *v, uint32_t bit)
{
    atomic_fetch_or(&v->requests, bit);
    v->cfg.ops->kick(v->ev);
    vcpu_wake(v);
}

/* ---- the thread ---- */

static void on_halt(struct vcpu *v)
{
    atomic_store(&v->asleep, 1);
    for (;;) {
        uint32_t word = atomic_load(&v->wake_word);
        if (atomic_load(&v->requests) || v->cfg.ops->has_wakeup(v->ev))
            break;
        futex_wait(&v->wake_word, word);
    }
    atomic_store(&v->asleep, 0);
}

/* Nothing to do: what the kick was for is served before the next run. */
static void on_kick(struct vcpu *v)
{
}

static void on_stopped(struct vcpu *v, enum engine_exit why)
{
    atomic_fetch_or(&v->requests, REQ_PAUSE);
    v->cfg.stopped(v->cfg.opaque, v->cfg.id, why, &v->info);
}

static void on_shutdown(struct vcpu *v)
{
    on_stopped(v, EXIT_SHUTDOWN);
}

static void on_debug(struct vcpu *v)
{
    on_stopped(v, EXIT_DEBUG);
}

static void on_error(struct vcpu *v)
{
    on_stopped(v, EXIT_ERROR);
}

static void (*const exit_handler[EXIT_REASONS])(struct vcpu *v) = {
    [EXIT_HALT] = on_halt,   [EXIT_KICK] = on_kick,   [EXIT_SHUTDOWN] = on_shutdown,
    [EXIT_DEBUG] = on_debug, [EXIT_ERROR] = on_error,
};

/* Returns when the guest may run; false: the thread is to end. */
static bool serve_requests(struct vcpu *v)
{
    if (LIKELY(!atomic_load_explicit(&v->requests, memory_order_acquire)))
        return true;

    pthread_mutex_lock(&v->lock);
    uint32_t req;
    while ((req = atomic_load(&v->requests))) {
        if (req & REQ_CALL) {
            v->call(v->cfg.ops, v->ev, v->call_opaque);
            atomic_fetch_and(&v->requests, ~(uint32_t)REQ_CALL);
            pthread_cond_broadcast(&v->changed);
            continue;
        }
        if (req & REQ_STOP)
            break;
        if (!v->paused) {
            v->paused = true;
            pthread_cond_broadcast(&v->changed);
        }
        pthread_cond_wait(&v->changed, &v->lock);
    }
    v->paused = false;
    pthread_mutex_unlock(&v->lock);
    return !(req & REQ_STOP);
}

static void *vcpu_thread(void *opaque)
{
    struct vcpu *v = opaque;
    char name[16];

    snprintf(name, sizeof(name), "vcpu%u", v->cfg.id);
    pthread_setname_np(pthread_self(), name);

    while (serve_requests(v)) {
        if (UNLIKELY(v->counts.first_insn_s == 0))
            v->counts.first_insn_s = host_process_age();
        enum engine_exit why = v->cfg.ops->run(v->ev, &v->info);
        assert(why < EXIT_REASONS);
        double before = seconds_now();
        exit_handler[why](v);
        v->counts.exits[why].n++;
        v->counts.exits[why].s += seconds_now() - before;
    }
    return NULL;
}

/* ---- for the event loop ---- */

struct vcpu *vcpu_new(const struct vcpu_config *cfg, struct err *e)
{
    struct vcpu *v = calloc(1, sizeof(*v));
    if (!v) {
        err_host(e, "vCPU %u: out of memory", cfg->id);
        return NULL;
    }
    v->cfg = *cfg;
    v->ev = cfg->ops->vcpu_create(cfg->engine, cfg->id, e);
    if (!v->ev) {
        free(v);
        return NULL;
    }
    atomic_init(&v->requests, REQ_PAUSE);
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->changed, NULL);
    return v;
}

void vcpu_free(struct vcpu *v)
{
    if (!v)
        return;
    assert(!v->started);
    v->cfg.ops->vcpu_destroy(v->ev);
    pthread_cond_destroy(&v->changed);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

bool vcpu_start(struct vcpu *v, struct err *e)
{
    /* All signals are the event loop's, but for those that an instruction of this thread raises in it. */
    static const int own[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    sigset_t blocked, saved;
    sigfillset(&blocked);
    for (unsigned i = 0; i < ARRAY_LEN(own); i++)
        sigdelset(&blocked, own[i]);

    assert(!v->started);
    pthread_sigmask(SIG_SETMASK, &blocked, &saved);
    int rc = pthread_create(&v->thread, NULL, vcpu_thread, v);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    if (rc)
        return err_host(e, "vCPU %u: cannot start a thread: %s (see ulimit -u)", v->cfg.id, strerror(rc));
    v->started = true;
    return true;
}

void vcpu_resume(struct vcpu *v)
{
    pthread_mutex_lock(&v->lock);
    atomic_fetch_and(&v->requests, ~(uint32_t)REQ_PAUSE);
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->lock);
}

void vcpu_ask_pause(struct vcpu *v)
{
    request(v, REQ_PAUSE);
}

void vcpu_pause(struct vcpu *v)
{
    request(v, REQ_PAUSE);
    if (!v->started)
        return;
    pthread_mutex_lock(&v->lock);
    while (!v->paused)
        pthread_cond_wait(&v->changed, &v->lock);
    pthread_mutex_unlock(&v->lock);
}

void vcpu_stop(struct vcpu *v)
{
    if (!v->started)
        return;
    request(v, REQ_STOP);
    /* Under the lock, so that the broadcast cannot fall between the thread's look at `requests` and its wait.
     */
    pthread_mutex_lock(&v->lock);
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->lock);
    pthread_join(v->thread, NULL);
    v->started = false;
    /* What is left of a new vCPU: paused, without a thread. */
    atomic_store(&v->requests, REQ_PAUSE);
}

void vcpu_call(struct vcpu *v, vcpu_fn *fn, void *opaque)
{
    if (!v->started) {
        fn(v->cfg.ops, v->ev, opaque);
        return;
    }
    pthread_mutex_lock(&v->lock);
    v->call = fn;
    v->call_opaque = opaque;
    request(v, REQ_CALL);
    pthread_cond_broadcast(&v->changed);
    while (atomic_load(&v->requests) & REQ_CALL)
        pthread_cond_wait(&v->changed, &v->lock);
    pthread_mutex_unlock(&v->lock);
}

struct vcpu_counts vcpu_counts(struct vcpu *v)
{
    pthread_mutex_lock(&v->lock);
    struct vcpu_counts c = v->counts;
    pthread_mutex_unlock(&v->lock);
    return c;
}
