/*
 * file.c: whole files, read-only in memory, and what to say when one cannot be had.
 */
#include "host/host.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool open_failed(struct err *e, int error, const char *path, const char *what)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR: return err_config(e, "%s '%s': no such file; check the path", what, path);
    case EACCES:
    case EPERM:
        return err_config(e, "%s '%s': no permission to read it; make it readable for this user", what, path);
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EIO: return err_host(e, "%s '%s': %s; free what the host is short of", what, path, strerror(error));
    default: return err_config(e, "%s '%s': %s; check the path", what, path, strerror(error));
    }
}

static bool usable(struct err *e, int fd, off_t *size, const char *path, const char *what)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return open_failed(e, errno, path, what);
    if (S_ISDIR(st.st_mode))
        return err_config(e, "%s '%s': is a directory; give the path of a file", what, path);
    if (!S_ISREG(st.st_mode))
        return err_config(e, "%s '%s': not a regular file; copy it to one", what, path);
    if (st.st_size == 0)
        return err_config(e, "%s '%s': is empty; check the path, or fetch the file again", what, path);
    *size = st.st_size;
    return true;
}

bool host_file_open(struct host_file *f, const char *path, const char *what, struct err *e)
{
    *f = (struct host_file){0};
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return open_failed(e, errno, path, what);
    off_t size = 0;
    if (!usable(e, fd, &size, path, what)) {
        close(fd);
        return false;
    }
    void *map = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    int error = errno;
    close(fd);
    if (map == MAP_FAILED)
        return err_host(e, "%s '%s': cannot map %lld bytes: %s; free some memory", what, path,
                        (long long)size, strerror(error));
    *f = (struct host_file){.data = map, .size = (uint64_t)size};
    return true;
}

void host_file_close(struct host_file *f)
{
    if (f->data)
        munmap((void *)f->data, f->size);
    *f = (struct host_file){0};
}
