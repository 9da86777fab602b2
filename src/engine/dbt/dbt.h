/*
 * engine/dbt/dbt.h: dynamic binary translation: guest instructions become host instructions.
 *
 * x86 to x86 without an intermediate form: most instructions pass through, with other registers; what is left
 * over, the interpreter does. docs/dbt.md tells how.
 */
#ifndef ENGINE_DBT_DBT_H
#define ENGINE_DBT_DBT_H

#include "engine/engine.h"

extern const struct engine_ops dbt_engine;

#endif
