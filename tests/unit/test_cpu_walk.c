/*
 * test_cpu_walk.c: page walks (SDM 3A chapter 4 unless another section is named).
 */
#include "cpu_env.h"

#define LIN   0x12345678ull /* 4-level: indexes 0, 0, 0x91, 0x145; 32-bit: 0x48, 0x345 */
#define FRAME 0x30000ull
#define TOP   AT_TABLES

static struct cpu *long_paging(struct fixture *f)
{
    struct cpu *c = env_protected(f, 0);
    c->st.cr3 = TOP;
    c->st.cr4 = CR4_PAE;
    c->st.efer = EFER_LME | EFER_LMA | EFER_NXE;
    c->st.cr0 |= CR0_PG;
    return c;
}

/* Where the entries for LIN stand. */
static const gpa_t entry_at[5] = {0, TOP + 0x3000 + 0x145 * 8, TOP + 0x2000 + 0x91 * 8, TOP + 0x1000, TOP};

/* Four levels down to a 4 KiB page; rights by level, 4 first. */
static void tables(struct fixture *f, const uint64_t flags[4])
{
    for (unsigned level = 4; level >= 1; level--)
        poke(f, entry_at[level], (level > 1 ? TOP + 0x1000 * (5 - level) : FRAME) | flags[4 - level], 8);
}

#define ALL  (PTE_P | PTE_W | PTE_U)
#define RO   (PTE_P | PTE_U)
#define SUP  (PTE_P | PTE_W)
#define WP   CR0_WP
#define USER ACC_USER

/* 4.6 rights, 4.7 error codes */
static const struct rights_case {
    const char *name;
    uint64_t flags[4];
    uint32_t cr0, cr4, rflags;
    unsigned access;
    uint32_t want; /* error code of #PF + 0x100, or OK */
} rights_cases[] = {
    {"4.6 user read of a user page", {ALL, ALL, ALL, ALL}, 0, 0, 0, USER, OK},
    {"4.6 user write of a user page", {ALL, ALL, ALL, ALL}, 0, 0, 0, USER | ACC_WRITE, OK},
    {"4.6 user fetch", {ALL, ALL, ALL, ALL}, 0, 0, 0, USER | ACC_EXEC, OK},
    {"4.6 user read, supervisor at level 4", {SUP, ALL, ALL, ALL}, 0, 0, 0, USER, 0x105},
    {"4.6 user read, supervisor at level 3", {ALL, SUP, ALL, ALL}, 0, 0, 0, USER, 0x105},
    {"4.6 user read, supervisor at level 2", {ALL, ALL, SUP, ALL}, 0, 0, 0, USER, 0x105},
    {"4.6 user read, supervisor at level 1", {ALL, ALL, ALL, SUP}, 0, 0, 0, USER, 0x105},
    {"4.6 user write, read-only at level 4", {RO, ALL, ALL, ALL}, 0, 0, 0, USER | ACC_WRITE, 0x107},
    {"4.6 user write, read-only at level 1", {ALL, ALL, ALL, RO}, 0, 0, 0, USER | ACC_WRITE, 0x107},
    {"4.6 supervisor write of read-only, WP 0", {ALL, ALL, ALL, RO}, 0, 0, 0, ACC_WRITE, OK},
    {"4.6 supervisor write of read-only, WP 1", {ALL, ALL, ALL, RO}, WP, 0, 0, ACC_WRITE, 0x103},
    {"4.6 WP counts at every level", {ALL, RO, ALL, ALL}, WP, 0, 0, ACC_WRITE, 0x103},
    {"4.6 supervisor fetch from user page, SMEP 0", {ALL, ALL, ALL, ALL}, 0, 0, 0, ACC_EXEC, OK},
    {"4.6 supervisor fetch from user page, SMEP 1", {ALL, ALL, ALL, ALL}, 0, CR4_SMEP, 0, ACC_EXEC, 0x111},
    {"4.6 SMEP leaves supervisor pages alone", {ALL, SUP, ALL, ALL}, 0, CR4_SMEP, 0, ACC_EXEC, OK},
    {"4.6 no-execute at level 1", {ALL, ALL, ALL, ALL | PTE_NX}, 0, 0, 0, USER | ACC_EXEC, 0x115},
    {"4.6 no-execute at level 3", {ALL, ALL | PTE_NX, ALL, ALL}, 0, 0, 0, USER | ACC_EXEC, 0x115},
    {"4.6 no-execute for the supervisor", {SUP, SUP, SUP, SUP | PTE_NX}, 0, 0, 0, ACC_EXEC, 0x111},
    {"4.6 no-execute pages may be read", {ALL, ALL, ALL, ALL | PTE_NX}, 0, 0, 0, USER, OK},
    {"4.6 SMAP, explicit read, AC 0", {ALL, ALL, ALL, ALL}, 0, CR4_SMAP, 0, 0, 0x101},
    {"4.6 SMAP, explicit write, AC 0", {ALL, ALL, ALL, ALL}, 0, CR4_SMAP, 0, ACC_WRITE, 0x103},
    {"4.6 SMAP, explicit, AC 1", {ALL, ALL, ALL, ALL}, 0, CR4_SMAP, FL_AC, 0, OK},
    {"4.6 SMAP, implicit, AC 1", {ALL, ALL, ALL, ALL}, 0, CR4_SMAP, FL_AC, ACC_IMPLICIT, 0x101},
    {"4.6 SMAP, AC 1, read-only and WP", {ALL, ALL, ALL, RO}, WP, CR4_SMAP, FL_AC, ACC_WRITE, 0x103},
    {"4.6 SMAP does not check fetches", {ALL, ALL, ALL, ALL}, 0, CR4_SMAP, 0, ACC_EXEC, OK},
    {"4.6 SMAP does not check user accesses", {ALL, ALL, ALL, ALL}, 0, CR4_SMAP, 0, USER, OK},
    {"4.7 not present at level 4", {ALL & ~PTE_P, ALL, ALL, ALL}, 0, 0, 0, USER, 0x104},
    {"4.7 not present at level 1, write", {ALL, ALL, ALL, ALL & ~PTE_P}, 0, 0, 0, ACC_WRITE, 0x102},
    {"4.7 not present, fetch, NXE 1", {ALL, ALL, ALL & ~PTE_P, ALL}, 0, 0, 0, ACC_EXEC, 0x110},
    {"4.5.4 address bits beyond the width", {ALL, ALL, ALL, ALL | BIT(48)}, 0, 0, 0, 0, 0x109},
    {"4.5.4 the same in a table entry", {ALL, ALL | BIT(51), ALL, ALL}, 0, 0, 0, USER | ACC_WRITE, 0x10f},
    {"4.5.4 PS in a PML4E", {ALL | PTE_PS, ALL, ALL, ALL}, 0, 0, 0, 0, 0x109},
    {"4.5.4 bits 62 to 52 are ignored", {ALL | BIT(52), ALL | BIT(62), ALL, ALL | BIT(58)}, 0, 0, 0, 0, OK},
    {"APM 2 5.3.3 G in a PML4E", {ALL | PTE_G, ALL, ALL, ALL}, 0, 0, 0, 0, 0x109},
};

static void rights_and_error_codes(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(rights_cases); i++) {
        const struct rights_case *t = &rights_cases[i];
        struct cpu *c = long_paging(f);
        struct cpu_translation tr;
        tables(f, t->flags);
        c->st.cr0 |= t->cr0;
        c->st.cr4 |= t->cr4;
        x86_set_rflags(&c->st, t->rflags);
        bool done = cpu_walk(c, LIN, t->access, &tr);
        assert_outcome(c, done, t->want ? F(VEC_PF, t->want & 0xff) : OK, t->name);
        if (done)
            assert_field(tr.page, FRAME, t->name, "page");
        else
            assert_field(c->fault.addr, LIN, t->name, "address");
        /* 4.8: A in all and D in the last, or nothing at all. */
        for (unsigned level = 4; level >= 1; level--) {
            bool leaf = level == 1, write = t->access & ACC_WRITE;
            uint64_t want = done ? PTE_A | (leaf && write ? PTE_D : 0) : 0;
            assert_field(peek(f, entry_at[level], 8) & (PTE_A | PTE_D), want, t->name, "A and D");
        }
    }
}

/* 4.1.4: without EFER.NXE bit 63 is reserved, and there is no I in error codes unless SMEP is on. */
static void nx_is_reserved_without_nxe(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = long_paging(f);
    struct cpu_translation t;
    c->st.efer &= ~(uint64_t)EFER_NXE;
    tables(f, (uint64_t[]){ALL, ALL, ALL, ALL | PTE_NX});
    assert_outcome(c, cpu_walk(c, LIN, ACC_EXEC, &t), F(VEC_PF, PF_P | PF_RSVD), "4.5.4");
    c->st.cr4 |= CR4_SMEP;
    assert_outcome(c, cpu_walk(c, LIN, ACC_EXEC, &t), F(VEC_PF, PF_P | PF_RSVD | PF_I), "4.7");
}

/* Large pages: 4.5.4 tables 4-16 and 4-18. */
static const struct large_case {
    const char *name;
    unsigned level;
    uint64_t entry;
    bool has_1g;
    uint64_t page, size;
    uint32_t want;
} large_cases[] = {
    {"2 MiB", 2, 0x600000 | ALL | PTE_PS | PTE_G, true, 0x745000, MIB(2), OK},
    {"2 MiB, PAT", 2, 0x600000 | ALL | PTE_PS | BIT(12), true, 0x745000, MIB(2), OK},
    {"2 MiB, bit 13", 2, 0x600000 | ALL | PTE_PS | BIT(13), true, 0, 0, 0x109},
    {"2 MiB, bit 20", 2, 0x600000 | ALL | PTE_PS | BIT(20), true, 0, 0, 0x109},
    {"1 GiB", 3, 0x40000000 | ALL | PTE_PS, true, 0x52345000, GIB(1), OK},
    {"1 GiB, bit 29", 3, 0x40000000 | ALL | PTE_PS | BIT(29), true, 0, 0, 0x109},
    {"1 GiB, bit 13", 3, 0x40000000 | ALL | PTE_PS | BIT(13), true, 0, 0, 0x109},
    {"1 GiB where there are none", 3, 0x40000000 | ALL | PTE_PS, false, 0, 0, 0x109},
};

static void large_pages(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(large_cases); i++) {
        const struct large_case *t = &large_cases[i];
        struct cpu *c = long_paging(f);
        struct cpu_translation tr;
        f->model.has_1g = t->has_1g;
        c->st.cr4 |= CR4_PGE;
        tables(f, (uint64_t[]){ALL, ALL, ALL, ALL});
        poke(f, entry_at[t->level], t->entry, 8);
        bool done = cpu_walk(c, LIN, ACC_WRITE, &tr);
        assert_outcome(c, done, t->want ? F(VEC_PF, (t->want & 0xff) | PF_W) : OK, t->name);
        if (!done)
            continue;
        assert_field(tr.page, t->page, t->name, "page");
        assert_field(tr.size, t->size, t->name, "size");
        assert_field(tr.global, (t->entry & PTE_G) != 0, t->name, "global");
        assert_field(peek(f, entry_at[t->level], 8), t->entry | PTE_A | PTE_D, t->name, "entry");
    }
    f->model.has_1g = true;
}

/* 4.3, table 4-4: 32-bit paging; PSE-36 has address bits 39 to 32 in bits 20 to 13. */
static const struct legacy_case {
    const char *name;
    uint32_t pde, pte, cr4;
    unsigned phys_bits, access;
    uint64_t page;
    uint32_t want;
} legacy_cases[] = {
    {"4 KiB", (TOP + 0x1000) | ALL, 0x77000 | ALL, 0, 48, USER | ACC_WRITE, 0x77000, OK},
    {"PS without CR4.PSE is a table", (TOP + 0x1000) | ALL | PTE_PS, 0x77000 | ALL, 0, 48, 0, 0x77000, OK},
    {"4 MiB", 0x00400000 | ALL | PTE_PS, 0, CR4_PSE, 48, 0, 0x745000, OK},
    {"4 MiB above 4 GiB", 0x00400000 | 0xff << 13 | ALL | PTE_PS, 0, CR4_PSE, 48, 0, 0xff00745000, OK},
    {"4 MiB, bit 21", 0x00400000 | BIT(21) | ALL | PTE_PS, 0, CR4_PSE, 48, 0, 0, 0x109},
    {"4 MiB, beyond 36 bits", 0x00400000 | BIT(17) | ALL | PTE_PS, 0, CR4_PSE, 36, 0, 0, 0x109},
    {"4 MiB, within 36 bits", 0x00400000 | BIT(16) | ALL | PTE_PS, 0, CR4_PSE, 36, 0, 0x800745000, OK},
    {"user, supervisor table", (TOP + 0x1000) | SUP, 0x77000 | ALL, 0, 48, USER, 0, 0x105},
    {"not present, fetch: no I without NX", (TOP + 0x1000) | ALL, 0, 0, 48, USER | ACC_EXEC, 0, 0x104},
};

static void paging_32_bit(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(legacy_cases); i++) {
        const struct legacy_case *t = &legacy_cases[i];
        struct cpu *c = env_protected(f, 0);
        struct cpu_translation tr;
        f->model.phys_bits = (uint8_t)t->phys_bits;
        c->st.cr0 |= CR0_PG;
        c->st.cr3 = TOP;
        c->st.cr4 = t->cr4;
        poke(f, TOP + 4 * 0x48, t->pde, 4);
        poke(f, TOP + 0x1000 + 4 * 0x345, t->pte, 4);
        bool done = cpu_walk(c, LIN, t->access, &tr);
        assert_outcome(c, done, t->want ? F(VEC_PF, t->want & 0xff) : OK, t->name);
        if (!done)
            continue;
        assert_field(tr.page, t->page, t->name, "page");
        assert_true(tr.exec);
        assert_int_equal(peek(f, TOP + 4 * 0x48, 4) & PTE_A, PTE_A);
    }
    f->model.phys_bits = 48;
}

/* 4.4.1: PDPTEs are read when CR3 is loaded and not again. */
static void pae_pdptes_are_registers(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 0);
    struct cpu_translation t;
    c->st.cr4 = CR4_PAE;
    c->st.efer = EFER_NXE;
    poke(f, TOP, (TOP + 0x1000) | PTE_P, 8);
    poke(f, TOP + 0x1000 + 8 * 0x91, (TOP + 0x2000) | ALL, 8);
    poke(f, TOP + 0x2000 + 8 * 0x145, FRAME | ALL | PTE_NX, 8);
    c->st.cr3 = TOP;
    assert_true(cpu_set_cr0(c, c->st.cr0 | CR0_PG));
    assert_true(cpu_walk(c, LIN, USER | ACC_WRITE, &t));
    assert_int_equal(t.page, FRAME);
    assert_false(t.exec);
    poke(f, TOP, 0, 8); /* not seen */
    assert_true(cpu_walk(c, LIN, USER, &t));
    assert_outcome(c, cpu_walk(c, LIN, USER | ACC_EXEC, &t), F(VEC_PF, PF_P | PF_U | PF_I), "4.7");
    assert_outcome(c, cpu_walk(c, LIN + GIB(1), 0, &t), F(VEC_PF, 0), "4.4.2 not present PDPTE");
    assert_true(cpu_walk(c, GIB(4) + LIN, 0, &t)); /* linear addresses have 32 bits */
    /* Table 4-10: bits 62 to the address width are reserved here, not ignored. */
    poke(f, TOP + 0x2000 + 8 * 0x145, FRAME | ALL | BIT(55), 8);
    assert_outcome(c, cpu_walk(c, LIN, 0, &t), F(VEC_PF, PF_P | PF_RSVD), "table 4-11");
    assert_true(cpu_set_cr3(c, TOP)); /* now it is */
    assert_outcome(c, cpu_walk(c, LIN, 0, &t), F(VEC_PF, 0), "4.4.1");
}

/* Table 4-8: reserved bits of a present PDPTE are #GP when it is loaded. */
static void pae_reserved_bits_fault_at_load(void **state)
{
    static const uint64_t bad[] = {BIT(1), BIT(2), BIT(5), BIT(8), BIT(48), BIT(63)};
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct cpu *c = env_protected(f, 0);
        c->st.cr4 = CR4_PAE;
        c->st.cr0 |= CR0_PG;
        c->st.cr3 = 0x60000;
        poke(f, TOP + 24, bad[i], 8); /* not present: does not matter */
        assert_true(cpu_set_cr3(c, TOP));
        poke(f, TOP + 24, bad[i] | PTE_P, 8);
        assert_outcome(c, cpu_set_cr3(c, TOP), GP(0), "4.4.1");
        assert_int_equal(c->st.cr3, TOP);
        poke(f, TOP + 24, 0, 8);
    }
}

static void without_paging_it_is_the_identity(void **state)
{
    struct cpu *c = env_protected(*state, 0);
    struct cpu_translation t;
    c->st.cr4 = CR4_SMEP | CR4_SMAP;
    assert_true(cpu_walk(c, 0x1fffff123, USER | ACC_WRITE, &t));
    assert_int_equal(t.page, 0xfffff000);
    assert_true(t.user && t.write && t.exec && t.dirty && !t.global);
    assert_true(cpu_access_allowed(c, &t, ACC_WRITE | ACC_IMPLICIT));
}

/* Tables where no memory is read as all ones: reserved bits (4-level), a present entry (32-bit). */
static void tables_outside_memory(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = long_paging(f);
    struct cpu_translation t;
    c->st.cr3 = AT_NOWHERE;
    assert_outcome(c, cpu_walk(c, LIN, 0, &t), F(VEC_PF, PF_P | PF_RSVD), "4-level");
    c = env_protected(f, 0);
    c->st.cr0 |= CR0_PG;
    c->st.cr3 = AT_NOWHERE;
    assert_true(cpu_walk(c, LIN, ACC_WRITE, &t));
    assert_int_equal(t.page, 0xfffff000);
}

/* 4.4.1: MOV to CR0 that changes CD or NW, and to CR4 that changes PGE, PSE, PAE or SMEP, load the PDPTEs. */
static void pae_pdptes_are_loaded_again(void **state)
{
    static const struct {
        uint64_t cr0, cr4;
        bool loads;
    } cases[] = {{CR0_CD, 0, true},  {CR0_CD | CR0_NW, 0, true}, {CR0_TS, 0, false},  {CR0_WP, 0, false},
                 {0, CR4_PGE, true}, {0, CR4_PSE, true},         {0, CR4_SMEP, true}, {0, CR4_TSD, false}};
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct cpu *c = env_protected(f, 0);
        c->st.cr4 = CR4_PAE;
        c->st.cr0 |= CR0_PG;
        c->pdpte[0] = 0;
        c->st.cr3 = TOP;
        poke(f, TOP, (TOP + 0x1000) | PTE_P, 8);
        assert_true(cases[i].cr0 ? cpu_set_cr0(c, c->st.cr0 ^ cases[i].cr0)
                                 : cpu_set_cr4(c, c->st.cr4 ^ cases[i].cr4));
        assert_int_equal(c->pdpte[0] != 0, cases[i].loads);
    }
}

/* Tables in ROM are used as they are. */
static void tables_in_rom(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = long_paging(f);
    struct cpu_translation t;
    assert_true(mem_add_rom(f->mem, MIB(16), PAGE_SIZE, NULL));
    poke(f, MIB(16), MIB(16) | ALL, 8); /* level 4 index 0: itself, at every level */
    c->st.cr3 = MIB(16);
    assert_true(cpu_walk(c, 0, ACC_WRITE, &t));
    assert_int_equal(t.page, MIB(16));
    assert_int_equal(peek(f, MIB(16), 8), MIB(16) | ALL);
}

/* An entry used at several levels (a recursive mapping) gets its bits and the walk ends. */
static void recursive_mapping(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = long_paging(f);
    struct cpu_translation t;
    poke(f, TOP + 8 * 0x1f0, TOP | ALL, 8);
    uint64_t lin = 0xfffff87c3e1f0f80ull; /* all four indexes 0x1f0 */
    assert_true(cpu_walk(c, lin, ACC_WRITE, &t));
    assert_int_equal(t.page, TOP);
    assert_int_equal(peek(f, TOP + 8 * 0x1f0, 8), TOP | ALL | PTE_A | PTE_D);
}

static unsigned written_calls;
static void count_written(void *opaque, gpa_t gpa, uint64_t len)
{
    written_calls++;
}

/* mem.h: a page-table page that holds code is reported when A is set; any is marked dirty. */
static void updates_are_writes_to_memory(void **state)
{
    static const struct mem_listener l = {.written = count_written};
    struct fixture *f = *state;
    struct cpu *c = long_paging(f);
    struct cpu_translation t;
    mem_listen(f->mem, &l);
    tables(f, (uint64_t[]){ALL, ALL, ALL, ALL});
    for (unsigned level = 1; level <= 4; level++)
        mem_dirty_test_clear(f->mem, entry_at[level] & PAGE_MASK);
    assert_true(mem_mark_code(f->mem, entry_at[1], 8));
    written_calls = 0;
    assert_true(cpu_walk(c, LIN, ACC_WRITE, &t));
    assert_int_equal(written_calls, 1);
    for (unsigned level = 1; level <= 4; level++)
        assert_true(mem_dirty_test_clear(f->mem, entry_at[level] & PAGE_MASK));
    assert_true(cpu_walk(c, LIN, ACC_WRITE, &t)); /* nothing left to set */
    assert_int_equal(written_calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rights_and_error_codes, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(nx_is_reserved_without_nxe, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(large_pages, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(paging_32_bit, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(pae_pdptes_are_registers, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(pae_reserved_bits_fault_at_load, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(without_paging_it_is_the_identity, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(tables_outside_memory, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(pae_pdptes_are_loaded_again, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(tables_in_rom, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(recursive_mapping, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(updates_are_writes_to_memory, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
