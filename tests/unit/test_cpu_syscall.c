/*
 * test_cpu_syscall.c: SYSCALL, SYSRET, SYSENTER, SYSEXIT as each vendor defines them (SDM 2B, APM 3).
 */
#include "cpu_env.h"

#define STAR ((uint64_t)0x1b << 48 | (uint64_t)S_CODE64 << 32 | 0xc0de)

static struct cpu *syscall_ready(struct fixture *f, unsigned cpl)
{
    struct cpu *c = env_long(f, cpl);
    c->st.msr.star = STAR;
    c->st.msr.lstar = 0xffffffff81000000;
    c->st.msr.cstar = 0xffffffff82000000;
    c->st.msr.sfmask = FL_IF | FL_TF | FL_DF | FL_AC;
    c->st.msr.sysenter_cs = S_CODE;
    c->st.msr.sysenter_esp = 0xffff888000001000;
    c->st.msr.sysenter_eip = 0xffffffff83000000;
    c->st.gpr[RCX] = 0x400000;
    c->st.gpr[RDX] = 0x500000;
    return c;
}

/* APM 3 and SDM 2B "SYSCALL" */
static void syscall_in_64_bit_mode(void **state)
{
    struct cpu *c = syscall_ready(*state, 3);
    x86_set_rflags(&c->st, FL_IF | FL_CF | FL_RF | FL_AC);
    assert_true(cpu_syscall(c, 0x401002));
    assert_int_equal(c->st.rip, 0xffffffff81000000);
    assert_int_equal(c->st.gpr[RCX], 0x401002);
    assert_int_equal(c->st.gpr[R11], FL_IF | FL_CF | FL_AC | FL_ONE);
    assert_int_equal(x86_rflags(&c->st), FL_CF | FL_ONE);
    assert_int_equal(c->st.seg[SEG_CS].sel, S_CODE64);
    assert_int_equal(c->st.seg[SEG_CS].attr, A_CODE | SEG_T_ACCESSED | SEG_L | SEG_G);
    assert_int_equal(c->st.seg[SEG_SS].sel, S_CODE64 + 8);
    assert_int_equal(c->st.seg[SEG_SS].attr, A_DATA | SEG_T_ACCESSED | SEG_DB | SEG_G);
    assert_int_equal(c->st.cpl, 0);
    assert_true(mode_reported(c));
    c->st.efer &= ~(uint64_t)EFER_SCE;
    assert_outcome(c, cpu_syscall(c, 0), UD, "SCE clear");
}

static void sysret_by_vendor(void **state)
{
    struct fixture *f = *state;
    bool is_amd = f->model.vendor == CPU_AMD;
    struct cpu *c = syscall_ready(f, 0);
    c->st.gpr[R11] = 0xffffffff;
    set_seg(c, SEG_SS, 0, SEG_UNUSABLE);
    assert_true(cpu_sysret(c, 8));
    assert_int_equal(c->st.rip, 0x400000);
    assert_int_equal(c->st.seg[SEG_CS].sel, 0x1b + 16);
    assert_true(c->st.seg[SEG_CS].attr & SEG_L);
    assert_int_equal(x86_rflags(&c->st), 0x3c7fd7 | FL_ONE);
    assert_int_equal(c->st.cpl, 3);
    assert_true(mode_reported(c));
    assert_int_equal(c->st.seg[SEG_SS].sel, 0x1b + 8);
    /* APM 3: SS's base, limit and attributes are not changed; SDM 2B: they are loaded flat. */
    assert_int_equal((c->st.seg[SEG_SS].attr & SEG_UNUSABLE) != 0, is_amd);

    c = syscall_ready(f, 0);
    c->st.msr.star = (uint64_t)0x18 << 48; /* no RPL */
    assert_true(cpu_sysret(c, 4));
    assert_int_equal(c->st.seg[SEG_CS].sel, 0x1b);
    assert_false(c->st.seg[SEG_CS].attr & SEG_L);
    assert_int_equal(c->st.seg[SEG_SS].sel, is_amd ? 0x20 : 0x23);

    c = syscall_ready(f, 0);
    c->st.gpr[RCX] = 0x800000000000;
    assert_outcome(c, cpu_sysret(c, 8), is_amd ? OK : GP(0), "RCX not canonical");
    c = syscall_ready(f, 3);
    assert_outcome(c, cpu_sysret(c, 8), GP(0), "CPL 3");
    c->st.efer &= ~(uint64_t)EFER_SCE;
    assert_outcome(c, cpu_sysret(c, 8), UD, "SCE clear");
}

static void syscall_outside_64_bit_mode(void **state)
{
    struct fixture *f = *state;
    bool is_amd = f->model.vendor == CPU_AMD;
    struct cpu *c = syscall_ready(f, 3);
    set_seg(c, SEG_CS, S_UCODE, A_CODE | SEG_G | SEG_DB | SEG_DPL);
    assert_outcome(c, cpu_syscall(c, 0x401002), is_amd ? OK : UD, "compatibility mode");
    if (is_amd) {
        assert_int_equal(c->st.rip, 0xffffffff82000000);
        assert_true(x86_64bit(&c->st));
    }
    c = env_protected(f, 3);
    c->st.efer = EFER_SCE;
    c->st.msr.star = STAR;
    assert_outcome(c, cpu_syscall(c, 0x401002), is_amd ? OK : UD, "legacy mode");
    if (is_amd) {
        assert_int_equal(c->st.rip, 0xc0de);
        assert_int_equal(c->st.seg[SEG_CS].sel, S_CODE64);
        assert_int_equal(c->st.seg[SEG_CS].attr, A_CODE | SEG_T_ACCESSED | SEG_DB | SEG_G);
        assert_false(x86_rflags(&c->st) & FL_IF);
        assert_true(cpu_sysret(c, 4));
        assert_int_equal(c->st.rip, 0x401002);
        assert_true(x86_rflags(&c->st) & FL_IF);
    }
}

static void sysenter_by_vendor(void **state)
{
    struct fixture *f = *state;
    bool is_amd = f->model.vendor == CPU_AMD;
    struct cpu *c = syscall_ready(f, 3);
    assert_outcome(c, cpu_sysenter(c, 0), is_amd ? UD : OK, "long mode");
    if (!is_amd) {
        assert_int_equal(c->st.gpr[RSP], 0xffff888000001000);
        assert_int_equal(c->st.rip, 0xffffffff83000000);
        assert_true(x86_64bit(&c->st));
        assert_true(mode_reported(c));
        c->st.gpr[RCX] = 0x700000;
        assert_true(cpu_sysexit(c, 8));
        assert_true(mode_reported(c));
        assert_int_equal(c->st.seg[SEG_CS].sel, (S_CODE + 32) | 3);
        assert_int_equal(c->st.seg[SEG_SS].sel, (S_CODE + 40) | 3);
        assert_int_equal(c->st.rip, 0x500000);
        assert_int_equal(c->st.gpr[RSP], 0x700000);
        assert_outcome(c, cpu_sysexit(c, 8), GP(0), "SYSEXIT at CPL 3");
    } else {
        assert_outcome(c, cpu_sysexit(c, 8), GP(0), "SYSEXIT at CPL 3, asked before the mode");
        c->st.cpl = 0;
        assert_outcome(c, cpu_sysexit(c, 8), UD, "SYSEXIT in long mode");
    }
    c = env_v86(f, 0);
    assert_outcome(c, cpu_sysenter(c, 0), GP(0), "null SYSENTER_CS");
    c->st.msr.sysenter_cs = S_CODE;
    c->st.msr.sysenter_eip = 0xc0000000;
    assert_true(cpu_sysenter(c, 0));
    assert_int_equal(c->st.rip, 0xc0000000);
    assert_int_equal(c->st.seg[SEG_CS].sel, S_CODE);
    assert_int_equal(c->st.seg[SEG_CS].attr, A_CODE | SEG_T_ACCESSED | SEG_DB | SEG_G);
    assert_int_equal(c->st.seg[SEG_SS].sel, S_CODE + 8);
    assert_true(mode_reported(c));
    assert_int_equal(c->st.rflags & (FL_VM | FL_IF), 0);
    assert_int_equal(c->st.cpl, 0);
    c = env_real(f);
    assert_outcome(c, cpu_sysenter(c, 0), GP(0), "real mode");
}

#define AMD(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
#define INTEL(test)                                                         \
    {                                                                       \
#test " (Intel)", test, fixture_setup_intel, fixture_teardown, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        AMD(syscall_in_64_bit_mode),
        AMD(sysret_by_vendor),
        INTEL(sysret_by_vendor),
        AMD(syscall_outside_64_bit_mode),
        INTEL(syscall_outside_64_bit_mode),
        AMD(sysenter_by_vendor),
        INTEL(sysenter_by_vendor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
