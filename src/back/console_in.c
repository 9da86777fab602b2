/*
 * console_in.c: from the host to the device, as fast as the device takes it; the escape key of the terminal.
 *
 * Elsewhere than at a terminal nothing is read that the device has no room for. At a terminal one reads on,
 * up to CONSOLE_LEFT_MAX, because a guest that has stopped reading must not hide Ctrl-a x.
 */
#include "back/console.h"
#include "back/console_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define CTRL_A 0x01

/* How often one call goes round before the loop serves others. */
#define PUMP_ROUNDS 256

static void keep(struct console *c, const uint8_t *data, size_t n)
{
    if (!n)
        return;
    if (c->left_at && c->left_at + c->left_len + n > c->left_room) {
        memmove(c->left, c->left + c->left_at, c->left_len);
        c->left_at = 0;
    }
    size_t need = c->left_at + c->left_len + n;
    if (need > c->left_room) {
        size_t room = MAX(need, MAX(2 * c->left_room, 4096));
        uint8_t *more = realloc(c->left, room);
        if (!more) {
            log_error("console: out of memory, %zu bytes of input are lost; give the host more memory", n);
            return;
        }
        c->left = more;
        c->left_room = room;
    }
    memcpy(c->left + c->left_at + c->left_len, data, n);
    c->left_len += n;
}

static void deliver(struct console *c)
{
    while (c->left_len) {
        size_t room = c->device.can_take(c->device.opaque);
        size_t n = room ? c->device.input(c->device.opaque, c->left + c->left_at, MIN(room, c->left_len)) : 0;
        if (!n)
            return;
        c->left_at += n;
        c->left_len -= n;
    }
    c->left_at = 0;
}

static void print_help(void)
{
    log_info("Ctrl-a x      end the machine");
    log_info("Ctrl-a b      send a break");
    log_info("Ctrl-a Ctrl-a send Ctrl-a");
    log_info("Ctrl-a h      this help");
}

/* The key after Ctrl-a. True when it goes to the guest itself. */
static bool escape(struct console *c, uint8_t key)
{
    switch (key) {
    case CTRL_A: return true;
    case 'x':
        if (c->events.quit)
            c->events.quit(c->events.opaque);
        break;
    case 'b':
        /* Behind what was typed before it, as far as the device takes that. */
        deliver(c);
        if (c->device.brk)
            c->device.brk(c->device.opaque);
        break;
    case 'h':
    case '?': print_help(); break;
    default: break;
    }
    return false;
}

static void typed(struct console *c, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool data_byte;
        if (c->escape_seen) {
            c->escape_seen = false;
            data_byte = escape(c, data[i]);
        } else {
            c->escape_seen = data[i] == CTRL_A;
            data_byte = !c->escape_seen;
        }
        if (data_byte)
            keep(c, &data[i], 1);
    }
}

static void on_in(void *opaque, uint32_t events)
{
    console_in_pump(opaque);
}

/* A hang-up is reported whatever a descriptor is watched for, so one that may not be read is not watched at
 * all. */
static void watch(struct console *c, bool on)
{
    struct err e;
    if (on == c->in_watched)
        return;
    c->in_watched = on;
    if (!on) {
        loop_remove(c->loop, c->in.fd);
    } else if (!loop_add(c->loop, c->in.fd, EPOLLIN, on_in, c, &e)) {
        c->in_watched = false;
        log_error("console input: %s", e.text);
        console_in_close(c);
    }
}

void console_in_close(struct console *c)
{
    if (c->in_watched)
        loop_remove(c->loop, c->in.fd);
    c->in_watched = false;
    console_fd_close(&c->in);
}

void console_in_finish(struct console *c)
{
    uint8_t buf[4096];
    ssize_t n;
    while (c->in.fd >= 0 && (n = console_fd_read(&c->in, buf, sizeof buf)) > 0) {
        if (c->left_len < CONSOLE_LEFT_MAX)
            keep(c, buf, (size_t)n);
        else
            log_warn(
                "console: the guest does not read; %zd bytes of input from a client that has gone are lost",
                n);
    }
    console_in_close(c);
}

/* How much may be read now. */
static size_t allowance(struct console *c)
{
    if (c->in.fd < 0)
        return 0;
    if (c->escape_key)
        return c->left_len < CONSOLE_LEFT_MAX ? CONSOLE_LEFT_MAX - c->left_len : 0;
    return c->left_len ? 0 : c->device.can_take(c->device.opaque);
}

/*
 * True when the device has to call console_input_ready before more can move. The flag is set first and the
 * device asked afterwards, so that room made in between is seen by one side or the other.
 */
static bool stall(struct console *c)
{
    atomic_store(&c->stalled, true);
    if (!c->device.can_take(c->device.opaque))
        return true;
    atomic_store(&c->stalled, false);
    return false;
}

void console_in_pump(struct console *c)
{
    uint8_t buf[4096];
    if (!c->connected)
        return;
    for (unsigned round = 0; round < PUMP_ROUNDS; round++) {
        deliver(c);
        size_t allowed = allowance(c);
        if (allowed) {
            ssize_t n = console_fd_read(&c->in, buf, MIN(allowed, sizeof buf));
            if (n > 0) {
                if (c->escape_key)
                    typed(c, buf, (size_t)n);
                else
                    keep(c, buf, (size_t)n);
                continue;
            }
            if (n != -EAGAIN) {
                console_in_close(c);
                continue;
            }
            watch(c, true);
        } else if (c->in.fd >= 0) {
            watch(c, false);
        }
        if ((!c->left_len && (allowed || c->in.fd < 0)) || stall(c))
            return;
    }
    console_kick(c);
}

void console_input_ready(struct console *c)
{
    if (atomic_exchange(&c->stalled, false))
        console_kick(c);
}
