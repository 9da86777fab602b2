/*
 * test_lapic.c: the local APIC by its registers: acceptance, priority, destinations, signals, local vectors.
 * Sections are those of SDM 3A (chapter 11; chapter 10 in older editions) unless another manual is named.
 */
#include "lapic_fixture.h"

/* ---- registers ---- */

/* 11.4.7.1 */
static void power_on_state(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t reg, value;
    } reset[] = {
        {ID, 0x01000000}, {VERSION, 0x00050014},
        {TPR, 0},         {APR, 0},
        {PPR, 0},         {RRD, 0},
        {LDR, 0},         {DFR, 0xffffffff},
        {SVR, 0xff},      {ESR, 0},
        {ICR, 0},         {ICR_HIGH, 0},
        {LVT_T, MASKED},  {LVT_TH, MASKED},
        {LVT_P, MASKED},  {LINT0, MASKED},
        {LINT1, MASKED},  {LVT_E, MASKED},
        {TMICT, 0},       {TMCCT, 0},
        {TDCR, 0},
    };
    for (unsigned i = 0; i < ARRAY_LEN(reset); i++)
        assert_int_equal(rd(f, 1, reset[i].reg), reset[i].value);
    for (uint32_t r = ISR; r < ESR; r += 16)
        assert_int_equal(rd(f, 1, r), 0);
    assert_true(lapic_base(f->apic[0]) == 0xfee00900); /* the bootstrap processor */
    assert_true(lapic_base(f->apic[1]) == 0xfee00800);
}

/* Table 11-1 and figures 11-8 ff.: what sticks of all ones written to the page. */
static void page_writes_keep_reserved_and_read_only_bits(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t reg, value;
    } stick[] = {
        {ID, 0},          {VERSION, 0x00050014},  {TPR, 0xff},      {LDR, 0xff000000}, {DFR, 0xffffffff},
        {SVR, 0x3ff},     {ICR_HIGH, 0xff000000}, {LVT_T, 0x700ff}, {LVT_TH, 0x107ff}, {LVT_P, 0x107ff},
        {LINT0, 0x1a7ff}, {LINT1, 0x1a7ff},       {LVT_E, 0x100ff}, {TDCR, 0xb},
    };
    enable(f, 0);
    for (unsigned i = 0; i < ARRAY_LEN(stick); i++) {
        wr(f, 0, stick[i].reg, 0xffffffff);
        assert_int_equal(rd(f, 0, stick[i].reg), stick[i].value);
    }
    wr(f, 0, DFR, 0);
    assert_int_equal(rd(f, 0, DFR), 0x0fffffff); /* 11.6.2.2: the low 28 bits are ones */
    wr(f, 0, ISR, 0xffffffff);
    assert_int_equal(rd(f, 0, ISR), 0);
}

/* 11.4.1 */
static void page_accesses_of_other_sizes(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(lapic_mmio_read(f->apic[1], ID + 3, 1), 1);
    assert_int_equal(lapic_mmio_read(f->apic[1], ID + 2, 2), 0x100);
    assert_int_equal(lapic_mmio_read(f->apic[1], VERSION, 8), 0x00050014);
    assert_int_equal(lapic_mmio_read(f->apic[1], VERSION + 4, 4), 0); /* reserved bytes */
    lapic_mmio_write(f->apic[1], TPR, 1, 0x55);
    lapic_mmio_write(f->apic[1], TPR + 4, 4, 0x55);
    assert_int_equal(rd(f, 1, TPR), 0);
    for (uint32_t at = 0; at < 0x1000; at++) /* none may be out of bounds */
        lapic_mmio_read(f->apic[1], at, 4);
}

/* 11.5.3: "Illegal Register Address", latched by a write; read then. */
static void reserved_registers_are_an_error_on_the_page(void **state)
{
    struct fixture *f = *state;
    static const uint32_t reserved[] = {0x000, 0x010, 0x040,    0x070, CMCI,
                                        0x290, 0x3a0, SELF_IPI, 0x400, 0xff0};
    enable(f, 0);
    wr(f, 0, LVT_E, 0x33);
    for (unsigned i = 0; i < ARRAY_LEN(reserved); i++) {
        assert_int_equal(rd(f, 0, reserved[i]), 0);
        assert_int_equal(rd(f, 0, ESR), 0); /* not before the write */
        wr(f, 0, ESR, 0);
        assert_int_equal(rd(f, 0, ESR), 0x80);
        wr(f, 0, ESR, 0);
        assert_int_equal(rd(f, 0, ESR), 0);
        assert_int_equal(lapic_accept(f->apic[0]), 0x33); /* the error interrupt */
        wr(f, 0, EOI, 0);
        wr(f, 0, reserved[i], 0);
        wr(f, 0, ESR, 0);
        assert_int_equal(rd(f, 0, ESR), 0x80);
        wr(f, 0, ESR, 0);
        forget(f);
    }
}

/* 11.12.1.2, table 11-6 */
static void x2apic_registers_and_their_access(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t reg;
        bool r, w; /* w: of 0 */
    } access[] = {
        {ID, 1, 0},    {VERSION, 1, 0},    {TPR, 1, 1},   {APR, 0, 0},    {PPR, 1, 0},
        {EOI, 0, 1},   {RRD, 0, 0},        {LDR, 1, 0},   {DFR, 0, 0},    {SVR, 1, 1},
        {ISR, 1, 0},   {ISR + 0x70, 1, 0}, {TMR, 1, 0},   {IRR, 1, 0},    {ESR, 1, 1},
        {CMCI, 0, 0},  {ICR_HIGH, 0, 0},   {LVT_T, 1, 1}, {LVT_TH, 1, 1}, {LVT_P, 1, 1},
        {LINT0, 1, 1}, {LINT1, 1, 1},      {LVT_E, 1, 1}, {TMICT, 1, 1},  {TMCCT, 1, 0},
        {TDCR, 1, 1},  {SELF_IPI, 0, 1},   {0x000, 0, 0}, {0x3a0, 0, 0},  {0x400, 0, 0},
        {0xff0, 0, 0},
    };
    uint64_t v;
    assert_false(rdx(f, 2, ID, &v)); /* not in x2APIC mode: 11.12.2 */
    assert_false(wrx(f, 2, EOI, 0));
    to_x2apic(f, 2);
    for (unsigned i = 0; i < ARRAY_LEN(access); i++) {
        assert_int_equal(rdx(f, 2, access[i].reg, &v), access[i].r);
        assert_int_equal(wrx(f, 2, access[i].reg, 0), access[i].w);
    }
    assert_true(getx(f, 2, ID) == 2);
    assert_true(getx(f, 2, LDR) == 4); /* 11.12.10.2: cluster 0, bit 2 */
    gpa_t at;
    assert_false(lapic_mmio_at(f->apic[2], &at));
}

/* 11.12.1.3: reserved bits fault. */
static void x2apic_reserved_bits_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t reg;
        uint64_t good, bad;
    } bits_of[] = {
        {TPR, 0xff, 0x100},
        {SVR, 0x3ff, 0x400},
        {SVR, 0x1ff, 0x1000},
        {LVT_T, 0x710ff, 0x100},
        {LVT_T, 0x300ff, 0x80000},
        {LVT_TH, 0x117ff, 0x20000},
        {LINT0, 0x1f7ff, 0x800},
        {LVT_E, 0x110ff, 0x700},
        {TDCR, 0xb, 0x4},
        {ESR, 0, 1},
        {EOI, 0, 1},
        {TMICT, 0xffffffff, 0x100000000},
        {SELF_IPI, 0xff, 0x100},
        {ICR, 0xc4fff, 0x2000},
        {ICR, 0xc4fff, 0x100000},
    };
    to_x2apic(f, 0);
    for (unsigned i = 0; i < ARRAY_LEN(bits_of); i++) {
        assert_true(wrx(f, 0, bits_of[i].reg, bits_of[i].good));
        assert_false(wrx(f, 0, bits_of[i].reg, bits_of[i].bad));
        assert_false(wrx(f, 0, bits_of[i].reg, bits_of[i].good | bits_of[i].bad));
        if (bits_of[i].reg != ICR)
            assert_false(wrx(f, 0, bits_of[i].reg, 1ull << 32));
    }
}

/* 11.12.5.1, figure 11-27 */
static void mode_transitions(void **state)
{
    struct fixture *f = *state;
    struct lapic *a = f->apic[1];
    static const struct {
        uint64_t base;
        bool legal;
    } step[] = {
        {0xfee00400, false}, /* xAPIC to invalid */
        {0xfee00c00, true},  /* to x2APIC */
        {0xfee00800, false}, /* x2APIC to xAPIC */
        {0xfee00400, false}, {0xfee00c00, true},
        {0xfee00000, true},  /* off */
        {0xfee00c00, false}, /* off to x2APIC */
        {0xfee00400, false}, {0xfee00800, true},
        {0xfee00801, false}, /* reserved bits */
        {0xfee00a00, false}, {0x1000000000000 | 0xfee00800, false},
        {0xfed00800, true}, /* moved */
    };
    for (unsigned i = 0; i < ARRAY_LEN(step); i++) {
        uint64_t before = lapic_base(a);
        assert_int_equal(lapic_set_base(a, step[i].base), step[i].legal);
        assert_true(lapic_base(a) == (step[i].legal ? step[i].base : before));
    }
    gpa_t at;
    assert_true(lapic_mmio_at(a, &at));
    assert_true(at == 0xfed00000);
}

/* 11.12.5.1: state goes over into x2APIC mode; 11.4.3: and is lost when the APIC is switched off. */
static void state_across_modes(void **state)
{
    struct fixture *f = *state;
    enable(f, 1);
    wr(f, 1, TPR, 0x20);
    wr(f, 1, LVT_E, 0xfe);
    msi(f, 1, 0x61);
    to_x2apic(f, 1);
    assert_true(getx(f, 1, TPR) == 0x20 && getx(f, 1, LVT_E) == 0xfe && getx(f, 1, SVR) == 0x1ff);
    assert_int_equal(lapic_pending(f->apic[1]), 0x61);
    lapic_reset(f->apic[1], true); /* INIT stays in the mode: 11.12.5.2 */
    assert_true(getx(f, 1, SVR) == 0xff);
    assert_int_equal(lapic_pending(f->apic[1]), -1);
    assert_true(lapic_set_base(f->apic[1], 0xfee00000));
    assert_int_equal(lapic_pending(f->apic[1]), -1);
    assert_true(lapic_takes_extint(f->apic[1])); /* no APIC: the pin is INTR */
    msi(f, 1, 0x61);
    assert_true(lapic_set_base(f->apic[1], 0xfee00800));
    assert_int_equal(rd(f, 1, TPR), 0);
    assert_int_equal(rd(f, 1, LVT_E), MASKED);
    assert_int_equal(lapic_pending(f->apic[1]), -1);
}

/* ---- acceptance and priority ---- */

/* 11.8.3, 11.8.4 */
static void the_highest_vector_above_the_priority_is_pending(void **state)
{
    struct fixture *f = *state;
    struct lapic *a = f->apic[0];
    enable(f, 0);
    assert_int_equal(lapic_pending(a), -1);
    msi(f, 0, 0x41);
    msi(f, 0, 0x91);
    msi(f, 0, 0xf3);
    msi(f, 0, 0x92);
    assert_int_equal(lapic_pending(a), 0xf3);
    assert_int_equal(lapic_accept(a), 0xf3);
    assert_int_equal(rd(f, 0, PPR), 0xf0);
    assert_int_equal(rd(f, 0, ISR + 0x70), 1u << (0xf3 - 0xe0));
    assert_int_equal(lapic_pending(a), -1); /* lower class than in service */
    wr(f, 0, EOI, 0);
    assert_int_equal(lapic_accept(a), 0x92);
    assert_int_equal(lapic_pending(a), -1); /* 0x91 is of the same class */
    wr(f, 0, EOI, 0);
    assert_int_equal(lapic_accept(a), 0x91);
    msi(f, 0, 0xa0);
    assert_int_equal(lapic_accept(a), 0xa0); /* nests */
    wr(f, 0, EOI, 0);
    assert_int_equal(rd(f, 0, PPR), 0x90);
    wr(f, 0, EOI, 0);
    assert_int_equal(lapic_accept(a), 0x41);
    wr(f, 0, EOI, 0);
    wr(f, 0, EOI, 0); /* one too many does nothing */
    assert_int_equal(rd(f, 0, PPR), 0);
}

/* 11.8.3.1 */
static void tpr_holds_back_classes_up_to_its_own(void **state)
{
    struct fixture *f = *state;
    struct lapic *a = f->apic[0];
    enable(f, 0);
    msi(f, 0, 0x5f);
    wr(f, 0, TPR, 0x50);
    assert_int_equal(lapic_pending(a), -1);
    assert_int_equal(rd(f, 0, PPR), 0x50);
    atomic_store(&f->cpu[0].poll, 0);
    lapic_set_tpr(a, 0x4f);
    assert_int_equal(atomic_load(&f->cpu[0].poll), 1); /* CR8 made it deliverable */
    assert_int_equal(rd(f, 0, TPR), 0x4f);
    assert_int_equal(lapic_tpr(a), 0x4f);
    assert_int_equal(lapic_accept(a), 0x5f);
    wr(f, 0, TPR, 0x5a);
    assert_int_equal(rd(f, 0, PPR), 0x5a); /* TPR's class is not below: all eight bits of it */
    wr(f, 0, TPR, 0x3a);
    assert_int_equal(rd(f, 0, PPR), 0x50);
}

/* 11.9 */
static void a_vanished_interrupt_is_spurious_and_needs_no_eoi(void **state)
{
    struct fixture *f = *state;
    wr(f, 0, SVR, 0x1e7);
    msi(f, 0, 0x40);
    wr(f, 0, TPR, 0x40);
    assert_int_equal(lapic_accept(f->apic[0]), 0xe7);
    assert_int_equal(rd(f, 0, ISR + 0x70), 0);
    assert_true(in_irr(f, 0, 0x40));
}

/* 11.8.4: TMR says at acceptance how it was triggered; 11.8.5: EOIs of levels go to the I/O APICs. */
static void only_level_triggered_eois_are_broadcast(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    msi_level(f, 0, 0x77);
    assert_int_equal(rd(f, 0, TMR + 0x30), 1u << (0x77 - 0x60));
    assert_int_equal(lapic_accept(f->apic[0]), 0x77);
    assert_int_equal(f->eois, 0);
    wr(f, 0, EOI, 0);
    assert_int_equal(f->eois, 1);
    assert_int_equal(f->eoi_vector, 0x77);
    msi(f, 0, 0x77);
    assert_int_equal(rd(f, 0, TMR + 0x30), 0);
    lapic_accept(f->apic[0]);
    wr(f, 0, EOI, 0);
    assert_int_equal(f->eois, 1);
    lapic_bus_msi(f->apics, 0xfee00000, 0x8077); /* de-assert: 11.11.2 */
    assert_int_equal(lapic_pending(f->apic[0]), -1);
}

static void eoi_asks_for_another_look_only_when_something_waits(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    msi(f, 0, 0x50);
    msi(f, 0, 0x51);
    lapic_accept(f->apic[0]);
    atomic_store(&f->cpu[0].poll, 0);
    wr(f, 0, EOI, 0);
    assert_int_equal(atomic_load(&f->cpu[0].poll), 1);
    lapic_accept(f->apic[0]);
    atomic_store(&f->cpu[0].poll, 0);
    wr(f, 0, EOI, 0);
    assert_int_equal(atomic_load(&f->cpu[0].poll), 0);
}

/* A vector of its own for each bit of the 256. */
static void every_legal_vector_passes(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    for (unsigned v = 16; v < 256; v++) {
        unsigned wakes = f->wakes;
        msi(f, 0, (uint8_t)v);
        assert_int_equal(f->wakes, wakes + 1);
        msi(f, 0, (uint8_t)v); /* pending already: merged, nobody to wake */
        assert_int_equal(f->wakes, wakes + 1);
        assert_int_equal(lapic_accept(f->apic[0]), (int)v);
        assert_int_equal(rd(f, 0, ISR + v / 32 * 16), 1u << v % 32);
        wr(f, 0, EOI, 0);
        assert_int_equal(rd(f, 0, ISR + v / 32 * 16), 0);
    }
}

/* 11.5.3: received and sent vectors below 16. */
static void illegal_vectors_are_errors(void **state)
{
    struct fixture *f = *state;
    enable_all(f);
    wr(f, 0, LVT_E, 0xee);
    wr(f, 1, LVT_E, 0xee);
    msi(f, 0, 15);
    assert_int_equal(lapic_accept(f->apic[0]), 0xee);
    wr(f, 0, EOI, 0);
    assert_int_equal(rd(f, 0, IRR), 0);
    wr(f, 0, ESR, 0);
    assert_int_equal(rd(f, 0, ESR), 0x40);
    wr(f, 0, ICR_HIGH, 1u << 24);
    wr(f, 0, ICR, 3);
    assert_int_equal(lapic_accept(f->apic[0]), 0xee);
    wr(f, 0, EOI, 0);
    assert_int_equal(lapic_pending(f->apic[1]), -1); /* not sent */
    wr(f, 0, ESR, 0);
    assert_int_equal(rd(f, 0, ESR), 0x20);
    wr(f, 0, LVT_E, 0x0e); /* an error interrupt that is an error itself */
    msi(f, 0, 3);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
    wr(f, 0, ESR, 0);
    assert_int_equal(rd(f, 0, ESR), 0x40);
    wr(f, 0, LVT_E, MASKED | 0xee);
    msi(f, 0, 3);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
}

/* 11.4.7.2 */
static void software_disabled_takes_signals_but_no_vectors(void **state)
{
    struct fixture *f = *state;
    uint8_t sipi = 0;
    enable(f, 0);
    wr(f, 0, LINT1, 0x400);
    msi(f, 0, 0x44);
    wr(f, 0, SVR, 0xff);
    assert_int_equal(rd(f, 0, LINT1), MASKED | 0x400);
    wr(f, 0, LINT1, 0x400);
    assert_int_equal(rd(f, 0, LINT1), MASKED | 0x400); /* masks cannot be cleared */
    wr(f, 0, LVT_T, 0x30);
    assert_int_equal(rd(f, 0, LVT_T), MASKED | 0x30);
    msi(f, 0, 0x45);
    assert_false(in_irr(f, 0, 0x45));
    assert_int_equal(lapic_pending(f->apic[0]), 0x44); /* what was pending is held */
    lapic_bus_msi(f->apics, 0xfee00000, 0x400);
    assert_int_equal(lapic_take_signals(f->apic[0], &sipi), LAPIC_NMI);
    enable_all(f);
    wr(f, 1, SVR, 0xff);
    wr(f, 1, ICR_HIGH, 0);
    wr(f, 1, ICR, 0x46); /* it can still send */
    assert_true(in_irr(f, 0, 0x46));
}

/* ---- destinations ---- */

/* 11.6.2.1, 11.11.1 */
static void physical_destinations(void **state)
{
    struct fixture *f = *state;
    enable_all(f);
    for (unsigned i = 0; i < FIXTURE_CPUS; i++) {
        msi(f, i, 0x60);
        assert_int_equal(who_has(f, 0x60), 1u << i);
        forget(f);
    }
    msi(f, 0x40, 0x60); /* nobody */
    assert_int_equal(who_has(f, 0x60), 0);
    msi(f, 0xff, 0x60);
    assert_int_equal(who_has(f, 0x60), 0xf);
}

/* 11.6.2.2 */
static void logical_destinations_flat_and_cluster(void **state)
{
    struct fixture *f = *state;
    enable_all(f);
    static const struct {
        uint32_t dfr, ldr[FIXTURE_CPUS];
        uint8_t dest;
        unsigned hit;
    } row[] = {
        {0xffffffff, {1, 2, 4, 8}, 0x05, 0x5},
        {0xffffffff, {1, 2, 4, 8}, 0xff, 0xf},
        {0xffffffff, {1, 2, 4, 8}, 0xf0, 0x0},
        {0xffffffff, {1, 1, 2, 0x80}, 0x81, 0xb},
        {0x0fffffff, {0x11, 0x12, 0x21, 0x22}, 0x11, 0x1},
        {0x0fffffff, {0x11, 0x12, 0x21, 0x22}, 0x13, 0x3},
        {0x0fffffff, {0x11, 0x12, 0x21, 0x22}, 0x23, 0xc},
        {0x0fffffff, {0x11, 0x12, 0x21, 0x22}, 0x31, 0x0},
        {0x0fffffff, {0x11, 0x12, 0x21, 0x22}, 0xf2, 0xa},
        {0x0fffffff, {0x11, 0x12, 0x21, 0x22}, 0xff, 0xf},
        {0x3fffffff, {1, 2, 4, 8}, 0x05, 0x0}, /* no such model */
    };
    for (unsigned r = 0; r < ARRAY_LEN(row); r++) {
        for (unsigned i = 0; i < FIXTURE_CPUS; i++) {
            wr(f, i, DFR, row[r].dfr);
            wr(f, i, LDR, row[r].ldr[i] << 24);
        }
        lapic_bus_msi(f->apics, 0xfee00004u | (uint32_t)row[r].dest << 12, 0x70);
        assert_int_equal(who_has(f, 0x70), row[r].hit);
        forget(f);
        wr(f, 3, ICR_HIGH, (uint32_t)row[r].dest << 24);
        wr(f, 3, ICR, 0x871);
        assert_int_equal(who_has(f, 0x71), row[r].hit);
        forget(f);
    }
}

/* 11.12.9, 11.12.10.2 */
static void x2apic_destinations(void **state)
{
    struct fixture *f = *state;
    enable_all(f);
    for (unsigned i = 0; i < FIXTURE_CPUS; i++)
        to_x2apic(f, i);
    static const struct {
        uint64_t icr;
        unsigned hit;
    } row[] = {
        {0x0000000200000060, 0x4}, {0x0000000400000060, 0x0}, {0xffffffff00000060, 0xf},
        {0x000000ff00000060, 0x0}, {0x0000000600000860, 0x6}, {0x0001000600000860, 0x0},
        {0xffffffff00000860, 0xf}, {0x0000000000040060, 0x1}, {0x0000000000080060, 0xf},
        {0x00000000000c0060, 0xe},
    };
    for (unsigned r = 0; r < ARRAY_LEN(row); r++) {
        assert_true(wrx(f, 0, ICR, row[r].icr));
        assert_true(getx(f, 0, ICR) == row[r].icr);
        assert_int_equal(who_has(f, 0x60), row[r].hit);
        for (unsigned i = 0; i < FIXTURE_CPUS; i++)
            while (lapic_pending(f->apic[i]) >= 0) {
                lapic_accept(f->apic[i]);
                assert_true(wrx(f, i, EOI, 0));
            }
    }
    msi(f, 0xff, 0x61); /* an MSI's eight bits reach all as well */
    assert_int_equal(who_has(f, 0x61), 0xf);
}

/* 11.6.2.3, 11.6.1 table 11-3 */
static void shorthands(void **state)
{
    struct fixture *f = *state;
    enable_all(f);
    static const struct {
        uint32_t icr;
        unsigned hit;
    } row[] = {{0x40080, 0x2}, {0x80080, 0xf}, {0xc0080, 0xd}};
    for (unsigned r = 0; r < ARRAY_LEN(row); r++) {
        wr(f, 1, ICR_HIGH, 3u << 24); /* ignored */
        wr(f, 1, ICR, row[r].icr);
        assert_int_equal(rd(f, 1, ICR), row[r].icr); /* and never busy */
        assert_int_equal(who_has(f, 0x80), row[r].hit);
        forget(f);
    }
}

/* 11.6.2.4 */
static void lowest_priority_goes_to_one(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < FIXTURE_CPUS; i++)
        wr(f, i, SVR, 0x3ff); /* no focus checking */
    wr(f, 0, TPR, 0x30);
    wr(f, 1, TPR, 0x20);
    wr(f, 2, TPR, 0x10);
    wr(f, 3, TPR, 0x40);
    for (unsigned n = 0; n < 5; n++) {
        lapic_bus_msi(f->apics, 0xfee00000 | 0xffu << 12, 0x190);
        assert_int_equal(who_has(f, 0x90), 4);
        forget(f);
    }
    msi(f, 2, 0xb0);
    assert_int_equal(lapic_accept(f->apic[2]), 0xb0);        /* busy with a higher one */
    lapic_bus_msi(f->apics, 0xfee00008 | 0xffu << 12, 0x90); /* by redirection hint: 11.11.1 */
    assert_int_equal(who_has(f, 0x90), 2);
    wr(f, 2, EOI, 0);
    forget(f);
    wr(f, 1, SVR, 0xff); /* a disabled one does not arbitrate */
    wr(f, 2, SVR, 0xff);
    lapic_bus_msi(f->apics, 0xfee00000 | 0xffu << 12, 0x190);
    assert_int_equal(who_has(f, 0x90), 1);
    forget(f);
    wr(f, 3, SVR, 0x1ff); /* focus: has the vector in service */
    msi(f, 3, 0x90);
    assert_int_equal(lapic_accept(f->apic[3]), 0x90);
    lapic_bus_msi(f->apics, 0xfee00000 | 0xffu << 12, 0x190);
    assert_int_equal(who_has(f, 0x90), 8);
}

static void equal_priorities_take_turns(void **state)
{
    struct fixture *f = *state;
    unsigned seen = 0;
    for (unsigned i = 0; i < FIXTURE_CPUS; i++)
        wr(f, i, SVR, 0x3ff);
    for (unsigned n = 0; n < FIXTURE_CPUS; n++) {
        lapic_bus_msi(f->apics, 0xfee00000 | 0xffu << 12, 0x190);
        seen |= who_has(f, 0x90);
        forget(f);
    }
    assert_int_equal(seen, 0xf);
}

/* ---- NMI, INIT, SIPI (11.6.1, 9.4) ---- */

static void signals_are_taken_once(void **state)
{
    struct fixture *f = *state;
    uint8_t sipi = 0;
    wr(f, 0, ICR_HIGH, 1u << 24);
    wr(f, 0, ICR, 0x4500); /* INIT, assert */
    assert_int_equal(lapic_peek_signals(f->apic[1]), LAPIC_INIT);
    assert_int_equal(lapic_take_signals(f->apic[1], &sipi), LAPIC_INIT);
    assert_int_equal(lapic_take_signals(f->apic[1], &sipi), 0);
    wr(f, 0, ICR, 0x8500); /* INIT level de-assert: nothing */
    assert_int_equal(lapic_peek_signals(f->apic[1]), 0);
    wr(f, 0, ICR, 0x4699);
    assert_int_equal(lapic_take_signals(f->apic[1], &sipi), LAPIC_SIPI);
    assert_int_equal(sipi, 0x99);
    wr(f, 0, ICR, 0xc4400); /* NMI to the others */
    assert_int_equal(lapic_peek_signals(f->apic[0]), 0);
    for (unsigned i = 1; i < FIXTURE_CPUS; i++)
        assert_int_equal(lapic_take_signals(f->apic[i], &sipi), LAPIC_NMI);
}

static void init_and_the_sipi_behind_it_wait_together(void **state)
{
    struct fixture *f = *state;
    uint8_t sipi = 0;
    wr(f, 0, ICR_HIGH, 1u << 24);
    wr(f, 0, ICR, 0x4611); /* from before the INIT: lost */
    wr(f, 0, ICR, 0x4500);
    assert_int_equal(lapic_peek_signals(f->apic[1]), LAPIC_INIT);
    wr(f, 0, ICR, 0x4612);
    assert_int_equal(lapic_take_signals(f->apic[1], &sipi), LAPIC_INIT | LAPIC_SIPI);
    assert_int_equal(sipi, 0x12);
    wr(f, 0, ICR, 0x4613);
    lapic_reset(f->apic[1], true);
    assert_int_equal(lapic_peek_signals(f->apic[1]), LAPIC_SIPI);
    lapic_reset(f->apic[1], false);
    assert_int_equal(lapic_peek_signals(f->apic[1]), 0);
}

static void modes_that_are_not_there_do_nothing(void **state)
{
    struct fixture *f = *state;
    enable_all(f);
    static const unsigned modes[] = {2, 3, 7}; /* SMI, reserved, ExtINT */
    for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
        lapic_bus_msi(f->apics, 0xfee00000, modes[i] << 8 | 0x40);
        wr(f, 0, ICR, 0x40000 | modes[i] << 8 | 0x40);
        assert_int_equal(lapic_pending(f->apic[0]), -1);
        assert_int_equal(lapic_peek_signals(f->apic[0]), 0);
    }
}

/* 11.12.11 */
static void self_ipi(void **state)
{
    struct fixture *f = *state;
    enable_all(f);
    to_x2apic(f, 1);
    atomic_store(&f->cpu[1].poll, 0);
    assert_true(wrx(f, 1, SELF_IPI, 0x5a));
    assert_int_equal(who_has(f, 0x5a), 2);
    assert_int_equal(atomic_load(&f->cpu[1].poll), 1);
    assert_true(getx(f, 1, TMR + 0x20) == 0);
    assert_true(wrx(f, 1, SELF_IPI, 0x05));
    assert_true(wrx(f, 1, ESR, 0));
    assert_true(getx(f, 1, ESR) == 0x20);
}

/* ---- local vector table (11.5.1) ---- */

static void lint_pins_act_by_their_mode(void **state)
{
    struct fixture *f = *state;
    struct lapic *a = f->apic[0];
    uint8_t sipi = 0;
    enable(f, 0);
    lapic_lint(a, 1, true); /* masked */
    lapic_lint(a, 1, false);
    assert_int_equal(lapic_peek_signals(a), 0);
    wr(f, 0, LINT1, 0x400);
    lapic_lint(a, 1, true);
    lapic_lint(a, 1, true); /* no edge */
    assert_int_equal(lapic_take_signals(a, &sipi), LAPIC_NMI);
    assert_int_equal(lapic_peek_signals(a), 0);
    wr(f, 0, LINT0, 0x35); /* fixed, edge */
    lapic_lint(a, 0, true);
    assert_int_equal(lapic_accept(a), 0x35);
    wr(f, 0, EOI, 0);
    assert_int_equal(lapic_pending(a), -1);
    lapic_lint(a, 0, false);
    wr(f, 0, LINT0, 0x2035); /* active low */
    lapic_lint(a, 0, true);
    assert_int_equal(lapic_pending(a), -1);
    lapic_lint(a, 0, false);
    assert_int_equal(lapic_pending(a), 0x35);
}

/* Remote IRR: set when the level is accepted, cleared by EOI; a level that stays comes again. */
static void a_level_on_lint0_repeats_until_it_is_gone(void **state)
{
    struct fixture *f = *state;
    struct lapic *a = f->apic[0];
    enable(f, 0);
    wr(f, 0, LINT0, 0x8036);
    lapic_lint(a, 0, true);
    assert_int_equal(rd(f, 0, LINT0), 0xc036);
    assert_int_equal(lapic_accept(a), 0x36);
    assert_int_equal(lapic_pending(a), -1);
    wr(f, 0, EOI, 0);
    assert_int_equal(rd(f, 0, LINT0), 0xc036);
    assert_int_equal(lapic_accept(a), 0x36);
    lapic_lint(a, 0, false);
    wr(f, 0, EOI, 0);
    assert_int_equal(rd(f, 0, LINT0), 0x8036);
    assert_int_equal(lapic_pending(a), -1);
    wr(f, 0, LINT0, MASKED | 0x8036);
    lapic_lint(a, 0, true);
    assert_int_equal(lapic_pending(a), -1);
    wr(f, 0, LINT0, 0x8036); /* unmasked with the level there */
    assert_int_equal(lapic_pending(a), 0x36);
}

static void extint_passes_lint0_in_virtual_wire_mode_only(void **state)
{
    struct fixture *f = *state;
    enable(f, 0);
    assert_false(lapic_takes_extint(f->apic[0]));
    atomic_store(&f->cpu[0].poll, 0);
    wr(f, 0, LINT0, 0x700);
    assert_true(lapic_takes_extint(f->apic[0]));
    assert_int_equal(atomic_load(&f->cpu[0].poll), 1);
    wr(f, 0, LINT0, MASKED | 0x700);
    assert_false(lapic_takes_extint(f->apic[0]));
    wr(f, 0, LINT0, 0x035);
    assert_false(lapic_takes_extint(f->apic[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(power_on_state),
        T(page_writes_keep_reserved_and_read_only_bits),
        T(page_accesses_of_other_sizes),
        T(reserved_registers_are_an_error_on_the_page),
        T(x2apic_registers_and_their_access),
        T(x2apic_reserved_bits_are_refused),
        T(mode_transitions),
        T(state_across_modes),
        T(the_highest_vector_above_the_priority_is_pending),
        T(tpr_holds_back_classes_up_to_its_own),
        T(a_vanished_interrupt_is_spurious_and_needs_no_eoi),
        T(only_level_triggered_eois_are_broadcast),
        T(eoi_asks_for_another_look_only_when_something_waits),
        T(every_legal_vector_passes),
        T(illegal_vectors_are_errors),
        T(software_disabled_takes_signals_but_no_vectors),
        T(physical_destinations),
        T(logical_destinations_flat_and_cluster),
        T(x2apic_destinations),
        T(shorthands),
        T(lowest_priority_goes_to_one),
        T(equal_priorities_take_turns),
        T(signals_are_taken_once),
        T(init_and_the_sipi_behind_it_wait_together),
        T(modes_that_are_not_there_do_nothing),
        T(self_ipi),
        T(lint_pins_act_by_their_mode),
        T(a_level_on_lint0_repeats_until_it_is_gone),
        T(extint_passes_lint0_in_virtual_wire_mode_only),
    };
    return cmocka_run_group_tests_name("lapic", tests, NULL, NULL);
}
