/*
 * loop.c: the event loop: descriptors by epoll, posts by an eventfd, one timer by a timerfd, signals by a
 * signalfd.
 *
 * A watch is found by its descriptor number, and epoll hands back that number together with the watch's
 * serial number. So an event that was fetched before its watch was removed (by another callback of the same
 * batch), or before the number came to mean another file, finds no watch of that serial and is dropped.
 */
#include "host/host.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define BATCH 64

struct watch {
    loop_fd_fn *fn; /* NULL: not watched */
    void *opaque;
    uint32_t serial, events;
    bool always; /* a file that epoll refuses because it never waits (regular files, /dev/null): always ready
                  */
};

struct post {
    void (*fn)(void *opaque);
    void *opaque;
};

struct post_queue {
    struct post *items;
    size_t count, room;
};

struct loop {
    int epoll_fd, post_fd, timer_fd, signal_fd;
    atomic_bool stop;

    pthread_mutex_t lock;  /* a leaf; guards all below */
    struct watch *watches; /* by descriptor */
    int watch_room;
    int always_count;
    uint32_t next_serial;
    struct post_queue posts; /* filled by any thread */
    struct post_queue spare; /* emptied by the loop; the two change places */
    void (*timer_fn)(void *opaque);
    void *timer_opaque;
    void (*signal_fn)(void *opaque, int sig);
    void *signal_opaque;
};

/* Our own descriptors are in epoll with serial 0, which no watch has. */
static uint64_t epoll_key(int fd, uint32_t serial)
{
    return (uint64_t)serial << 32 | (uint32_t)fd;
}

static bool add_own(struct loop *l, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = epoll_key(fd, 0)};
    return fd >= 0 && epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

struct loop *loop_new(struct err *e)
{
    struct loop *l = calloc(1, sizeof(*l));
    if (!l) {
        err_host(e, "event loop: %s; free some memory", strerror(ENOMEM));
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    l->post_fd = l->timer_fd = l->signal_fd = -1;
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd < 0 || !add_own(l, l->post_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) ||
        !add_own(l, l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK))) {
        err_host(e, "event loop: %s; raise the limit on open files", strerror(errno));
        loop_free(l);
        return NULL;
    }
    return l;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    close_fd(l->epoll_fd);
    close_fd(l->post_fd);
    close_fd(l->timer_fd);
    close_fd(l->signal_fd);
    pthread_mutex_destroy(&l->lock);
    free(l->watches);
    free(l->posts.items);
    free(l->spare.items);
    free(l);
}

/* ---- watches ---- */

static bool grow_watches(struct loop *l, int fd)
{
    if (fd < l->watch_room)
        return true;
    int room = (fd | 63) + 1;
    struct watch *w = realloc(l->watches, (size_t)room * sizeof(*w));
    if (!w)
        return false;
    memset(w + l->watch_room, 0, (size_t)(room - l->watch_room) * sizeof(*w));
    l->watches = w;
    l->watch_room = room;
    return true;
}

static bool is_watched(const struct loop *l, int fd)
{
    return fd >= 0 && fd < l->watch_room && l->watches[fd].fn;
}

static void ring(struct loop *l)
{
    uint64_t one = 1;
    ssize_t n;
    do
        n = write(l->post_fd, &one, sizeof(one));
    while (n < 0 && errno == EINTR); /* EAGAIN: the counter is full, so the loop is awake anyway */
}

/* 0 or an errno. */
static int add_locked(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *opaque)
{
    if (!grow_watches(l, fd))
        return ENOMEM;
    assert(!l->watches[fd].fn);
    if (++l->next_serial == 0)
        l->next_serial = 1;
    struct watch w = {.fn = fn, .opaque = opaque, .serial = l->next_serial, .events = events};
    struct epoll_event ev = {.events = events, .data.u64 = epoll_key(fd, w.serial)};
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
        if (errno != EPERM)
            return errno;
        w.always = true;
        l->always_count++;
    }
    l->watches[fd] = w;
    return 0;
}

bool loop_add(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *opaque, struct err *e)
{
    if (fd < 0)
        return err_host(e, "event loop: cannot watch descriptor %d: %s; open it first", fd, strerror(EBADF));
    pthread_mutex_lock(&l->lock);
    int error = add_locked(l, fd, events, fn, opaque);
    bool always = !error && l->watches[fd].always;
    pthread_mutex_unlock(&l->lock);
    if (error)
        return err_host(
            e, "event loop: cannot watch descriptor %d: %s; raise the limits on memory and epoll watches", fd,
            strerror(error));
    if (always)
        ring(l);
    return true;
}

/* A thread that changes a watch may come just after the loop's thread has removed it: then nothing happens.
 */
void loop_change(struct loop *l, int fd, uint32_t events)
{
    bool always = false;
    pthread_mutex_lock(&l->lock);
    if (is_watched(l, fd)) {
        struct watch *w = &l->watches[fd];
        struct epoll_event ev = {.events = events, .data.u64 = epoll_key(fd, w->serial)};
        w->events = events;
        always = w->always;
        if (!always)
            epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &ev);
    }
    pthread_mutex_unlock(&l->lock);
    if (always)
        ring(l);
}

void loop_remove(struct loop *l, int fd)
{
    pthread_mutex_lock(&l->lock);
    if (is_watched(l, fd)) {
        if (l->watches[fd].always)
            l->always_count--;
        else
            epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        l->watches[fd] = (struct watch){0};
    }
    pthread_mutex_unlock(&l->lock);
}

static void dispatch_fd(struct loop *l, int fd, uint32_t serial, uint32_t events)
{
    pthread_mutex_lock(&l->lock);
    struct watch w = {0};
    if (is_watched(l, fd) && l->watches[fd].serial == serial)
        w = l->watches[fd];
    pthread_mutex_unlock(&l->lock);
    /* The wish may have changed since the event was fetched; errors and hang-ups are always told. */
    events &= w.events | EPOLLERR | EPOLLHUP;
    if (w.fn && events)
        w.fn(w.opaque, events);
}

/* Is a watch on an always-ready file waiting to be served? Then epoll must not sleep. */
static bool always_wanted(struct loop *l, bool serve)
{
    bool wanted = false;
    pthread_mutex_lock(&l->lock);
    for (int fd = 0; l->always_count && fd < l->watch_room; fd++) {
        struct watch w = l->watches[fd];
        uint32_t events = w.events & (EPOLLIN | EPOLLOUT);
        if (!w.fn || !w.always || !events)
            continue;
        wanted = true;
        if (!serve)
            break;
        pthread_mutex_unlock(&l->lock);
        dispatch_fd(l, fd, w.serial, events);
        pthread_mutex_lock(&l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return wanted;
}

/* ---- posts ---- */

void loop_post(struct loop *l, void (*fn)(void *opaque), void *opaque)
{
    pthread_mutex_lock(&l->lock);
    struct post_queue *q = &l->posts;
    if (q->count == q->room) {
        size_t room = q->room ? q->room * 2 : 32;
        struct post *items = realloc(q->items, room * sizeof(*items));
        assert(items); /* a post that got lost would leave a guest hanging with no trace */
        q->items = items;
        q->room = room;
    }
    q->items[q->count++] = (struct post){fn, opaque};
    bool first = q->count == 1;
    pthread_mutex_unlock(&l->lock);
    if (first)
        ring(l);
}

static void drain(int fd)
{
    uint64_t n;
    while (read(fd, &n, sizeof(n)) < 0 && errno == EINTR)
        ;
}

static void run_posts(struct loop *l)
{
    drain(l->post_fd); /* before the queue is taken: a post that comes in between rings again */
    pthread_mutex_lock(&l->lock);
    struct post_queue q = l->posts;
    l->posts = l->spare;
    l->posts.count = 0;
    l->spare = (struct post_queue){0};
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < q.count; i++)
        q.items[i].fn(q.items[i].opaque);
    pthread_mutex_lock(&l->lock);
    l->spare = q;
    pthread_mutex_unlock(&l->lock);
}

/* ---- timer ---- */

void loop_set_timer(struct loop *l, uint64_t delay_ns)
{
    struct itimerspec when = {0}; /* zero disarms: the delay "never" */
    if (delay_ns != UINT64_MAX) {
        uint64_t ns = MAX(delay_ns, 1);
        when.it_value =
            (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    }
    timerfd_settime(l->timer_fd, 0, &when, NULL);
}

void loop_on_timer(struct loop *l, void (*fn)(void *opaque), void *opaque)
{
    pthread_mutex_lock(&l->lock);
    l->timer_fn = fn;
    l->timer_opaque = opaque;
    pthread_mutex_unlock(&l->lock);
}

static void run_timer(struct loop *l)
{
    uint64_t n;
    if (read(l->timer_fd, &n, sizeof(n)) != sizeof(n))
        return; /* set anew since epoll spoke */
    pthread_mutex_lock(&l->lock);
    void (*fn)(void *opaque) = l->timer_fn;
    void *opaque = l->timer_opaque;
    pthread_mutex_unlock(&l->lock);
    if (fn)
        fn(opaque);
}

/* ---- signals ---- */

bool loop_signals(struct loop *l, const int *signals, unsigned n, void (*fn)(void *opaque, int sig),
                  void *opaque, struct err *e)
{
    assert(l->signal_fd < 0);
    sigset_t set;
    sigemptyset(&set);
    for (unsigned i = 0; i < n; i++)
        sigaddset(&set, signals[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    l->signal_fn = fn;
    l->signal_opaque = opaque;
    if (!add_own(l, l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)))
        return err_host(e, "event loop: signals: %s; raise the limit on open files", strerror(errno));
    return true;
}

static void run_signals(struct loop *l)
{
    struct signalfd_siginfo info;
    while (read(l->signal_fd, &info, sizeof(info)) == sizeof(info))
        l->signal_fn(l->signal_opaque, (int)info.ssi_signo);
}

/* ---- the loop ---- */

static void dispatch(struct loop *l, const struct epoll_event *ev)
{
    int fd = (int)(uint32_t)ev->data.u64;
    uint32_t serial = (uint32_t)(ev->data.u64 >> 32);
    if (serial)
        dispatch_fd(l, fd, serial, ev->events);
    else if (fd == l->post_fd)
        run_posts(l);
    else if (fd == l->timer_fd)
        run_timer(l);
    else
        run_signals(l);
}

void loop_run(struct loop *l)
{
    while (!atomic_load(&l->stop)) {
        struct epoll_event events[BATCH];
        int n = epoll_wait(l->epoll_fd, events, BATCH, always_wanted(l, false) ? 0 : -1);
        assert(n >= 0 || errno == EINTR);
        for (int i = 0; i < n; i++)
            dispatch(l, &events[i]);
        always_wanted(l, true);
    }
    atomic_store(&l->stop, false);
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    ring(l);
}
