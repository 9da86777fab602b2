/*
 * host/host.h: what Trapeze asks of the host system: event loop, files, code memory, the terminal.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "base/base.h"

/* ---- event loop: one thread runs it; devices' back ends and timers live on it ---- */

struct loop;

struct loop *loop_new(struct err *e);
void loop_free(struct loop *l);

typedef void loop_fd_fn(void *opaque, uint32_t epoll_events);

/* Watch fd for epoll events (EPOLLIN, EPOLLOUT, 0 = only errors). One watch a descriptor. Any thread. */
bool loop_add(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *opaque, struct err *e);
void loop_change(struct loop *l, int fd, uint32_t events);
/* After it returns on the loop's thread, fn is not called again. */
void loop_remove(struct loop *l, int fd);
/* Run fn(opaque) once on the loop's thread, soon. Any thread; async-signal-unsafe. */
void loop_post(struct loop *l, void (*fn)(void *opaque), void *opaque);
/* The timer hook: fn runs once CLOCK_MONOTONIC is `delay_ns` from now; replaces an earlier setting. Any
 * thread. */
void loop_set_timer(struct loop *l, uint64_t delay_ns);
void loop_on_timer(struct loop *l, void (*fn)(void *opaque), void *opaque);
/* Signals (blocked in all threads by loop_signals, which is called before any thread is started) arrive as
 * fn. */
bool loop_signals(struct loop *l, const int *signals, unsigned n, void (*fn)(void *opaque, int sig),
                  void *opaque, struct err *e);
/* Run until loop_stop (any thread). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* ---- code memory: one memfd mapped twice, never writable and executable at one address ---- */

struct code_mem {
    uint8_t *rw;       /* where we write */
    const uint8_t *rx; /* where it runs: same bytes */
    size_t size;
};
bool code_mem_new(struct code_mem *cm, size_t size, struct err *e);
void code_mem_free(struct code_mem *cm);

/* ---- files ---- */

/* A whole regular file read-only in memory (mmap). */
struct host_file {
    const uint8_t *data;
    uint64_t size;
};
/*
 * `what` is the word for it in messages ("kernel"). Errors of kind ERR_CONFIG name path and mend: missing,
 * directory, not a regular file, empty, no permission.
 */
bool host_file_open(struct host_file *f, const char *path, const char *what, struct err *e);
void host_file_close(struct host_file *f);

/* ---- this host ---- */

/* Seconds of CPU time the process has used; peak resident set in bytes (VmHWM). */
double host_cpu_seconds(void);
uint64_t host_peak_rss(void);
/* Seconds since this process was started (exec), from /proc/self/stat and CLOCK_BOOTTIME. */
double host_process_age(void);

/* ---- the terminal ---- */

/*
 * Raw mode for fd (no echo, no signals, 8 bits), with everything restored by term_restore, which is
 * async-signal-safe and idempotent. No effect and true when fd is no terminal.
 */
bool term_raw(int fd);
void term_restore(void);
/*
 * Job control, on one thread: give the terminal back before the process stops, and take it again after it was
 * continued, by whatever it was stopped. In the background it is the shell's: then it is left alone until
 * the next term_resume, which fg's SIGCONT brings. No effect without term_raw.
 */
void term_suspend(void);
void term_resume(void);

#endif
