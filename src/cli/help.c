/*
 * help.c: `trapeze help [SUBCOMMAND]`.
 */
#include "cli/cli.h"
#include "cli/nearest.h"
#include "cli/options.h"
#include <stdio.h>

void help_overview(void)
{
    printf(
        "usage: trapeze COMMAND [OPTIONS]\n"
        "\n"
        "Trapeze runs virtual machines.\n"
        "\n");
    for (unsigned i = 0; i < command_count; i++)
        printf("  %-10s%s\n", commands[i].name, commands[i].summary);
    printf(
        "\n"
        "`trapeze help COMMAND` explains a command; see also trapeze(1).\n");
}

void help_help(void)
{
    printf("usage: trapeze help [COMMAND]\n\nExplains a command, or lists all.\n");
}

static int explain(const char *name)
{
    const struct command *c = command_find(name);
    if (!c) {
        struct err e;
        struct nearest n = nearest_to(name);
        for (unsigned i = 0; i < command_count; i++)
            nearest_offer(&n, commands[i].name);
        if (n.best)
            err_config(&e, "unknown command '%.80s'; did you mean '%s'? `trapeze help` lists all", name,
                       n.best);
        else
            err_config(&e, "unknown command '%.80s'; `trapeze help` lists the known ones", name);
        return cli_fail(&e);
    }
    c->help();
    return cli_output_done();
}

int help_main(char **words)
{
    static const struct option_table none = {"help"};
    struct err e;

    if (words[0] && words[0][0] != '-') {
        if (!words[1] || is_help_option(words[1]))
            return explain(words[0]);
        words++;
    }
    switch (options_parse(&none, words, NULL, &e)) {
    case PARSE_HELP: help_help(); break;
    case PARSE_FAILED: return cli_fail(&e);
    case PARSE_OK: help_overview(); break;
    }
    return cli_output_done();
}
