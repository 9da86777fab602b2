/*
 * lapic_fixture.h: for tests of the local APIC: its registers by name, and short ways to reach them.
 */
#ifndef TESTS_UNIT_LAPIC_FIXTURE_H
#define TESTS_UNIT_LAPIC_FIXTURE_H

#include "cpu_fixture.h"

/* MMIO offsets (table 11-1); the MSR is 0x800 + offset / 16. */
enum {
    ID = 0x20,
    VERSION = 0x30,
    TPR = 0x80,
    APR = 0x90,
    PPR = 0xa0,
    EOI = 0xb0,
    RRD = 0xc0,
    LDR = 0xd0,
    DFR = 0xe0,
    SVR = 0xf0,
    ISR = 0x100,
    TMR = 0x180,
    IRR = 0x200,
    ESR = 0x280,
    CMCI = 0x2f0,
    ICR = 0x300,
    ICR_HIGH = 0x310,
    LVT_T = 0x320,
    LVT_TH = 0x330,
    LVT_P = 0x340,
    LINT0 = 0x350,
    LINT1 = 0x360,
    LVT_E = 0x370,
    TMICT = 0x380,
    TMCCT = 0x390,
    TDCR = 0x3e0,
    SELF_IPI = 0x3f0
};
#define MASKED   0x10000u
#define PERIODIC 0x20000u
#define DEADLINE 0x40000u
#define DIV1     0xbu

static inline uint32_t rd(struct fixture *f, unsigned cpu, uint32_t reg)
{
    return lapic_mmio_read(f->apic[cpu], reg, 4);
}
static inline void wr(struct fixture *f, unsigned cpu, uint32_t reg, uint32_t v)
{
    lapic_mmio_write(f->apic[cpu], reg, 4, v);
}
static inline bool rdx(struct fixture *f, unsigned cpu, uint32_t reg, uint64_t *v)
{
    return lapic_msr_read(f->apic[cpu], 0x800 + (reg >> 4), v);
}
static inline bool wrx(struct fixture *f, unsigned cpu, uint32_t reg, uint64_t v)
{
    return lapic_msr_write(f->apic[cpu], 0x800 + (reg >> 4), v);
}
static inline uint64_t getx(struct fixture *f, unsigned cpu, uint32_t reg)
{
    uint64_t v = ~0ull;
    assert_true(rdx(f, cpu, reg, &v));
    return v;
}

static inline void enable(struct fixture *f, unsigned cpu)
{
    wr(f, cpu, SVR, 0x1ff);
}
static inline void enable_all(struct fixture *f)
{
    for (unsigned i = 0; i < FIXTURE_CPUS; i++)
        enable(f, i);
}
static inline void to_x2apic(struct fixture *f, unsigned cpu)
{
    assert_true(lapic_set_base(f->apic[cpu], lapic_base(f->apic[cpu]) | 0x400));
}
/* A fixed edge MSI to one CPU by physical destination. */
static inline void msi(struct fixture *f, unsigned cpu, uint8_t vector)
{
    lapic_bus_msi(f->apics, 0xfee00000u | cpu << 12, vector);
}
static inline void msi_level(struct fixture *f, unsigned cpu, uint8_t vector)
{
    lapic_bus_msi(f->apics, 0xfee00000u | cpu << 12, 0xc000u | vector);
}
static inline bool in_irr(struct fixture *f, unsigned cpu, uint8_t vector)
{
    return rd(f, cpu, IRR + vector / 32 * 16) >> vector % 32 & 1;
}
/* CPUs that have the vector in IRR, as bits. */
static inline unsigned who_has(struct fixture *f, uint8_t vector)
{
    unsigned set = 0;
    for (unsigned i = 0; i < FIXTURE_CPUS; i++) {
        gpa_t at;
        bool page = lapic_mmio_at(f->apic[i], &at);
        bool has = page ? in_irr(f, i, vector) : (getx(f, i, IRR + vector / 32 * 16) >> vector % 32 & 1);
        set |= (unsigned)has << i;
    }
    return set;
}
static inline void forget(struct fixture *f)
{
    for (unsigned i = 0; i < FIXTURE_CPUS; i++)
        while (lapic_pending(f->apic[i]) >= 0) {
            lapic_accept(f->apic[i]);
            lapic_mmio_write(f->apic[i], EOI, 4, 0);
        }
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

#endif
