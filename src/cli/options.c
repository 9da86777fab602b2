/*
 * options.c: goes through a command line by a table of options.
 */
#include "cli/options.h"
#include "cli/nearest.h"
#include <stdio.h>

enum { HELP_COLUMN = 28 };

bool is_help_option(const char *word)
{
    return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "-help");
}

static const struct option *find(const struct option_table *t, const char *word, size_t len)
{
    for (unsigned g = 0; g < t->groups; g++)
        for (unsigned i = 0; i < t->group[g].rows; i++) {
            const struct option *o = &t->group[g].row[i];
            if (strlen(o->name) == len && !memcmp(o->name, word, len))
                return o;
        }
    return NULL;
}

const struct option *options_find(const struct option_table *t, const char *name)
{
    return find(t, name, strcspn(name, "="));
}

static bool unknown(const struct option_table *t, const char *word, struct err *e)
{
    struct nearest n = nearest_to(word);
    for (unsigned g = 0; g < t->groups; g++)
        for (unsigned i = 0; i < t->group[g].rows; i++)
            nearest_offer(&n, t->group[g].row[i].name);
    nearest_offer(&n, "--help");
    int len = (int)MIN(strcspn(word, "="), 80);
    if (n.best)
        return err_config(e, "unknown option %.*s; did you mean %s? `trapeze %s --help` lists all", len, word,
                          n.best, t->command);
    return err_config(e, "unknown option %.*s; `trapeze %s --help` lists the known ones", len, word,
                      t->command);
}

static bool stray(const struct option_table *t, const char *word, struct err *e)
{
    if (!t->groups)
        return err_config(e, "'%.80s' is too much: `trapeze %s` takes nothing more; leave it out", word,
                          t->command);
    if (options_find(t, "--kernel") && word[0] && word[0] != '-')
        return err_config(e, "'%.80s' belongs to no option; if it is the kernel, write: --kernel %.80s", word,
                          word);
    return err_config(e, "'%.80s' belongs to no option; `trapeze %s --help` shows what it takes", word,
                      t->command);
}

/* The option's value, from behind '=' or from the next word, which is then used up. */
static bool take_value(const struct option_table *t, const struct option *o, char ***words,
                       const char *equals, struct option_use *use, struct err *e)
{
    if (!o->value) {
        if (equals)
            return err_config(e, "%s takes no value; write it without '%.80s'", o->name, equals);
        return true;
    }
    if (equals) {
        use->value = equals + 1;
    } else {
        char *next = **words;
        if (!next)
            return err_config(e, "%s: value missing; write %s %s", o->name, o->name, o->value);
        if (next[0] == '-' && (options_find(t, next) || is_help_option(next)))
            return err_config(e, "%s: value missing before %.80s; write %s %s, or %s=%.80s if that is it",
                              o->name, next, o->name, o->value, o->name, next);
        use->value = next;
        (*words)++;
    }
    if (!use->value[0] && !o->may_be_empty)
        return err_config(e, "%s: the value is empty; write %s %s, or leave the option out", o->name, o->name,
                          o->value);
    return true;
}

/* Each subject once; `seen` holds what it was given as. */
static bool once(const struct option *o, const struct option **seen, struct err *e)
{
    const struct option *before = seen[o->subject];
    if (before == o)
        return err_config(e, "%s is given twice; give it once", o->name);
    if (before)
        return err_config(e, "%s and %s say the same thing; give one of them", before->name, o->name);
    seen[o->subject] = o;
    return true;
}

enum parse_result options_parse(const struct option_table *t, char **words, void *target, struct err *e)
{
    const struct option *seen[64] = {0};
    while (*words) {
        char *word = *words++;
        if (is_help_option(word))
            return PARSE_HELP;
        if (word[0] != '-' || !word[1] || !strcmp(word, "--")) {
            stray(t, word, e);
            return PARSE_FAILED;
        }
        const struct option *o = options_find(t, word);
        if (!o) {
            unknown(t, word, e);
            return PARSE_FAILED;
        }
        assert(o->subject > 0 && o->subject < ARRAY_LEN(seen));
        if (o->refuse) {
            err_config(e, "%s: not built yet in this version; %s", o->name, o->refuse);
            return PARSE_FAILED;
        }
        struct option_use use = {.name = o->name};
        if (!take_value(t, o, &words, strchr(word, '='), &use, e) || !once(o, seen, e) ||
            !o->set(target, &use, e))
            return PARSE_FAILED;
    }
    return PARSE_OK;
}

static void print_row(const struct option *o)
{
    int column = printf("  %s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    if (column >= HELP_COLUMN - 1) {
        putchar('\n');
        column = 0;
    }
    for (const char *line = o->help; line;) {
        const char *end = strchr(line, '\n');
        int len = end ? (int)(end - line) : (int)strlen(line);
        printf("%*s%.*s\n", HELP_COLUMN - column, "", len, line);
        column = 0;
        line = end ? end + 1 : NULL;
    }
}

void options_print(const struct option_table *t)
{
    for (unsigned g = 0; g < t->groups; g++) {
        printf("\n%s:\n", t->group[g].heading);
        for (unsigned i = 0; i < t->group[g].rows; i++)
            print_row(&t->group[g].row[i]);
    }
}
