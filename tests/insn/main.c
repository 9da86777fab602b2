/*
 * main.c: insn-silicon: instructions in the interpreter against the host's processor.
 *
 *   --seed N      other cases (the default is fixed: the same run every time)
 *   --cases N     how many
 *   --case N      just this one, printed in full
 *   --form REGEX  only forms whose name matches (POSIX extended)
 *   --engine NAME interp (the default) or dbt
 *   --mode BITS   code size: 64 (the default), 32, 16
 *   --list        every form: run or not and why, who executes it
 *   --forms FILE  check the committed list of forms as well
 *   --write-forms print that list
 *   --show N      print at most N differing cases in full (default 10)
 *   --each N      of each form at most N of them (default 1)
 *   -v            a line for each form that differs
 *
 * Exit status 0 when nothing differs and every form was tested, 1 when not, 2 for bad
 * usage, 77 when the host lacks something (and which).
 */
#include "compare.h"
#include "gen.h"
#include "guest.h"
#include "native.h"
#include "tsv.h"
#include "values.h"

#include <getopt.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct options {
    uint64_t seed, cases, only;
    bool one, list, verbose;
    unsigned show, each, bits;
    const char *engine, *form, *list_file;
    bool write_list;
};

#define RETRIES 4096u
#define SKIPPED 77

struct run {
    struct options opt;
    struct cpuid_model model;
    struct forms forms;
    struct gen gen;
    struct guest *guest;
    struct native *native;
    uint64_t again[RETRIES]; /* cases that get a second chance, see lost_pointers */
    unsigned nagain;
    bool second, stale;
    uint32_t *chosen; /* numbers of the forms that are run */
    unsigned nchosen;
    uint64_t next, done, failed, undefined, faults;
    uint64_t by_field[F_NAMES];
    uint8_t base[AREA_SIZE];
    struct outcome interp;
};

/* ---- which ---- */

static bool choose_forms(struct run *x)
{
    regex_t re;
    if (x->opt.form && regcomp(&re, x->opt.form, REG_EXTENDED | REG_NOSUB)) {
        fprintf(stderr, "insn-silicon: --form: no regular expression: %s\n", x->opt.form);
        return false;
    }
    x->chosen = calloc(x->forms.count, sizeof(*x->chosen));
    for (unsigned i = 0; i < x->forms.count; i++)
        if (!x->forms.form[i].excluded && (!x->opt.form || !regexec(&re, x->forms.form[i].text, 0, NULL, 0)))
            x->chosen[x->nchosen++] = i;
    if (x->opt.form)
        regfree(&re);
    if (!x->nchosen)
        fprintf(stderr, "insn-silicon: no form to run\n");
    return x->nchosen;
}

/* The n-th case of this run: a case's number says its form, whatever else is run. */
static uint64_t case_number(const struct run *x, uint64_t n)
{
    if (x->opt.one)
        return x->opt.only;
    if (x->second)
        return x->again[n];
    return n / x->nchosen * x->forms.count + x->chosen[n % x->nchosen];
}

/* ---- running ---- */

static void fill_batch(struct run *x, struct batch *b, struct x86_decoded *d)
{
    b->count = 0;
    while (b->count < BATCH && x->next < x->opt.cases) {
        gen_case(&x->gen, case_number(x, x->next++), &b->k[b->count], &d[b->count]);
        b->count++;
    }
}

/*
 * A context switch of the host between the loading of a case's registers and its instruction loses FIP and
 * FDP where AMD's XSAVE does not keep them (case.h). It does not happen to one case twice.
 */
static bool lost_pointers(struct run *x, const struct icase *k, const struct x86_decoded *d,
                          const struct outcome *native, uint32_t f)
{
    bool stored = d->i.mnemonic == ZYDIS_MNEMONIC_FNSTENV || d->i.mnemonic == ZYDIS_MNEMONIC_FNSAVE;
    if ((f != F_FPTR && (f != F_MEM || !stored)) || x->second || x->nagain == RETRIES)
        return false;
    x->again[x->nagain++] = k->number;
    return true;
}

static void judge(struct run *x, const struct icase *k, const struct x86_decoded *d,
                  const struct outcome *native)
{
    struct form *form = &x->forms.form[k->form];
    const struct outcome *interp = &x->interp;
    guest_run(x->guest, k, &x->interp);
    uint32_t f = native->vector == DIED ? F_VECTOR : compare_outcomes(k, d, native, interp);
    if (lost_pointers(x, k, d, native, f))
        return;
    x->done++;
    form->tested++;
    if (native->vector != NO_FAULT) {
        x->faults++;
        form->faulted++;
    }
    if (interp->vector == VEC_UD && native->vector != VEC_UD)
        form->unsupported = true;
    if (x->opt.one)
        print_case(k, d, form->text, native, interp, f);
    if (!f)
        return;
    for (unsigned i = 0; i < F_NAMES; i++)
        x->by_field[i] += f >> i & 1;
    if (f == F_UNDEF_FLAGS)
        x->undefined++;
    x->failed++;
    if (form->failed++ < x->opt.each && x->opt.show && !x->opt.one) {
        x->opt.show--;
        print_case(k, d, form->text, native, interp, f);
        printf("  again: insn-silicon --mode %u --seed %" PRIu64 " --case %" PRIu64 "\n\n", x->opt.bits,
               x->opt.seed, k->number);
    }
}

static void run_batches(struct run *x)
{
    static struct x86_decoded d[2][BATCH];
    unsigned which = 0;
    fill_batch(x, native_batch(x->native, 0), d[0]);
    while (native_batch(x->native, which)->count) {
        struct batch *b = native_batch(x->native, which);
        native_start(x->native, which);
        fill_batch(x, native_batch(x->native, !which), d[!which]);
        native_wait(x->native);
        for (unsigned i = 0; i < b->count; i++)
            judge(x, &b->k[i], &d[which][i], &b->o[i]);
        which = !which;
    }
}

static void run_all(struct run *x)
{
    run_batches(x);
    x->second = true;
    x->next = 0;
    x->opt.cases = x->nagain;
    run_batches(x);
}

/* ---- reports ---- */

static void list_forms(const struct run *x)
{
    for (unsigned i = 0; i < x->forms.count; i++) {
        const struct form *f = &x->forms.form[i];
        printf("%-48s %-14s %s%s%s\n", f->text, ZydisISASetGetString(f->isa_set),
               f->host_unit ? "host-unit " : "", f->unsupported ? "UNSUPPORTED " : "",
               f->excluded ? f->excluded : "");
    }
}

static int report(struct run *x, double seconds)
{
    unsigned tested = 0, supported = 0, excluded = 0, host = 0, untested = 0, differ = 0;
    for (unsigned i = 0; i < x->forms.count; i++)
        excluded += x->forms.form[i].excluded != NULL;
    for (unsigned i = 0; i < x->nchosen; i++) {
        const struct form *f = &x->forms.form[x->chosen[i]];
        tested += f->tested > 0;
        untested += f->tested == 0;
        supported += !f->unsupported;
        host += f->host_unit;
        differ += f->failed > 0;
        if (x->opt.verbose && f->failed)
            printf("%-48s %s%" PRIu64 " of %" PRIu64 " cases differ\n", f->text,
                   f->unsupported ? "UNSUPPORTED " : "", f->failed, f->tested);
        if (f->tested == 0 && !x->opt.one && x->opt.verbose)
            printf("%-48s untested\n", f->text);
    }
    printf(
        "forms: %u supported, %u tested, %u in all (%u on the host's unit; %u more excluded with reason)\n",
        supported, tested, x->nchosen, host, excluded);
    printf("cases: %" PRIu64 " in %u-bit code, seed %" PRIu64 ", %" PRIu64 " faulted, %.0f a second\n",
           x->done, x->opt.bits, x->opt.seed, x->faults, (double)x->done / (seconds > 0 ? seconds : 1));
    printf("differences: %" PRIu64 " cases in %u forms, of them %" PRIu64 " in undefined flags only\n",
           x->failed, differ, x->undefined);
    for (unsigned i = 0; i < F_NAMES; i++)
        if (x->by_field[i])
            printf("  %-16s %" PRIu64 "\n", field_names[i], x->by_field[i]);
    if (untested && !x->opt.one)
        printf("%u forms were not tested\n", untested);
    if (supported < x->nchosen)
        printf("%u forms are not supported\n", x->nchosen - supported);
    return x->stale || x->failed || supported < x->nchosen || (untested && !x->opt.one) ||
                   guest_ro_changed(x->guest)
               ? 1
               : 0;
}

/* ---- start ---- */

static bool parse(struct options *o, int argc, char **argv)
{
    static const struct option names[] = {
        {"seed", 1, NULL, 's'},  {"cases", 1, NULL, 'n'},       {"case", 1, NULL, 'c'},
        {"form", 1, NULL, 'f'},  {"mode", 1, NULL, 'm'},        {"engine", 1, NULL, 'E'},
        {"forms", 1, NULL, 'F'}, {"write-forms", 0, NULL, 'W'}, {"list", 0, NULL, 'l'},
        {"show", 1, NULL, 'w'},  {"each", 1, NULL, 'e'},        {0}};
    *o = (struct options){.seed = 1, .cases = 300000, .show = 10, .each = 1, .bits = 64, .engine = "interp"};
    for (int c; (c = getopt_long(argc, argv, "v", names, NULL)) != -1;)
        switch (c) {
        case 's': o->seed = strtoull(optarg, NULL, 0); break;
        case 'n': o->cases = strtoull(optarg, NULL, 0); break;
        case 'c':
            o->one = true;
            o->only = strtoull(optarg, NULL, 0);
            o->cases = 1;
            break;
        case 'E': o->engine = optarg; break;
        case 'f': o->form = optarg; break;
        case 'l': o->list = true; break;
        case 'w': o->show = (unsigned)strtoul(optarg, NULL, 0); break;
        case 'e': o->each = (unsigned)strtoul(optarg, NULL, 0); break;
        case 'v': o->verbose = true; break;
        case 'F': o->list_file = optarg; break;
        case 'W': o->write_list = true; break;
        case 'm': o->bits = (unsigned)strtoul(optarg, NULL, 0); break;
        default: return false;
        }
    return optind == argc && (o->bits == 64 || o->bits == 32 || o->bits == 16);
}

static bool misaligned_sse(const struct cpuid_model *m)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->leaf[i].leaf == 0x80000001)
            return m->vendor == CPU_AMD && m->leaf[i].ecx & BIT(7);
    return false;
}

int main(int argc, char **argv)
{
    static struct run x;
    struct err e = {0};
    struct rng r;
    bool other = false;
    struct timespec t0, t1;
    if (!parse(&x.opt, argc, argv)) {
        fprintf(stderr,
                "usage: insn-silicon [--engine interp|dbt] [--seed N] [--cases N] [--case N] [--form REGEX] "
                "[--mode 64|32|16] "
                "[--list] [--show N] "
                "[-v]\n");
        return 2;
    }
    if (x.opt.write_list) {
        tsv_write(stdout);
        return 0;
    }
#ifdef __SANITIZE_ADDRESS__
    printf("insn-silicon: not run: AddressSanitizer's shadow lies where cases must find no memory\n");
    return SKIPPED;
#endif
    if (x.opt.bits != 64 && !(native_has_ldt() && native_has_fsgsbase())) {
        printf("insn-silicon: %u-bit code not run: the host %s\n", x.opt.bits,
               native_has_fsgsbase() ? "refuses modify_ldt" : "has no FSGSBASE");
        return SKIPPED;
    }
    const struct cpuid_config cfg = {.cpus = 1, .tsc_khz = 1000000};
    cpuid_compose(&x.model, &cfg);
    forms_find(&x.forms, &x.model, x.model.vendor == CPU_AMD, x.opt.bits);
    if (x.opt.list_file)
        x.stale = !tsv_check(x.opt.list_file, &x.forms, &x.model, &other);
    if (other)
        printf("the list of forms was made with another decoder: not compared\n");
    if (!choose_forms(&x))
        return 2;
    if (x.opt.list) { /* enough to see what is not supported */
        x.opt.cases = 8ull * x.nchosen;
        x.opt.show = 0;
    }
    rng_init(&r, x.opt.seed, ~0ull);
    value_area(&r, x.base);
    x.gen = (struct gen){.forms = &x.forms, .model = &x.model, .base = x.base, .seed = x.opt.seed};
    x.gen.fsgsbase = native_has_fsgsbase();
    x.gen.foreign_xcr0 = native_xcr0() & ~x.model.xcr0_mask;
    x.gen.misaligned_mode = misaligned_sse(&x.model);
    x.gen.amd = x.model.vendor == CPU_AMD;
    x.native = native_new(x.base, x.opt.bits, &e);
    x.guest = x.native ? guest_new(x.opt.engine, &x.model, x.base, &e) : NULL;
    if (!x.guest) {
        fprintf(stderr, "insn-silicon: %s\n", e.text);
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &t0);
    run_all(&x);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    native_free(x.native);
    if (x.opt.list)
        list_forms(&x);
    int status = report(&x, (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) * 1e-9);
    guest_free(x.guest);
    forms_free(&x.forms);
    free(x.chosen);
    return status;
}
