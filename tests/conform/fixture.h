/*
 * fixture.h: a small machine on one engine: 1 MiB of RAM but for a ROM, a device on ports and in memory that
 * writes down what reaches it, and a vCPU in flat 32-bit segments.
 */
#ifndef CONFORM_FIXTURE_H
#define CONFORM_FIXTURE_H

#include "engine/engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    CODE_AT = 0x1000,
    HANDLER_AT = 0x2000,
    GDT_AT = 0x800,
    IDT_AT = 0,
    STACK_TOP = 0x8000,
    DATA_AT = 0x3000
};
enum { CODE_SELECTOR = 8, DATA_SELECTOR = 16 };
#define ROM_AT    0xe0000ull
#define DEVICE_AT 0xd0000000ull
#define MAX_SEEN  64

struct access {
    uint64_t at; /* port, or offset in the device's page */
    unsigned size;
    uint64_t value;
};

struct machine {
    const struct engine_ops *ops;
    struct mem *mem;
    struct bus *bus;
    struct clock *clock;
    struct cpuid_model model;
    struct engine *engine;
    struct engine_vcpu *vcpu;
    struct engine_exit_info info;
    pthread_mutex_t lock; /* the device's */
    struct access out[MAX_SEEN], written[MAX_SEEN];
    unsigned outs, writes, ins;
    _Atomic unsigned ready; /* writes to port 0x10 */
    _Atomic unsigned extint_acks, eois;
    uint8_t extint_vector, eoi_vector;
    _Atomic bool ended; /* the guest wrote to port 0x1f */
};

/* The engine under test, by the command line. */
extern const struct engine_ops *engine_under_test;

int machine_up(void **state);
int machine_down(void **state);
void put_code(struct machine *m, gpa_t at, const uint8_t *from, const uint8_t *end);
#define LOAD(m, at, name) put_code(m, at, guest_##name, guest_##name##_end)
/* Out of 32-bit code into 16-bit code at the same place; that vector leads to HANDLER_AT. */
void enter_real_mode(struct machine *m, uint8_t vector);
void put_vector(struct machine *m, uint8_t vector);
uint32_t word_at(struct machine *m, gpa_t gpa);
void put_word(struct machine *m, gpa_t gpa, uint32_t value);
/* run() until it returns anything but EXIT_HALT; sleeps as a vCPU's thread would, and runs timers meanwhile.
 */
enum engine_exit run_guest(struct machine *m);
/* To the guest's end. */
void run_to_end(struct machine *m);

#define GUEST(name) extern const uint8_t guest_##name[], guest_##name##_end[]
GUEST(pio);
GUEST(mmio);
GUEST(interrupts);
GUEST(handler_apic);
GUEST(handler_pic);
GUEST(spin);
GUEST(triple_fault);
GUEST(steps);
GUEST(writes);
GUEST(timer);

#endif
