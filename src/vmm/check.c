/*
 * check.c: checks a configuration and chooses the engine.
 */
#include "vmm/check.h"
#include "machine/pc.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define TIMEOUT_MAX 1e9 /* seconds; thirty years, and far from the end of 64 bits of nanoseconds */

/* Append to a list in words, cut off when it is full. */
static void PRINTF(3, 4) append(char *list, size_t size, const char *fmt, ...)
{
    size_t at = strlen(list);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(list + at, size - at, fmt, ap);
    va_end(ap);
}

static const struct engine_ops *choose(struct err *e)
{
    char refused[384] = "";
    for (unsigned i = 0; i < engine_count; i++) {
        struct engine_probe p = engines[i]->probe();
        if (p.usable) {
            log_info("engine %s: %s%s%s", engines[i]->name,
                     refused[0] ? refused : "the fastest one in this version", p.why[0] ? "; " : "", p.why);
            return engines[i];
        }
        append(refused, sizeof(refused), "%s%s cannot run here (%s)", refused[0] ? "; " : "",
               engines[i]->name, p.why);
    }
    err_host(e, "no engine can run here: %s", refused);
    return NULL;
}

static const struct engine_ops *named(const char *name, struct err *e)
{
    const struct engine_ops *ops = engine_find(name);
    if (!ops) {
        char known[256] = "auto";
        for (unsigned i = 0; i < engine_count; i++)
            append(known, sizeof(known), ", %s", engines[i]->name);
        err_config(e, "--engine %s: not known; use one of %s", name, known);
        return NULL;
    }
    struct engine_probe p = ops->probe();
    if (!p.usable) {
        err_config(e, "--engine %s: %s; --engine auto takes what can run here", name, p.why);
        return NULL;
    }
    return ops;
}

static bool check_cpus(unsigned cpus, struct err *e)
{
    if (cpus == 0)
        return err_config(e, "--cpus 0: a machine has at least one; use --cpus 1");
    if (cpus > PC_MAX_CPUS)
        return err_config(e, "--cpus %u: this version runs one vCPU; use --cpus 1", cpus);
    return true;
}

static bool check_timeout(double s, struct err *e)
{
    if (!isfinite(s) || s < 0 || s > TIMEOUT_MAX)
        return err_config(e, "--timeout %g: give seconds between 0 (no time-out) and %.0f", s, TIMEOUT_MAX);
    return true;
}

bool vm_check(const struct vm_config *cfg, struct vm_checked *out, struct err *e)
{
    *out = (struct vm_checked){0};
    if (!check_cpus(cfg->cpus, e) || !check_timeout(cfg->timeout, e))
        return false;
    if (!cfg->kernel && !cfg->firmware)
        return err_config(e, "nothing to start: give --kernel FILE or --firmware FILE");
    if (!console_parse(&out->console, cfg->serial ? cfg->serial : "stdio", e))
        return false;
    if (cfg->stats && !stats_file_open(&out->stats, cfg->stats, e))
        return false;
    out->engine = !cfg->engine || !strcmp(cfg->engine, "auto") ? choose(e) : named(cfg->engine, e);
    if (!out->engine) {
        stats_file_close(&out->stats);
        return false;
    }
    return true;
}
