/*
 * pc_rig.c: a whole PC for fuzz targets.
 *
 * Making one takes milliseconds, so that it is made once; between two inputs everything that a device knows
 * is copied back from what it was at first, which is exact as long as devices keep all they know in struct
 * pc.
 */
#include "pc_rig.h"
#include "fuzz.h"

#include "boot/linux_params.h"
#include "clock/clock_impl.h"
#include "cpu/lapic_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
    struct pc pc;
    struct clock clock;
    struct lapic lapic;
    struct x86_state state;
} first;

/* machine/pc.c asks for the host's clock; the linker gives it this one (-Wl,--wrap). */
struct clock *__wrap_clock_new_host(struct err *e);
struct clock *__wrap_clock_new_host(struct err *e)
{
    return clock_new_stepped(1000000000);
}

static void on_event(void *opaque)
{
}

/* The smallest bzImage that is accepted; its kernel is HLT. */
static void write_kernel(FILE *f)
{
    enum { SETUP = 2 * BOOT_SECTOR, SIZE = 4096 };
    static uint8_t file[SETUP + SIZE];
    file[HDR_SETUP_SECTS] = 1;
    store_le(file + HDR_SYSSIZE, SIZE / 16, 4);
    store_le(file + HDR_BOOT_FLAG, HDR_BOOT_FLAG_VALUE, 2);
    file[HDR_JUMP] = 0xeb;
    file[HDR_JUMP + 1] = HDR_END_2_12 - HDR_MAGIC;
    store_le(file + HDR_MAGIC, HDR_MAGIC_VALUE, 4);
    store_le(file + HDR_VERSION, HDR_VERSION_MIN, 2);
    file[HDR_LOADFLAGS] = LOADFLAG_LOADED_HIGH;
    store_le(file + HDR_INITRD_ADDR_MAX, 0x7fffffff, 4);
    store_le(file + HDR_KERNEL_ALIGNMENT, 0x1000, 4);
    store_le(file + HDR_XLOADFLAGS, XLF_KERNEL_64, 2);
    store_le(file + HDR_CMDLINE_SIZE, 255, 4);
    store_le(file + HDR_PREF_ADDRESS, 0x100000, 8);
    store_le(file + HDR_INIT_SIZE, SIZE, 4);
    memset(file + SETUP, 0xf4, SIZE);
    FUZZ_CHECK(fwrite(file, 1, sizeof(file), f) == sizeof(file) && !fclose(f), "no room for a file in /tmp");
}

static void get_vcpu(const struct engine_ops *ops, struct engine_vcpu *ev, void *opaque)
{
    struct pc_rig *r = opaque;
    r->vcpu = ev;
    r->cpu = interp_cpu(ev);
}

void pc_rig_new(struct pc_rig *r, uint64_t memory)
{
    struct err e = {0};
    char path[] = "/tmp/trapeze-fuzz-XXXXXX";
    int fd = mkstemp(path);
    FUZZ_CHECK(fd >= 0, "no file in /tmp");
    write_kernel(fdopen(fd, "wb"));
    struct loop *loop = loop_new(&e);
    const struct console_spec null = {.kind = CONSOLE_NULL};
    const struct pc_config cfg = {.engine = &interp_engine,
                                  .loop = loop,
                                  .cpus = 1,
                                  .memory = memory,
                                  .kernel = path,
                                  .append = "fuzz",
                                  .console = console_open(&null, loop, NULL, &e),
                                  .event = on_event};
    r->pc = pc_new(&cfg, &e);
    unlink(path);
    FUZZ_CHECK(r->pc, "%s", e.text);
    vcpu_call(r->pc->vcpu[0], get_vcpu, r);
    memcpy(&first.pc, r->pc, sizeof(first.pc));
    memcpy(&first.clock, r->pc->clock, sizeof(first.clock));
    memcpy(&first.lapic, r->cpu->apic, sizeof(first.lapic));
    first.state = r->cpu->st;
}

void pc_rig_reset(struct pc_rig *r)
{
    memcpy(r->pc, &first.pc, sizeof(first.pc));
    memcpy(r->pc->clock, &first.clock, sizeof(first.clock));
    memcpy(r->cpu->apic, &first.lapic, sizeof(first.lapic));
    interp_engine.extint(r->pc->engine, false);
    r->cpu->st = first.state;
    atomic_store(&r->cpu->kicked, false);
    atomic_store(&r->cpu->poll, 1);
}

enum pc_event_kind pc_rig_event(struct pc_rig *r)
{
    enum pc_event_kind kind = r->pc->event.kind;
    r->pc->event = (struct pc_event){.kind = PC_NOTHING};
    return kind;
}

void pc_rig_late(struct pc_rig *r, uint64_t ns)
{
    enum { ROUNDS = 4 };
    __atomic_fetch_add(&r->pc->clock->stepped_ns, ns, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < ROUNDS; i++)
        if (clock_run(r->pc->clock) > clock_now(r->pc->clock))
            return;
}
