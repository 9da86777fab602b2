/*
 * vmm.c: the life of a virtual machine.
 *
 * The calling thread becomes the event loop. What the guest does to the machine, signals, the time-out and
 * Ctrl-a x all arrive on it; whichever comes first ends the loop and is the machine's end.
 */
#include "vmm/vmm.h"
#include "back/console.h"
#include "host/host.h"
#include "machine/pc.h"
#include "vmm/check.h"
#include "vmm/crash.h"
#include "vmm/stats.h"
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* How long the last words may take to leave: a guest that ended itself is to be read to the end; a user who
 * ended it waits. */
#define DRAIN_GUEST_MS 10000
#define DRAIN_USER_MS  1000

struct vm {
    const struct vm_config *cfg;
    struct vm_checked checked;
    struct loop *loop;
    struct pc *pc;
    struct timer timeout;
    bool button_pressed;
    struct log_limit restarts; /* after triple faults */
    bool ended;
    struct vm_result result;
    struct err error; /* VM_ERROR */
};

/* The first end counts. */
static void end(struct vm *vm, struct vm_result result)
{
    if (vm->ended)
        return;
    vm->ended = true;
    vm->result = result;
    loop_stop(vm->loop);
}

/* ---- what ends or restarts a machine; on the event loop ---- */

static void restart(struct vm *vm)
{
    if (!pc_reset(vm->pc, &vm->error))
        end(vm, (struct vm_result){.end = VM_ERROR});
}

static void on_reset(struct vm *vm, const struct pc_event *ev)
{
    if (vm->cfg->reset_exits)
        end(vm, (struct vm_result){.end = VM_RESET});
    else
        restart(vm);
}

static void on_triple_fault(struct vm *vm, const struct pc_event *ev)
{
    if (vm->cfg->reset_after_triple) {
        log_guest(&vm->restarts, "%s: restarting", ev->text);
        restart(vm);
    } else {
        log_error("%s: the guest has stopped for good", ev->text);
        end(vm, (struct vm_result){.end = VM_TRIPLE_FAULT});
    }
}

static void on_pc_event(void *opaque)
{
    struct vm *vm = opaque;
    if (vm->ended)
        return;
    struct pc_event ev = pc_take_event(vm->pc);
    switch (ev.kind) {
    case PC_NOTHING: break;
    case PC_POWER_OFF: end(vm, (struct vm_result){.end = VM_POWEROFF}); break;
    case PC_RESET: on_reset(vm, &ev); break;
    case PC_DEBUG_EXIT: end(vm, (struct vm_result){.end = VM_DEBUG_EXIT, .debug_exit = ev.debug_exit}); break;
    case PC_TRIPLE_FAULT: on_triple_fault(vm, &ev); break;
    case PC_ERROR:
        err_host(&vm->error, "%s", ev.text);
        end(vm, (struct vm_result){.end = VM_ERROR});
        break;
    }
}

static void on_timeout(void *opaque)
{
    end(opaque, (struct vm_result){.end = VM_TIMEOUT});
}

static void on_quit(void *opaque)
{
    end(opaque, (struct vm_result){.end = VM_QUIT});
}

/* Stop as if SIGTSTP had never been blocked, which includes not at all where no shell could continue us. */
static void stop_by_job_control(void)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    term_suspend();
    pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
    raise(SIGTSTP);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    term_resume();
}

static void on_signal(void *opaque, int sig)
{
    struct vm *vm = opaque;
    if (sig == SIGTSTP) {
        stop_by_job_control();
        return;
    }
    if (sig == SIGCONT) {
        term_resume();
        return;
    }
    if ((sig == SIGTERM || sig == SIGHUP) && !vm->button_pressed) {
        vm->button_pressed = true;
        log_info("SIG%s: pressing the power button; a second signal ends the machine", sigabbrev_np(sig));
        pc_power_button(vm->pc);
        return;
    }
    end(vm, (struct vm_result){.end = VM_SIGNAL, .signal = sig});
}

static void on_output_lost(void *opaque, const struct err *why)
{
    log_warn("%s", why->text);
}

/* Any thread. */
static void post_pc_event(void *opaque)
{
    struct vm *vm = opaque;
    loop_post(vm->loop, on_pc_event, vm);
}

/* ---- the life ---- */

/* Signals that the caller was started to ignore (nohup, a shell's background) stay ignored. */
static bool take_signals(struct vm *vm, struct err *e)
{
    static const int wanted[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT};
    int taken[ARRAY_LEN(wanted)];
    unsigned n = 0;
    for (unsigned i = 0; i < ARRAY_LEN(wanted); i++) {
        struct sigaction old;
        if (sigaction(wanted[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            taken[n++] = wanted[i];
    }
    return loop_signals(vm->loop, taken, n, on_signal, vm, e);
}

static void warn_of_memory(uint64_t bytes)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    if (pages > 0 && size > 0 && bytes / (uint64_t)size > (uint64_t)pages)
        log_warn("--memory is more than the %llu MiB that this host has: it will swap, or be killed",
                 (unsigned long long)((uint64_t)pages * (uint64_t)size >> 20));
}

static struct console *open_debugcon(struct vm *vm, const struct console_events *ce, struct err *e)
{
    const struct console_spec file = {.kind = CONSOLE_FILE, .path = vm->cfg->debugcon_file};
    const struct console_spec nowhere = {.kind = CONSOLE_NULL};
    if (vm->cfg->dry_run)
        return console_open(&nowhere, vm->loop, ce, e);
    if (file.path)
        return console_open(&file, vm->loop, ce, e);
    return console_open_stdio(-1, STDERR_FILENO, vm->loop, ce, e);
}

static bool build(struct vm *vm, struct err *e)
{
    const struct vm_config *cfg = vm->cfg;
    const struct console_events ce = {.quit = on_quit, .output_lost = on_output_lost, .opaque = vm};
    /* A dry run truncates no file, takes no socket and leaves the terminal alone. */
    const struct console_spec nowhere = {.kind = CONSOLE_NULL};
    const struct console_spec debug_file = {.kind = CONSOLE_FILE, .path = cfg->debugcon_file};
    if (cfg->dry_run &&
        (!console_check(&vm->checked.console, e) || (debug_file.path && !console_check(&debug_file, e))))
        return false;

    vm->loop = loop_new(e);
    if (!vm->loop || !take_signals(vm, e))
        return false;
    crash_restores_terminal();
    struct console *console = console_open(cfg->dry_run ? &nowhere : &vm->checked.console, vm->loop, &ce, e);
    if (!console)
        return false;
    struct console *debugcon = NULL;
    if (cfg->debugcon && !(debugcon = open_debugcon(vm, &ce, e))) {
        console_close(console);
        return false;
    }
    const struct pc_config pc = {
        .engine = vm->checked.engine,
        .loop = vm->loop,
        .cpus = cfg->cpus,
        .memory = cfg->memory,
        .counted = cfg->count,
        .mitigations = cfg->mitigations,
        .kernel = cfg->kernel,
        .initrd = cfg->initrd,
        .append = cfg->append,
        .firmware = cfg->firmware,
        .testdev = cfg->testdev,
        .console = console,
        .debugcon = debugcon,
        .debugcon_port = cfg->debugcon_port,
        .event = post_pc_event,
        .opaque = vm,
    };
    vm->pc = pc_new(&pc, e);
    if (vm->pc)
        warn_of_memory(cfg->memory);
    return vm->pc;
}

static bool live(struct vm *vm, struct err *e)
{
    timer_init(&vm->timeout, pc_clock(vm->pc), NULL, on_timeout, vm);
    if (vm->cfg->timeout > 0)
        timer_arm(&vm->timeout, clock_now(pc_clock(vm->pc)) + (uint64_t)(vm->cfg->timeout * 1e9));
    bool ok = pc_start(vm->pc, e);
    if (ok)
        loop_run(vm->loop);
    pc_stop(vm->pc);
    timer_disarm(&vm->timeout);
    bool by_user = vm->result.end == VM_QUIT || vm->result.end == VM_SIGNAL || vm->result.end == VM_TIMEOUT;
    if (!pc_drain_console(vm->pc, by_user ? DRAIN_USER_MS : DRAIN_GUEST_MS))
        log_warn("the end of the guest's output could not be written: nobody reads it");
    if (ok && vm->result.end == VM_ERROR)
        *e = vm->error;
    return vm->result.end != VM_ERROR;
}

/* Of a machine that ran, or that the host did not let run; a wrong configuration has none. */
static bool write_stats(struct vm *vm, bool ok, struct err *e)
{
    if (!vm->cfg->stats || vm->cfg->dry_run || (!ok && e->kind == ERR_CONFIG))
        return true;
    struct err lost;
    char *text = vm_stats_text(vm->checked.engine, vm->pc, vm->cfg->cpus, &vm->result);
    bool written =
        text ? stats_file_write(&vm->checked.stats, text, strlen(text), &lost)
             : err_host(&lost, "--stats '%s': out of memory; the statistics are lost", vm->cfg->stats);
    free(text);
    if (!written && ok)
        *e = lost; /* else the first error is the one to report */
    return written;
}

bool vmm_run(const struct vm_config *cfg, struct vm_result *result, struct err *e)
{
    struct vm vm = {.cfg = cfg, .result = {.end = VM_ERROR}};
    struct err unused;
    e = e ? e : &unused;
    *result = vm.result;
    if (!vm_check(cfg, &vm.checked, e))
        return false;

    bool ok = build(&vm, e);
    if (ok && cfg->dry_run) {
        vm.result.end = VM_QUIT;
    } else if (ok) {
        if (vm.checked.choice[0])
            log_info("engine %s: %s", vm.checked.engine->name, vm.checked.choice);
        if (cfg->kernel && pc_start_words(vm.pc))
            log_info("kernel '%s': %s", cfg->kernel, pc_start_words(vm.pc));
        ok = live(&vm, e);
    }
    if (!write_stats(&vm, ok, e) && ok) {
        ok = false;
        vm.result.end = VM_ERROR;
    }
    pc_free(vm.pc);
    loop_free(vm.loop);
    stats_file_close(&vm.checked.stats);
    *result = vm.result;
    return ok;
}
