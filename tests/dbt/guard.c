/*
 * guard.c: each mapping that the engine makes stands between pages which cannot be touched, so that a stray
 * access of translated code ends the test instead of finding somebody's memory. Linked with --wrap=mmap64.
 */
#include "guard.h"

#include "base/base.h"
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD MIB(16)

void *__real_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset);

void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
    if (at)
        return __real_mmap64(at, len, prot, flags, fd, offset);
    const size_t whole = align_up(len, KIB(4));
    uint8_t *p =
        __real_mmap64(NULL, whole + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return p;
    return __real_mmap64(p + GUARD, len, prot, flags | MAP_FIXED, fd, offset);
}

static volatile uint64_t current;
static const char *volatile current_kind = "";

void guard_note(const char *kind, uint64_t number)
{
    current_kind = kind;
    current = number;
}

static void stray(int sig, siginfo_t *info, void *context)
{
    char text[160];
    int n = snprintf(text, sizeof(text), "dbt-isolation: host memory at %p touched by %s, sequence %llu\n",
                     info->si_addr, current_kind, (unsigned long long)current);
    if (write(STDERR_FILENO, text, (size_t)n) != n)
        _exit(3);
    _exit(1);
}

void guard_start(void)
{
    struct sigaction sa = {.sa_sigaction = stray, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
}
