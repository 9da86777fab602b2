/*
 * fp_signal.c: SIMD instructions with unmasked exceptions, by the host's own #XM.
 *
 * Only then can a thunk trap, and what the processor leaves behind (destinations as they were, the flags of
 * just those exceptions that were found) is what the guest is to see. So the guest's masks are loaded and
 * SIGFPE is taken: a thunk keeps nothing on the stack, and the handler goes on at its `escape`. One handler
 * serves the process; which code of which thread it may leave is in a thread-local.
 */
#include "engine/interp/fp.h"

#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

static _Thread_local struct {
    uintptr_t first, last, escape;
} volatile guard;
static struct sigaction before; /* who had the signal */

static void on_fpe(int sig, siginfo_t *info, void *context)
{
    greg_t *rip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    if (guard.escape && (uintptr_t)*rip >= guard.first && (uintptr_t)*rip < guard.last)
        *rip = (greg_t)guard.escape;
    else if (before.sa_flags & SA_SIGINFO)
        before.sa_sigaction(sig, info, context);
    else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        before.sa_handler(sig);
    else
        sigaction(SIGFPE, &before, NULL); /* nobody's: the instruction raises it again */
}

static void install(void)
{
    struct sigaction act = {.sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&act.sa_mask);
    sigaction(SIGFPE, &act, &before);
}

int fp_run_unmasked(struct interp *v, fp_code *code, void *mem, void *const r[4])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    const struct fp_thunks *t = v->thunks;
    guard.first = (uintptr_t)t->cm.rx;
    guard.last = (uintptr_t)t->cm.rx + t->cm.size;
    guard.escape = (uintptr_t)t->escape;
    int stopped = code(mem, r[0], r[1], r[2], r[3], v);
    guard.escape = 0;
    return stopped;
}
