/*
 * vmm/stats_file.h: a file that appears whole or not at all.
 */
#ifndef VMM_STATS_FILE_H
#define VMM_STATS_FILE_H

#include "base/base.h"

struct stats_file {
    char *path;    /* NULL: none */
    bool in_place; /* a pipe, a terminal, a device: written to as it is */
};

/*
 * Find out whether `path` can be written, so that a mistake shows before the machine starts; the file itself
 * is not touched. ERR_CONFIG.
 */
bool stats_file_open(struct stats_file *f, const char *path, struct err *e);
/* Replace the file's contents at one stroke, by a temporary file beside it. ERR_HOST. */
bool stats_file_write(const struct stats_file *f, const char *text, size_t len, struct err *e);
void stats_file_close(struct stats_file *f);

#endif
