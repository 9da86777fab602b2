/*
 * system.c: what programs ask of a kernel: system calls, page faults, mappings, processes, pipes, signals,
 * switches.
 *
 * An operation counts what went as it should, so that its checksum is a number of successes.
 */
#include "workloads.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE        4096u
#define FAULT_PAGES 256u
#define CALLS       256u
#define MAPPINGS    32u
#define ROUND_TRIPS 16u
#define SIGNALS     32u
#define YIELDS      32u

static uint64_t getppid_op(uint64_t calls)
{
    long parent = syscall(SYS_getppid);
    uint64_t same = 0;

    for (uint64_t i = 0; i < calls; i++)
        same += syscall(SYS_getppid) == parent;
    return same;
}

/* -- first touch of anonymous memory -- */

static volatile uint8_t *fault_memory;

static void fault_prepare(uint64_t pages)
{
    void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        fail("mmap");
    /* One fault a page; a kernel without huge pages refuses this, which is as good. */
    if (madvise(p, pages * PAGE, MADV_NOHUGEPAGE) && errno != EINVAL)
        fail("madvise");
    fault_memory = p;
}

static uint64_t fault_op(uint64_t pages)
{
    uint64_t zero = 0;

    for (uint64_t i = 0; i < pages; i++) {
        volatile uint8_t *p = &fault_memory[i * PAGE];

        *p += 1;
        zero += *p == 1;
    }
    /* So that the next operation finds untouched pages. */
    if (madvise((void *)fault_memory, pages * PAGE, MADV_DONTNEED))
        fail("madvise");
    return zero;
}

static void fault_finish(void)
{
    munmap((void *)fault_memory, FAULT_PAGES * PAGE);
}

static uint64_t mmap_op(uint64_t mappings)
{
    uint64_t done = 0;

    for (uint64_t i = 0; i < mappings; i++) {
        void *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        done += p != MAP_FAILED && !munmap(p, 16 * PAGE);
    }
    return done;
}

/* -- processes -- */

static uint64_t exit_status(pid_t child)
{
    int status = 0;

    if (child < 0)
        fail("fork");
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        fail("waitpid");
    return (uint64_t)WEXITSTATUS(status);
}

static uint64_t fork_op(uint64_t status)
{
    pid_t child = fork();

    if (child == 0)
        _exit((int)status);
    return exit_status(child);
}

static uint64_t exec_op(uint64_t arg)
{
    pid_t child = vfork();

    if (child == 0) {
        execl("/proc/self/exe", "workloads", "--exit", (char *)NULL);
        _exit(1);
    }
    return exit_status(child);
}

/* -- a child at the other end of two pipes, which sends back what it gets plus one -- */

static pid_t partner;
static int to_partner, from_partner;

static void pipe_prepare(uint64_t arg)
{
    int there[2], back[2];
    uint8_t byte;

    if (pipe(there) || pipe(back))
        fail("pipe");
    partner = fork();
    if (partner < 0)
        fail("fork");
    if (partner == 0) {
        close(there[1]);
        close(back[0]);
        while (read(there[0], &byte, 1) == 1) {
            byte++;
            if (write(back[1], &byte, 1) != 1)
                _exit(1);
        }
        _exit(0);
    }
    close(there[0]);
    close(back[1]);
    to_partner = there[1];
    from_partner = back[0];
}

static uint64_t pipe_op(uint64_t round_trips)
{
    uint64_t right = 0;

    for (uint64_t i = 0; i < round_trips; i++) {
        uint8_t sent = (uint8_t)i, got = 0;

        right += write(to_partner, &sent, 1) == 1 && read(from_partner, &got, 1) == 1 &&
                 got == (uint8_t)(sent + 1);
    }
    return right;
}

static void pipe_finish(void)
{
    close(to_partner);
    close(from_partner);
    exit_status(partner);
}

/* -- signals -- */

static volatile sig_atomic_t delivered;

static void on_signal(int number)
{
    delivered++;
}

static void signal_prepare(uint64_t arg)
{
    struct sigaction action = {.sa_handler = on_signal};

    if (sigaction(SIGUSR1, &action, NULL))
        fail("sigaction");
}

static uint64_t signal_op(uint64_t signals)
{
    pid_t self = getpid();

    delivered = 0;
    for (uint64_t i = 0; i < signals; i++)
        kill(self, SIGUSR1);
    return (uint64_t)delivered;
}

/* -- two processes that give way to each other -- */

static volatile bool *stop;

static void yield_prepare(uint64_t arg)
{
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        fail("mmap");
    stop = p;
    partner = fork();
    if (partner < 0)
        fail("fork");
    if (partner == 0) {
        while (!*stop)
            sched_yield();
        _exit(0);
    }
}

static uint64_t yield_op(uint64_t yields)
{
    uint64_t done = 0;

    for (uint64_t i = 0; i < yields; i++)
        done += sched_yield() == 0;
    return done;
}

static void yield_finish(void)
{
    *stop = true;
    exit_status(partner);
    munmap((void *)stop, PAGE);
}

const struct workload system_workloads[] = {
    {"getppid", "system", getppid_op, CALLS, CALLS, CALLS},
    {"page-fault", "system", fault_op, FAULT_PAGES, FAULT_PAGES, FAULT_PAGES, fault_prepare, fault_finish},
    {"mmap-munmap", "system", mmap_op, MAPPINGS, MAPPINGS, MAPPINGS},
    {"fork-wait", "system", fork_op, 5, 1, 5},
    {"vfork-exec-wait", "system", exec_op, 0, 1, EXIT_OPTION_STATUS},
    {"pipe-ping-pong", "system", pipe_op, ROUND_TRIPS, ROUND_TRIPS, ROUND_TRIPS, pipe_prepare, pipe_finish},
    {"signal", "system", signal_op, SIGNALS, SIGNALS, SIGNALS, signal_prepare},
    {"sched-yield", "system", yield_op, YIELDS, YIELDS, YIELDS, yield_prepare, yield_finish},
    {0},
};
