/*
 * image.c: fuzz target: kernels in the whole PC: processor, memory, local APIC and all chips together.
 *
 * An input is a byte that says how time passes, and the protected-mode part of a 64-bit kernel, which is
 * started as the Linux boot protocol has it. The bare-metal test images are where it begins from.
 */
#include "check.h"
#include "fuzz.h"
#include "pc_rig.h"

#include "boot/kernel.h"

enum { MEMORY_MIB = 4, CHUNK = 500, CHUNKS = 60, EMPTY_CHUNKS = 12, SETUP_MAX = 0x8000 };

static struct pc_rig rig;
static struct boot_entry entry;

/* What the guest has left behind, in memory and in the block cache. */
static void power_on(void)
{
    struct pc *pc = rig.pc;
    unsigned n;
    pc_rig_reset(&rig);
    interp_engine.vcpu_reset(rig.vcpu);
    mem_slots(pc->mem, &n);
    mem_zero_ram(pc->mem);
    kernel_load(pc->mem, &pc->layout, &pc->boot.start, &pc->boot.plan, 0, &entry);
    boot_set_state(&entry, &rig.cpu->st);
    cpu_state_loaded(rig.cpu);
}

/* The kernel: with its setup part as a bzImage has it, or alone. */
static void load(struct cursor *in)
{
    if (left(in) > SETUP_MAX && !memcmp(in->at + 0x202, "HdrS", 4)) {
        size_t setup = (in->at[0x1f1] + 1u) * 512;
        in->at += MIN(setup, left(in));
    }
    mem_write(rig.pc->mem, rig.pc->boot.plan.linux_plan.kernel, in->at, MIN(left(in), (size_t)MIB(2)));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = {data, data + size};
    unsigned pace = (unsigned)take(&in, 1) & 15;
    if (!left(&in))
        return -1;
    if (!rig.pc)
        pc_rig_new(&rig, MIB(MEMORY_MIB));
    power_on();
    load(&in);
    unsigned idle = 0;
    for (unsigned k = 0; k < CHUNKS && idle < EMPTY_CHUNKS; k++) {
        struct engine_exit_info info;
        uint64_t done;
        enum engine_exit why = interp_run_limited(rig.vcpu, CHUNK, &done, &info);
        FUZZ_CHECK(why == EXIT_KICK || why == EXIT_HALT || why == EXIT_SHUTDOWN, "%s",
                   engine_exit_names[why]);
        check_state(rig.cpu);
        check_tlb(rig.cpu);
        if (why == EXIT_SHUTDOWN || pc_rig_event(&rig) != PC_NOTHING)
            break;
        idle = done ? 0 : idle + 1;
        clock_step(rig.pc->clock, BIT(8 + pace));
    }
    return 0;
}
