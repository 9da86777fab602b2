/*
 * rig.h: a small machine for fuzzing guest code: one vCPU on the interpreter, a stepped clock, a few pages of
 * memory with guard pages around each slot, and one device.
 */
#ifndef TESTS_FUZZ_RIG_H
#define TESTS_FUZZ_RIG_H

#include "cpu/cpuid.h"
#include "engine/interp/interp.h"

/* Guest physical addresses. */
enum {
    RIG_RAM = 0,
    RIG_RAM_SIZE = 0x40000,
    RIG_ROM = 0x40000, /* right behind RAM: an access may span both */
    RIG_ROM_SIZE = 0x10000,
    RIG_MMIO = 0x60000, /* one page of a device */
    RIG_HIGH = 0x100000,
    RIG_HIGH_SIZE = 0x10000,
    RIG_PORT = 0x40, /* sixteen ports of the same device */
};

struct rig {
    struct mem *mem;
    struct bus *bus;
    struct clock *clock;
    struct cpuid_model model;
    struct engine *engine;
    struct engine_vcpu *vcpu;
    struct cpu *cpu;
    pthread_mutex_t lock; /* the device's */
    uint64_t writes;      /* to the device so far */
    uint8_t extint_vector;
};

/* Ends the process when the host refuses what it needs. */
struct rig *rig_new(void);
/* Power-on: memory all zero, processor reset, clock at 0. */
void rig_reset(struct rig *r);
/* NMI by message, as an interrupt of `vector`, or INIT. */
void rig_msi(struct rig *r, unsigned delivery, uint8_t vector);

#endif
