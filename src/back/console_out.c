/*
 * console_out.c: from the device to the host: straight to the descriptor, or through a ring when that is
 * slow.
 */
#include "back/console.h"
#include "back/console_impl.h"
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>

void console_out_fail(struct console *c, int error)
{
    c->ring_used = 0;
    c->out_failed = true;
    if (c->kind == CONSOLE_FILE)
        err_host(&c->out_why,
                 "serial output file: %s; make room or choose another file: what the guest prints from here "
                 "on is lost",
                 strerror(error));
    else
        err_host(&c->out_why,
                 "standard output: %s; keep its reader running, or use --serial file:PATH: what the "
                 "guest prints from here on is lost",
                 strerror(error));
    console_kick(c);
}

/* Move queued bytes out until nothing is left, or the descriptor takes no more. With c->lock held. */
static void flush(struct console *c)
{
    while (c->ring_used) {
        size_t piece = MIN(c->ring_used, CONSOLE_RING - c->ring_at);
        ssize_t put = console_fd_write(&c->out, c->ring + c->ring_at, piece);
        if (put == -EAGAIN || put == 0)
            return;
        if (put < 0) {
            console_out_fail(c, (int)-put);
            return;
        }
        c->ring_at = (c->ring_at + (size_t)put) & (CONSOLE_RING - 1);
        c->ring_used -= (size_t)put;
    }
}

static void on_out(void *opaque, uint32_t events)
{
    struct console *c = opaque;
    if (c->kind == CONSOLE_UNIX && (events & (EPOLLHUP | EPOLLERR))) {
        console_unix_gone(c);
        return;
    }
    pthread_mutex_lock(&c->lock);
    flush(c);
    if (!c->ring_used)
        /* A client's socket stays watched, to see it hang up. */
        console_out_watch(c, c->kind == CONSOLE_UNIX ? OUT_IDLE : OUT_UNWATCHED);
    pthread_mutex_unlock(&c->lock);
    console_out_notify(c);
}

/* Threads that are not the loop's only ever go up: from unwatched or idle to EPOLLOUT. */
void console_out_watch(struct console *c, int want)
{
    struct err e;
    int had = c->out_watch;
    if (want == had)
        return;
    c->out_watch = want;
    if (want == OUT_UNWATCHED) {
        loop_remove(c->loop, c->out.fd);
    } else if (had != OUT_UNWATCHED) {
        loop_change(c->loop, c->out.fd, (uint32_t)want);
    } else if (!loop_add(c->loop, c->out.fd, (uint32_t)want, on_out, c, &e)) {
        c->out_watch = OUT_UNWATCHED;
        console_out_fail(c, ENOMEM);
        c->out_why = e;
    }
}

void console_out_notify(struct console *c)
{
    pthread_mutex_lock(&c->lock);
    bool failed = c->out_failed;
    bool report = failed && !c->loss_reported && c->kind != CONSOLE_UNIX;
    c->loss_reported |= report;
    if (failed)
        console_out_watch(c, OUT_UNWATCHED);
    bool writable = c->want_writable && c->ring_used <= CONSOLE_RING / 2;
    if (writable)
        c->want_writable = false;
    pthread_mutex_unlock(&c->lock);

    if (failed && c->kind == CONSOLE_UNIX)
        console_unix_gone(c);
    if (report && c->events.output_lost)
        c->events.output_lost(c->events.opaque, &c->out_why);
    if (writable && c->device.writable)
        c->device.writable(c->device.opaque);
}

static size_t enqueue(struct console *c, const uint8_t *data, size_t n)
{
    n = MIN(n, CONSOLE_RING - c->ring_used);
    size_t at = (c->ring_at + c->ring_used) & (CONSOLE_RING - 1);
    size_t first = MIN(n, CONSOLE_RING - at);
    memcpy(c->ring + at, data, first);
    memcpy(c->ring, data + first, n - first);
    c->ring_used += n;
    return n;
}

size_t console_write(struct console *c, const uint8_t *data, size_t n)
{
    pthread_mutex_lock(&c->lock);
    size_t done = 0;
    while (done < n && !c->ring_used && !c->out_failed && c->out.fd >= 0) {
        ssize_t put = console_fd_write(&c->out, data + done, n - done);
        if (put == -EAGAIN || put == 0)
            break;
        if (put < 0)
            console_out_fail(c, (int)-put);
        else
            done += (size_t)put;
    }
    if (c->out_failed || c->out.fd < 0) {
        done = n;
    } else if (done < n) {
        done += enqueue(c, data + done, n - done);
        c->want_writable |= done < n;
        console_out_watch(c, EPOLLOUT);
    }
    pthread_mutex_unlock(&c->lock);
    return done;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool console_drain(struct console *c, unsigned timeout_ms)
{
    int64_t end = now_ms() + timeout_ms;
    for (;;) {
        pthread_mutex_lock(&c->lock);
        flush(c);
        bool empty = !c->ring_used, failed = c->out_failed;
        /* Should the loop's thread close it meanwhile, the poll below waits in vain, for one slice. */
        struct pollfd p = {.fd = c->out.fd, .events = POLLOUT};
        pthread_mutex_unlock(&c->lock);
        int64_t left = end - now_ms();
        if (empty || left <= 0)
            return empty && !failed;
        int ready = poll(&p, 1, (int)MIN(left, 50));
        if (ready < 0 && errno != EINTR)
            return false;
    }
}
