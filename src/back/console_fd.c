/*
 * console_fd.c: descriptors shared with other processes, used without waiting and without O_NONBLOCK on them.
 *
 * O_NONBLOCK is a flag of the open file description, which a shell, its other jobs and the rest of a pipeline
 * share with us: set there, it breaks them, and it stays set after us. A terminal or a pipe can be opened a
 * second time through /proc/self/fd, and the new description is ours alone.
 */
#include "back/console_fd.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The master of a pseudo-terminal: opening its inode again would make another terminal. */
static bool is_pty_master(int fd)
{
    unsigned n;
    return ioctl(fd, TIOCGPTN, &n) == 0;
}

/* A second description of the same terminal or pipe; -1 when that is not possible (other owner, no /proc, no
 * peer). */
static int open_again(int fd, bool for_output)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, (for_output ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

bool console_fd_share(struct console_fd *f, int fd, bool for_output)
{
    *f = CONSOLE_FD_NONE;
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &st) < 0)
        return false;
    if ((flags & O_ACCMODE) == (for_output ? O_RDONLY : O_WRONLY))
        return false;

    bool tty = S_ISCHR(st.st_mode) && isatty(fd);
    if (S_ISFIFO(st.st_mode) || (tty && !is_pty_master(fd)))
        f->fd = open_again(fd, for_output);
    if (f->fd < 0) {
        f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (f->fd < 0)
            return false;
        if (S_ISSOCK(st.st_mode))
            f->how = CONSOLE_FD_SOCKET;
        else if (!S_ISREG(st.st_mode))
            f->how = CONSOLE_FD_POLL;
        /* A writable pipe has room for PIPE_BUF bytes; of a writable terminal only one byte is certain. */
        f->piece = tty && for_output ? 1 : PIPE_BUF;
    }
    return true;
}

void console_fd_own(struct console_fd *f, int fd)
{
    struct stat st;
    bool socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
    *f = (struct console_fd){.fd = fd, .how = socket ? CONSOLE_FD_SOCKET : CONSOLE_FD_DIRECT};
}

void console_fd_close(struct console_fd *f)
{
    if (f->fd >= 0)
        close(f->fd);
    *f = CONSOLE_FD_NONE;
}

/* 0 when a read or write cannot wait now, otherwise -errno. */
static int poll_ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n = poll(&p, 1, 0);
    if (n < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    return n == 0 ? -EAGAIN : 0;
}

ssize_t console_fd_read(const struct console_fd *f, void *buf, size_t n)
{
    if (f->how == CONSOLE_FD_POLL) {
        int r = poll_ready(f->fd, POLLIN);
        if (r)
            return r;
    }
    ssize_t got;
    do {
        got = f->how == CONSOLE_FD_SOCKET ? recv(f->fd, buf, n, MSG_DONTWAIT) : read(f->fd, buf, n);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t console_fd_write(const struct console_fd *f, const void *buf, size_t n)
{
    if (f->how == CONSOLE_FD_POLL) {
        int r = poll_ready(f->fd, POLLOUT);
        if (r)
            return r;
        n = MIN(n, f->piece);
    }
    ssize_t put;
    do {
        put = f->how == CONSOLE_FD_SOCKET ? send(f->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL)
                                          : write(f->fd, buf, n);
    } while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}
