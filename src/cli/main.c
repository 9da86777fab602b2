/*
 * main.c: finds the sub-command and runs it.
 */
#include "cli/cli.h"
#include "cli/nearest.h"
#include "cli/options.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

const struct command commands[] = {
    {"run", "run a virtual machine", run_main, run_help},
    {"engines", "what can run machines on this host", engines_main, engines_help},
    {"version", "print the version", version_main, version_help},
    {"help", "explain a sub-command", help_main, help_help},
};
const unsigned command_count = ARRAY_LEN(commands);

const struct command *command_find(const char *name)
{
    for (unsigned i = 0; i < command_count; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

int cli_fail(const struct err *e)
{
    log_error("%s", e->text);
    return e->kind == ERR_CONFIG ? STATUS_USAGE : STATUS_HOST;
}

int cli_output_done(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return STATUS_OK;
    log_error("standard output: %s; the text is lost", strerror(errno));
    return STATUS_HOST;
}

/* No sub-command of that name: say what was probably meant. */
static int unknown(const char *word)
{
    struct err e;
    struct nearest n = nearest_to(word);
    for (unsigned i = 0; i < command_count; i++)
        nearest_offer(&n, commands[i].name);
    if (run_option_known(word))
        err_config(&e, "%.80s is an option of `trapeze run`; write: trapeze run %.80s ...", word, word);
    else if (n.best)
        err_config(&e, "unknown command '%.80s'; did you mean '%s'? `trapeze help` lists all", word, n.best);
    else
        err_config(&e, "unknown command '%.80s'; `trapeze help` lists the known ones", word);
    return cli_fail(&e);
}

/*
 * A file opened later must not become standard output because that was closed (`>&-`): messages and the
 * guest's console would go into it. The other direction of /dev/null keeps the place, and an error of its
 * use.
 */
static void fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* takes the lowest: this one */
}

int main(int argc, char **argv)
{
    fill_standard_descriptors();
    /* A reader that goes away shows as an error of one write. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        log_error("no command given; `trapeze help` lists them, `trapeze run --help` explains the main one");
        return STATUS_USAGE;
    }
    const char *word = argv[1];
    if (is_help_option(word))
        word = "help";
    else if (!strcmp(word, "--version") || !strcmp(word, "-V"))
        word = "version";
    const struct command *c = command_find(word);
    return c ? c->run(argv + 2) : unknown(word);
}
