/*
 * end.c: how a machine can end, and what the process says of it.
 */
#include "vmm/vmm.h"

const char *const vm_end_names[VM_ENDS] = {
    [VM_POWEROFF] = "poweroff",     [VM_RESET] = "reset",     [VM_TRIPLE_FAULT] = "triple-fault",
    [VM_DEBUG_EXIT] = "debug-exit", [VM_TIMEOUT] = "timeout", [VM_QUIT] = "quit",
    [VM_SIGNAL] = "signal",         [VM_ERROR] = "error",
};

int vm_exit_status(const struct vm_result *r)
{
    switch (r->end) {
    case VM_POWEROFF:
    case VM_RESET:
    case VM_QUIT: return 0;
    case VM_DEBUG_EXIT: return (int)((r->debug_exit << 1 | 1) & 0xff);
    case VM_TRIPLE_FAULT: return 3;
    case VM_TIMEOUT: return 124;
    case VM_SIGNAL: return 128 + r->signal;
    case VM_ERROR:
    case VM_ENDS: break;
    }
    return 1;
}
