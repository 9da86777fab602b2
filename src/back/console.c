/*
 * console.c: opening, connecting and closing the host side of a serial port.
 */
#include "back/console.h"
#include "back/console_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool console_parse(struct console_spec *spec, const char *text, struct err *e)
{
    static const struct {
        const char *word;
        enum console_kind kind;
        bool path;
    } kinds[] = {
        {"stdio", CONSOLE_STDIO, false},
        {"null", CONSOLE_NULL, false},
        {"file:", CONSOLE_FILE, true},
        {"unix:", CONSOLE_UNIX, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        size_t n = strlen(kinds[i].word);
        if (kinds[i].path ? strncmp(text, kinds[i].word, n) != 0 : strcmp(text, kinds[i].word) != 0)
            continue;
        if (kinds[i].path && !text[n])
            return err_config(e, "serial port '%s': no path after the colon; write %sPATH", text,
                              kinds[i].word);
        *spec = (struct console_spec){.kind = kinds[i].kind, .path = kinds[i].path ? text + n : NULL};
        return true;
    }
    return err_config(e, "serial port '%s' is not known; use stdio, null, file:PATH or unix:PATH", text);
}

static void on_kick(void *opaque, uint32_t events)
{
    struct console *c = opaque;
    uint64_t n;
    ssize_t got = read(c->kick_fd, &n, sizeof n);
    (void)got; /* it only wakes: everything is looked at anyway */
    console_out_notify(c);
    console_in_pump(c);
}

void console_kick(struct console *c)
{
    uint64_t one = 1;
    ssize_t put = write(c->kick_fd, &one, sizeof one);
    (void)put; /* EAGAIN: the counter is full, so a wake is on its way */
}

static struct console *console_new(enum console_kind kind, struct loop *loop,
                                   const struct console_events *events, struct err *e)
{
    struct console *c = calloc(1, sizeof *c);
    uint8_t *ring = malloc(CONSOLE_RING);
    if (!c || !ring) {
        free(c);
        free(ring);
        err_host(e, "console: out of memory; give the host more, or run fewer machines");
        return NULL;
    }
    *c = (struct console){.kind = kind,
                          .loop = loop,
                          .ring = ring,
                          .in = CONSOLE_FD_NONE,
                          .out = CONSOLE_FD_NONE,
                          .out_watch = OUT_UNWATCHED,
                          .listen_fd = -1};
    if (events)
        c->events = *events;
    pthread_mutex_init(&c->lock, NULL);
    c->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (c->kick_fd < 0) {
        err_host(e, "console: eventfd: %s; raise the limit of open files (ulimit -n)", strerror(errno));
        console_close(c);
        return NULL;
    }
    if (!loop_add(loop, c->kick_fd, EPOLLIN, on_kick, c, e)) {
        close(c->kick_fd);
        c->kick_fd = -1;
        console_close(c);
        return NULL;
    }
    /* A reader that goes away is an error of one write, not the end of the process. */
    if (kind != CONSOLE_NULL)
        signal(SIGPIPE, SIG_IGN);
    return c;
}

struct console *console_open_stdio(int in_fd, int out_fd, struct loop *loop,
                                   const struct console_events *events, struct err *e)
{
    struct console *c = console_new(CONSOLE_STDIO, loop, events, e);
    if (!c)
        return NULL;
    console_fd_share(&c->in, in_fd, false);
    console_fd_share(&c->out, out_fd, true);
    c->escape_key = c->in.fd >= 0 && isatty(in_fd);
    if (c->escape_key && !term_raw(in_fd))
        log_warn("standard input: the terminal refuses raw mode; keys are echoed and sent line by line");
    return c;
}

static bool file_error(const char *path, int error, struct err *e)
{
    const char *mend = error == ENXIO                      ? "start its reader first"
                       : error == EISDIR                   ? "name a file, not a directory"
                       : error == ENOENT                   ? "create the directory it is to be in"
                       : error == EACCES || error == EROFS ? "choose a path that you may write"
                                                           : "choose another path";
    return err_config(e, "serial output file '%s': %s; %s", path, strerror(error), mend);
}

/* O_NONBLOCK means nothing to a regular file; a FIFO without a reader is refused instead of waited for. */
#define FILE_FLAGS (O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static bool open_file(struct console *c, const char *path, struct err *e)
{
    int fd = open(path, FILE_FLAGS | O_CREAT, 0666);
    if (fd < 0)
        return file_error(path, errno, e);
    console_fd_own(&c->out, fd);
    return true;
}

int console_can_create(const char *path)
{
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    if (slash && snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path) >= (int)sizeof folder)
        return ENAMETOOLONG;
    return access(folder, W_OK | X_OK) == 0 ? 0 : errno;
}

bool console_check(const struct console_spec *spec, struct err *e)
{
    if (spec->kind == CONSOLE_UNIX)
        return console_unix_check(spec->path, e);
    if (spec->kind != CONSOLE_FILE)
        return true;
    int fd = open(spec->path, FILE_FLAGS), error = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (error == ENOENT)
        error = console_can_create(spec->path);
    return !error || file_error(spec->path, error, e);
}

struct console *console_open(const struct console_spec *spec, struct loop *loop,
                             const struct console_events *events, struct err *e)
{
    if (spec->kind == CONSOLE_STDIO)
        return console_open_stdio(STDIN_FILENO, STDOUT_FILENO, loop, events, e);
    struct console *c = console_new(spec->kind, loop, events, e);
    if (!c)
        return NULL;
    bool ok = spec->kind == CONSOLE_FILE   ? open_file(c, spec->path, e)
              : spec->kind == CONSOLE_UNIX ? console_unix_listen(c, spec->path, e)
                                           : true;
    if (!ok) {
        console_close(c);
        return NULL;
    }
    return c;
}

void console_connect(struct console *c, const struct console_device *device)
{
    assert(!c->connected);
    /* Only now: a machine that could not be built has not cost a file its contents. A device or a FIFO
     * refuses, and has none. */
    if (c->kind == CONSOLE_FILE && ftruncate(c->out.fd, 0) != 0 && errno != EINVAL)
        log_warn("serial output file: %s; it keeps what it held before", strerror(errno));
    c->device = *device;
    c->connected = true;
    console_kick(c);
}

void console_close(struct console *c)
{
    if (!c)
        return;
    if (c->kick_fd >= 0) {
        loop_remove(c->loop, c->kick_fd);
        close(c->kick_fd);
    }
    console_in_close(c);
    pthread_mutex_lock(&c->lock);
    console_out_watch(c, OUT_UNWATCHED);
    console_fd_close(&c->out);
    pthread_mutex_unlock(&c->lock);
    console_unix_close(c);
    if (c->escape_key)
        term_restore();
    pthread_mutex_destroy(&c->lock);
    free(c->left);
    free(c->ring);
    free(c);
}
