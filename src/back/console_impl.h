/*
 * back/console_impl.h: what the files of the console share; private to them.
 *
 * `lock` guards the output side. The input side and the socket belong to the loop's thread, and need no lock;
 * what other threads have to tell it goes through `kick_fd`, an eventfd in the loop, which a console can take
 * back when it is closed (a posted function could not be).
 */
#ifndef BACK_CONSOLE_IMPL_H
#define BACK_CONSOLE_IMPL_H

#include "back/console.h"
#include "back/console_fd.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define CONSOLE_RING     KIB(256) /* a power of two */
#define CONSOLE_LEFT_MAX MIB(1)

enum { OUT_UNWATCHED = -1, OUT_IDLE = 0 }; /* or EPOLLOUT: what the loop watches the output for */

struct console {
    enum console_kind kind;
    struct loop *loop;
    struct console_events events;
    struct console_device device;
    bool connected;
    int kick_fd;

    /* Output; under `lock`. */
    pthread_mutex_t lock;
    struct console_fd out;
    uint8_t *ring;
    size_t ring_at, ring_used; /* the oldest byte, and how many */
    int out_watch;
    bool out_failed;
    struct err out_why;
    bool loss_reported;
    bool want_writable;

    /* Input; the loop's thread. */
    struct console_fd in;
    bool in_watched;
    bool escape_key;  /* standard input is a terminal */
    bool escape_seen; /* the last byte was Ctrl-a */
    uint8_t *left;    /* read, and not taken by the device yet */
    size_t left_at, left_len, left_room;
    atomic_bool stalled; /* waiting for console_input_ready */

    /* CONSOLE_UNIX; the loop's thread. */
    int listen_fd;
    bool listening;
    char *path;
    struct stat node; /* the socket file that we made */
};

/* Make the loop's thread look at everything again. Any thread. */
void console_kick(struct console *c);

/* With c->lock held: */
void console_out_fail(struct console *c, int error);
void console_out_watch(struct console *c, int want);
/* On the loop's thread, c->lock not held: tell device and monitor what has changed. */
void console_out_notify(struct console *c);

/* The loop's thread: move input to the device as far as both sides allow. */
void console_in_pump(struct console *c);
void console_in_close(struct console *c);
/* Keep what can still be read for the device, and close. */
void console_in_finish(struct console *c);

bool console_unix_listen(struct console *c, const char *path, struct err *e);
/* console_check of a socket. */
bool console_unix_check(const char *path, struct err *e);
/* May a file be made there? 0 or an errno. */
int console_can_create(const char *path);
/* The loop's thread: the client has gone. */
void console_unix_gone(struct console *c);
void console_unix_close(struct console *c);

#endif
