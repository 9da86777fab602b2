/*
 * version.c: `trapeze version`.
 */
#include "cli/cli.h"
#include "cli/options.h"
#include <stdio.h>

void version_help(void)
{
    printf("usage: trapeze version\n\nPrints the version of Trapeze.\n");
}

int version_main(char **words)
{
    static const struct option_table none = {"version"};
    struct err e;

    switch (options_parse(&none, words, NULL, &e)) {
    case PARSE_HELP: version_help(); break;
    case PARSE_FAILED: return cli_fail(&e);
    case PARSE_OK: printf("trapeze %s\n", TRAPEZE_VERSION); break;
    }
    return cli_output_done();
}
