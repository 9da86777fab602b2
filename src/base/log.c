/*
 * log.c: Trapeze's own messages: one line each on standard error.
 *
 * A line is one write(2) of less than PIPE_BUF bytes, so lines of several threads (and of several processes
 * that share a pipe) do not mix. Messages carry text that a guest or a file name has shaped, so whatever
 * could drive the terminal is escaped as \xNN: control characters, C1 controls in UTF-8 form, and bytes that
 * are no UTF-8.
 */
#include "base/base.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
    MESSAGE_MAX = 960, /* each byte may become four, and the line must stay below PIPE_BUF (4096) */
    LINE_MAX_BYTES = 4 * MESSAGE_MAX + 128,
    GUEST_LINES = 10,
};

/* Length of the well-formed UTF-8 sequence at s (RFC 3629 section 4) that prints something, or 0. */
static unsigned printable_sequence(const unsigned char *s)
{
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    unsigned len = s[0] >= 0xc2 && s[0] < 0xe0   ? 2
                   : (s[0] & 0xf0) == 0xe0       ? 3
                   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                 : 0;
    if (!len)
        return 0;
    uint32_t code = s[0] & (0xff >> (len + 1));
    for (unsigned i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) /* a terminating zero ends here too */
            return 0;
        code = code << 6 | (s[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000};
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code >= least[len] && code <= 0x10ffff && !surrogate ? len : 0;
}

static size_t escape(char *out, const char *message)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *s = (const unsigned char *)message;
    char *o = out;
    while (*s) {
        unsigned n = printable_sequence(s);
        if (n) {
            memcpy(o, s, n);
            o += n;
            s += n;
        } else {
            *o++ = '\\';
            *o++ = 'x';
            *o++ = hex[*s >> 4];
            *o++ = hex[*s & 15];
            s++;
        }
    }
    return (size_t)(o - out);
}

/* Standard error may share a terminal, and with it O_NONBLOCK, with the guest's console. Wait a little, not
 * for ever. */
static bool becomes_writable(void)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&p, 1, 100) == 1;
}

static void write_line(const char *line, size_t len)
{
    while (len) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && becomes_writable())))
            continue;
        if (n <= 0) /* nobody listens: a message is not worth more than that */
            return;
        line += n;
        len -= (size_t)n;
    }
}

static void log_line(const char *prefix, const char *fmt, va_list ap)
{
    int saved_errno = errno;
    char message[MESSAGE_MAX];
    if (vsnprintf(message, sizeof(message), fmt, ap) >= (int)sizeof(message))
        memcpy(message + sizeof(message) - 4, "...", 4);
    char line[LINE_MAX_BYTES];
    size_t len = (size_t)snprintf(line, 128, "trapeze: %s", prefix);
    len += escape(line + len, message);
    line[len++] = '\n';
    write_line(line, len);
    errno = saved_errno;
}

void log_error(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_line("error: ", fmt, ap);
    va_end(ap);
}

void log_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_line("warning: ", fmt, ap);
    va_end(ap);
}

void log_info(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_line("", fmt, ap);
    va_end(ap);
}

void log_guest(struct log_limit *limit, const char *fmt, ...)
{
    uint64_t before = __atomic_fetch_add(&limit->count, 1, __ATOMIC_RELAXED);
    if (before > GUEST_LINES)
        return;
    va_list ap;
    va_start(ap, fmt);
    log_line(before < GUEST_LINES ? "guest: " : "guest: from now on only counted: ", fmt, ap);
    va_end(ap);
}
