/*
 * term.c: the terminal in raw mode, and back.
 *
 * What is saved here belongs to the process, as its controlling terminal does: a signal handler that must
 * restore it has no other way to find it. Output processing stays as it was, so that our own messages start
 * at the left.
 */
#include "host/host.h"
#include <signal.h>
#include <stdatomic.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static int saved_fd;
static atomic_bool raw;  /* `saved` and `saved_fd` are valid */
static atomic_bool lent; /* ... and somebody else has the terminal for the moment */

/* A background process that sets the terminal is stopped by SIGTTOU unless it blocks it. */
static bool set_attributes(int fd, const struct termios *t)
{
    sigset_t ttou, old;
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &ttou, &old);
    bool ok = tcsetattr(fd, TCSANOW, t) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok;
}

static bool set_raw(struct termios t)
{
    t.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | INPCK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    t.c_cflag = (t.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    return set_attributes(saved_fd, &t);
}

bool term_raw(int fd)
{
    if (!isatty(fd))
        return true;
    if (atomic_load(&raw))
        return saved_fd == fd;
    struct termios t;
    if (tcgetattr(fd, &t) != 0)
        return false;
    saved = t;
    saved_fd = fd;
    atomic_store(&lent, false);
    atomic_store(&raw, true); /* before the change: a signal in between restores what is there already */
    if (set_raw(saved))
        return true;
    atomic_store(&raw, false);
    return false;
}

void term_restore(void)
{
    if (atomic_exchange(&raw, false) && !atomic_load(&lent))
        set_attributes(saved_fd, &saved);
}

void term_suspend(void)
{
    if (atomic_load(&raw) && !atomic_exchange(&lent, true))
        set_attributes(saved_fd, &saved);
}

void term_resume(void)
{
    if (!atomic_load(&raw))
        return;
    pid_t foreground = tcgetpgrp(saved_fd); /* -1: not our controlling terminal, so no shell's either */
    if (foreground > 0 && foreground != getpgrp()) {
        atomic_store(&lent, true);
        return;
    }
    /* What it is given back as is what it was borrowed as. */
    struct termios t;
    if (atomic_load(&lent) && tcgetattr(saved_fd, &t) == 0)
        saved = t;
    atomic_store(&lent, false);
    set_raw(saved);
}
