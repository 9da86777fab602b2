/*
 * test_cpuid.c: the CPUID model: which features a guest sees, topology, frequencies, dynamic bits. SDM 2A
 * "CPUID", APM 3 appendix E.
 */
#include "cpu/cpuid_impl.h"
#include "cpu_fixture.h"

static const struct cpuid_leaf *leaf_of(const struct cpuid_model *m, uint32_t leaf, uint32_t sub)
{
    const struct cpuid_leaf *l = cpuid_find(m, leaf, sub);
    assert_non_null(l);
    return l;
}

static bool feature_bit(const struct cpuid_model *m, const struct cpuid_feature *f)
{
    const struct cpuid_leaf *l = cpuid_find(m, f->leaf, f->sub);
    return l && (*cpuid_reg_of((struct cpuid_leaf *)l, f->reg) & BIT(f->bit));
}

static const struct cpuid_feature *feature(const char *name)
{
    for (unsigned i = 0; i < cpuid_feature_count; i++)
        if (!strcmp(cpuid_features[i].name, name))
            return &cpuid_features[i];
    fail_msg("no feature %s", name);
    return NULL;
}

static bool offers(const struct cpuid_model *m, const char *name)
{
    return feature_bit(m, feature(name));
}

static void lookup(struct fixture *f, unsigned cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    cpuid_lookup(&f->model, &f->cpu[cpu], leaf, sub, out);
}

static void each_feature_stands_in_the_table_once(void **state)
{
    for (unsigned i = 0; i < cpuid_feature_count; i++)
        for (unsigned j = 0; j < i; j++) {
            const struct cpuid_feature *a = &cpuid_features[i], *b = &cpuid_features[j];
            assert_string_not_equal(a->name, b->name);
            assert_false(a->leaf == b->leaf && a->sub == b->sub && a->reg == b->reg && a->bit == b->bit);
        }
}

static void a_host_with_everything_shows_only_what_the_table_offers(void **state)
{
    const struct fake_host *hosts[] = {&amd, &intel};
    for (unsigned h = 0; h < 2; h++) {
        struct cpuid_model m;
        compose(&m, hosts[h], 1, false);
        for (unsigned i = 0; i < cpuid_feature_count; i++) {
            const struct cpuid_feature *f = &cpuid_features[i];
            bool vendor = f->vendors == ANY_VENDOR || (f->vendors == ONLY_AMD) == (h == 0);
            assert_int_equal(feature_bit(&m, f), f->offered && vendor);
        }
        /* VMX, MONITOR, PDCM, OSXSAVE; SVM; AVX-512F, TSX, MPX, SGX, PKU, CET */
        assert_int_equal(leaf_of(&m, 1, 0)->ecx & (BIT(5) | BIT(3) | BIT(15) | BIT(27)), 0);
        assert_int_equal(leaf_of(&m, 0x80000001, 0)->ecx & BIT(2), 0);
        assert_int_equal(leaf_of(&m, 7, 0)->ebx & (BIT(16) | BIT(4) | BIT(11) | BIT(14) | BIT(2)), 0);
        assert_int_equal(leaf_of(&m, 7, 0)->ecx & (BIT(3) | BIT(7)), 0);
        assert_int_equal(leaf_of(&m, 7, 0)->eax, 0);
    }
}

static void a_feature_that_the_host_lacks_is_not_offered(void **state)
{
    struct fake_leaf leaves[ARRAY_LEN(amd_host)];
    memcpy(leaves, amd_host, sizeof(leaves));
    leaves[1].r[2] &= ~(uint32_t)(BIT(25) | BIT(24)); /* AES, TSC-deadline */
    const struct fake_host host = {leaves, ARRAY_LEN(leaves)};
    struct cpuid_model m;
    compose(&m, &host, 1, false);
    assert_false(offers(&m, "aes"));
    assert_true(offers(&m, "tsc_deadline_timer")); /* ours */
    assert_true(offers(&m, "avx2"));
}

static void without_avx_state_on_the_host_nothing_that_needs_it_is_offered(void **state)
{
    const struct cpuid_config cfg = {.cpus = 1, .tsc_khz = 1000000};
    struct cpuid_host host = {.cpuid = fake_cpuid, .opaque = &amd, .xcr0 = 3};
    struct cpuid_model m;
    cpuid_compose_from(&m, &cfg, &host);
    assert_true(offers(&m, "xsave"));
    assert_false(offers(&m, "avx") || offers(&m, "avx2") || offers(&m, "fma") || offers(&m, "vaes"));
    assert_int_equal(m.xcr0_mask, 3);
    assert_int_equal(leaf_of(&m, 0xd, 0)->ecx, 576);
    host.xcr0 = 0;
    cpuid_compose_from(&m, &cfg, &host);
    assert_false(offers(&m, "xsave") || offers(&m, "xsaveopt"));
    assert_int_equal(m.cr4_mask & CR4_OSXSAVE, 0);
    assert_int_equal(leaf_of(&m, 0xd, 0)->eax, 0);
}

/* What Linux looks for before it chooses retpolines, return thunks, VERW or page-table isolation. */
static void immunity_is_stated_unless_caution_is_asked_for(void **state)
{
    static const char *const amd_bits[] = {"autoibrs", "srso_no",   "ssb_no",
                                           "btc_no",   "tsa_sq_no", "tsa_l1_no"};
    struct cpuid_model m;
    compose(&m, &amd, 1, false);
    for (unsigned i = 0; i < ARRAY_LEN(amd_bits); i++)
        assert_true(offers(&m, amd_bits[i]));
    assert_true(m.efer_mask & EFER_AUTOIBRS);
    assert_false(m.has_arch_capabilities);
    compose(&m, &amd, 1, true);
    for (unsigned i = 0; i < ARRAY_LEN(amd_bits); i++)
        assert_false(offers(&m, amd_bits[i]));
    assert_false(m.efer_mask & EFER_AUTOIBRS);

    compose(&m, &intel, 1, false);
    assert_true(m.has_arch_capabilities && m.has_spec_ctrl);
    /* SDM 4 table 2-2: RDCL_NO, IBRS_ALL, SSB_NO, MDS_NO, TAA_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO
       set; RSBA, TSX_CTRL, RRSBA clear */
    const uint64_t no =
        BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(8) | BIT(20) | BIT(24) | BIT(26) | BIT(27) | BIT(62);
    assert_true((m.arch_capabilities & no) == no);
    assert_true((m.arch_capabilities & (BIT(2) | BIT(7) | BIT(19))) == 0);
    compose(&m, &intel, 1, true);
    assert_false(m.has_arch_capabilities || m.has_spec_ctrl);
    assert_true(m.arch_capabilities == 0);
}

/* Family 19h and later clear the base with a null selector, whatever the host's hypervisor shows (APM 3
 * E.4.18). */
static void null_selectors_clear_the_base_from_zen3_on(void **state)
{
    struct fake_leaf leaves[ARRAY_LEN(amd_host)];
    memcpy(leaves, amd_host, sizeof(leaves));
    const struct fake_host host = {leaves, ARRAY_LEN(leaves)};
    struct cpuid_model m;
    leaves[ARRAY_LEN(leaves) - 1].r[0] = 0;
    compose(&m, &host, 1, false);
    assert_true(offers(&m, "null_sel_clr_base"));
    leaves[1].r[0] = 0x00830f10; /* Zen 2 */
    compose(&m, &host, 1, false);
    assert_false(offers(&m, "null_sel_clr_base"));
}

static void identity_is_the_hosts(void **state)
{
    struct cpuid_model m;
    compose(&m, &amd, 2, false);
    assert_int_equal(m.vendor, CPU_AMD);
    assert_int_equal(m.signature, 0x00a00f11);
    assert_int_equal(leaf_of(&m, 0, 0)->ebx, 0x68747541);
    assert_int_equal(leaf_of(&m, 0x80000002, 0)->eax, 0x20444d41);
    assert_int_equal(m.phys_bits, 0x30);
    assert_int_equal(leaf_of(&m, 0x80000008, 0)->eax, 0x3030);
    assert_int_equal(leaf_of(&m, 0x80000000, 0)->eax, 0x80000021);
    compose(&m, &intel, 2, false);
    assert_int_equal(m.vendor, CPU_INTEL);
    assert_int_equal(m.phys_bits, 0x2e);
    assert_int_equal(leaf_of(&m, 0x80000000, 0)->eax, 0x80000008);
}

static void the_real_host_composes(void **state)
{
    const struct cpuid_config cfg = {.cpus = 2, .tsc_khz = 2449998};
    struct cpuid_model m;
    cpuid_compose(&m, &cfg);
    assert_true(offers(&m, "fpu") && offers(&m, "sse2") && offers(&m, "lm") && offers(&m, "hypervisor"));
    assert_true(m.cr4_mask & CR4_PAE);
    assert_true(m.efer_mask & EFER_LMA);
}

/* APM 3 E.4.7, E.4.15, E.4.16; SDM 2A leaves 1, 4, 0xb. */
static void topology_is_one_package_of_single_threaded_cores(void **state)
{
    struct cpuid_model m;
    compose(&m, &amd, 6, false);
    assert_int_equal(leaf_of(&m, 1, 0)->ebx, 6u << 16 | 8u << 8);
    assert_true(leaf_of(&m, 1, 0)->edx & BIT(28));
    assert_int_equal(leaf_of(&m, 0x80000008, 0)->ecx, 3u << 12 | 5);
    assert_int_equal(leaf_of(&m, 0xb, 0)->eax, 0);
    assert_int_equal(leaf_of(&m, 0xb, 0)->ebx, 1);
    assert_int_equal(leaf_of(&m, 0xb, 0)->ecx, 0x100);
    assert_int_equal(leaf_of(&m, 0xb, 1)->eax, 3);
    assert_int_equal(leaf_of(&m, 0xb, 1)->ebx, 6);
    assert_int_equal(leaf_of(&m, 0xb, 1)->ecx, 0x201);
    assert_int_equal(leaf_of(&m, 0x8000001d, 0)->eax, 0x121);            /* private */
    assert_int_equal(leaf_of(&m, 0x8000001d, 3)->eax, 0x163 | 7u << 14); /* shared by 8 APIC IDs */
    compose(&m, &amd, 1, false);
    assert_int_equal(leaf_of(&m, 1, 0)->edx & BIT(28), 0);
    compose(&m, &intel, 4, false);
    assert_int_equal(leaf_of(&m, 4, 0)->eax, 0x121 | 3u << 26);
    assert_int_equal(leaf_of(&m, 4, 3)->eax, 0x163 | 3u << 14 | 3u << 26);
}

/* SDM 2A leaf 0x15: TSC = ECX * EBX / EAX. In Linux's 32 bits nothing may overflow. */
static void the_frequency_leaves_agree_with_the_tsc(void **state)
{
    static const uint32_t khz[] = {1000000, 2449998, 2893203, 3600000, 999999, 4123457, 500000};
    for (unsigned i = 0; i < ARRAY_LEN(khz); i++) {
        const struct cpuid_config cfg = {.cpus = 1, .tsc_khz = khz[i]};
        const struct cpuid_host host = {.cpuid = fake_cpuid, .opaque = &intel, .xcr0 = 7};
        struct cpuid_model m;
        cpuid_compose_from(&m, &cfg, &host);
        const struct cpuid_leaf *l = leaf_of(&m, 0x15, 0);
        uint64_t crystal_khz = l->ecx / 1000;
        assert_int_equal(l->ecx, LAPIC_TIMER_HZ);
        assert_true(crystal_khz * l->ebx <= UINT32_MAX);
        double got = (double)crystal_khz * l->ebx / l->eax, error = (got - khz[i]) / khz[i];
        assert_true(error < 1.1e-6 && error > -1.1e-6); /* 4294 steps to 1 */
        assert_int_equal(leaf_of(&m, 0x16, 0)->eax, (khz[i] + 500) / 1000);
        assert_int_equal(leaf_of(&m, 0x40000010, 0)->eax, khz[i]);
        assert_int_equal(leaf_of(&m, 0x40000010, 0)->ebx, LAPIC_TIMER_HZ / 1000);
    }
}

/* Linux Documentation/virt/kvm/x86/cpuid.rst */
static void the_hypervisor_leaves_are_kvms(void **state)
{
    struct cpuid_model m;
    compose(&m, &amd, 1, false);
    const struct cpuid_leaf *l = leaf_of(&m, 0x40000000, 0);
    assert_int_equal(l->eax, 0x40000010);
    assert_memory_equal(&l->ebx, "KVMKVMKVM\0\0\0", 12);
    assert_int_equal(leaf_of(&m, 0x40000001, 0)->eax, 0x0100000b);
}

/* SDM 2A "CPUID", APM 3 "CPUID": EAX beyond the maximum. */
static void leaves_out_of_range_answer_as_the_vendor_does(void **state)
{
    struct fixture *f = fixture_new(&intel);
    uint32_t max[4], r[4];
    static const uint32_t beyond[] = {0x17, 0x3fffffff, 0x80000009, 0xc0000000, 0x50000000};
    lookup(f, 0, 0x16, 0, max);
    for (unsigned i = 0; i < ARRAY_LEN(beyond); i++) {
        lookup(f, 0, beyond[i], 0, r);
        assert_memory_equal(r, max, sizeof(r));
    }
    lookup(f, 0, 0x40000011, 0, r);
    assert_true(!r[0] && !r[1] && !r[2] && !r[3]);
    fixture_free(f);
    f = fixture_new(&amd);
    for (unsigned i = 0; i < ARRAY_LEN(beyond); i++) {
        lookup(f, 0, i == 2 ? 0x80000022 : beyond[i], 0, r);
        assert_true(!r[0] && !r[1] && !r[2] && !r[3]);
    }
    fixture_free(f);
}

static void dynamic_bits_follow_the_vcpu(void **state)
{
    struct fixture *f = *state;
    uint32_t r[4];
    lookup(f, 2, 1, 0, r);
    assert_int_equal(r[1] >> 24, 2); /* initial APIC ID */
    assert_int_equal(r[2] & BIT(27), 0);
    assert_true(r[3] & BIT(9));
    f->cpu[2].st.cr4 |= CR4_OSXSAVE;
    assert_true(lapic_set_base(f->apic[2], LAPIC_BASE)); /* disabled: SDM 3A 11.4.3 */
    lookup(f, 2, 1, 0, r);
    assert_true(r[2] & BIT(27));
    assert_int_equal(r[3] & BIT(9), 0);
    lookup(f, 2, 0x80000001, 0, r);
    assert_int_equal(r[3] & BIT(9), 0); /* AMD repeats it */

    lookup(f, 3, 0xb, 0, r);
    assert_int_equal(r[3], 3);
    lookup(f, 3, 0xb, 7, r); /* an invalid level: type 0, its own number, the ID */
    assert_true(r[0] == 0 && r[1] == 0 && r[2] == 7 && r[3] == 3);
    lookup(f, 3, 0x8000001e, 0, r);
    assert_true(r[0] == 3 && r[1] == 3 && r[2] == 0);
}

/* SDM 1 13.2 */
static void the_xsave_size_follows_xcr0(void **state)
{
    struct fixture *f = *state;
    uint32_t r[4];
    f->cpu[0].st.xcr0 = 1;
    lookup(f, 0, 0xd, 0, r);
    assert_true(r[0] == 7 && r[1] == 576 && r[2] == 832 && r[3] == 0);
    f->cpu[0].st.xcr0 = 7;
    lookup(f, 0, 0xd, 0, r);
    assert_int_equal(r[1], 832);
    lookup(f, 0, 0xd, 1, r);
    assert_int_equal(r[0], 7); /* XSAVEOPT, XSAVEC, XGETBV 1; no XSAVES */
    assert_true(r[1] == 832 && r[2] == 0 && r[3] == 0);
    lookup(f, 0, 0xd, 2, r);
    assert_true(r[0] == 256 && r[1] == 576 && r[2] == 0);
    lookup(f, 0, 0xd, 3, r);
    assert_true(!r[0] && !r[1] && !r[2] && !r[3]);
}

static void intel_shows_syscall_in_64_bit_mode_only(void **state)
{
    struct fixture *f = *state;
    uint32_t r[4];
    lookup(f, 0, 0x80000001, 0, r);
    assert_int_equal(r[3] & BIT(11), 0);
    f->cpu[0].st.efer = EFER_LME | EFER_LMA;
    f->cpu[0].st.seg[SEG_CS].attr |= SEG_L;
    lookup(f, 0, 0x80000001, 0, r);
    assert_true(r[3] & BIT(11));
}

/* APM 3 E.4.2 */
static void amd_repeats_the_standard_bits(void **state)
{
    struct cpuid_model m;
    compose(&m, &amd, 1, false);
    uint32_t same = 0x0183f3ff;
    assert_int_equal(leaf_of(&m, 0x80000001, 0)->edx & same, leaf_of(&m, 1, 0)->edx & same);
    compose(&m, &intel, 1, false);
    assert_int_equal(leaf_of(&m, 0x80000001, 0)->edx & same, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_feature_stands_in_the_table_once),
        cmocka_unit_test(a_host_with_everything_shows_only_what_the_table_offers),
        cmocka_unit_test(a_feature_that_the_host_lacks_is_not_offered),
        cmocka_unit_test(without_avx_state_on_the_host_nothing_that_needs_it_is_offered),
        cmocka_unit_test(immunity_is_stated_unless_caution_is_asked_for),
        cmocka_unit_test(null_selectors_clear_the_base_from_zen3_on),
        cmocka_unit_test(identity_is_the_hosts),
        cmocka_unit_test(the_real_host_composes),
        cmocka_unit_test(topology_is_one_package_of_single_threaded_cores),
        cmocka_unit_test(the_frequency_leaves_agree_with_the_tsc),
        cmocka_unit_test(the_hypervisor_leaves_are_kvms),
        cmocka_unit_test(leaves_out_of_range_answer_as_the_vendor_does),
        cmocka_unit_test_setup_teardown(dynamic_bits_follow_the_vcpu, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_xsave_size_follows_xcr0, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(intel_shows_syscall_in_64_bit_mode_only, fixture_setup_intel,
                                        fixture_teardown),
        cmocka_unit_test(amd_repeats_the_standard_bits),
    };
    return cmocka_run_group_tests_name("cpuid", tests, NULL, NULL);
}
