/*
 * back/console.h: the host side of a serial port: standard input and output, a file, a unix socket, or
 * nothing.
 *
 * Output. console_write is called by the device, usually on a vCPU's thread, and never waits. While nothing
 * is queued, the bytes go straight to the descriptor; what it does not take is queued in a ring that the
 * event loop empties, and when the ring is full console_write takes less than it was offered. The device then
 * shows its guest a transmitter that is not empty, and goes on after `writable`. No byte is lost on the way,
 * none is reordered.
 *
 * Input. Bytes are read on the event loop's thread, and never more than the device has room for at that
 * moment, so that what the guest is not ready for stays in the host's pipe, terminal or socket. A device that
 * was full calls console_input_ready when it has room again. (Only at a terminal it reads on, up to 1 MiB,
 * lest a guest that has stopped reading hide the escape key.) End of input is not the end of the console.
 *
 * Standard input and output are often shared with other processes (a shell, a pipeline), and O_NONBLOCK
 * belongs to the shared description, so it is never set there: terminals and pipes are opened a second time,
 * sockets are used with MSG_DONTWAIT, and what allows neither is polled before each small piece.
 *
 * When standard input is a terminal it is put into raw mode, and Ctrl-a is the escape key: Ctrl-a x quits,
 * Ctrl-a b sends a break, Ctrl-a h or ? prints help on standard error, Ctrl-a Ctrl-a sends one Ctrl-a; after
 * Ctrl-a any other key is dropped together with it, as QEMU does. Elsewhere every byte is data.
 *
 * A unix socket serves one client at a time; the next one waits in the listen queue. Without a client, output
 * is discarded. A client may shut down its sending direction and go on reading. What a client sent before it
 * left is still delivered.
 *
 * Locks: a console's own lock is a leaf; callbacks run on the loop's thread with no lock of the console held,
 * so they may take the device's lock, and the device may call in here while it holds its own.
 */
#ifndef BACK_CONSOLE_H
#define BACK_CONSOLE_H

#include "base/base.h"
#include "host/host.h"

struct console;

enum console_kind { CONSOLE_NULL, CONSOLE_STDIO, CONSOLE_FILE, CONSOLE_UNIX };

struct console_spec {
    enum console_kind kind;
    const char *path; /* CONSOLE_FILE and CONSOLE_UNIX; points into the text that was parsed */
};

/* stdio | null | file:PATH | unix:PATH. Touches nothing on the host. False: ERR_CONFIG in `e`. */
bool console_parse(struct console_spec *spec, const char *text, struct err *e);

/*
 * Could it be opened now? Opens files but neither creates nor changes any; whether somebody listens at a
 * socket only connecting tells. False: `e` as of console_open.
 */
bool console_check(const struct console_spec *spec, struct err *e);

/* What the monitor wants to know. Either may be NULL. Called on the loop's thread. */
struct console_events {
    /* Ctrl-a x. */
    void (*quit)(void *opaque);
    /* Output can no longer be written (its reader is gone, the disk is full) and is discarded from now on.
     * Once. */
    void (*output_lost)(void *opaque, const struct err *why);
    void *opaque;
};

/* The device. All are called on the loop's thread; brk and writable may be NULL. */
struct console_device {
    /* Bytes that `input` would take now. */
    size_t (*can_take)(void *opaque);
    /* Takes bytes in order, returns how many; the rest is offered again later. */
    size_t (*input)(void *opaque, const uint8_t *data, size_t n);
    /* A break condition on the line. */
    void (*brk)(void *opaque);
    /* console_write has returned less than it was offered, and would take more now. */
    void (*writable)(void *opaque);
    void *opaque;
};

/*
 * Open the host side. CONSOLE_FILE creates, and console_connect truncates; CONSOLE_UNIX replaces a socket
 * file at which nobody listens, creates it for this user only (mode 0600) and removes it at the end. All
 * kinds but null make the process ignore SIGPIPE. At most one console a process may be CONSOLE_STDIO. NULL:
 * `e` says what failed and what to do. `loop` outlives the console.
 */
struct console *console_open(const struct console_spec *spec, struct loop *loop,
                             const struct console_events *events, struct err *e);
/* As CONSOLE_STDIO, with other descriptors, which stay the caller's. Either may be -1 or closed: no such
 * direction. */
struct console *console_open_stdio(int in_fd, int out_fd, struct loop *loop,
                                   const struct console_events *events, struct err *e);
/* Name the device; once, before the loop runs. Input starts then. */
void console_connect(struct console *c, const struct console_device *device);
/*
 * On the loop's thread, or when it does not run any more. What is still queued is dropped (console_drain
 * first), the terminal is restored.
 */
void console_close(struct console *c);

/* How many of the n bytes were taken, in order, 0 to n. Any thread; never waits. */
size_t console_write(struct console *c, const uint8_t *data, size_t n);
/* The device has room for input again. Any thread, also from inside a device's handler. */
void console_input_ready(struct console *c);
/*
 * Wait at most timeout_ms until all that console_write took has been written. False when something is left.
 * Any thread; for the last words of a machine.
 */
bool console_drain(struct console *c, unsigned timeout_ms);

#endif
