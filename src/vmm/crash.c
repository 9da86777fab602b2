/*
 * crash.c: restores the terminal on the way down.
 */
#include "vmm/crash.h"
#include "base/base.h"
#include "host/host.h"
#include <signal.h>

/*
 * The default action is back in place already (SA_RESETHAND). An instruction's own fault happens again on
 * return, at the right place for a core dump; a signal that somebody sent has to be sent again.
 */
static void on_crash(int sig, siginfo_t *info, void *context)
{
    term_restore();
    if (info->si_code <= 0)
        raise(sig);
}

void crash_restores_terminal(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
    struct sigaction sa = {.sa_sigaction = on_crash, .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND)};
    sigemptyset(&sa.sa_mask);
    for (unsigned i = 0; i < ARRAY_LEN(signals); i++) {
        struct sigaction old;
        if (sigaction(signals[i], NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) &&
            old.sa_handler == SIG_DFL)
            sigaction(signals[i], &sa, NULL);
    }
}
