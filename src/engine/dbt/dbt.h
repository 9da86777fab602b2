/*
 * engine/dbt/dbt.h: dynamic binary translation: guest instructions become host instructions.
 *
 * x86 to x86 without an intermediate form: most instructions pass through, with other registers; what is left
 * over, the interpreter does. docs/dbt.md tells how.
 */
#ifndef ENGINE_DBT_DBT_H
#define ENGINE_DBT_DBT_H

#include "cpu/cpu.h"
#include "engine/engine.h"

extern const struct engine_ops dbt_engine;

/* The cpu inside, for tests: valid between runs. */
struct cpu *dbt_cpu(struct engine_vcpu *v);
/* As interp_step (engine/interp/interp.h): one instruction, as translated code where it can be. */
enum engine_exit dbt_step(struct engine_vcpu *v, bool *faulted);
/* The calling thread will run this vCPU: once for each thread, and again after it ran another. */
void dbt_bind(struct engine_vcpu *v);

#endif
