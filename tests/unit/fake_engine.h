/*
 * fake_engine.h: a machine whose guest is a C function, and a kernel file for it; for tests of machine/ and
 * vmm/.
 *
 * It stands in for src/engine/engine.c, which is not linked. One vCPU, one machine at a time.
 */
#ifndef FAKE_ENGINE_H
#define FAKE_ENGINE_H

#include "boot/linux_params.h"
#include "engine/engine.h"
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KERNEL_LOAD 0x1000000ull
#define KERNEL_SIZE 0x4000u
#define FAKE_MSIS   16

struct engine {
    struct engine_config cfg;
    struct x86_state st;
    _Atomic bool kicked, pending;
    _Atomic bool intr; /* level of the 8259's INTR */
    _Atomic unsigned intr_rises;
    _Atomic unsigned msis; /* sent so far */
    struct {
        uint64_t addr;
        uint32_t data;
    } msi[FAKE_MSIS];
    unsigned boots; /* resets so far */
};
struct engine_vcpu {
    struct engine en;
};

/* The guest: called by run(), returns as run() does. EXIT_KICK: to be called again. */
static enum engine_exit (*guest)(struct engine *en, struct engine_exit_info *info);
/* The engine now open. */
static struct engine_vcpu *fake;
static struct engine_counters fake_counts;

static struct engine_probe fake_probe_good(void)
{
    return (struct engine_probe){.usable = true};
}
static struct engine_probe fake_probe_bad(void)
{
    return (struct engine_probe){.why = "no /dev/broken; load the module"};
}
static struct engine *fake_open(const struct engine_config *cfg, struct err *e)
{
    fake = calloc(1, sizeof(*fake));
    fake->en.cfg = *cfg;
    return &fake->en;
}
static void fake_close(struct engine *en)
{
    free(fake);
    fake = NULL;
}
static struct engine_vcpu *fake_vcpu_create(struct engine *en, unsigned id, struct err *e)
{
    x86_reset(&en->st, false, 0, true);
    return fake;
}
static void fake_vcpu_destroy(struct engine_vcpu *v)
{
}
static void fake_vcpu_reset(struct engine_vcpu *v)
{
    x86_reset(&v->en.st, false, 0, true);
    v->en.pending = false;
    v->en.boots++;
}
static enum engine_exit fake_run(struct engine_vcpu *v, struct engine_exit_info *info)
{
    for (;;) {
        if (atomic_exchange(&v->en.kicked, false))
            return EXIT_KICK;
        enum engine_exit why = guest(&v->en, info);
        if (why != EXIT_KICK)
            return why;
    }
}
static void fake_kick(struct engine_vcpu *v)
{
    atomic_store(&v->en.kicked, true);
}
static void fake_pull(struct engine_vcpu *v, unsigned groups, struct x86_state *out)
{
    *out = v->en.st;
}
static void fake_push(struct engine_vcpu *v, unsigned groups, const struct x86_state *in)
{
    v->en.st = *in;
}
static void fake_deliver_msi(struct engine *en, uint64_t addr, uint32_t data)
{
    unsigned n = en->msis;
    en->msi[n % FAKE_MSIS].addr = addr;
    en->msi[n % FAKE_MSIS].data = data;
    atomic_store(&en->msis, n + 1);
    atomic_store(&en->pending, true);
    en->cfg.wake(en->cfg.opaque, 0);
}
static void fake_extint(struct engine *en, bool level)
{
    atomic_store(&en->intr, level);
    if (level) {
        atomic_fetch_add(&en->intr_rises, 1);
        en->cfg.wake(en->cfg.opaque, 0);
    }
}
static bool fake_has_wakeup(struct engine_vcpu *v)
{
    return atomic_load(&v->en.intr) || atomic_exchange(&v->en.pending, false);
}
static void fake_flush_code(struct engine_vcpu *v)
{
}
static void fake_counters(struct engine_vcpu *v, struct engine_counters *out)
{
    *out = fake_counts;
}

#define FAKE_OPS(engine_name, engine_probe_fn)                                                   \
    {                                                                                            \
        .name = engine_name, .summary = "a test's", .probe = engine_probe_fn, .open = fake_open, \
        .close = fake_close, .vcpu_create = fake_vcpu_create, .vcpu_destroy = fake_vcpu_destroy, \
        .vcpu_reset = fake_vcpu_reset, .run = fake_run, .kick = fake_kick, .pull = fake_pull,    \
        .push = fake_push, .deliver_msi = fake_deliver_msi, .extint = fake_extint,               \
        .has_wakeup = fake_has_wakeup, .flush_code = fake_flush_code, .counters = fake_counters, \
    }

static const struct engine_ops fake_broken = FAKE_OPS("broken", fake_probe_bad);
static const struct engine_ops fake_good = FAKE_OPS("good", fake_probe_good);

const struct engine_ops *const engines[] = {&fake_broken, &fake_good};
const unsigned engine_count = 2;
const char *const engine_exit_names[EXIT_REASONS] = {"halt", "kick", "shutdown", "debug", "error"};

const struct engine_ops *engine_find(const char *name)
{
    for (unsigned i = 0; i < engine_count; i++)
        if (!strcmp(engines[i]->name, name))
            return engines[i];
    return NULL;
}

/* ---- what guests do ---- */

static inline void out(struct engine *en, uint16_t port, unsigned size, uint32_t v)
{
    bus_pio_write(en->cfg.bus, port, size, v);
}
static inline uint32_t in(struct engine *en, uint16_t port, unsigned size)
{
    return bus_pio_read(en->cfg.bus, port, size);
}

/* ---- files ---- */

/* A directory of this test program's own; made at the first call. */
static const char *test_dir(void)
{
    static char dir[] = "/tmp/trapeze-test-XXXXXX";
    static bool made;
    if (!made)
        assert_non_null(mkdtemp(dir));
    made = true;
    return dir;
}
/* How many files are in it; `clear`: remove them. */
static inline unsigned test_files(bool clear)
{
    DIR *d = opendir(test_dir());
    unsigned n = 0;
    assert_non_null(d);
    for (struct dirent *f; (f = readdir(d));) {
        if (!strcmp(f->d_name, ".") || !strcmp(f->d_name, ".."))
            continue;
        n++;
        if (clear)
            assert_int_equal(unlinkat(dirfd(d), f->d_name, 0), 0);
    }
    closedir(d);
    return n;
}
static inline void remove_test_dir(void)
{
    test_files(true);
    assert_int_equal(rmdir(test_dir()), 0);
}
/* One of a few buffers, in turn. */
static const char *test_path(const char *name)
{
    static char path[8][128];
    static unsigned n;
    n = (n + 1) % 8;
    snprintf(path[n], sizeof(path[n]), "%s/%s", test_dir(), name);
    return path[n];
}
static inline void put_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}
/* A bzImage whose protected-mode part is KERNEL_SIZE bytes with the number i*7 at i. */
static const char *kernel_file(void)
{
    enum { SETUP = 2 * BOOT_SECTOR };
    static uint8_t file[SETUP + KERNEL_SIZE];
    const char *path = test_path("kernel");

    file[HDR_SETUP_SECTS] = 1;
    store_le(file + HDR_SYSSIZE, KERNEL_SIZE / 16, 4);
    store_le(file + HDR_BOOT_FLAG, HDR_BOOT_FLAG_VALUE, 2);
    file[HDR_JUMP] = 0xeb;
    file[HDR_JUMP + 1] = HDR_END_2_12 - HDR_MAGIC;
    store_le(file + HDR_MAGIC, HDR_MAGIC_VALUE, 4);
    store_le(file + HDR_VERSION, HDR_VERSION_64BIT, 2);
    file[HDR_LOADFLAGS] = LOADFLAG_LOADED_HIGH;
    store_le(file + HDR_INITRD_ADDR_MAX, 0x7fffffff, 4);
    store_le(file + HDR_KERNEL_ALIGNMENT, 0x200000, 4);
    store_le(file + HDR_XLOADFLAGS, XLF_KERNEL_64, 2);
    store_le(file + HDR_CMDLINE_SIZE, 255, 4);
    store_le(file + HDR_PREF_ADDRESS, KERNEL_LOAD, 8);
    store_le(file + HDR_INIT_SIZE, 0x100000, 4);
    for (unsigned i = 0; i < KERNEL_SIZE; i++)
        file[SETUP + i] = (uint8_t)(i * 7);
    put_file(path, file, sizeof(file));
    return path;
}

#endif
