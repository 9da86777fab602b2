/*
 * cli/cli.h: the sub-commands of `trapeze`, one file each.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/base.h"

/* Exit statuses of the process besides those of a machine's end (vmm/vmm.h). */
enum { STATUS_OK = 0, STATUS_HOST = 1, STATUS_USAGE = 2 };

struct command {
    const char *name;
    const char *summary;
    /* The words behind the sub-command's own, with a NULL behind them. Returns the exit status. */
    int (*run)(char **words);
    /* To standard output. */
    void (*help)(void);
};

extern const struct command commands[];
extern const unsigned command_count;
const struct command *command_find(const char *name);

int run_main(char **words);
void run_help(void);
int engines_main(char **words);
void engines_help(void);
int version_main(char **words);
void version_help(void);
int help_main(char **words);
void help_help(void);

/* `trapeze help`: the list of sub-commands. */
void help_overview(void);

/* One line on standard error, from `e`; returns the exit status for its kind. */
int cli_fail(const struct err *e);
/* The exit status after output to standard output: a full disk or a closed pipe is an error too. */
int cli_output_done(void);

#endif
