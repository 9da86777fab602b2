/*
 * test_engine.c: what engine/engine.h promises, asked of one engine: test_engine NAME. Status 77: it cannot
 * be opened here.
 *
 * The tests need no speed and no paging, so that they run on a KVM in software as well, which `auto` would
 * not choose.
 */
#include "fixture.h"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

const struct engine_ops *engine_under_test;

static void seen(const struct access *a, uint64_t at, unsigned size, uint64_t value)
{
    assert_int_equal(a->at, at);
    assert_int_equal(a->size, size);
    assert_int_equal(a->value, value);
}

/* ---- accesses ---- */

static void ports(void **state)
{
    struct machine *m = *state;
    LOAD(m, CODE_AT, pio);
    put_word(m, DATA_AT, 0x44332211);
    run_to_end(m);
    const struct access expected[] = {
        {0x10, 1, 0x12},       {0x12, 2, 0x3456}, {0x14, 4, 0x789abcde}, {0x10, 1, 0xc4}, {0x12, 2, 0xd3c5},
        {0x14, 4, 0xf1e2d3c6}, {0x10, 1, 0x11},   {0x10, 1, 0x22},       {0x10, 1, 0x33}, {0x10, 1, 0x44},
    };
    assert_int_equal(m->outs, ARRAY_LEN(expected));
    for (unsigned i = 0; i < m->outs; i++)
        seen(&m->out[i], expected[i].at, expected[i].size, expected[i].value);
    assert_int_equal(word_at(m, 0x3100), 0xd3c8d3c7);
    assert_int_equal(word_at(m, 0x3104), 0x0000d3c9);
}

static void memory_mapped(void **state)
{
    struct machine *m = *state;
    const uint32_t rom = 0xaabbccdd;
    LOAD(m, CODE_AT, mmio);
    assert_true(mem_load(m->mem, ROM_AT, &rom, sizeof(rom)));
    run_to_end(m);
    assert_int_equal(m->writes, 4);
    seen(&m->written[0], 0, 4, 0x89abcdef);
    seen(&m->written[1], 4, 2, 0x4567);
    seen(&m->written[2], 7, 1, 0x23);
    seen(&m->written[3], 0x30, 4, 0x30005);
    assert_int_equal(word_at(m, 0x3000), 0x10004);
    assert_int_equal(word_at(m, 0x3004), 0x4002);
    assert_int_equal(word_at(m, 0x3008), 0x20004);
    assert_int_equal(word_at(m, 0x300c), 0x24004);
    assert_int_equal(word_at(m, 0x3010), rom);
}

/* ---- interrupts, from another thread, into a vCPU that halts ---- */

enum { ROUNDS = 200, VECTOR = 0x40, LEVEL_VECTOR = 0x41, MSI_LEVEL = 0xc000 };

static void wait_count(struct machine *m, uint32_t n)
{
    const uint32_t *count = mem_ptr(m->mem, 0x3200, 4);
    while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < n && !atomic_load(&m->ended))
        usleep(20);
}

static void *send_messages(void *opaque)
{
    struct machine *m = opaque;
    while (!atomic_load(&m->ready))
        usleep(20);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        m->ops->deliver_msi(m->engine, 0xfee00000, i & 1 ? VECTOR : LEVEL_VECTOR | MSI_LEVEL);
        wait_count(m, i + 1);
    }
    return NULL;
}

static void *raise_extint(void *opaque)
{
    struct machine *m = opaque;
    while (!atomic_load(&m->ready))
        usleep(20);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        m->ops->extint(m->engine, true);
        wait_count(m, i + 1);
    }
    return NULL;
}

static void with_thread(struct machine *m, void *(*fn)(void *), unsigned vector)
{
    pthread_t t;
    LOAD(m, CODE_AT, interrupts);
    enter_real_mode(m, (uint8_t)vector);
    put_word(m, 0x3204, ROUNDS);
    assert_int_equal(pthread_create(&t, NULL, fn, m), 0);
    run_to_end(m);
    pthread_join(t, NULL);
    assert_int_equal(word_at(m, 0x3200), ROUNDS);
}

/* Every other one but the last is level-triggered: the ends of those come back, and no others. */
static void messages(void **state)
{
    struct machine *m = *state;
    LOAD(m, HANDLER_AT, handler_apic);
    put_vector(m, LEVEL_VECTOR);
    with_thread(m, send_messages, VECTOR);
    assert_int_equal(m->eois, ROUNDS / 2);
    assert_int_equal(m->eoi_vector, LEVEL_VECTOR);
}

static void external(void **state)
{
    struct machine *m = *state;
    m->extint_vector = 0x21;
    LOAD(m, HANDLER_AT, handler_pic);
    with_thread(m, raise_extint, 0x21);
    assert_int_equal(m->extint_acks, ROUNDS);
}

static void deadline(void **state)
{
    struct machine *m = *state;
    LOAD(m, CODE_AT, timer);
    LOAD(m, HANDLER_AT, handler_apic);
    enter_real_mode(m, VECTOR);
    run_to_end(m);
    assert_int_equal(word_at(m, 0x3200), 1);
}

/* ---- kicks ---- */

static void kick_before_run(void **state)
{
    struct machine *m = *state;
    LOAD(m, CODE_AT, spin);
    for (unsigned i = 0; i < 20; i++) {
        m->ops->kick(m->vcpu);
        assert_int_equal(run_guest(m), EXIT_KICK);
    }
}

static _Atomic unsigned returned;

static void *kick_often(void *opaque)
{
    struct machine *m = opaque;
    for (unsigned i = 0; i < 2000; i++) {
        if (i % 3 == 0)
            usleep(i % 50);
        m->ops->kick(m->vcpu);
        while (atomic_load(&returned) == i)
            usleep(1);
    }
    return NULL;
}

/* One return for each kick, at whatever moment it comes: a lost one would hang here. */
static void kicks_from_another_thread(void **state)
{
    struct machine *m = *state;
    pthread_t t;
    LOAD(m, CODE_AT, spin);
    atomic_store(&returned, 0);
    assert_int_equal(pthread_create(&t, NULL, kick_often, m), 0);
    while (atomic_load(&returned) < 2000) {
        assert_int_equal(run_guest(m), EXIT_KICK);
        atomic_fetch_add(&returned, 1);
    }
    pthread_join(t, NULL);
    assert_true(word_at(m, DATA_AT) > 0);
}

/* ---- ends and steps ---- */

static void triple_fault(void **state)
{
    struct machine *m = *state;
    LOAD(m, CODE_AT, triple_fault);
    assert_int_equal(run_guest(m), EXIT_SHUTDOWN);
    m->ops->vcpu_reset(m->vcpu);
    struct x86_state s;
    m->ops->pull(m->vcpu, GROUP_ALL, &s);
    assert_int_equal(s.rip, 0xfff0);
    assert_int_equal(s.mp, X86_RUNNING);
    assert_int_equal(s.seg[SEG_CS].base, 0xffff0000);
}

static uint64_t rip(struct machine *m)
{
    struct x86_state s;
    m->ops->pull(m->vcpu, GROUP_GENERAL, &s);
    return s.rip;
}

static void single_steps(void **state)
{
    struct machine *m = *state;
    LOAD(m, CODE_AT, steps);
    m->ops->single_step(m->vcpu, true);
    for (uint64_t at = CODE_AT + 5; at <= CODE_AT + 15; at += 5) {
        assert_int_equal(run_guest(m), EXIT_DEBUG);
        assert_int_equal(rip(m), at);
    }
    m->ops->single_step(m->vcpu, false);
    run_to_end(m);
}

static void breakpoints(void **state)
{
    struct machine *m = *state;
    struct x86_state s;
    if (!m->ops->probe().usable)
        skip(); /* a KVM in software, which minds no RF and stops at the first for ever */
    LOAD(m, CODE_AT, steps);
    assert_true(m->ops->breakpoint(m->vcpu, CODE_AT + 5, true));
    assert_true(m->ops->breakpoint(m->vcpu, CODE_AT + 15, true));
    assert_int_equal(run_guest(m), EXIT_DEBUG);
    assert_int_equal(rip(m), CODE_AT + 5);
    assert_int_equal(run_guest(m), EXIT_DEBUG); /* goes on over the first */
    m->ops->pull(m->vcpu, GROUP_GENERAL, &s);
    assert_int_equal(s.rip, CODE_AT + 15);
    assert_int_equal(s.gpr[RAX], 1);
    assert_int_equal(s.gpr[RDX], 3);
    assert_true(m->ops->breakpoint(m->vcpu, CODE_AT + 5, false));
    assert_true(m->ops->breakpoint(m->vcpu, CODE_AT + 15, false));
    run_to_end(m);
}

/* ---- memory ---- */

static bool dirty(struct machine *m, gpa_t page)
{
    return mem_dirty_test_clear(m->mem, page);
}

static void dirty_pages(void **state)
{
    struct machine *m = *state;
    struct err e;
    LOAD(m, CODE_AT, writes);
    assert_true(m->ops->dirty_log(m->engine, true, &e) && m->ops->dirty_sync(m->engine, &e));
    for (gpa_t page = 0; page < ROM_AT; page += PAGE_SIZE)
        mem_dirty_test_clear(m->mem, page);
    run_to_end(m);
    assert_true(m->ops->dirty_sync(m->engine, &e));
    /* A page that was only read may be marked; one that was written must be, one that was left alone must
     * not. */
    static const gpa_t written[] = {0x5000, 0x7000, 0x8000, 0x9000, 0xb000};
    for (unsigned i = 0; i < ARRAY_LEN(written); i++)
        assert_true(dirty(m, written[i]));
    assert_false(dirty(m, 0x6000) || dirty(m, 0xa000) || dirty(m, 0xc000));
    assert_true(m->ops->dirty_sync(m->engine, &e));
    assert_false(dirty(m, 0x5000));
    assert_true(m->ops->dirty_log(m->engine, false, &e));
}

/* ---- state ---- */

static void fill_state(struct x86_state *s)
{
    for (unsigned i = 0; i < X86_NGPR; i++)
        s->gpr[i] = 0x1111111100000001ull * (i + 1);
    s->rip = CODE_AT;
    x86_set_rflags(s, FL_ONE | FL_CF | FL_ZF | FL_DF | FL_OF);
    s->cr2 = 0x123456789000;
    s->dr[0] = 0x1000;
    s->dr[3] = 0x7777;
    s->dr7 = DR7_FIXED | 1;
    s->msr.star = 0x0023001000000000;
    s->msr.lstar = 0xffffffff81000000;
    s->msr.sfmask = 0x47700;
    s->msr.kernel_gs_base = 0xffff888000000000;
    s->msr.sysenter_cs = 0x10;
    s->msr.pat = 0x0007010600070106;
    s->msr.mtrr_def_type = 0xc06;
    s->msr.mtrr_fixed[0] = s->msr.mtrr_fixed[2] = s->msr.mtrr_fixed[10] = 0x0606060606060606;
    s->msr.mtrr_var[0] = 0xc0000000;
    s->msr.mtrr_var[1] = 0xfc0000800;
    s->tsc_adjust = 0x1000;
    s->tsc_offset = 0x5555555555;
    s->fpu.fx.fcw = 0x37f;
    s->fpu.fx.mxcsr = 0x1fa0;
    s->fpu.fx.ftw = 0x80;
    for (unsigned i = 0; i < 16; i++)
        memset(s->fpu.ymm[i], (int)(0x10 + i), s->xcr0 & XCR0_AVX ? 32 : 16);
    memset(s->fpu.fx.st[7], 0x3f, 10);
    s->fpu.xinuse = s->xcr0;
    s->ev = (struct x86_events){.nmi_masked = true, .shadow = X86_SHADOW_STI};
    s->apic.svr = 0x1f0;
    s->apic.lvt[0] = 0x40000 | VECTOR;
    s->apic.irr[1] = 1ull << 3;
    s->apic.isr[1] = 1ull << 9;
    s->apic.tmr[1] = 1ull << 9;
    s->apic.tpr = 0x20;
    s->apic.divide = 0xb;
    s->apic.ldr = 0x01000000;
    s->mp = X86_HALTED;
}

static void compare_state(const struct x86_state *a, const struct x86_state *b)
{
    assert_memory_equal(a->gpr, b->gpr, sizeof(a->gpr));
    assert_int_equal(a->rip, b->rip);
    assert_int_equal(x86_rflags(a), x86_rflags(b));
    for (unsigned i = 0; i < X86_NSEG; i++) {
        assert_int_equal(a->seg[i].sel, b->seg[i].sel);
        assert_int_equal(a->seg[i].base, b->seg[i].base);
        assert_int_equal(a->seg[i].limit, b->seg[i].limit);
        assert_int_equal(a->seg[i].attr, b->seg[i].attr);
    }
    assert_int_equal(a->gdtr.base, b->gdtr.base);
    assert_int_equal(a->idtr.limit, b->idtr.limit);
    assert_int_equal(a->cr0, b->cr0);
    assert_int_equal(a->cr2, b->cr2);
    assert_int_equal(a->cr4, b->cr4);
    assert_int_equal(a->efer, b->efer);
    assert_int_equal(a->xcr0, b->xcr0);
    assert_int_equal(a->cpl, b->cpl);
    assert_int_equal(a->mp, b->mp);
    assert_memory_equal(a->dr, b->dr, sizeof(a->dr));
    assert_int_equal(a->dr7, b->dr7);
    assert_memory_equal(&a->msr, &b->msr, sizeof(a->msr));
    assert_memory_equal(&a->fpu.ymm, &b->fpu.ymm, sizeof(a->fpu.ymm));
    assert_memory_equal(a->fpu.fx.st[7], b->fpu.fx.st[7], 10);
    assert_int_equal(a->fpu.fx.fcw, b->fpu.fx.fcw);
    assert_int_equal(a->fpu.fx.mxcsr, b->fpu.fx.mxcsr);
    assert_int_equal(a->fpu.fx.ftw, b->fpu.fx.ftw);
    assert_int_equal(a->tsc_adjust, b->tsc_adjust);
    assert_int_equal(a->ev.shadow, b->ev.shadow);
    assert_int_equal(a->ev.nmi_masked, b->ev.nmi_masked);
    assert_int_equal(a->apic.base, b->apic.base);
    assert_int_equal(a->apic.svr, b->apic.svr);
    assert_int_equal(a->apic.tpr, b->apic.tpr);
    assert_int_equal(a->apic.ldr, b->apic.ldr);
    assert_int_equal(a->apic.divide, b->apic.divide);
    assert_memory_equal(a->apic.lvt, b->apic.lvt, sizeof(a->apic.lvt));
    assert_memory_equal(a->apic.irr, b->apic.irr, sizeof(a->apic.irr));
    assert_memory_equal(a->apic.isr, b->apic.isr, sizeof(a->apic.isr));
    assert_memory_equal(a->apic.tmr, b->apic.tmr, sizeof(a->apic.tmr));
}

/* What is pushed is pulled, from where the engine keeps it while it runs: a kick before run() makes it go
 * there. */
static void state_survives(void **state)
{
    struct machine *m = *state;
    struct x86_state s = {0}, got = {0};
    LOAD(m, CODE_AT, spin);
    m->ops->pull(m->vcpu, GROUP_ALL, &s);
    fill_state(&s);
    m->ops->push(m->vcpu, GROUP_ALL, &s);
    m->ops->kick(m->vcpu);
    enum engine_exit why = m->ops->run(m->vcpu, &m->info);
    if (why == EXIT_ERROR)
        fail_msg("%s", m->info.text);
    assert_int_equal(why, EXIT_KICK);
    m->ops->pull(m->vcpu, GROUP_ALL, &got);
    compare_state(&s, &got);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, machine_up, machine_down)
        TEST(ports),
        TEST(memory_mapped),
        TEST(messages),
        TEST(external),
        TEST(deadline),
        TEST(kick_before_run),
        TEST(kicks_from_another_thread),
        TEST(triple_fault),
        TEST(single_steps),
        TEST(breakpoints),
        TEST(dirty_pages),
        TEST(state_survives),
    };
    if (argc == 3)
        cmocka_set_test_filter(argv[2]);
    engine_under_test = argc >= 2 ? engine_find(argv[1]) : NULL;
    if (!engine_under_test) {
        fprintf(stderr, "usage: test_engine ENGINE [TEST]\n");
        return 2;
    }
    if (!strcmp(argv[1], "kvm") && access("/dev/kvm", R_OK | W_OK) != 0) {
        printf("SKIP: no /dev/kvm that can be opened\n");
        return 77;
    }
    return cmocka_run_group_tests_name(argv[1], tests, NULL, NULL);
}
