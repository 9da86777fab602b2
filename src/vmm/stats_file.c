/*
 * stats_file.c: writes a file at one stroke: a temporary file beside it, and a rename.
 */
#include "vmm/stats_file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new file beside `path`; its name goes to `name`. Negative: errno. */
static int open_beside(const char *path, char name[PATH_MAX])
{
    for (unsigned i = 0; i < 100; i++) {
        if (snprintf(name, PATH_MAX, "%s.%d-%u.tmp", path, (int)getpid(), i) >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static bool cannot(struct err *e, const char *path, int error)
{
    return err_config(e, "--stats '%s': cannot be written: %s; give a path in a directory you may write to",
                      path, strerror(error));
}

bool stats_file_open(struct stats_file *f, const char *path, struct err *e)
{
    char name[PATH_MAX];
    struct stat st;

    *f = (struct stats_file){0};
    if (!path[0])
        return cannot(e, path, ENOENT);
    bool exists = stat(path, &st) == 0;
    if (!exists && errno != ENOENT)
        return cannot(e, path, errno);
    if (exists && S_ISDIR(st.st_mode))
        return cannot(e, path, EISDIR);
    if (exists && !S_ISREG(st.st_mode)) {
        if (access(path, W_OK) != 0)
            return cannot(e, path, errno);
        f->in_place = true;
    }
    /* Behind symbolic links, so that the file is replaced and not the link to it. */
    f->path = exists && !f->in_place ? realpath(path, NULL) : strdup(path);
    if (!f->path)
        return cannot(e, path, errno);
    if (f->in_place)
        return true;

    int fd = open_beside(f->path, name);
    if (fd < 0) {
        int error = errno;
        stats_file_close(f);
        return cannot(e, path, error);
    }
    close(fd);
    unlink(name);
    return true;
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

bool stats_file_write(const struct stats_file *f, const char *text, size_t len, struct err *e)
{
    char name[PATH_MAX];
    int fd = f->in_place ? open(f->path, O_WRONLY | O_CLOEXEC | O_NOCTTY) : open_beside(f->path, name);
    bool ok = fd >= 0 && write_all(fd, text, len);
    int error = errno;

    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok && !f->in_place && rename(name, f->path) != 0) {
        ok = false;
        error = errno;
    }
    if (ok)
        return true;
    if (fd >= 0 && !f->in_place)
        unlink(name);
    return err_host(e, "--stats '%s': %s; the statistics are lost", f->path, strerror(error));
}

void stats_file_close(struct stats_file *f)
{
    free(f->path);
    *f = (struct stats_file){0};
}
