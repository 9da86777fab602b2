/*
 * console_rig.h: what the tests of the console share: a loop in a thread of its own, a device of a few bytes,
 * a pattern that shows a byte lost or moved.
 */
#ifndef TESTS_UNIT_CONSOLE_RIG_H
#define TESTS_UNIT_CONSOLE_RIG_H

#include "back/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PASTE KIB(64)

struct rig {
    struct loop *loop;
    pthread_t thread;
    bool running;
    struct console *console;
    char dir[32], path[64];

    pthread_mutex_t lock; /* the device's */
    pthread_cond_t changed;
    uint8_t *got;
    size_t got_len, got_room;
    size_t room;     /* what the device would take now */
    size_t too_much; /* bytes offered beyond that */
    unsigned breaks, writables, quits, losses;
    char loss[512];
};

/* ---- the device ---- */

static inline size_t can_take(void *opaque)
{
    struct rig *r = opaque;
    pthread_mutex_lock(&r->lock);
    size_t n = r->room;
    pthread_mutex_unlock(&r->lock);
    return n;
}

static inline size_t input(void *opaque, const uint8_t *data, size_t n)
{
    struct rig *r = opaque;
    pthread_mutex_lock(&r->lock);
    if (n > r->room) {
        r->too_much += n - r->room;
        n = r->room;
    }
    memcpy(r->got + r->got_len, data, n);
    r->got_len += n;
    r->room -= n;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return n;
}

static inline void count(struct rig *r, unsigned *what)
{
    pthread_mutex_lock(&r->lock);
    ++*what;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static inline void line_break(void *opaque)
{
    struct rig *r = opaque;
    count(r, &r->breaks);
}

static inline void writable(void *opaque)
{
    struct rig *r = opaque;
    count(r, &r->writables);
}

static inline void quit(void *opaque)
{
    struct rig *r = opaque;
    count(r, &r->quits);
}

static inline void output_lost(void *opaque, const struct err *why)
{
    struct rig *r = opaque;
    snprintf(r->loss, sizeof r->loss, "%s", why->text);
    count(r, &r->losses);
}

static inline const struct console_device *device(struct rig *r)
{
    static struct console_device d;
    d = (struct console_device){
        .can_take = can_take, .input = input, .brk = line_break, .writable = writable, .opaque = r};
    return &d;
}

static inline const struct console_events *events(struct rig *r)
{
    static struct console_events e;
    e = (struct console_events){.quit = quit, .output_lost = output_lost, .opaque = r};
    return &e;
}

static inline unsigned so_far(struct rig *r, const unsigned *what)
{
    pthread_mutex_lock(&r->lock);
    unsigned n = *what;
    pthread_mutex_unlock(&r->lock);
    return n;
}

/* The guest has emptied the device. */
static inline void make_room(struct rig *r, size_t room)
{
    pthread_mutex_lock(&r->lock);
    r->room = room;
    pthread_mutex_unlock(&r->lock);
    console_input_ready(r->console);
}

/* ---- the rig ---- */

static inline int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    r->loop = loop_new(NULL);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    r->got_room = MIB(1);
    r->got = malloc(r->got_room);
    snprintf(r->dir, sizeof r->dir, "/tmp/test-console-XXXXXX");
    if (!r->loop || !r->got || !mkdtemp(r->dir))
        return -1;
    snprintf(r->path, sizeof r->path, "%s/port", r->dir);
    *state = r;
    return 0;
}

static inline void *run_loop(void *opaque)
{
    loop_run(((struct rig *)opaque)->loop);
    return NULL;
}

static inline void start(struct rig *r)
{
    assert_non_null(r->console);
    console_connect(r->console, device(r));
    pthread_create(&r->thread, NULL, run_loop, r);
    r->running = true;
}

static inline void stop(struct rig *r)
{
    if (r->running) {
        loop_stop(r->loop);
        pthread_join(r->thread, NULL);
        r->running = false;
    }
    console_close(r->console);
    r->console = NULL;
}

static inline int teardown(void **state)
{
    struct rig *r = *state;
    stop(r);
    loop_free(r->loop);
    unlink(r->path);
    rmdir(r->dir);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r->got);
    free(r);
    return 0;
}

static inline void open_spec(struct rig *r, enum console_kind kind)
{
    struct err e = {0};
    const struct console_spec spec = {.kind = kind, .path = r->path};
    r->console = console_open(&spec, r->loop, events(r), &e);
    if (!r->console)
        fail_msg("%s", e.text);
}

static inline void open_fds(struct rig *r, int in_fd, int out_fd)
{
    r->console = console_open_stdio(in_fd, out_fd, r->loop, events(r), NULL);
    assert_non_null(r->console);
}

/* Wait until `what`, which other threads change under the lock, is at least n. The bound only ends a hung
 * test. */
#define WAIT(r, what, n)                                                       \
    do {                                                                       \
        struct timespec end_;                                                  \
        clock_gettime(CLOCK_REALTIME, &end_);                                  \
        end_.tv_sec += 60;                                                     \
        int error_ = 0;                                                        \
        pthread_mutex_lock(&(r)->lock);                                        \
        while ((r)->what < (n) && !error_)                                     \
            error_ = pthread_cond_timedwait(&(r)->changed, &(r)->lock, &end_); \
        pthread_mutex_unlock(&(r)->lock);                                      \
        assert_int_equal(error_, 0);                                           \
    } while (0)

static inline uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static inline void fill_pattern(uint8_t *p, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = pattern(at + i);
}

static inline void check_pattern(const uint8_t *p, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != pattern(at + i))
            fail_msg("byte %zu is 0x%02x instead of 0x%02x", at + i, p[i], pattern(at + i));
    }
}

/* Exactly n bytes from fd. */
static inline void read_all(int fd, void *buf, size_t n)
{
    size_t got = 0;
    while (got < n) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 30000), 1);
        ssize_t k = read(fd, (uint8_t *)buf + got, n - got);
        if (k <= 0)
            fail_msg("after %zu bytes: %s", got, k ? strerror(errno) : "end");
        got += (size_t)k;
    }
}

static inline void expect(int fd, const char *text)
{
    char buf[256];
    read_all(fd, buf, strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

static inline size_t put(struct rig *r, const char *text)
{
    return console_write(r->console, (const uint8_t *)text, strlen(text));
}

static inline void expect_input(struct rig *r, const char *text)
{
    WAIT(r, got_len, strlen(text));
    pthread_mutex_lock(&r->lock);
    size_t n = r->got_len;
    int order = memcmp(r->got, text, strlen(text));
    pthread_mutex_unlock(&r->lock);
    assert_int_equal(n, strlen(text));
    assert_int_equal(order, 0);
}

struct feed {
    int fd;
    size_t n;
};

/* Writes n bytes of the pattern, waiting as long as it takes, and closes. */
static inline void *feed(void *opaque)
{
    struct feed *f = opaque;
    uint8_t buf[1000];
    for (size_t at = 0; at < f->n;) {
        size_t n = MIN(sizeof buf, f->n - at);
        fill_pattern(buf, at, n);
        ssize_t k = write(f->fd, buf, n);
        if (k <= 0)
            break;
        at += (size_t)k;
    }
    return NULL;
}

/* A guest that empties its FIFO in uneven steps until n bytes have come. */
static inline void take_slowly(struct rig *r, size_t n)
{
    for (size_t seen = 0, step = 1; seen < n; step = step % 16 + 1) {
        size_t want = MIN(seen + step, n);
        make_room(r, want - seen);
        WAIT(r, got_len, want);
        assert_int_equal(r->got_len, want);
        seen = want;
    }
    check_pattern(r->got, 0, n);
    assert_int_equal(r->too_much, 0);
}

/* Read from `back` until `want` bytes of the pattern have come in all. */
static inline void read_pattern(int back, size_t *seen, size_t want)
{
    uint8_t buf[777];
    while (*seen < want) {
        size_t n = MIN(sizeof buf, want - *seen);
        read_all(back, buf, n);
        check_pattern(buf, *seen, n);
        *seen += n;
    }
}

/* `back` is the other end of the console's output; on the way there is less room than the pattern is long. */
static inline void push_pattern_through(struct rig *r, int back)
{
    const size_t all = MIB(1);
    uint8_t buf[777];
    size_t sent = 0, seen = 0;
    unsigned times_full = 0;
    while (sent < all) {
        size_t n = MIN(sizeof buf, all - sent);
        fill_pattern(buf, sent, n);
        unsigned before = so_far(r, &r->writables);
        size_t k = console_write(r->console, buf, n);
        assert_true(k <= n);
        sent += k;
        if (k == n)
            continue;
        /* Full. Once all but a little has been read, it says that it takes more. */
        times_full++;
        read_pattern(back, &seen, sent - KIB(10));
        WAIT(r, writables, before + 1);
    }
    assert_true(times_full > 0);
    read_pattern(back, &seen, all);
    assert_true(console_drain(r->console, 1000));
    assert_int_equal(so_far(r, &r->losses), 0);
}

static inline int open_pty(int *slave, bool raw)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    char name[64];
    struct termios t;
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    assert_int_equal(ptsname_r(master, name, sizeof name), 0);
    *slave = open(name, O_RDWR | O_NOCTTY);
    assert_true(*slave >= 0);
    if (raw) {
        assert_int_equal(tcgetattr(*slave, &t), 0);
        cfmakeraw(&t);
        assert_int_equal(tcsetattr(*slave, TCSANOW, &t), 0);
    }
    return master;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
