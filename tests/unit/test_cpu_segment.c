/*
 * test_cpu_segment.c: segment registers and descriptor tables (SDM 3A 3.4, 3.5, 5.2 to 5.7; SDM 2 by
 * instruction).
 */
#include "cpu_env.h"

/* ---- loads of segment registers: SDM 3A 5.6, 5.7; SDM 2B "MOV" ---- */

enum mode { PROT0, PROT3, LONG0, LONG3 };
static struct cpu *enter(struct fixture *f, enum mode m)
{
    return m < LONG0 ? env_protected(f, m == PROT3 ? 3 : 0) : env_long(f, m == LONG3 ? 3 : 0);
}

static const struct load_case {
    const char *name;
    enum mode mode;
    enum x86_sreg reg;
    uint16_t sel;
    uint32_t want;
} load_cases[] = {
    {"DS, data", PROT0, SEG_DS, S_DATA, OK},
    {"DS, user data", PROT0, SEG_DS, S_UDATA, OK},
    {"DS, readable code", PROT0, SEG_DS, S_CODE, OK},
    {"DS, execute-only code", PROT0, SEG_DS, S_XONLY, GP(S_XONLY)},
    {"DS, RPL above DPL", PROT0, SEG_DS, S_DATA | 3, GP(S_DATA)},
    {"DS, CPL above DPL", PROT3, SEG_DS, S_DATA, GP(S_DATA)},
    {"DS, conforming code at any CPL", PROT3, SEG_DS, S_CONF | 3, OK},
    {"DS, not present", PROT0, SEG_DS, S_NPDATA, F(VEC_NP, S_NPDATA)},
    {"DS, system descriptor", PROT0, SEG_DS, S_TSS, GP(S_TSS)},
    {"DS, beyond the table", PROT0, SEG_DS, S_BEYOND, GP(S_BEYOND)},
    {"DS, from the LDT", PROT0, SEG_DS, S_LDT_DATA, OK},
    {"DS, beyond the LDT", PROT0, SEG_DS, 0x104, GP(0x104)},
    {"DS, null", PROT0, SEG_DS, 3, OK},
    {"SS, data", PROT0, SEG_SS, S_DATA, OK},
    {"SS, null", PROT0, SEG_SS, 0, GP(0)},
    {"SS, null in 64-bit mode at CPL 0", LONG0, SEG_SS, 0, OK},
    {"SS, null in 64-bit mode, RPL above CPL", LONG0, SEG_SS, 1, GP(0)},
    {"SS, null in 64-bit mode at CPL 3", LONG3, SEG_SS, 3, GP(0)},
    {"SS, RPL is not CPL", PROT0, SEG_SS, S_DATA | 1, GP(S_DATA)},
    {"SS, DPL is not CPL", PROT0, SEG_SS, S_UDATA & ~3, GP(S_UDATA & ~3)},
    {"SS, read-only", PROT0, SEG_SS, S_RODATA, GP(S_RODATA)},
    {"SS, code", PROT0, SEG_SS, S_CODE, GP(S_CODE)},
    {"SS, not present", PROT0, SEG_SS, S_NPDATA, F(VEC_SS, S_NPDATA)},
    {"SS, user", PROT3, SEG_SS, S_UDATA, OK},
    {"FS in 64-bit mode, null", LONG3, SEG_FS, 0, OK},
};

static void loads(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(load_cases); i++) {
        const struct load_case *t = &load_cases[i];
        struct cpu *c = enter(f, t->mode);
        c->st.seg[t->reg].base = 0x1234;
        struct x86_seg before = c->st.seg[t->reg];
        bool done = cpu_load_seg(c, t->reg, t->sel);
        struct x86_seg *g = &c->st.seg[t->reg];
        assert_outcome(c, done, t->want, t->name);
        if (!done) {
            assert_memory_equal(g, &before, sizeof(before));
            continue;
        }
        assert_field(g->sel, t->sel, t->name, "selector");
        assert_field(g->base, 0, t->name, "base"); /* a null selector too: this AMD is a Zen 3 */
        if (!(t->sel & ~3)) {
            assert_true(g->attr & SEG_UNUSABLE);
            continue;
        }
        gpa_t table = t->sel & 4 ? AT_LDT : AT_GDT;
        assert_field(peek(f, table + (t->sel & ~7u) + 5, 1) & 1, 1, t->name, "accessed bit in the table");
        assert_true(g->attr & SEG_T_ACCESSED);
    }
}

/* CPUID 8000_0021 EAX bit 6 in APM 3: processors before Zen 2 leave the base. */
static void null_selectors_keep_the_base_on_old_amd(void **state)
{
    struct fixture *f = *state;
    const struct cpu_wiring none = {0};
    struct cpu *c = &f->cpu[0];
    f->model.signature = 0x00800f12; /* family 17h model 01h */
    cpu_init(c, 0, f->mem, f->bus, f->clock, f->apic[0], &f->model, &env_ops, &none);
    env_long(f, 0);
    c->st.seg[SEG_FS].base = 0x7f0000001000;
    assert_true(cpu_load_seg(c, SEG_FS, 0));
    assert_int_equal(c->st.seg[SEG_FS].base, 0x7f0000001000);
}

/* SDM 3A 20.1.1, 20.2.1: the selector times 16; real mode keeps limit and size. */
static void loads_without_descriptors(void **state)
{
    struct cpu *c = env_real(*state);
    c->st.seg[SEG_DS].limit = 0xffffffff;
    assert_true(cpu_load_seg(c, SEG_DS, 0x1234));
    assert_int_equal(c->st.seg[SEG_DS].base, 0x12340);
    assert_int_equal(c->st.seg[SEG_DS].limit, 0xffffffff);
    assert_int_equal(c->st.seg[SEG_DS].attr, 0x93);
    c->st.seg[SEG_ES].attr = SEG_UNUSABLE | SEG_DB; /* left by protected mode */
    assert_true(cpu_load_seg(c, SEG_ES, 0));
    assert_int_equal(c->st.seg[SEG_ES].attr, 0x93 | SEG_DB);
    c = env_v86(*state, 0);
    c->st.seg[SEG_DS].limit = 0xffffffff;
    assert_true(cpu_load_seg(c, SEG_DS, 0xffff));
    assert_int_equal(c->st.seg[SEG_DS].base, 0xffff0);
    assert_int_equal(c->st.seg[SEG_DS].limit, 0xffff);
    assert_int_equal(c->st.seg[SEG_DS].attr, 0xf3);
}

/* A fault on the way to the table is the load's fault, and a supervisor's whatever the CPL (SDM 3A 4.6). */
static void descriptor_reads_are_implicit_supervisor_accesses(void **state)
{
    struct cpu *c = env_long(*state, 3);
    c->st.gdtr.base = AT_NOWHERE;
    assert_outcome(c, cpu_load_seg(c, SEG_DS, S_UDATA), F(VEC_PF, 0), "not mapped");
    assert_int_equal(c->fault.addr, AT_NOWHERE + (S_UDATA & ~7));
    c->st.gdtr.base = AT_GDT;
    c->st.cr4 |= CR4_SMAP; /* everything is mapped as user pages here */
    x86_set_rflags(&c->st, FL_AC);
    assert_outcome(c, cpu_load_seg(c, SEG_DS, S_UDATA), F(VEC_PF, PF_P), "SMAP ignores AC");
}

/* ---- LAR, LSL, VERR, VERW (SDM 2A, 2B) ---- */

static const struct inspect_case {
    const char *name;
    enum mode mode;
    uint16_t sel;
    bool lar, lsl, verr, verw;
} inspect_cases[] = {
    {"null", PROT0, 0, false, false, false, false},
    {"beyond the table", PROT0, S_BEYOND, false, false, false, false},
    {"data", PROT0, S_DATA, true, true, true, true},
    {"data, CPL 3", PROT3, S_DATA, false, false, false, false},
    {"data, RPL 3", PROT0, S_DATA | 3, false, false, false, false},
    {"read-only data", PROT0, S_RODATA, true, true, true, false},
    {"not present", PROT0, S_NPDATA, true, true, true, true},
    {"code", PROT0, S_CODE, true, true, true, false},
    {"execute-only", PROT0, S_XONLY, true, true, false, false},
    {"conforming, CPL 3", PROT3, S_CONF | 3, true, true, true, false},
    {"TSS", PROT0, S_TSS, true, true, false, false},
    {"16-bit TSS", PROT0, S_TSS16, true, true, false, false},
    {"16-bit TSS in long mode", LONG0, S_TSS16, false, false, false, false},
    {"LDT in long mode", LONG0, S_LDT, true, true, false, false},
    {"task gate", PROT0, S_TASK, true, false, false, false},
    {"task gate in long mode", LONG0, S_TASK, false, false, false, false},
};

static void inspections(void **state)
{
    for (unsigned i = 0; i < ARRAY_LEN(inspect_cases); i++) {
        const struct inspect_case *t = &inspect_cases[i];
        struct cpu *c = enter(*state, t->mode);
        uint32_t v;
        bool ok;
        assert_true(cpu_lar(c, t->sel, &v, &ok));
        assert_field(ok, t->lar, t->name, "LAR");
        assert_true(cpu_lsl(c, t->sel, &v, &ok));
        assert_field(ok, t->lsl, t->name, "LSL");
        assert_true(cpu_verify(c, t->sel, false, &ok));
        assert_field(ok, t->verr, t->name, "VERR");
        assert_true(cpu_verify(c, t->sel, true, &ok));
        assert_field(ok, t->verw, t->name, "VERW");
    }
}

static void inspection_values(void **state)
{
    struct cpu *c = env_protected(*state, 0);
    uint32_t v;
    bool ok;
    assert_true(cpu_lar(c, S_UDATA, &v, &ok));
    assert_int_equal(v, 0x00cff200); /* bits 19 to 16 as this vendor's silicon has them */
    assert_true(cpu_lsl(c, S_UDATA, &v, &ok));
    assert_int_equal(v, 0xffffffff);
    assert_true(cpu_lsl(c, S_TSS2, &v, &ok));
    assert_int_equal(v, 0x67);
    c = env_v86(*state, 3);
    assert_outcome(c, cpu_lar(c, S_DATA, &v, &ok), UD, "SDM 2A LAR in virtual-8086 mode");
}

/* ---- LLDT, LTR (SDM 2A) ---- */

static void ldt_and_task_register(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 0);
    assert_outcome(c, cpu_ltr(c, 0), GP(0), "LTR null");
    assert_outcome(c, cpu_ltr(c, S_TSS), GP(S_TSS), "LTR busy");
    assert_outcome(c, cpu_ltr(c, S_LDT), GP(S_LDT), "LTR of an LDT");
    assert_outcome(c, cpu_ltr(c, S_TSS2 | 4), GP(S_TSS2 | 4), "LTR from the LDT");
    assert_outcome(c, cpu_ltr(c, S_BEYOND), GP(S_BEYOND), "LTR beyond the table");
    set_desc(f, S_TSS2, mk_desc(AT_TSS2, 0x67, SYS_TSS32));
    assert_outcome(c, cpu_ltr(c, S_TSS2), F(VEC_NP, S_TSS2), "LTR not present");
    assert_true(cpu_ltr(c, S_TSS16));
    assert_int_equal(c->st.seg[SEG_TR].attr & SEG_TYPE, SYS_TSS16_BUSY);
    assert_int_equal(peek(f, AT_GDT + S_TSS16 + 5, 1) & 0xf, SYS_TSS16_BUSY);
    assert_true(cpu_lldt(c, S_LDT));
    assert_int_equal(c->st.seg[SEG_LDTR].base, AT_LDT);
    assert_true(cpu_lldt(c, 0));
    assert_outcome(c, cpu_load_seg(c, SEG_DS, S_LDT_DATA), GP(S_LDT_DATA), "no LDT");
    c = env_protected(f, 3);
    assert_outcome(c, cpu_lldt(c, S_LDT), GP(0), "LLDT at CPL 3");
    c = env_real(f);
    assert_outcome(c, cpu_ltr(c, S_TSS), UD, "LTR in real mode");
}

/* SDM 3A 7.2.3: sixteen bytes in 64-bit mode. */
static void long_mode_system_descriptors(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 0);
    assert_outcome(c, cpu_ltr(c, S_TSS16), GP(S_TSS16), "no 16-bit TSS");
    set_desc(f, S_TSS, mk_desc(AT_TSS, 0xfff, SEG_P | SYS_TSS32));
    poke(f, AT_GDT + S_TSS + 8, 0xffff8000, 8);
    assert_true(cpu_ltr(c, S_TSS));
    assert_int_equal(c->st.seg[SEG_TR].base, 0xffff800000003000);
    poke(f, AT_GDT + S_LDT + 8, 0x8000, 8);
    assert_outcome(c, cpu_lldt(c, S_LDT), GP(S_LDT), "base not canonical");
    poke(f, AT_GDT + S_LDT + 8, BIT(41), 8);
    assert_outcome(c, cpu_lldt(c, S_LDT), GP(S_LDT), "type field of the upper half");
    /* APM 3 "LLDT": compatibility mode reads eight. */
    set_seg(c, SEG_CS, S_CODE, A_CODE | SEG_G | SEG_DB);
    assert_true(cpu_lldt(c, S_LDT));
    assert_int_equal(c->st.seg[SEG_LDTR].base, AT_LDT);
    c->st.gdtr.limit = S_LDT + 7;
    set_seg(c, SEG_CS, S_CODE64, A_CODE | SEG_G | SEG_L);
    assert_outcome(c, cpu_lldt(c, S_LDT), GP(S_LDT), "upper half beyond the table");
}

#define AMD(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AMD(loads),
        AMD(null_selectors_keep_the_base_on_old_amd),
        AMD(loads_without_descriptors),
        AMD(descriptor_reads_are_implicit_supervisor_accesses),
        AMD(inspections),
        AMD(inspection_values),
        AMD(ldt_and_task_register),
        AMD(long_mode_system_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
