/*
 * vmm/vmm.h: the life of a virtual machine: from a configuration to its end, with statistics.
 */
#ifndef VMM_VMM_H
#define VMM_VMM_H

#include "base/base.h"

/* What `trapeze run` was asked for, after parsing; strings are the caller's and live as long as the machine.
 */
struct vm_config {
    const char *engine; /* "auto" or an engine's name */
    unsigned cpus;
    uint64_t memory;      /* bytes */
    const char *firmware; /* paths; NULL = not given */
    const char *kernel;
    const char *initrd;
    const char *append;
    bool testdev;
    bool debugcon;
    uint16_t debugcon_port;
    const char *debugcon_file; /* NULL: standard error */
    const char *serial;        /* "stdio", "null", "file:PATH", "unix:PATH" */
    const char *stats;
    bool count;
    double timeout;          /* seconds; 0 = none */
    bool reset_exits;        /* --on-reset=exit */
    bool reset_after_triple; /* --on-reset=reboot given explicitly */
    bool dry_run;            /* check everything that can be checked, build the machine, do not run */
    bool mitigations;
};

/* How it ended: the `end` of the statistics. */
enum vm_end {
    VM_POWEROFF,
    VM_RESET,
    VM_TRIPLE_FAULT,
    VM_DEBUG_EXIT,
    VM_TIMEOUT,
    VM_QUIT,
    VM_SIGNAL,
    VM_ERROR,
    VM_ENDS
};
extern const char *const vm_end_names[VM_ENDS]; /* "poweroff", "reset", "triple-fault", "debug-exit", ... */

struct vm_result {
    enum vm_end end;
    uint32_t debug_exit; /* VM_DEBUG_EXIT */
    int signal;          /* VM_SIGNAL */
};

/*
 * Check the configuration against files and host (ERR_CONFIG), build the machine, run it to its end, write
 * the statistics. False: `e` says why it could not start, or what the host refused later. Called from the
 * main thread, which becomes the event loop.
 */
bool vmm_run(const struct vm_config *cfg, struct vm_result *result, struct err *e);

/* The exit status of the process for a result (docs/contracts.md, "Exit status"). */
int vm_exit_status(const struct vm_result *r);

#endif
