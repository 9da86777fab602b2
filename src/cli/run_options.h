/*
 * cli/run_options.h: the command line of `trapeze run`, understood.
 */
#ifndef CLI_RUN_OPTIONS_H
#define CLI_RUN_OPTIONS_H

#include "cli/options.h"
#include "vmm/vmm.h"

/* What was said, before it is looked at as a whole. */
struct run_args {
    struct vm_config vm;
    bool nographic;
};

extern const struct option_table run_options;

/*
 * `args` from `words`, whose strings it points into. PARSE_FAILED: `e` is one line, about a word that is
 * wrong or about options that do not go together. Looks at nothing on the host.
 */
enum parse_result run_options_parse(char **words, struct run_args *args, struct err *e);

#endif
