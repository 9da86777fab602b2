/*
 * test_cpu_events.c: which event comes next at an instruction boundary (SDM 3A table 6-2, 6.7, 6.8, 8.4).
 */
#include "cpu_env.h"

static void apic_enable(struct fixture *f)
{
    lapic_mmio_write(f->apic[0], 0xf0, 4, 0x1ff);
}
static void apic_raise(struct fixture *f, uint8_t vector)
{
    lapic_bus_msi(f->apics, LAPIC_BASE, vector);
}
static int fake_inta(void *opaque)
{
    struct fixture *f = opaque;
    atomic_store(&f->cpu[0].extint_line, false);
    return 0x70;
}
/* INIT, NMI, SIPI as messages (11.11): delivery mode in bits 10 to 8. */
static void apic_signal(struct fixture *f, unsigned mode, uint8_t vector)
{
    lapic_bus_msi(f->apics, LAPIC_BASE, mode << 8 | 1 << 14 | vector);
}

static void interrupts_wait_for_if_and_shadow(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 0);
    apic_enable(f);
    x86_set_rflags(&c->st, 0);
    apic_raise(f, 0x55);
    assert_int_equal(atomic_load(&c->poll), 1);
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_CODE);
    assert_int_equal(atomic_load(&c->poll), 0); /* nothing to look at until IF comes on */
    assert_true(cpu_sti(c));
    assert_int_equal(c->st.ev.shadow, X86_SHADOW_STI);
    assert_int_equal(atomic_load(&c->poll), 1);
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_CODE);
    assert_int_equal(atomic_load(&c->poll), 1); /* it waits behind the shadow */
    c->st.ev.shadow = 0;
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + 0x55);
    assert_int_equal(peek(f, AT_STACK0 - 40, 8), AT_CODE);
    assert_int_equal(peek(f, AT_STACK0 - 24, 8), FL_IF | FL_ONE);
    assert_int_equal(lapic_pending(f->apic[0]), -1);
    assert_true(cpu_sti(c)); /* IF was 0 again; now a second one has no effect */
    c->st.ev.shadow = 0;
    assert_true(cpu_sti(c));
    assert_int_equal(c->st.ev.shadow, 0); /* SDM 2B "STI": only when IF was 0 */
}

static void order_of_events(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 0);
    apic_enable(f);
    c->st.gpr[RSP] = AT_STACK0;
    c->st.ev.debug_pending = true;
    c->st.ev.dr6_pending = DR6_BS;
    apic_raise(f, 0x55);
    apic_signal(f, 4, 0);                                                /* NMI */
    set_idt(f, VEC_DB, S_CODE64, AT_HANDLER + 1, SEG_P | SYS_TRAP32, 0); /* leaves IF on */
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_DB);
    assert_int_equal(c->st.dr6, DR6_FIXED | DR6_BS);
    assert_false(c->st.ev.debug_pending);
    assert_int_equal(c->st.ev.dr6_pending, 0);
    assert_int_equal(atomic_load(&c->poll), 1);
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_NMI);
    assert_true(c->st.ev.nmi_masked);
    /* NMIs wait for an IRET now: 6.7.1 */
    apic_signal(f, 4, 0);
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_NMI);
    assert_int_equal(atomic_load(&c->poll), 0);
    assert_true(cpu_iret(c, 8, 0));
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_DB);
    assert_int_equal(atomic_load(&c->poll), 1);
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_NMI);
    assert_true(cpu_iret(c, 8, 0));
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + 0x55);
}

/* Behind a trap through an interrupt gate, IF is off, and an NMI is still due. */
static void nmi_behind_a_debug_trap(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 0);
    c->st.ev.debug_pending = true;
    apic_signal(f, 4, 0);
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_DB);
    assert_int_equal(atomic_load(&c->poll), 1);
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_NMI);
}

/* 6.8.3: MOV SS holds back debug traps, NMIs and interrupts, STI only interrupts. */
static void mov_ss_shadow(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 0);
    c->st.ev = (struct x86_events){.shadow = X86_SHADOW_MOVSS, .debug_pending = true};
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(atomic_load(&c->poll), 1);
    c->st.ev = (struct x86_events){.shadow = X86_SHADOW_MOVSS, .nmi_pending = true};
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(atomic_load(&c->poll), 1);
    c->st.ev = (struct x86_events){
        .shadow = X86_SHADOW_MOVSS, .nmi_pending = true, .debug_pending = true, .dr6_pending = 1};
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_CODE);
    assert_int_equal(atomic_load(&c->poll), 1);
    c->st.ev.shadow = X86_SHADOW_STI;
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_DB);
    assert_int_equal(c->st.dr6, DR6_FIXED | 1);
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_NMI);
}

/* The 8259's interrupts, through LINT0 or past a disabled APIC. */
static void external_interrupts(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 0);
    c->wiring.extint_ack = fake_inta;
    c->wiring.opaque = f;
    lapic_mmio_write(f->apic[0], 0x350, 4, 0x700); /* LINT0: ExtINT */
    apic_enable(f);
    lapic_mmio_write(f->apic[0], 0x350, 4, 0x700);
    atomic_store(&c->extint_line, true);
    cpu_kick(c);
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + 0x70);
    c = env_long(f, 0);
    lapic_mmio_write(f->apic[0], 0x350, 4, 0x10700); /* masked */
    atomic_store(&c->extint_line, true);
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_CODE);
}

static void halt_and_wake(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 0);
    apic_enable(f);
    c->st.mp = X86_HALTED;
    assert_false(cpu_has_wakeup(c));
    assert_int_equal(cpu_events(c), CPU_HALT);
    x86_set_rflags(&c->st, 0);
    apic_raise(f, 0x55);
    assert_false(cpu_has_wakeup(c)); /* IF is off */
    assert_int_equal(cpu_events(c), CPU_HALT);
    c->st.ev.nmi_masked = true;
    apic_signal(f, 4, 0);
    assert_false(cpu_has_wakeup(c));
    c->st.ev.nmi_masked = false;
    assert_true(cpu_has_wakeup(c));
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.mp, X86_RUNNING);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_NMI);

    c = env_long(f, 0);
    c->st.mp = X86_HALTED;
    x86_set_rflags(&c->st, 0);
    c->st.ev.debug_pending = true; /* TF on HLT */
    assert_true(cpu_has_wakeup(c));
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.mp, X86_RUNNING);
    assert_true(cpu_has_wakeup(c)); /* it is not halted */

    c = env_long(f, 0);
    c->st.mp = X86_HALTED;
    c->st.ev.shadow = X86_SHADOW_STI; /* STI; HLT: the shadow was HLT's */
    assert_true(cpu_has_wakeup(c));
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + 0x55);
    assert_int_equal(c->st.mp, X86_RUNNING);
}

static void kick_wakes_and_is_not_lost(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 0);
    f->wakes = 0;
    cpu_kick(c);
    assert_int_equal(f->wakes, 1);
    assert_int_equal(atomic_load(&c->poll), 1);
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(atomic_load(&c->poll), 0);
}

/* 8.4.3, 9.1: INIT puts an application processor into wait-for-SIPI, SIPI starts it at vector << 12. */
static void init_and_sipi(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = &f->cpu[1];
    c->ops = &env_ops;
    uint64_t to_1 = LAPIC_BASE | 1 << 12;
    assert_int_equal(c->st.mp, X86_WAIT_SIPI);
    assert_int_equal(cpu_events(c), CPU_HALT);
    assert_false(cpu_has_wakeup(c));
    lapic_bus_msi(f->apics, to_1, 6 << 8 | 1 << 14 | 0x12);
    assert_true(cpu_has_wakeup(c));
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.mp, X86_RUNNING);
    assert_int_equal(c->st.seg[SEG_CS].base, 0x12000);
    assert_int_equal(c->st.seg[SEG_CS].sel, 0x1200);
    assert_int_equal(c->st.rip, 0);
    /* A second one is ignored; INIT is not, in any state. */
    lapic_bus_msi(f->apics, to_1, 6 << 8 | 1 << 14 | 0x34);
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_int_equal(c->st.seg[SEG_CS].sel, 0x1200);
    c->st.msr.lstar = 77;
    c->st.cr0 = CR0_PE | CR0_PG | CR0_CD;
    c->st.mp = X86_SHUTDOWN;
    assert_int_equal(cpu_events(c), CPU_SHUTDOWN);
    lapic_bus_msi(f->apics, to_1, 5 << 8 | 1 << 14);
    assert_int_equal(cpu_events(c), CPU_HALT);
    assert_int_equal(c->st.mp, X86_WAIT_SIPI);
    assert_int_equal(c->st.cr0, CR0_ET | CR0_CD);
    assert_int_equal(c->st.msr.lstar, 77);
    /* The boot processor goes on at the reset vector. */
    c = env_long(f, 0);
    apic_enable(f);
    apic_signal(f, 5, 0);
    env_flush_all = 0;
    assert_int_equal(cpu_events(c), CPU_GO_ON);
    assert_true(env_flush_all);
    assert_true(mode_reported(c));
    assert_int_equal(lapic_mmio_read(f->apic[0], 0xf0, 4), 0xff); /* the APIC too */
    assert_int_equal(c->st.rip, 0xfff0);
    assert_int_equal(c->st.seg[SEG_CS].base, 0xffff0000);
}

#define AMD(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AMD(interrupts_wait_for_if_and_shadow),
        AMD(order_of_events),
        AMD(nmi_behind_a_debug_trap),
        AMD(mov_ss_shadow),
        AMD(external_interrupts),
        AMD(halt_and_wake),
        AMD(kick_wakes_and_is_not_lost),
        AMD(init_and_sipi),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
