/*
 * back/console_fd.h: reading and writing a descriptor that may be shared with other processes, without
 * waiting and without touching its shared flags. Private to the consoles.
 */
#ifndef BACK_CONSOLE_FD_H
#define BACK_CONSOLE_FD_H

#include "base/base.h"
#include <sys/types.h>

enum console_fd_how {
    CONSOLE_FD_DIRECT, /* never waits by itself: a regular file, or a description of our own with O_NONBLOCK
                        */
    CONSOLE_FD_SOCKET, /* MSG_DONTWAIT */
    CONSOLE_FD_POLL,   /* poll first, then at most `piece` bytes, which then cannot wait */
};

struct console_fd {
    int fd; /* ours to close; -1: none */
    enum console_fd_how how;
    size_t piece;
};

#define CONSOLE_FD_NONE ((struct console_fd){.fd = -1})

/* A private way to `fd`, which stays the caller's; what epoll refuses never gives -EAGAIN. False when fd is
 * not open for the direction or memory is short. */
bool console_fd_share(struct console_fd *f, int fd, bool for_output);
/* Take over `fd`, which has O_NONBLOCK or is a socket. */
void console_fd_own(struct console_fd *f, int fd);
void console_fd_close(struct console_fd *f);

/* Bytes moved; 0 at the end of input; -EAGAIN when it would wait; otherwise -errno. */
ssize_t console_fd_read(const struct console_fd *f, void *buf, size_t n);
ssize_t console_fd_write(const struct console_fd *f, const void *buf, size_t n);

#endif
