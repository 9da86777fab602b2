/*
 * run.c: `trapeze run`: a machine from start to end.
 */
#include "cli/cli.h"
#include "cli/run_options.h"
#include <stdio.h>

void run_help(void)
{
    printf(
        "usage: trapeze run [OPTIONS] --kernel FILE\n"
        "\n"
        "Runs a virtual machine. Its serial console is standard input and output; what Trapeze\n"
        "itself has to say goes to standard error. At a terminal, Ctrl-a x quits and Ctrl-a Ctrl-a\n"
        "sends Ctrl-a. Values follow as the next word or behind '='.\n");
    options_print(&run_options);
    printf(
        "\n"
        "Exit status: 0 the guest powered off, or Ctrl-a x; 1 host error; 2 bad usage; 3 the guest\n"
        "stopped for good; 124 --timeout; 128+N ended by signal N; ((value << 1) | 1) & 255 for a\n"
        "value that the guest wrote to port 0xf4. See trapeze-run(1).\n");
}

int run_main(char **words)
{
    struct run_args args;
    struct err e = {0};

    switch (run_options_parse(words, &args, &e)) {
    case PARSE_HELP: run_help(); return cli_output_done();
    case PARSE_FAILED: return cli_fail(&e);
    case PARSE_OK: break;
    }
    struct vm_result result;
    if (!vmm_run(&args.vm, &result, &e))
        return cli_fail(&e);
    return vm_exit_status(&result);
}
