/*
 * test_cpu_control.c: control and debug registers, EFER, XCR0, flags, TLB instructions, I/O permission (SDM
 * 3A 2.5, 4.1, 4.10.4, 9.8.5; SDM 2 by instruction).
 */
#include "cpu_env.h"

enum mode { REAL, PROT, COMPAT, LONG };
static struct cpu *enter(struct fixture *f, enum mode m)
{
    if (m == REAL)
        return env_real(f);
    struct cpu *c = m == PROT ? env_protected(f, 0) : env_long(f, 0);
    if (m == COMPAT)
        set_seg(c, SEG_CS, S_CODE, A_CODE | SEG_G | SEG_DB);
    env_mode_changes = env_flush_all = env_cr3_loads = 0;
    return c;
}

/* ---- CR0: SDM 3A 2.5, 9.8.5; SDM 2B "MOV - Move to/from Control Registers" ---- */

static const struct cr0_case {
    const char *name;
    enum mode mode;
    uint64_t set, clear;
    uint64_t efer, cr4; /* or-ed in before */
    uint32_t want;
    unsigned flushes;
    bool lma;
} cr0_cases[] = {
    {"protected mode on", REAL, CR0_PE, 0, 0, 0, OK, 0, false},
    {"PG without PE", REAL, CR0_PG, 0, 0, 0, GP(0), 0, false},
    {"NW without CD", REAL, CR0_NW, CR0_CD, 0, 0, GP(0), 0, false},
    {"CD and NW", REAL, CR0_NW | CR0_CD, 0, 0, 0, OK, 0, false},
    {"bit 32", PROT, BIT(32), 0, 0, 0, GP(0), 0, false},
    {"reserved low bits are ignored", PROT, 0x1ff8ffc0 & ~0xffffull, 0, 0, 0, OK, 0, false},
    {"all that there is but PG", PROT, 0x6005003f, 0, 0, 0, OK, 1, false},
    {"paging on", PROT, CR0_PG, 0, 0, 0, OK, 1, false},
    {"paging on, LME without PAE", PROT, CR0_PG, 0, EFER_LME, 0, GP(0), 0, false},
    {"paging on, LME and PAE", PROT, CR0_PG, 0, EFER_LME, CR4_PAE, OK, 1, true},
    {"WP changes", LONG, 0, CR0_WP, 0, 0, OK, 1, true},
    {"TS changes", LONG, CR0_TS, 0, 0, 0, OK, 0, true},
    {"paging off in 64-bit mode", LONG, 0, CR0_PG, 0, 0, GP(0), 0, true},
    {"paging off in compatibility mode", COMPAT, 0, CR0_PG, 0, 0, OK, 1, false},
    {"paging off with PCIDE", COMPAT, 0, CR0_PG, 0, CR4_PCIDE, GP(0), 0, true},
    {"PE off with paging", COMPAT, 0, CR0_PE, 0, 0, GP(0), 0, true},
    {"ET cannot be cleared", PROT, 0, CR0_ET, 0, 0, OK, 0, false},
};

static void cr0(void **state)
{
    for (unsigned i = 0; i < ARRAY_LEN(cr0_cases); i++) {
        const struct cr0_case *t = &cr0_cases[i];
        struct cpu *c = enter(*state, t->mode);
        c->st.efer |= t->efer;
        c->st.cr4 |= t->cr4;
        env_flush_all = 0;
        uint64_t before = c->st.cr0;
        bool done = cpu_set_cr0(c, (before | t->set) & ~t->clear);
        assert_outcome(c, done, t->want, t->name);
        uint64_t want = done ? ((before | (t->set & 0xe005003f)) & ~t->clear) | CR0_ET : before;
        assert_field(c->st.cr0, want, t->name, "CR0");
        assert_field(!done || mode_reported(c), true, t->name, "report of the mode");
        assert_field(x86_lma(&c->st), t->lma, t->name, "LMA");
        assert_field(env_flush_all, t->flushes, t->name, "flushes");
    }
}

/* 9.8.5.3: what keeps long mode from being entered besides. */
static void entering_long_mode(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 0);
    c->st.efer = EFER_LME;
    c->st.cr4 = CR4_PAE;
    c->st.seg[SEG_CS].attr |= SEG_L;
    assert_outcome(c, cpu_set_cr0(c, c->st.cr0 | CR0_PG), GP(0), "CS.L");
    c->st.seg[SEG_CS].attr &= ~SEG_L;
    c->st.seg[SEG_TR].attr = SEG_P | SYS_TSS16_BUSY;
    assert_outcome(c, cpu_set_cr0(c, c->st.cr0 | CR0_PG), f->model.vendor == CPU_INTEL ? GP(0) : OK,
                   "16-bit TSS");
}

/* ---- CR3 ---- */

static void cr3(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = enter(f, LONG);
    assert_true(cpu_set_cr3(c, 0x5000 | PTE_PCD));
    assert_int_equal(c->st.cr3, 0x5000 | PTE_PCD);
    assert_int_equal(env_cr3_loads, 1);
    assert_false(env_cr3_kept);
    assert_outcome(c, cpu_set_cr3(c, BIT(48)), GP(0), "beyond the address width");
    assert_outcome(c, cpu_set_cr3(c, BIT(63) | 0x5000), GP(0), "bit 63 without PCIDE");
    c->st.cr4 |= CR4_PCIDE;
    assert_true(cpu_set_cr3(c, BIT(63) | 0x5123));
    assert_int_equal(c->st.cr3, 0x5123);
    assert_true(env_cr3_kept);
    assert_true(cpu_set_cr3(c, 0x5123));
    assert_false(env_cr3_kept);
    assert_outcome(c, cpu_set_cr3(c, BIT(62)), GP(0), "bit 62");
}

/* ---- CR4 ---- */

static const struct cr4_case {
    const char *name;
    enum mode mode;
    uint64_t set, clear, cr3;
    uint32_t want;
    unsigned flushes;
} cr4_cases[] = {
    {"PGE on", LONG, CR4_PGE, 0, 0, OK, 1},
    {"PSE on", PROT, CR4_PSE, 0, 0, OK, 1},
    {"TSD on", LONG, CR4_TSD, 0, 0, OK, 0},
    {"OSFXSR on", LONG, CR4_OSFXSR, 0, 0, OK, 0},
    {"SMEP on", LONG, CR4_SMEP, 0, 0, OK, 1},
    {"SMAP on", LONG, CR4_SMAP, 0, 0, OK, 1},
    {"PAE off in long mode", LONG, 0, CR4_PAE, 0, GP(0), 0},
    {"PAE on without paging", PROT, CR4_PAE, 0, 0, OK, 1},
    {"PCIDE in long mode", LONG, CR4_PCIDE, 0, 0, OK, 1},
    {"PCIDE with a PCID", LONG, CR4_PCIDE, 0, 0x123, GP(0), 0},
    {"PCIDE outside long mode", PROT, CR4_PCIDE, 0, 0, GP(0), 0},
    {"bit 63", LONG, BIT(63), 0, 0, GP(0), 0},
    {"bit 15", LONG, BIT(15), 0, 0, GP(0), 0},
};

static void cr4(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(cr4_cases); i++) {
        const struct cr4_case *t = &cr4_cases[i];
        struct cpu *c = enter(f, t->mode);
        f->model.cr4_mask |= CR4_PCIDE | CR4_SMEP | CR4_SMAP;
        c->st.cr3 |= t->cr3;
        uint64_t before = c->st.cr4;
        bool done = cpu_set_cr4(c, (before | t->set) & ~t->clear);
        assert_outcome(c, done, t->want, t->name);
        assert_field(!done || mode_reported(c), true, t->name, "report of the mode");
        assert_field(c->st.cr4, done ? (before | t->set) & ~t->clear : before, t->name, "CR4");
        assert_field(env_flush_all, t->flushes, t->name, "flushes");
    }
}

/* ---- CR8 (SDM 3A 10.8.6.1), EFER (2.2.1), XCR0 (2.6) ---- */

static void cr8(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = enter(f, LONG);
    assert_true(cpu_set_cr8(c, 9));
    assert_int_equal(cpu_cr8(c), 9);
    assert_int_equal(lapic_tpr(f->apic[0]), 0x90);
    assert_int_equal(atomic_load(&c->poll), 1);
    assert_outcome(c, cpu_set_cr8(c, 16), GP(0), "reserved bits");
}

static void efer(void **state)
{
    struct cpu *c = enter(*state, LONG);
    assert_outcome(c, cpu_set_efer(c, c->st.efer & ~(uint64_t)EFER_LME), GP(0), "LME with paging");
    assert_outcome(c, cpu_set_efer(c, c->st.efer | BIT(20)), GP(0), "reserved");
    assert_true(cpu_set_efer(c, EFER_LME | EFER_SCE)); /* LMA is read-only, NXE went off */
    assert_int_equal(c->st.efer, EFER_LME | EFER_LMA | EFER_SCE);
    assert_int_equal(env_flush_all, 1);
    assert_true(mode_reported(c));
    c = enter(*state, PROT);
    assert_true(cpu_set_efer(c, EFER_LME | EFER_LMA));
    assert_int_equal(c->st.efer, EFER_LME);
}

static void xcr0(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = enter(f, LONG);
    f->model.xcr0_mask = 7;
    assert_true(cpu_set_xcr0(c, 0, 7));
    assert_int_equal(c->st.xcr0, 7);
    static const uint64_t bad[] = {0, 6, 5, 0x107, BIT(63) | 7};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        assert_outcome(c, cpu_set_xcr0(c, 0, bad[i]), GP(0), "SDM 2C XSETBV");
    assert_outcome(c, cpu_set_xcr0(c, 1, 7), GP(0), "index 1");
}

/* ---- debug registers: SDM 3B 17.2 ---- */

static void debug_registers(void **state)
{
    struct cpu *c = enter(*state, LONG);
    uint64_t v;
    assert_true(cpu_write_dr(c, 7, 0xffffffff));
    assert_true(c->st.dr7 == 0xffff27ff);
    assert_true(mode_reported(c));
    assert_outcome(c, cpu_read_dr(c, 0, &v), F(VEC_DB, NO_ERROR), "17.2.4 GD");
    assert_int_equal(c->fault.addr, DR6_BD);
    c->st.dr7 = DR7_FIXED;
    assert_true(cpu_write_dr(c, 6, 0xffffffff));
    assert_true(c->st.dr6 == (DR6_FIXED | 0xe00f));
    assert_true(cpu_write_dr(c, 4, 0)); /* 17.2.2: DR6 */
    assert_true(cpu_read_dr(c, 6, &v));
    assert_true(v == DR6_FIXED);
    assert_true(cpu_read_dr(c, 5, &v));
    assert_true(v == DR7_FIXED);
    c->st.cr4 |= CR4_DE;
    assert_outcome(c, cpu_read_dr(c, 5, &v), UD, "17.2.2 DR5 with DE");
    assert_outcome(c, cpu_write_dr(c, 7, BIT(32)), GP(0), "17.2.6");
    assert_outcome(c, cpu_write_dr(c, 6, BIT(32)), GP(0), "17.2.6");
    assert_true(cpu_write_dr(c, 3, 0xffff800000000000));
    assert_true(cpu_read_dr(c, 3, &v));
    assert_true(v == 0xffff800000000000);
}

/* ---- POPF, PUSHF (SDM 2B, table "Effect of POPF") ---- */

static const struct popf_case {
    const char *name;
    int cpl; /* -1: real mode, -2: virtual-8086 mode */
    unsigned level, size;
    uint32_t cr4, before;
    uint32_t image, want; /* flags afterwards; 0: #GP(0) */
} popf_cases[] = {
    {"real, 16 bits", -1, 0, 2, 0, 0, 0xffffffff, 0x7fd7},
    {"real, 32 bits", -1, 0, 4, 0, 0, 0xffffffff, 0x247fd7},
    {"CPL 0", 0, 0, 4, 0, 0, 0xffffffff, 0x247fd7},
    {"CPL 0, 64 bits", 0, 0, 8, 0, 0, 0xffffffff, 0x247fd7},
    {"CPL 0 leaves VIF and VIP, clears RF", 0, 0, 4, 0, FL_VIF | FL_VIP | FL_RF, 0, FL_VIF | FL_VIP | 2},
    {"CPL 3, IOPL 0", 3, 0, 4, 0, FL_IF, 0xffffffff & ~FL_IF, 0x244fd7},
    {"CPL 3, IOPL 3", 3, 3, 4, 0, FL_IF, 0, 0x3002},
    {"V86, IOPL 3", -2, 3, 2, 0, 0, 0xffff, 0x27fd7},
    {"V86, IOPL 0", -2, 0, 2, 0, 0, 0, 0},
    {"VME, IF to VIF", -2, 0, 2, CR4_VME, 0, FL_IF | FL_CF, 0xa0003},
    {"VME, VIF off, IF stays", -2, 0, 2, CR4_VME, FL_IF | FL_VIF, 0, 0x20202},
    {"VME, IF and VIP", -2, 0, 2, CR4_VME, FL_VIP, FL_IF, 0},
    {"VME, TF", -2, 0, 2, CR4_VME, 0, FL_TF, 0},
    {"VME, 32 bits", -2, 0, 4, CR4_VME, 0, 0, 0},
};

static void popf(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(popf_cases); i++) {
        const struct popf_case *t = &popf_cases[i];
        struct cpu *c = t->cpl == -1 ? env_real(f) : t->cpl == -2 ? env_v86(f, 0) : env_protected(f, t->cpl);
        uint32_t vm = t->cpl == -2 ? FL_VM : 0, image = t->image;
        x86_set_rflags(&c->st, t->before | vm | t->level << 12);
        c->st.cr4 = t->cr4;
        atomic_store(&c->poll, 0);
        uint32_t before = x86_rflags(&c->st);
        env_mode_fn(c);
        bool done = cpu_popf(c, image, t->size);
        assert_outcome(c, done, t->want ? OK : GP(0), t->name);
        if (!done)
            continue;
        uint32_t got = x86_rflags(&c->st);
        assert_field(got, t->want, t->name, "flags");
        if ((got ^ before) & (FL_TF | FL_AC | FL_RF))
            assert_true(mode_reported(c));
        assert_field(atomic_load(&c->poll), (got & FL_IF) && !(t->before & FL_IF), t->name, "poll");
    }
}

static void pushf(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 0);
    uint64_t v;
    x86_set_rflags(&c->st, FL_RF | FL_AC | FL_IF | FL_CF);
    assert_true(cpu_pushf(c, 8, &v));
    assert_int_equal(v, FL_AC | FL_IF | FL_CF | FL_ONE);
    assert_true(cpu_pushf(c, 2, &v));
    assert_int_equal(v, FL_IF | FL_CF | FL_ONE);
    c = env_v86(f, 0);
    assert_outcome(c, cpu_pushf(c, 2, &v), GP(0), "V86, IOPL 0");
    c->st.cr4 = CR4_VME;
    assert_true(cpu_pushf(c, 2, &v));
    assert_int_equal(v, FL_IOPL | FL_ONE); /* IF is VIF, which is 0 */
    assert_outcome(c, cpu_pushf(c, 4, &v), GP(0), "VME, 32 bits");
    c = env_v86(f, 3);
    assert_true(cpu_pushf(c, 4, &v));
    assert_int_equal(v, FL_IF | FL_IOPL | FL_ONE); /* VM is not pushed */
}

/* ---- CLI, STI (SDM 2A, 2B; 3B 20.3, 20.4) ---- */

static const struct sti_case {
    const char *name;
    int cpl; /* -2: virtual-8086 mode */
    unsigned level;
    uint32_t cr4, before;
    uint32_t sti, cli; /* IF and VIF afterwards; NO_ERROR: #GP(0) */
} sti_cases[] = {
    {"CPL 0", 0, 0, 0, 0, FL_IF, 0},
    {"CPL 3, IOPL 3", 3, 3, 0, 0, FL_IF, 0},
    {"CPL 3, IOPL 0", 3, 0, 0, FL_IF, NO_ERROR, NO_ERROR},
    {"CPL 3, PVI", 3, 0, CR4_PVI, FL_IF, FL_IF | FL_VIF, FL_IF},
    {"CPL 3, PVI, VIP", 3, 0, CR4_PVI, FL_VIP | FL_VIF, NO_ERROR, 0},
    {"V86, IOPL 3", -2, 3, 0, FL_IF, FL_IF, 0},
    {"V86, IOPL 0", -2, 0, CR4_PVI, FL_IF, NO_ERROR, NO_ERROR},
    {"V86, VME", -2, 0, CR4_VME, FL_IF, FL_IF | FL_VIF, FL_IF},
};

static void cli_and_sti(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(sti_cases); i++)
        for (int sti = 0; sti < 2; sti++) {
            const struct sti_case *t = &sti_cases[i];
            struct cpu *c = t->cpl == -2 ? env_v86(f, t->level) : env_protected(f, t->cpl);
            uint32_t want = sti ? t->sti : t->cli;
            c->st.cr4 = t->cr4;
            c->st.rflags = (c->st.rflags & FL_VM) | t->before | t->level << 12;
            bool done = (sti ? cpu_sti : cpu_cli)(c);
            assert_outcome(c, done, want == NO_ERROR ? GP(0) : OK, t->name);
            if (!done)
                continue;
            assert_field(c->st.rflags & (FL_IF | FL_VIF), want, t->name, "IF and VIF");
            bool shadow = sti && (want & FL_IF) && !(t->before & FL_IF);
            assert_field(c->st.ev.shadow, shadow ? X86_SHADOW_STI : 0, t->name, "shadow");
        }
}

/* ---- INVLPG, INVPCID (SDM 2A) ---- */

static void tlb_instructions(void **state)
{
    struct cpu *c = enter(*state, LONG);
    assert_true(cpu_invlpg(c, 0x1000));
    assert_int_equal(env_flush_page, 1);
    assert_true(cpu_invlpg(c, 0x800000000000)); /* not canonical: nothing */
    assert_int_equal(env_flush_page, 1);
    static const struct {
        const char *name;
        uint64_t type, pcid, lin;
        bool pcide;
        uint32_t want;
        unsigned *counter;
    } cases[] = {
        {"one address", 0, 0, 0x1000, false, OK, &env_flush_pcid},
        {"one address of a PCID", 0, 5, 0x1000, true, OK, &env_flush_pcid},
        {"a PCID without PCIDE", 0, 5, 0x1000, false, GP(0), NULL},
        {"not canonical", 0, 0, 0x800000000000, true, GP(0), NULL},
        {"one PCID", 1, 7, 0x800000000000, true, OK, &env_flush_pcid},
        {"reserved bits", 1, BIT(12), 0, true, GP(0), NULL},
        {"all", 2, 0, 0, false, OK, &env_flush_all},
        {"all but global", 3, 9, 0, false, OK, &env_flush_nonglobal},
        {"type 4", 4, 0, 0, true, GP(0), NULL},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        c->st.cr4 = CR4_PAE | (cases[i].pcide ? CR4_PCIDE : 0);
        unsigned before = cases[i].counter ? *cases[i].counter : 0;
        assert_outcome(c, cpu_invpcid(c, cases[i].type, cases[i].pcid, cases[i].lin), cases[i].want,
                       cases[i].name);
        if (cases[i].counter)
            assert_field(*cases[i].counter, before + 1, cases[i].name, "calls");
    }
}

/* ---- I/O permission: SDM 1 19.5 ---- */

static void io_permission(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        unsigned cpl, level, base, limit;
        uint16_t port;
        unsigned size;
        bool allowed;
    } cases[] = {
        {"CPL 0", 0, 0, 0, 103, 0x80, 4, true},
        {"IOPL 3", 3, 3, 0, 103, 0x80, 4, true},
        {"bit clear", 3, 0, 104, 0x3ff, 0x80, 1, true},
        {"bit set", 3, 0, 104, 0x3ff, 0x83, 1, false},
        {"second byte set", 3, 0, 104, 0x3ff, 0x82, 2, false},
        {"clear up to there", 3, 0, 104, 0x3ff, 0x80, 2, true},
        {"over a byte's end, set behind", 3, 0, 104, 0x3ff, 0x8f, 2, false},
        {"over a byte's end, clear", 3, 0, 104, 0x3ff, 0x87, 2, true},
        {"beyond the limit", 3, 0, 104, 104 + 16, 0x80, 1, false},
        {"just within the limit", 3, 0, 104, 104 + 17, 0x80, 1, true},
        {"no room for the base", 3, 0, 104, 102, 0x80, 1, false},
        {"base beyond the limit", 3, 0, 0xfff0, 0x3ff, 0, 1, false},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct cpu *c = env_protected(f, cases[i].cpl);
        c->st.rflags |= cases[i].level << 12;
        c->st.seg[SEG_TR].limit = cases[i].limit;
        poke(f, AT_TSS + 102, cases[i].base, 2);
        poke(f, AT_TSS + 104 + 16, 0x08, 1); /* port 0x83 */
        poke(f, AT_TSS + 104 + 17, 0x00, 1);
        poke(f, AT_TSS + 104 + 18, 0x01, 1); /* port 0x90 */
        bool ok = cpu_io_allowed(c, cases[i].port, cases[i].size);
        assert_outcome(c, ok, cases[i].allowed ? OK : GP(0), cases[i].name);
    }
    struct cpu *c = env_protected(f, 3);
    c->st.seg[SEG_TR].attr = SEG_P | SYS_TSS16_BUSY;
    assert_outcome(c, cpu_io_allowed(c, 0, 1), GP(0), "16-bit TSS");
    c = env_v86(f, 3);
    poke(f, AT_TSS + 102, 104, 2);
    assert_outcome(c, cpu_io_allowed(c, 0x83, 1), GP(0), "virtual-8086 mode asks the bitmap at any IOPL");
    assert_true(cpu_io_allowed(c, 0x80, 1));
    c = env_long(f, 3);
    c->st.seg[SEG_TR].base = AT_NOWHERE;
    assert_outcome(c, cpu_io_allowed(c, 0, 1), F(VEC_PF, 0), "the TSS is read by the supervisor");
    c = env_real(f);
    c->st.seg[SEG_TR].limit = 0;
    assert_true(cpu_io_allowed(c, 0x83, 4));
}

#define AMD(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
#define INTEL(test)                                                         \
    {                                                                       \
#test " (Intel)", test, fixture_setup_intel, fixture_teardown, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        AMD(cr0),
        AMD(entering_long_mode),
        INTEL(entering_long_mode),
        AMD(cr3),
        AMD(cr4),
        AMD(cr8),
        AMD(efer),
        AMD(xcr0),
        AMD(popf),
        AMD(debug_registers),
        AMD(pushf),
        AMD(cli_and_sti),
        AMD(tlb_instructions),
        AMD(io_permission),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
