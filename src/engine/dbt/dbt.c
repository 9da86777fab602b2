/*
 * dbt.c: the translator as an engine.
 */
#include "engine/dbt/dbt.h"
#include "engine/dbt/translate.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CODE_CACHE_SIZE MIB(64)
#define HWCAP2_FSGSBASE BIT(1) /* of the auxiliary vector: WRGSBASE may be used */

static struct dbt_vcpu *of(struct engine_vcpu *ev)
{
    return CONTAINER_OF(ev, struct dbt_vcpu, ev);
}
static struct dbt_vcpu *of_interp(struct interp *v)
{
    return CONTAINER_OF(v, struct dbt_vcpu, ev.i);
}

static struct engine_probe probe(void)
{
    struct engine_probe p = {.usable = true};
    struct code_mem cm;
    struct err e = {0};
    if (!code_mem_new(&cm, PAGE_SIZE, &e)) {
        p.usable = false;
        snprintf(p.why, sizeof(p.why), "%.255s", e.text);
        return p;
    }
    code_mem_free(&cm);
    return p;
}

/* ---- what a flush of the TLB means for windows and jump table, which go first: by what the TLB holds ----
 */

static void empty(struct dbt_vcpu *d, unsigned bank)
{
    windows_empty(d, 2 * bank);
    windows_empty(d, 2 * bank + 1);
}
static void forget_supervisor_code(struct dbt_vcpu *d)
{
    jump_table_flush(d, BANK_SUPER);
    jump_table_flush(d, BANK_SUPER_AC);
    links_uncross(d);
    d->special_code = false;
}
static void forget_supervisor(struct dbt_vcpu *d)
{
    empty(d, BANK_SUPER);
    forget_supervisor_code(d);
}
/* What hangs on the address space: user mode's, the supervisor's way to it (SUPER_AC), what is special. */
static void forget_space(struct dbt_vcpu *d)
{
    empty(d, BANK_USER);
    empty(d, BANK_SUPER_AC);
    windows_empty(d, LOG_SPECIAL);
    jump_table_flush(d, BANK_USER);
    if (d->special_code)
        forget_supervisor_code(d);
}
static struct dbt_vcpu *of_cpu(struct cpu *c)
{
    return of_interp(CONTAINER_OF(c, struct interp, c));
}

static void flush_all(struct cpu *c)
{
    interp_cpu_ops.flush_all(c);
    forget_space(of_cpu(c));
    forget_supervisor(of_cpu(c));
}
static void flush_nonglobal(struct cpu *c)
{
    interp_cpu_ops.flush_nonglobal(c);
    forget_space(of_cpu(c));
}
static void flush_page(struct cpu *c, uint64_t lin)
{
    interp_cpu_ops.flush_page(c, lin);
    forget_space(of_cpu(c));
    if (lin >> 63)
        forget_supervisor(of_cpu(c));
}
static void cr3_loaded(struct cpu *c, bool keep)
{
    interp_cpu_ops.cr3_loaded(c, keep);
    forget_space(of_cpu(c));
}
static void flush_pcid(struct cpu *c, unsigned pcid, bool one_page, uint64_t lin)
{
    interp_cpu_ops.flush_pcid(c, pcid, one_page, lin);
    forget_space(of_cpu(c));
}

static struct cpu_ops ops_of_interp(void)
{
    struct cpu_ops o = interp_cpu_ops;
    o.flush_all = flush_all;
    o.flush_nonglobal = flush_nonglobal;
    o.flush_page = flush_page;
    o.cr3_loaded = cr3_loaded;
    o.flush_pcid = flush_pcid;
    return o;
}

/* ---- blocks ---- */

static void block_stale(struct interp *v, struct block *b)
{
    block_code_stale(of_interp(v), b);
}
static void blocks_flushed(struct interp *v)
{
    if (of_interp(v)->code.rw)
        code_cache_flush(of_interp(v));
}
static void write_revoked(struct interp *v)
{
    for (unsigned b = 0; b < JT_BANKS; b++)
        windows_empty(of_interp(v), 2 * b + 1);
    windows_empty(of_interp(v), LOG_SPECIAL);
}
static const struct block_hooks hooks = {
    .stale = block_stale, .flushed = blocks_flushed, .write_revoked = write_revoked};

/* ---- vCPUs ---- */

static bool host_has_avx(void)
{
    unsigned a, b, c, d, xcr0, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
        return false;
    __asm__("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
    return (xcr0 & 6) == 6;
}

static void vcpu_destroy(struct engine_vcpu *ev)
{
    if (!ev)
        return;
    code_cache_free(of(ev));
    free(of(ev)->tr);
    soft_vcpu_destroy(ev);
}

static struct engine_vcpu *vcpu_create(struct engine *en, unsigned id, struct err *e)
{
    struct engine_vcpu *ev = soft_vcpu_create(en, id, sizeof(struct dbt_vcpu), &interp_cpu_ops, e);
    if (!ev)
        return NULL;
    struct dbt_vcpu *d = of(ev);
    d->self = d;
    d->avx = host_has_avx();
    d->host_mxcsr = __builtin_ia32_stmxcsr();
    d->ops = ops_of_interp();
    d->counted = soft_config(en)->counted;
    d->tr = calloc(1, sizeof(*d->tr));
    if (!d->tr || !code_cache_init(d, CODE_CACHE_SIZE, e)) {
        if (!d->tr)
            err_host(e, "no memory for a vCPU");
        vcpu_destroy(ev);
        return NULL;
    }
    ev->i.c.ops = &d->ops;
    ev->i.hooks = &hooks;
    ev->i.translates = true;
    interp_mode_changed(&ev->i.c);
    return ev;
}

struct cpu *dbt_cpu(struct engine_vcpu *ev)
{
    return &ev->i.c;
}

/* gs stays ours until the thread ends or another vCPU runs on it; nothing else in the process uses it. */
void dbt_bind(struct engine_vcpu *ev)
{
    if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)
        __asm__ volatile("wrgsbase %0" : : "r"((uint64_t)(uintptr_t)ev));
    else
        syscall(SYS_arch_prctl, ARCH_SET_GS, ev);
}

static enum engine_exit vcpu_run(struct engine_vcpu *ev, struct engine_exit_info *info)
{
    dbt_bind(ev);
    return dbt_run_loop(of(ev), info);
}

static void counters(struct engine_vcpu *ev, struct engine_counters *out)
{
    struct dbt_vcpu *d = of(ev);
    soft_counters(ev, out);
    out->counts_insns = out->counts_direct = d->counted;
    out->insns_direct = out->insns - d->interpreted;
    out->cache_bytes = d->code_at;
    out->exits[out->exit_kinds++] = (struct engine_exit_count){"callout", d->callouts, 0};
    out->exits[out->exit_kinds++] = (struct engine_exit_count){"rest", d->rests, 0};
    out->exits[out->exit_kinds++] = (struct engine_exit_count){"fill", d->fills, 0};
    out->exits[out->exit_kinds++] = (struct engine_exit_count){"dispatch", d->dispatches, 0};
    out->exits[out->exit_kinds++] = (struct engine_exit_count){"translated", d->translated, 0};
}

const struct engine_ops dbt_engine = {
    .name = "dbt",
    .summary = "dynamic binary translation: no hardware virtualization needed",
    .probe = probe,
    .vcpu_create = vcpu_create,
    .vcpu_destroy = vcpu_destroy,
    .run = vcpu_run,
    .counters = counters,
    SOFT_ENGINE_OPS,
};
