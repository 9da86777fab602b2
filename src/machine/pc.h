/*
 * machine/pc.h: a PC: memory, processors, chips and serial port, wired together, with a kernel in memory or a
 * firmware image in ROM.
 *
 * Life: pc_new (everything built, powered on, kernel loaded; no guest instruction has run) - pc_start - the
 * guest runs; pc_take_event says what it wants; pc_reset as often as wanted - pc_stop - pc_free. All
 * functions are for the event loop's thread, which holds no device lock; two machines in one process do not
 * know of each other.
 */
#ifndef MACHINE_PC_H
#define MACHINE_PC_H

#include "back/console.h"
#include "engine/engine.h"
#include "host/host.h"
#include "vcpu/vcpu.h"

/* vCPUs that a machine can have in this version. */
#define PC_MAX_CPUS 1

struct pc;

struct pc_config {
    const struct engine_ops *engine;
    struct loop *loop;    /* timers run on it */
    unsigned cpus;        /* 1 to PC_MAX_CPUS */
    uint64_t memory;      /* bytes */
    bool counted;         /* see struct engine_config */
    bool mitigations;     /* see struct cpuid_config */
    const char *firmware; /* NULL: none; else a kernel is only offered to it, by fw_cfg */
    const char *kernel;   /* NULL: none, where there is firmware */
    const char *initrd;   /* NULL: none; for a multiboot kernel "FILE WORDS,FILE WORDS", one a module */
    const char *append;   /* NULL: empty */
    bool testdev;         /* dev/chip/testdev.h */
    /* COM1's other end. The machine's from here on: it closes it, even when pc_new fails. */
    struct console *console;
    /* The debug console's other end, in the same way; NULL: there is no such port. */
    struct console *debugcon;
    uint16_t debugcon_port;
    /*
     * pc_take_event has something to say. Called on any thread, under any device's lock: pass it on to the
     * event loop.
     */
    void (*event)(void *opaque);
    void *opaque;
};

/* What the guest, or the host under it, has done to the machine. */
enum pc_event_kind { PC_NOTHING, PC_POWER_OFF, PC_RESET, PC_DEBUG_EXIT, PC_TRIPLE_FAULT, PC_ERROR };

struct pc_event {
    enum pc_event_kind kind;
    uint32_t debug_exit; /* PC_DEBUG_EXIT: the value written */
    char text[320];      /* PC_TRIPLE_FAULT: where; PC_ERROR: why the engine cannot go on */
};

/* ERR_CONFIG: a file, or an amount that does not fit together; ERR_HOST: the host refuses. The strings live
 * on. */
struct pc *pc_new(const struct pc_config *cfg, struct err *e);
/* Stopped, or never started. */
void pc_free(struct pc *pc);

bool pc_start(struct pc *pc, struct err *e);
/* No guest instruction runs any more. Timers and console still do, on the event loop. */
void pc_stop(struct pc *pc);

/*
 * The first thing that has happened since power-on, once; then PC_NOTHING until the next power-on. With it
 * the vCPUs are asked to pause: the guest does not go on behind its own end.
 */
struct pc_event pc_take_event(struct pc *pc);
/*
 * Back to power-on: devices and vCPUs reset, RAM zeroed, the kernel loaded again; then the guest runs.
 * Started machines only. False: the host refuses, the machine stays paused.
 */
bool pc_reset(struct pc *pc, struct err *e);
/* Press the power button: an ACPI event, which the guest may ignore. */
void pc_power_button(struct pc *pc);
/* See console_drain. After pc_stop. */
bool pc_drain_console(struct pc *pc, unsigned timeout_ms);

/* What is started, and how, in words: the kernel's kind, or that firmware has it; NULL for the usual, Linux
 * by its 64-bit entry. */
const char *pc_start_words(const struct pc *pc);

struct clock *pc_clock(struct pc *pc);
struct mem *pc_mem(struct pc *pc);
struct vcpu *pc_vcpu(struct pc *pc, unsigned id);
/* Most host memory that guest memory has occupied at one time, as far as it was looked at: at resets, and
 * now. */
uint64_t pc_resident_peak(struct pc *pc);

#endif
