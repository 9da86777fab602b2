/*
 * engine/engine.h: what runs a guest's instructions. Three of them: kvm, dbt, interp.
 *
 * An engine performs port and memory-mapped accesses itself through bus/; run() returns only for what the
 * vCPU layer has to know. Everything but kick, deliver_msi and extint is called from the vCPU's own thread
 * (or before it starts / after it has ended).
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "bus/bus.h"
#include "clock/clock.h"
#include "cpu/cpuid.h"
#include "mem/mem.h"
#include "x86/x86.h"

struct engine;      /* one machine on this engine */
struct engine_vcpu; /* one vCPU of it */

struct engine_config {
    struct mem *mem;
    struct bus *bus;
    struct clock *clock;
    const struct cpuid_model *cpuid;
    unsigned cpus;
    bool counted; /* exact count of retired instructions is wanted, whatever it costs */
    /* Out of the engine into the machine; see cpu/cpu.h struct cpu_wiring. */
    int (*extint_ack)(void *opaque);
    void (*eoi)(void *opaque, uint8_t vector);
    bool (*ferr)(void *opaque, bool level);
    void (*wake)(void *opaque,
                 unsigned vcpu); /* something is pending for a vCPU that may be halted. Any thread */
    void *opaque;
};

/* Why run() returned. */
enum engine_exit {
    EXIT_HALT,     /* halted, nothing pending: call run again after wake() */
    EXIT_KICK,     /* kick() was called: do what it was for, call run again */
    EXIT_SHUTDOWN, /* triple fault: the vCPU cannot go on; pull shows its state */
    EXIT_DEBUG,    /* breakpoint or single step; rip is the next instruction */
    EXIT_ERROR,    /* the engine cannot go on; engine_exit_info.text says why */
    EXIT_REASONS
};
extern const char *const engine_exit_names[EXIT_REASONS];

struct engine_exit_info {
    char text[256]; /* EXIT_ERROR only */
};

/* State groups for pull and push; bits. Push in this order: MSRS before SEGMENTS before the rest. */
enum engine_group {
    GROUP_GENERAL = 1,
    GROUP_SEGMENTS = 2,
    GROUP_CONTROL = 4,
    GROUP_DEBUG = 8,
    GROUP_FPU = 16,
    GROUP_MSRS = 32,
    GROUP_CLOCK = 64,
    GROUP_MP = 128,
    GROUP_EVENTS = 256,
    GROUP_APIC = 512,
    GROUP_ALL = 1023
};
/* Copy the fields of those groups: the one list of what belongs to which. */
void engine_copy_groups(struct x86_state *to, const struct x86_state *from, unsigned groups);

/* What --stats prints of a vCPU. Times in seconds. */
struct engine_exit_count {
    const char *reason;
    uint64_t n;
    double s;
};
struct engine_counters {
    uint64_t insns, insns_direct;
    bool counts_insns; /* else insns mean nothing */
    bool counts_direct;
    uint64_t tlb_misses, blocks, cache_bytes;
    double evict_max_s;
    struct engine_exit_count exits[16];
    unsigned exit_kinds;
};

struct engine_probe {
    bool usable;
    char why[256]; /* when not usable: the reason and the mend; else a remark or "" */
};

struct engine_ops {
    const char *name;
    const char *summary;
    struct engine_probe (*probe)(void);
    /*
     * kHz of the TSC that guests read where the engine cannot give them another; asked when the host's TSC
     * cannot serve as a clock by itself. 0: not known. NULL: the guest's TSC is the machine's clock, whatever
     * that is.
     */
    uint32_t (*tsc_khz)(void);
    struct engine *(*open)(const struct engine_config *cfg, struct err *e);
    void (*close)(struct engine *en);
    struct engine_vcpu *(*vcpu_create)(struct engine *en, unsigned id, struct err *e);
    void (*vcpu_destroy)(struct engine_vcpu *v);
    /* Back to power-on state. */
    void (*vcpu_reset)(struct engine_vcpu *v);
    enum engine_exit (*run)(struct engine_vcpu *v, struct engine_exit_info *info);
    /* Make run() return EXIT_KICK soon; a kick before run() is not lost. Any thread, async-signal-safe. */
    void (*kick)(struct engine_vcpu *v);
    /* At an instruction boundary only. */
    void (*pull)(struct engine_vcpu *v, unsigned groups, struct x86_state *out);
    void (*push)(struct engine_vcpu *v, unsigned groups, const struct x86_state *in);
    /* Any thread. */
    void (*deliver_msi)(struct engine *en, uint64_t addr, uint32_t data);
    /* Level of the 8259's INTR pin; the engine acknowledges by extint_ack when it takes it. Any thread. */
    void (*extint)(struct engine *en, bool level);
    /* Does a halted vCPU have something to do? Any thread. */
    bool (*has_wakeup)(struct engine_vcpu *v);
    void (*flush_code)(struct engine_vcpu *v);
    /*
     * Dirty pages. Between dirty_log(on) and dirty_log(off), dirty_sync brings what the guest has written
     * since the last one into mem/'s marks; afterwards mem_dirty_test_clear tells the truth until the guest
     * runs on. While no vCPU runs. False: the host refuses, `e` says why.
     */
    bool (*dirty_log)(struct engine *en, bool on, struct err *e);
    bool (*dirty_sync)(struct engine *en, struct err *e);
    void (*single_step)(struct engine_vcpu *v, bool on);
    /* False when there is no room. */
    bool (*breakpoint)(struct engine_vcpu *v, uint64_t lin, bool set);
    void (*counters)(struct engine_vcpu *v, struct engine_counters *out);
};

/* All engines built in, in the order in which `auto` tries them. */
extern const struct engine_ops *const engines[];
extern const unsigned engine_count;
const struct engine_ops *engine_find(const char *name);

#endif
