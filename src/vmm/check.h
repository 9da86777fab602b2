/*
 * vmm/check.h: is what was asked for possible at all? For the files of this folder.
 */
#ifndef VMM_CHECK_H
#define VMM_CHECK_H

#include "back/console.h"
#include "engine/engine.h"
#include "vmm/stats_file.h"
#include "vmm/vmm.h"

struct vm_checked {
    const struct engine_ops *engine;
    char choice[512]; /* why `auto` chose it; "" when it was named */
    struct console_spec console;
    struct stats_file stats; /* the caller's to close */
};

/*
 * What can be checked without building a machine; what needs the kernel's file or the memory's layout is
 * found by pc_new. ERR_CONFIG names the option and the mend. Leaves nothing behind on the host.
 */
bool vm_check(const struct vm_config *cfg, struct vm_checked *out, struct err *e);

#endif
