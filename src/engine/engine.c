/*
 * engine.c: the list of engines.
 */
#include "engine/engine.h"
#include "engine/dbt/dbt.h"
#include "engine/interp/interp.h"
#include "engine/kvm/kvm.h"

const struct engine_ops *const engines[] = {&kvm_engine, &dbt_engine, &interp_engine};
const unsigned engine_count = ARRAY_LEN(engines);

const char *const engine_exit_names[EXIT_REASONS] = {
    [EXIT_HALT] = "halt",   [EXIT_KICK] = "kick",   [EXIT_SHUTDOWN] = "shutdown",
    [EXIT_DEBUG] = "debug", [EXIT_ERROR] = "error",
};

const struct engine_ops *engine_find(const char *name)
{
    for (unsigned i = 0; i < engine_count; i++)
        if (!strcmp(engines[i]->name, name))
            return engines[i];
    return NULL;
}
