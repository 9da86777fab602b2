/*
 * vmm/stats.h: what a machine has cost and done, as one JSON object (docs/contracts.md, "Statistics").
 */
#ifndef VMM_STATS_H
#define VMM_STATS_H

#include "engine/engine.h"
#include "machine/pc.h"
#include "vmm/vmm.h"

/*
 * The object as text, to be freed; NULL: no memory. `pc` has been stopped; NULL when it could not even be
 * built. Call it once, at the end: times and memory are those of the process up to now.
 */
char *vm_stats_text(const struct engine_ops *engine, struct pc *pc, unsigned cpus,
                    const struct vm_result *result);

#endif
