/*
 * code_mem.c: memory for generated code: one memfd, mapped once to write and once to run.
 */
#include "host/host.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

bool code_mem_new(struct code_mem *cm, size_t size, struct err *e)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    *cm = (struct code_mem){0};
    size = align_up(size, page);
    int fd = memfd_create("trapeze-code", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0) {
        err_host(e, "code memory: no memfd of %zu bytes: %s; allow memfd_create", size, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    void *rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *rx = rw == MAP_FAILED ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    int error = errno;
    close(fd);
    if (rx == MAP_FAILED) {
        if (rw != MAP_FAILED)
            munmap(rw, size);
        return err_host(e, "code memory: cannot map %zu bytes to %s: %s; allow executable shared memory",
                        size, rw == MAP_FAILED ? "write" : "run", strerror(error));
    }
    *cm = (struct code_mem){.rw = rw, .rx = rx, .size = size};
    return true;
}

void code_mem_free(struct code_mem *cm)
{
    if (cm->rw) {
        munmap(cm->rw, cm->size);
        munmap((void *)cm->rx, cm->size);
    }
    *cm = (struct code_mem){0};
}
