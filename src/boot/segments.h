/*
 * boot/segments.h: the pieces of a kernel's file that say themselves where in memory they belong, and the
 * modules that go beside them; for every kind of kernel but Linux images.
 */
#ifndef BOOT_SEGMENTS_H
#define BOOT_SEGMENTS_H

#include "boot/layout.h"
#include "host/host.h"
#include "mem/mem.h"

#define BOOT_SEGMENTS_MAX 32
#define BOOT_MODULES_MAX  64

struct boot_segment {
    gpa_t at;
    uint64_t size;       /* bytes of memory, not 0; what `data` does not fill is zero */
    const uint8_t *data; /* in the file's memory */
    uint64_t data_size;  /* at most `size` */
};

struct boot_segments {
    unsigned count;
    struct boot_segment segment[BOOT_SEGMENTS_MAX];
};

/* A file that is handed to the kernel beside it: an initrd or a multiboot module. */
struct boot_module {
    const struct host_file *file;
    const char *path;
    const char *words; /* the string that a multiboot kernel is told with it */
};

/*
 * Does each segment lie in RAM, and clear of what the machine itself puts there: boot structures, EBDA, ACPI
 * tables? Do no two of them overlap? ERR_CONFIG names the place, and --memory where more of it would help.
 */
bool segments_check(const struct boot_segments *s, const struct layout *l, const char *path, struct err *e);
/* Is [at, at + 1) in one of them? */
bool segments_hold(const struct boot_segments *s, gpa_t at);
/* The end of the highest one, or LAYOUT_HIGH_START where all lie lower. */
gpa_t segments_end(const struct boot_segments *s);
/* Memory is as after power-on: zero. */
void segments_load(struct mem *m, const struct boot_segments *s);

/*
 * Places for `n` modules, page-aligned, in [from, the ACPI tables): ascending from `from` on, or (`high`) as
 * high as they can lie. ERR_CONFIG names --memory.
 */
bool modules_place(gpa_t at[], const struct boot_module *module, unsigned n, gpa_t from, bool high,
                   const struct layout *l, struct err *e);
void modules_load(struct mem *m, const gpa_t at[], const struct boot_module *module, unsigned n);

#endif
