/*
 * engines.c: `trapeze engines`: what can run here, what auto would choose, and why not the others.
 */
#include "cli/cli.h"
#include "cli/options.h"
#include "engine/engine.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* One engine as both forms of output show it. */
struct row {
    const char *name, *summary;
    bool usable;
    char why[256];
};

enum { MAX_ROWS = 16 };

static unsigned collect(struct row rows[MAX_ROWS])
{
    unsigned n = 0;
    assert(engine_count <= MAX_ROWS);
    for (unsigned i = 0; i < engine_count; i++, n++) {
        struct engine_probe p = engines[i]->probe();
        rows[n] = (struct row){engines[i]->name, engines[i]->summary, p.usable};
        snprintf(rows[n].why, sizeof(rows[n].why), "%s", p.why);
    }
    return n;
}

/* The index of what auto takes: the first usable one. `n` when there is none. */
static unsigned choice(const struct row *rows, unsigned n)
{
    unsigned i = 0;
    while (i < n && !rows[i].usable)
        i++;
    return i;
}

static void print_text(const struct row *rows, unsigned n)
{
    unsigned chosen = choice(rows, n);
    for (unsigned i = 0; i < n; i++)
        printf("%-8s%-5s%s%s%s%s\n", rows[i].name, rows[i].usable ? "yes" : "no", rows[i].summary,
               rows[i].why[0] ? " (" : "", rows[i].why, rows[i].why[0] ? ")" : "");
    if (chosen < n)
        printf("auto chooses %s: the fastest that can run here\n", rows[chosen].name);
    else
        printf("auto finds nothing that can run here\n");
}

static bool print_json(const struct row *rows, unsigned n)
{
    unsigned chosen = choice(rows, n);
    json_t *list = json_array();
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:b, s:s}", "name", rows[i].name, "summary",
                                              rows[i].summary, "built", true, "usable", rows[i].usable, "why",
                                              rows[i].why));
    json_t *o = json_pack("{s:s?, s:o}", "auto", chosen < n ? rows[chosen].name : NULL, "engines", list);
    char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
    bool ok = text && puts(text) >= 0;
    free(text);
    json_decref(o);
    return ok;
}

/* ---- the command ---- */

static bool set_json(void *target, const struct option_use *use, struct err *e)
{
    *(bool *)target = true;
    return true;
}

static const struct option rows_of_options[] = {
    {"--json", NULL, "print one JSON object", 1, set_json},
    {"--help", NULL, "print this, as do -h and -help", 2, NULL},
};
static const struct option_group groups[] = {{"Options", rows_of_options, ARRAY_LEN(rows_of_options)}};
static const struct option_table engines_options = {"engines", groups, ARRAY_LEN(groups)};

void engines_help(void)
{
    printf(
        "usage: trapeze engines [--json]\n"
        "\n"
        "Lists the engines that can run a guest's instructions, fastest first: whether each can run on this\n"
        "host, why not, and which one `--engine auto` takes.\n");
    options_print(&engines_options);
}

int engines_main(char **words)
{
    struct row rows[MAX_ROWS];
    bool json = false;
    struct err e;

    switch (options_parse(&engines_options, words, &json, &e)) {
    case PARSE_HELP: engines_help(); return cli_output_done();
    case PARSE_FAILED: return cli_fail(&e);
    case PARSE_OK: break;
    }
    unsigned n = collect(rows);
    if (!json) {
        print_text(rows, n);
    } else if (!print_json(rows, n)) {
        err_host(&e, "no memory for the list of engines: free some on the host");
        return cli_fail(&e);
    }
    return cli_output_done();
}
