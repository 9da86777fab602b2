/*
 * check.c: checks a configuration and chooses the engine.
 */
#include "vmm/check.h"
#include "machine/pc.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

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

static const struct engine_ops *choose(char *choice, size_t size, struct err *e)
{
    char refused[384] = "";
    for (unsigned i = 0; i < engine_count; i++) {
        struct engine_probe p = engines[i]->probe();
        if (p.usable) {
            append(choice, size, "%s%s%s", refused[0] ? refused : "the fastest one in this version",
                   p.why[0] ? "; " : "", p.why);
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

/* Is there a place for it in our address space? Reserving one costs nothing. */
static bool check_memory(uint64_t bytes, struct err *e)
{
    if (bytes == 0)
        return err_config(e, "--memory 0: a machine needs memory; give more, such as --memory 512M");
    void *place = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED)
        return err_config(e, "--memory of %llu MiB is more than this host has addresses for (%s): give less",
                          (unsigned long long)(bytes >> 20), strerror(errno));
    munmap(place, bytes);
    return true;
}

static bool check_timeout(double s, struct err *e)
{
    if (!isfinite(s) || s < 0 || s > TIMEOUT_MAX)
        return err_config(e, "--timeout %.15g: give seconds between 0 (no time-out) and %.0f", s,
                          TIMEOUT_MAX);
    return true;
}

/* Are both one regular file, by whatever names? */
static bool same_file(const char *a, const char *b)
{
    struct stat sa, sb;
    if (!a || !b)
        return false;
    if (stat(a, &sa) != 0 || stat(b, &sb) != 0)
        return !strcmp(a, b);
    return S_ISREG(sa.st_mode) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* Nothing is written over what is read, or over what is written as well. */
static bool check_outputs(const struct vm_config *cfg, const struct console_spec *console, struct err *e)
{
    const struct {
        const char *option, *path;
    } in[] = {{"--kernel", cfg->kernel}, {"--initrd", cfg->initrd}, {"--firmware", cfg->firmware}},
      out[] = {{"--serial", console->kind == CONSOLE_FILE ? console->path : NULL},
               {"--stats", cfg->stats},
               {"--debugcon", cfg->debugcon_file}};
    for (unsigned o = 0; o < ARRAY_LEN(out); o++)
        for (unsigned i = 0; i < ARRAY_LEN(in); i++)
            if (same_file(out[o].path, in[i].path))
                return err_config(e, "%s would overwrite '%s', which is %s's file; give another path",
                                  out[o].option, in[i].path, in[i].option);
    for (unsigned a = 0; a < ARRAY_LEN(out); a++)
        for (unsigned b = a + 1; b < ARRAY_LEN(out); b++)
            if (same_file(out[a].path, out[b].path))
                return err_config(e, "%s and %s would both write '%s'; give two paths", out[a].option,
                                  out[b].option, out[b].path);
    return true;
}

bool vm_check(const struct vm_config *cfg, struct vm_checked *out, struct err *e)
{
    *out = (struct vm_checked){0};
    if (!check_cpus(cfg->cpus, e) || !check_memory(cfg->memory, e) || !check_timeout(cfg->timeout, e))
        return false;
    if (!cfg->kernel && !cfg->firmware)
        return err_config(e, "nothing to start: give --kernel FILE or --firmware FILE");
    if (!console_parse(&out->console, cfg->serial ? cfg->serial : "stdio", e))
        return false;
    if (!check_outputs(cfg, &out->console, e) || (cfg->stats && !stats_file_open(&out->stats, cfg->stats, e)))
        return false;
    out->engine = !cfg->engine || !strcmp(cfg->engine, "auto") ? choose(out->choice, sizeof(out->choice), e)
                                                               : named(cfg->engine, e);
    if (!out->engine) {
        stats_file_close(&out->stats);
        return false;
    }
    return true;
}
