/*
 * test_msr.c: model-specific registers: which exist, what they read after reset, which bits fault. SDM 4
 * (tables 2-2, 2-20), APM 2 appendix A.
 */
#include "cpu/msr_impl.h"
#include "cpu_fixture.h"

#define CANON    0xffff800000000000ull
#define NONCANON 0x0000800000000000ull

static bool rd(struct fixture *f, uint32_t msr, uint64_t *v)
{
    f->cpu[0].fault = (struct cpu_fault){0};
    *v = 0xdeadbeefdeadbeefull;
    bool ok = cpu_rdmsr(&f->cpu[0], msr, v);
    const struct cpu_fault *fault = &f->cpu[0].fault;
    assert_true(ok || (fault->vector == VEC_GP && fault->has_error && fault->error == 0));
    assert_true(ok || *v == 0xdeadbeefdeadbeefull);
    return ok;
}
static uint64_t get(struct fixture *f, uint32_t msr)
{
    uint64_t v;
    assert_true(rd(f, msr, &v));
    return v;
}
static bool wr(struct fixture *f, uint32_t msr, uint64_t v)
{
    f->cpu[0].fault = (struct cpu_fault){0};
    bool ok = cpu_wrmsr(&f->cpu[0], msr, v);
    const struct cpu_fault *fault = &f->cpu[0].fault;
    assert_true(ok || (fault->vector == VEC_GP && fault->has_error && fault->error == 0));
    return ok;
}

static void the_table_is_sorted_and_free_of_overlap(void **state)
{
    for (unsigned i = 0; i < msr_count; i++) {
        assert_true(msr_table[i].first <= msr_table[i].last);
        assert_true(i == 0 || msr_table[i - 1].last < msr_table[i].first);
        assert_true(msr_table[i].field % 8 == 0);
    }
}

struct row {
    uint32_t msr;
    uint64_t good, bad; /* good: reads back; bad: bits that make it fault, 0 = none */
};

static void check_rows(struct fixture *f, const struct row *row, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_true(wr(f, row[i].msr, row[i].good));
        assert_true(get(f, row[i].msr) == row[i].good);
        if (!row[i].bad)
            continue;
        assert_false(wr(f, row[i].msr, row[i].good ^ row[i].bad));
        assert_true(get(f, row[i].msr) == row[i].good);
    }
}

static void registers_keep_good_values_and_refuse_bad_ones(void **state)
{
    struct fixture *f = *state;
    static const struct row rows[] = {
        {MSR_SYSENTER_CS, 0x10, 0},
        {MSR_SYSENTER_ESP, 0x12345678, 0},
        {MSR_MCG_STATUS, 5, 8},
        {MSR_DEBUGCTL, 3, 1ull << 40},
        {MSR_MTRR_DEF_TYPE, 0xc06, 0x100},              /* SDM 3A 12.11.2.1 */
        {MSR_MTRR_DEF_TYPE, 0x806, 0x1},                /* type 7 */
        {MSR_MTRR_PHYS_BASE0, 0xc0000000, 0x100},       /* 12.11.2.3 */
        {MSR_MTRR_PHYS_BASE0 + 14, 0xc0000006, 0x4},    /* type 2 */
        {MSR_MTRR_PHYS_BASE0 + 1, 0xffffc0000800, 0x1}, /* 48 bits of address on this host */
        {MSR_MTRR_PHYS_BASE0 + 15, 0xffffc0000800, 1ull << 48},
        {MSR_MTRR_FIX64K, 0x0606060606060606, 0x100}, /* 12.11.2.2: type 7 in byte 1 */
        {MSR_MTRR_FIX16K_8, 0x0500000000000004, 0x3},
        {MSR_MTRR_FIX4K_C0 + 7, 0x0000000000000001, 0x2},
        {(uint32_t)MSR_STAR, ~0ull, 0},
        {(uint32_t)MSR_LSTAR, CANON, 1ull << 63},
        {(uint32_t)MSR_CSTAR, 0x7fffffffffff, NONCANON},
        {(uint32_t)MSR_SFMASK, 0x47700, 1ull << 32},
        {(uint32_t)MSR_FS_BASE, CANON | 0x1000, 1ull << 63},
        {(uint32_t)MSR_GS_BASE, 0x1000, NONCANON},
        {(uint32_t)MSR_KERNEL_GS_BASE, CANON, 1ull << 62},
        {(uint32_t)MSR_TSC_AUX, 0xffffffff, 0},
    };
    check_rows(f, rows, ARRAY_LEN(rows));
    assert_true(f->cpu[0].st.seg[SEG_FS].base == (CANON | 0x1000));
    assert_true(f->cpu[0].st.seg[SEG_GS].base == 0x1000);
    assert_true(f->cpu[0].bad_msr.count == 0); /* all known */
}

/* SDM 3A 12.12.4 */
static void each_pat_byte_must_be_a_type(void **state)
{
    struct fixture *f = *state;
    assert_true(get(f, MSR_PAT) == 0x0007040600070406ull);
    for (unsigned byte = 0; byte < 8; byte++)
        for (unsigned type = 0; type < 256; type++) {
            bool legal = type <= 7 && type != 2 && type != 3;
            assert_int_equal(wr(f, MSR_PAT, (uint64_t)type << byte * 8), legal);
        }
}

static void each_mtrr_type_must_be_one(void **state)
{
    struct fixture *f = *state;
    for (unsigned type = 0; type < 256; type++) {
        bool legal = type <= 6 && type != 2 && type != 3;
        assert_int_equal(wr(f, MSR_MTRR_DEF_TYPE, type), legal);
        assert_int_equal(wr(f, MSR_MTRR_PHYS_BASE0 + 2, type), legal);
        assert_int_equal(wr(f, MSR_MTRR_FIX64K, (uint64_t)type << 56), legal);
    }
    assert_true(get(f, MSR_MTRRCAP) == 0x508); /* 8 variable, fixed, WC */
    assert_false(wr(f, MSR_MTRRCAP, 0x508));
}

/* APM 2 7.9.1: the DRAM bits of the fixed ranges open with SYSCFG.MtrrFixDramModEn. */
static void amd_fixed_ranges_have_dram_bits_when_syscfg_opens_them(void **state)
{
    struct fixture *f = *state;
    assert_false(wr(f, MSR_MTRR_FIX64K, 0x1e));
    assert_true(wr(f, (uint32_t)MSR_AMD_SYSCFG, 1u << 19));
    assert_true(wr(f, MSR_MTRR_FIX64K, 0x1e));
    assert_false(wr(f, MSR_MTRR_FIX64K, 0x20));
    assert_false(wr(f, (uint32_t)MSR_AMD_SYSCFG, 1));
}

static void amd_registers(void **state)
{
    struct fixture *f = *state;
    uint64_t v;
    assert_true(get(f, (uint32_t)MSR_AMD_HWCR) == 1u << 24); /* Linux wants TscFreqSel */
    assert_true(wr(f, (uint32_t)MSR_AMD_HWCR, 1u << 18));
    assert_true(get(f, (uint32_t)MSR_AMD_HWCR) == (1u << 18 | 1u << 24));
    assert_true(get(f, (uint32_t)MSR_AMD_DE_CFG) & 2); /* LFENCE serializes */
    assert_true(get(f, (uint32_t)MSR_AMD_TOP_MEM) == MIB(1));
    assert_true(get(f, (uint32_t)MSR_AMD_TOP_MEM2) == 0);
    assert_true(wr(f, MSR_SYSENTER_EIP, 0x123456789abcdefull)); /* 32 bits on AMD */
    assert_true(get(f, MSR_SYSENTER_EIP) == 0x89abcdef);
    assert_true(wr(f, (uint32_t)MSR_TSC_AUX, 0x500000007));
    assert_true(get(f, (uint32_t)MSR_TSC_AUX) == 7);
    static const uint32_t intels[] = {MSR_MISC_ENABLE, MSR_PLATFORM_ID, MSR_SPEC_CTRL, MSR_ARCH_CAPABILITIES};
    for (unsigned i = 0; i < ARRAY_LEN(intels); i++)
        assert_false(rd(f, intels[i], &v));
    assert_false(wr(f, MSR_PRED_CMD, 1));
}

static void intel_registers(void **state)
{
    struct fixture *f = *state;
    uint64_t v;
    static const struct row rows[] = {
        {MSR_SYSENTER_EIP, CANON, 1ull << 63},  {MSR_SYSENTER_ESP, 0x7fffffffffff, NONCANON},
        {(uint32_t)MSR_TSC_AUX, 7, 1ull << 32}, {MSR_SPEC_CTRL, 1, 4},
        {MSR_MISC_ENABLE, 0x1800, 1ull << 34},  {MSR_MISC_ENABLE, 0x1801, 1u << 11},
    };
    assert_true(get(f, MSR_MISC_ENABLE) == 0x1801); /* fast strings; no BTS, no PEBS */
    check_rows(f, rows, ARRAY_LEN(rows));
    assert_true(get(f, MSR_ARCH_CAPABILITIES) == f->model.arch_capabilities);
    assert_false(wr(f, MSR_ARCH_CAPABILITIES, 0));
    assert_true(wr(f, MSR_PRED_CMD, 1) && !wr(f, MSR_PRED_CMD, 2) && !rd(f, MSR_PRED_CMD, &v));
    assert_true(get(f, MSR_BIOS_SIGN_ID) >> 32 != 0);
    static const uint32_t amds[] = {(uint32_t)MSR_AMD_SYSCFG, (uint32_t)MSR_AMD_HWCR,
                                    (uint32_t)MSR_AMD_DE_CFG};
    for (unsigned i = 0; i < ARRAY_LEN(amds); i++)
        assert_false(rd(f, amds[i], &v));
}

/* SDM 3B 16.3.1: no banks, no MCG_CTL. */
static void machine_check_has_no_banks(void **state)
{
    struct fixture *f = *state;
    uint64_t v;
    assert_true(get(f, MSR_MCG_CAP) == 0);
    assert_false(wr(f, MSR_MCG_CAP, 0) || rd(f, MSR_MCG_CTL, &v) || rd(f, MSR_MC0_CTL, &v));
}

static void unknown_registers_fault_and_are_counted(void **state)
{
    struct fixture *f = *state;
    static const uint32_t unknown[] = {0x2,   0xc1,       0xe7,       0xe8,       0x186,
                                       0x606, 0x12345678, 0xffffffff, 0xc0010114, 0x4b564d02};
    uint64_t v;
    for (unsigned i = 0; i < ARRAY_LEN(unknown); i++) {
        assert_false(rd(f, unknown[i], &v));
        assert_false(wr(f, unknown[i], 0));
    }
    assert_true(f->cpu[0].bad_msr.count == 2 * ARRAY_LEN(unknown));
}

/* SDM 3B 18.17.3: TSC and TSC_ADJUST move together. */
static void tsc_and_its_adjustment_move_together(void **state)
{
    struct fixture *f = *state;
    clock_step(f->clock, 1000);
    assert_true(get(f, MSR_TSC) == 1000);
    assert_true(wr(f, MSR_TSC, 501000));
    assert_true(get(f, MSR_TSC) == 501000);
    assert_true(get(f, MSR_TSC_ADJUST) == 500000);
    assert_true(wr(f, MSR_TSC_ADJUST, 0));
    assert_true(get(f, MSR_TSC) == 1000);
    assert_true(wr(f, MSR_TSC_ADJUST, -(uint64_t)300));
    assert_true(get(f, MSR_TSC) == 700);
    clock_step(f->clock, 10);
    assert_true(get(f, MSR_TSC) == 710);
}

static void a_written_tsc_reaches_an_armed_deadline(void **state)
{
    struct fixture *f = *state;
    lapic_mmio_write(f->apic[0], 0xf0, 4, 0x1ff);
    lapic_mmio_write(f->apic[0], 0x320, 4, 0x40042);
    assert_true(wr(f, MSR_TSC_DEADLINE, 1000000));
    assert_true(get(f, MSR_TSC_DEADLINE) == 1000000);
    assert_true(wr(f, MSR_TSC, 2000000));
    assert_int_equal(lapic_pending(f->apic[0]), 0x42);
    assert_true(get(f, MSR_TSC_DEADLINE) == 0);
}

static void apic_base_and_x2apic_go_through(void **state)
{
    struct fixture *f = *state;
    uint64_t v;
    assert_true(get(f, MSR_APIC_BASE) == 0xfee00900);
    assert_false(rd(f, 0x802, &v) || wr(f, 0x80b, 0));
    assert_false(wr(f, MSR_APIC_BASE, 0xfee00500));
    assert_true(wr(f, MSR_APIC_BASE, 0xfee00d00));
    assert_true(get(f, 0x802) == 0);
    assert_true(wr(f, 0x80b, 0));
    assert_false(wr(f, 0x80b, 1));
    assert_false(rd(f, 0x8ff, &v) || wr(f, 0x8ff, 0));
}

static void efer_obeys_the_model(void **state)
{
    struct fixture *f = *state;
    assert_true(wr(f, (uint32_t)MSR_EFER, EFER_SCE | EFER_NXE | EFER_AUTOIBRS));
    assert_true(get(f, (uint32_t)MSR_EFER) == (EFER_SCE | EFER_NXE | EFER_AUTOIBRS));
    assert_false(wr(f, (uint32_t)MSR_EFER, EFER_SVME));
    assert_false(wr(f, (uint32_t)MSR_EFER, 1ull << 40));
}

/* Features that are not offered take their registers along. */
static void registers_of_features_that_are_absent_fault(void **state)
{
    struct fixture *f = *state;
    uint64_t v;
    assert_false(rd(f, MSR_XSS, &v) || wr(f, MSR_XSS, 0));
    f->model.has_xsaves = true;
    assert_true(wr(f, MSR_XSS, 0) && !wr(f, MSR_XSS, 0x100) && get(f, MSR_XSS) == 0);
    f->model.has_rdtscp = f->model.has_rdpid = false;
    assert_false(rd(f, (uint32_t)MSR_TSC_AUX, &v) || wr(f, (uint32_t)MSR_TSC_AUX, 0));
    f->model.has_tsc_deadline = false;
    assert_false(rd(f, MSR_TSC_DEADLINE, &v) || wr(f, MSR_TSC_DEADLINE, 0));
    f->model.has_tsc_adjust = false;
    assert_false(rd(f, MSR_TSC_ADJUST, &v) || wr(f, MSR_TSC_ADJUST, 0));
}

#define T(fn)     cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
#define INTEL(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup_intel, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sorted_and_free_of_overlap),
        T(registers_keep_good_values_and_refuse_bad_ones),
        T(each_pat_byte_must_be_a_type),
        T(each_mtrr_type_must_be_one),
        T(amd_fixed_ranges_have_dram_bits_when_syscfg_opens_them),
        T(amd_registers),
        INTEL(intel_registers),
        T(machine_check_has_no_banks),
        T(unknown_registers_fault_and_are_counted),
        T(tsc_and_its_adjustment_move_together),
        T(a_written_tsc_reaches_an_armed_deadline),
        T(apic_base_and_x2apic_go_through),
        T(efer_obeys_the_model),
        T(registers_of_features_that_are_absent_fault),
    };
    return cmocka_run_group_tests_name("msr", tests, NULL, NULL);
}
