/*
 * cli/options.h: options by table: each row says how an option is written, what it takes and what it sets.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/base.h"

struct option_use {
    const char *name;  /* as the user wrote it: "-m", without "=value" */
    const char *value; /* NULL where the option takes none */
};

struct option {
    const char *name;  /* with its dashes */
    const char *value; /* what it takes, as help calls it; NULL: nothing */
    const char *help;  /* lines are broken by '\n' */
    /*
     * Rows with the same subject (1 to 63) say the same in other words: given twice, they would contradict
     * each other.
     */
    unsigned subject;
    /*
     * Fill `target` (of the caller of options_parse); ERR_CONFIG names the option as the user wrote it. NULL:
     * --help's own row, and options that are refused.
     */
    bool (*set)(void *target, const struct option_use *use, struct err *e);
    bool may_be_empty;  /* "" is a value */
    const char *refuse; /* not built yet, whatever the value: what to do instead */
};

/* Rows up to the next heading belong together in help. */
struct option_group {
    const char *heading;
    const struct option *row;
    unsigned rows;
};

struct option_table {
    const char *command; /* "run" */
    const struct option_group *group;
    unsigned groups;
};

enum parse_result { PARSE_OK, PARSE_HELP, PARSE_FAILED };

/*
 * Go through `words` (NULL at the end) in order. Values follow as the next word or behind '='. PARSE_HELP: -h
 * or --help came first. PARSE_FAILED: `e` is one line about the first thing wrong.
 */
enum parse_result options_parse(const struct option_table *t, char **words, void *target, struct err *e);
const struct option *options_find(const struct option_table *t, const char *name);
/* The rows as help shows them, to standard output. */
void options_print(const struct option_table *t);

bool is_help_option(const char *word);
/* Is `word` (up to a '=') an option of `trapeze run`? */
bool run_option_known(const char *word);

#endif
