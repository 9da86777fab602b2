/*
 * console_unix.c: a serial port behind a listening unix socket, one client at a time.
 */
#include "back/console.h"
#include "back/console_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void listen_for_client(struct console *c, bool on);

static bool accepted(struct console *c, int fd)
{
    int second = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (second < 0)
        return false;
    console_fd_own(&c->in, fd);
    pthread_mutex_lock(&c->lock);
    c->out_failed = false;
    c->ring_used = 0;
    console_fd_own(&c->out, second);
    console_out_watch(c, OUT_IDLE);
    pthread_mutex_unlock(&c->lock);
    return true;
}

static void on_listen(void *opaque, uint32_t events)
{
    struct console *c = opaque;
    int fd = accept4(c->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
        return;
    bool ok = fd >= 0 && accepted(c, fd);
    if (!ok) {
        log_error(
            "serial socket '%s': %s; no client can connect any more: raise the limit of open files (ulimit "
            "-n)",
            c->path, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    listen_for_client(c, false);
    if (!ok)
        return;
    console_in_pump(c);
}

static void listen_for_client(struct console *c, bool on)
{
    struct err e;
    if (on == c->listening)
        return;
    c->listening = on;
    if (!on) {
        loop_remove(c->loop, c->listen_fd);
    } else if (!loop_add(c->loop, c->listen_fd, EPOLLIN, on_listen, c, &e)) {
        c->listening = false;
        log_error("serial socket '%s': %s", c->path, e.text);
    }
}

void console_unix_gone(struct console *c)
{
    console_in_finish(c);
    pthread_mutex_lock(&c->lock);
    console_out_watch(c, OUT_UNWATCHED);
    console_fd_close(&c->out);
    c->ring_used = 0;
    c->out_failed = false;
    pthread_mutex_unlock(&c->lock);
    listen_for_client(c, true);
    /* The device goes on, with the rest of the input and without a reader of its output. */
    console_kick(c);
}

/* Is there a socket file at which nobody listens? Connecting is the only way to know. */
static bool is_stale(const struct sockaddr_un *addr)
{
    struct stat st;
    if (lstat(addr->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, (const struct sockaddr *)addr, sizeof *addr) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static bool bind_error(const char *path, int error, struct err *e)
{
    struct stat st;
    if (error != EADDRINUSE)
        return err_config(
            e, "serial socket '%s': %s; choose a path in a directory that exists and that you may write",
            path, strerror(error));
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
        return err_config(
            e, "serial socket '%s': a file of another kind is there; remove it or choose another path", path);
    return err_config(
        e, "serial socket '%s': somebody listens there already; end that program or choose another path",
        path);
}

static bool set_address(struct sockaddr_un *addr, const char *path, struct err *e)
{
    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof addr->sun_path)
        return err_config(e,
                          "serial socket '%s': a socket's path has at most %zu bytes; choose a shorter one",
                          path, sizeof addr->sun_path - 1);
    memcpy(addr->sun_path, path, strlen(path) + 1);
    return true;
}

bool console_unix_check(const char *path, struct err *e)
{
    struct sockaddr_un addr;
    struct stat st;
    if (!set_address(&addr, path, e))
        return false;
    if (lstat(path, &st) == 0 && !is_stale(&addr))
        return bind_error(path, EADDRINUSE, e);
    int error = console_can_create(path);
    return !error || bind_error(path, error, e);
}

bool console_unix_listen(struct console *c, const char *path, struct err *e)
{
    struct sockaddr_un addr;
    if (!set_address(&addr, path, e))
        return false;

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_host(e, "serial socket: %s; raise the limit of open files (ulimit -n)", strerror(errno));
    c->listen_fd = fd;
    /* bind gives the file the socket's own mode, so it is never open to others, not even for a moment. */
    fchmod(fd, 0600);
    int r = bind(fd, (struct sockaddr *)&addr, sizeof addr);
    if (r < 0 && errno == EADDRINUSE) {
        if (!is_stale(&addr))
            return bind_error(path, EADDRINUSE, e);
        unlink(path);
        r = bind(fd, (struct sockaddr *)&addr, sizeof addr);
    }
    if (r < 0)
        return bind_error(path, errno, e);
    c->path = strdup(path);
    if (!c->path || lstat(path, &c->node) < 0 || listen(fd, 8) < 0)
        return err_host(e, "serial socket '%s': %s; choose another path", path, strerror(errno));
    listen_for_client(c, true);
    return true;
}

void console_unix_close(struct console *c)
{
    struct stat st;
    if (c->listen_fd < 0)
        return;
    listen_for_client(c, false);
    close(c->listen_fd);
    /* Somebody else may have put another one in its place. */
    if (c->path && lstat(c->path, &st) == 0 && st.st_dev == c->node.st_dev && st.st_ino == c->node.st_ino)
        unlink(c->path);
    free(c->path);
}
