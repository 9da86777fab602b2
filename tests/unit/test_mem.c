/*
 * test_mem.c: guest memory: bounds, ROM, dirty pages, code pages and write grants.
 */
#include "mem/mem.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define LOW_SIZE  MIB(1)
#define HIGH_GPA  GIB(4)
#define HIGH_SIZE MIB(4)
#define ROM_GPA   0xfffc0000ull
#define ROM_SIZE  0x40000ull

/* RAM at 0 and at 4 GiB, directly behind a ROM; a page of RAM that ends with the last address of all. */
static struct mem *layout(void)
{
    struct mem *m = mem_new();
    struct err e = {0};
    assert_non_null(m);
    assert_true(mem_add_ram(m, 0, LOW_SIZE, &e));
    assert_true(mem_add_rom(m, ROM_GPA, ROM_SIZE, &e));
    assert_true(mem_add_ram(m, HIGH_GPA, HIGH_SIZE, &e));
    assert_true(mem_add_ram(m, 0 - PAGE_SIZE, PAGE_SIZE, &e));
    return m;
}

static void accesses_are_checked_at_every_border(void **state)
{
    static const struct {
        gpa_t gpa;
        uint64_t len;
        bool read, write;
    } table[] = {
        {0, 1, true, true},
        {0, LOW_SIZE, true, true},
        {0, LOW_SIZE + 1, false, false},
        {LOW_SIZE - 8, 8, true, true},
        {LOW_SIZE - 8, 9, false, false},
        {LOW_SIZE, 1, false, false},
        {100, 0, true, true},
        {LOW_SIZE, 0, false, false},
        {1, UINT64_MAX, false, false},
        {0, UINT64_MAX, false, false},
        {ROM_GPA, ROM_SIZE, true, false},
        {ROM_GPA - 1, 2, false, false},
        {HIGH_GPA - 4, 8, false, false}, /* two slots side by side are still two */
        {HIGH_GPA, HIGH_SIZE, true, true},
        {HIGH_GPA + HIGH_SIZE - 1, 1, true, true},
        {HIGH_GPA + HIGH_SIZE, 1, false, false},
        {UINT64_MAX, 1, true, true},
        {UINT64_MAX, 2, false, false}, /* does not wrap to address 0 */
        {UINT64_MAX - 7, 8, true, true},
        {0 - PAGE_SIZE - 1, 1, false, false},
    };
    struct mem *m = layout();
    uint8_t *buf = malloc(HIGH_SIZE);
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        uint64_t len = table[i].len;
        assert_int_equal(mem_ptr(m, table[i].gpa, len) != NULL, table[i].read);
        assert_int_equal(mem_read(m, table[i].gpa, buf, len), table[i].read);
        memset(buf, 0x5a, MIN(len, HIGH_SIZE));
        assert_int_equal(mem_write(m, table[i].gpa, buf, len), table[i].write);
        assert_int_equal(mem_load(m, table[i].gpa, buf, len), table[i].read);
    }
    free(buf);
    mem_free(m);
}

static void memory_starts_as_zeros_and_keeps_what_is_written(void **state)
{
    struct mem *m = layout();
    for (unsigned len = 1; len <= 17; len++) {
        uint8_t in[17], out[17], zero[17] = {0};
        gpa_t gpa = len * 5000 - 3; /* some cross a page */
        for (unsigned i = 0; i < len; i++)
            in[i] = (uint8_t)(len * 16 + i + 1);
        assert_true(mem_read(m, gpa, out, len));
        assert_memory_equal(out, zero, len);
        assert_true(mem_write(m, gpa, in, len));
        assert_true(mem_read(m, gpa, out, len));
        assert_memory_equal(out, in, len);
        assert_memory_equal(mem_ptr(m, gpa, len), in, len);
        assert_true(mem_read(m, gpa - 1, out, 1));
        assert_int_equal(out[0], 0);
        assert_true(mem_read(m, gpa + len, out, 1));
        assert_int_equal(out[0], 0);
    }
    mem_free(m);
}

static void rom_changes_by_load_only(void **state)
{
    struct mem *m = layout();
    uint32_t v = 0x12345678, got = 0;
    assert_true(mem_load(m, ROM_GPA + 12, &v, 4));
    uint32_t other = 0;
    assert_false(mem_write(m, ROM_GPA + 12, &other, 4));
    assert_true(mem_read(m, ROM_GPA + 12, &got, 4));
    assert_int_equal(got, v);
    assert_null(mem_grant_write(m, ROM_GPA));
    mem_free(m);
}

static void slots_can_be_found_and_summed(void **state)
{
    struct mem *m = layout();
    unsigned count = 0;
    const struct mem_slot *s = mem_slots(m, &count);
    assert_int_equal(count, 4);
    assert_int_equal(mem_ram_size(m), LOW_SIZE + HIGH_SIZE + PAGE_SIZE);
    assert_ptr_equal(mem_find(m, 0), &s[0]);
    assert_ptr_equal(mem_find(m, LOW_SIZE - 1), &s[0]);
    assert_null(mem_find(m, LOW_SIZE));
    assert_ptr_equal(mem_find(m, ROM_GPA + ROM_SIZE - 1), &s[1]);
    assert_ptr_equal(mem_find(m, HIGH_GPA), &s[2]);
    assert_ptr_equal(mem_find(m, UINT64_MAX), &s[3]);
    mem_free(m);
}

static void host_memory_allows_huge_pages(void **state)
{
    struct mem *m = layout();
    for (gpa_t gpa = 0; gpa <= HIGH_GPA; gpa += HIGH_GPA)
        assert_int_equal((uintptr_t)mem_ptr(m, gpa, 1) % MIB(2), gpa % MIB(2));
    mem_free(m);
}

static void a_refusal_of_the_host_is_an_error_in_words(void **state)
{
    struct mem *m = mem_new();
    struct err e = {0};
    assert_false(mem_add_ram(m, 0, 1ull << 60, &e));
    assert_int_equal(e.kind, ERR_HOST);
    assert_non_null(strstr(e.text, "--memory"));
    assert_false(mem_add_ram(m, 0, 0 - PAGE_SIZE, &e));
    unsigned count = 1;
    mem_slots(m, &count);
    assert_int_equal(count, 0);
    mem_free(m);
}

static void writes_mark_each_page_dirty_once(void **state)
{
    struct mem *m = layout();
    uint8_t buf[PAGE_SIZE + 2] = {0};
    assert_false(mem_dirty_test_clear(m, 0x1000));
    assert_true(
        mem_write(m, 0x1fff, buf, sizeof(buf))); /* last byte of one page, one page, first byte of a third */
    for (gpa_t page = 0; page < 0x6000; page += PAGE_SIZE) {
        bool written = page >= 0x1000 && page < 0x4000;
        assert_int_equal(mem_dirty_test_clear(m, page), written);
        assert_false(mem_dirty_test_clear(m, page));
        assert_int_equal(mem_find(m, page)->flags[page >> PAGE_SHIFT], written ? MEM_PAGE_TOUCHED : 0);
    }
    assert_true(mem_write(m, 0x5000, buf, 0));
    assert_false(mem_dirty_test_clear(m, 0x5000));
    assert_non_null(mem_grant_write(m, 0x5000));
    assert_true(mem_dirty_test_clear(m, 0x5000));
    assert_false(mem_dirty_test_clear(m, LOW_SIZE));
    mem_free(m);
}

struct listened {
    unsigned written, revoked;
    gpa_t gpa, page;
    uint64_t len;
    uint8_t byte; /* at gpa when `written` was called */
    struct mem *mem;
};

static void on_written(void *opaque, gpa_t gpa, uint64_t len)
{
    struct listened *l = opaque;
    l->written++;
    l->gpa = gpa;
    l->len = len;
    mem_read(l->mem, gpa, &l->byte, 1);
}

static void on_revoke(void *opaque, gpa_t page)
{
    struct listened *l = opaque;
    l->revoked++;
    l->page = page;
}

static void only_writes_to_marked_chunks_are_reported(void **state)
{
    /* Code at 0x200c0..0x200ff and 0x20100..0x20104: chunks 3 and 4. */
    static const struct {
        gpa_t gpa;
        uint64_t len;
        unsigned reports;
        gpa_t first;
        uint64_t first_len;
    } table[] = {
        {0x200bf, 1, 0},
        {0x200bf, 2, 1, 0x200bf, 2},
        {0x200c0, 1, 1, 0x200c0, 1},
        {0x2013f, 1, 1, 0x2013f, 1},
        {0x20140, 8, 0},
        {0x20000, 0xc0, 0},
        {0x20000, 0x1000, 1, 0x20000, 0x1000},
        {0x1ffff, 2, 0},
        {0x1ff00, 0x1000, 1, 0x20000, 0xf00}, /* the part in the page is told */
        {0x20ff8, 16, 0},
        {0x200c0, 0, 0},
    };
    struct mem *m = layout();
    struct listened a = {.mem = m}, b = {.mem = m};
    struct mem_listener la = {on_written, on_revoke, &a}, lb = {on_written, NULL, &b},
                        lc = {NULL, on_revoke, &b};
    mem_listen(m, &la);
    mem_listen(m, &lb);
    mem_listen(m, &lc);
    assert_true(mem_mark_code(m, 0x200d0, 0x35));
    assert_int_equal(a.revoked, 1);
    assert_int_equal(b.revoked, 1);
    assert_int_equal(a.page, 0x20000);
    uint8_t buf[0x1000];
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        memset(buf, (int)i + 1, sizeof(buf));
        a.written = b.written = 0;
        assert_true(mem_write(m, table[i].gpa, buf, table[i].len));
        assert_int_equal(a.written, table[i].reports);
        assert_int_equal(b.written, table[i].reports);
        if (table[i].reports) {
            assert_int_equal(a.gpa, table[i].first);
            assert_int_equal(a.len, table[i].first_len);
            assert_int_equal(a.byte, i + 1); /* the bytes had changed already */
        }
    }
    mem_free(m);
}

static void code_marks_cover_the_whole_page_and_no_more(void **state)
{
    struct mem *m = layout();
    struct listened a = {.mem = m};
    struct mem_listener la = {on_written, on_revoke, &a};
    mem_listen(m, &la);
    assert_true(mem_mark_code(m, 0x3000, PAGE_SIZE));
    assert_int_equal(mem_find(m, 0)->code[3], ~0ull);
    assert_int_equal(mem_find(m, 0)->code[4], 0);
    assert_true(mem_mark_code(m, 0x5fff, 1));
    assert_int_equal(mem_find(m, 0)->code[5], 1ull << 63);
    assert_false(mem_mark_code(m, 0x5fff, 2));
    assert_false(mem_mark_code(m, 0x5000, UINT64_MAX));
    assert_false(mem_mark_code(m, LOW_SIZE, 1));
    assert_true(mem_mark_code(m, UINT64_MAX, 1));
    assert_true(mem_mark_code(m, ROM_GPA, 64));
    a.revoked = 0;
    assert_true(mem_mark_code(m, 0x7000, 0));
    assert_int_equal(a.revoked, 0);
    assert_non_null(mem_grant_write(m, 0x7000));
    mem_free(m);
}

static void grants_and_code_exclude_each_other(void **state)
{
    struct mem *m = layout();
    struct listened a = {.mem = m};
    struct mem_listener la = {on_written, on_revoke, &a};
    mem_listen(m, &la);
    assert_ptr_equal(mem_grant_write(m, 0x8000), mem_ptr(m, 0x8000, 1));
    assert_null(mem_grant_write(m, LOW_SIZE));
    assert_true(mem_mark_code(m, 0x8010, 4));
    assert_int_equal(a.revoked, 1);
    assert_int_equal(a.page, 0x8000);
    assert_null(mem_grant_write(m, 0x8000));
    assert_true(mem_mark_code(m, 0x8100, 4)); /* the page has no grants any more */
    assert_int_equal(a.revoked, 1);
    mem_clear_code(m, 0x8000);
    uint32_t v = 1;
    assert_true(mem_write(m, 0x8010, &v, 4));
    assert_int_equal(a.written, 0);
    assert_non_null(mem_grant_write(m, 0x8000));
    assert_true(mem_mark_code(m, 0x8010, 4));
    assert_int_equal(a.revoked, 2);
    mem_clear_code(m, LOW_SIZE); /* no memory there: nothing */
    mem_free(m);
}

/*
 * One thread stores a number into a page by mem_write, the other marks the page and reads it. The reader must
 * see the new number, or the writer must have reported: a stale reading that nobody reported would run old
 * code for ever.
 */
struct race {
    struct mem *mem;
    pthread_barrier_t barrier;
    unsigned reported, stale;
};
enum { RACE_ROUNDS = 3000 };

static void race_written(void *opaque, gpa_t gpa, uint64_t len)
{
    ((struct race *)opaque)->reported++;
}

static void *race_writer(void *opaque)
{
    struct race *r = opaque;
    for (uint32_t i = 1; i <= RACE_ROUNDS; i++) {
        pthread_barrier_wait(&r->barrier);
        mem_write(r->mem, 0x9000, &i, 4);
        pthread_barrier_wait(&r->barrier);
    }
    return NULL;
}

static void a_write_beside_a_decoder_is_seen_or_reported(void **state)
{
    struct race r = {.mem = layout()};
    struct mem_listener l = {race_written, NULL, &r};
    mem_listen(r.mem, &l);
    pthread_barrier_init(&r.barrier, NULL, 2);
    pthread_t writer;
    pthread_create(&writer, NULL, race_writer, &r);
    for (uint32_t i = 1; i <= RACE_ROUNDS; i++) {
        uint32_t seen = 0;
        mem_clear_code(r.mem, 0x9000);
        r.reported = 0;
        pthread_barrier_wait(&r.barrier);
        mem_mark_code(r.mem, 0x9000, 4);
        mem_read(r.mem, 0x9000, &seen, 4);
        pthread_barrier_wait(&r.barrier);
        r.stale += seen != i && !r.reported;
    }
    pthread_join(writer, NULL);
    pthread_barrier_destroy(&r.barrier);
    assert_int_equal(r.stale, 0);
    mem_free(r.mem);
}

static void power_on_zeroes_ram_and_reports_its_code(void **state)
{
    struct mem *m = layout();
    struct listened a = {.mem = m};
    struct mem_listener la = {on_written, on_revoke, &a};
    const uint32_t value = 0xdeadbeef;
    uint32_t v = 0;
    mem_listen(m, &la);
    assert_true(mem_write(m, 0x3000, &value, 4));
    assert_true(mem_write(m, HIGH_GPA + 0x5ffc, &value, 4));
    assert_true(mem_load(m, ROM_GPA, &value, 4));
    assert_true(mem_mark_code(m, 0x8010, 4));
    assert_true(mem_dirty_test_clear(m, 0x3000));

    mem_zero_ram(m);
    assert_int_equal(a.written, 1);
    assert_int_equal(a.gpa, 0x8000);
    assert_int_equal(a.len, PAGE_SIZE);
    assert_true(mem_read(m, 0x3000, &v, 4));
    assert_int_equal(v, 0);
    assert_true(mem_read(m, HIGH_GPA + 0x5ffc, &v, 4));
    assert_int_equal(v, 0);
    assert_true(mem_read(m, ROM_GPA, &v, 4));
    assert_int_equal(v, value);
    assert_true(mem_dirty_test_clear(m, 0x3000)); /* its bytes have changed */
    assert_false(mem_dirty_test_clear(m, 0x4000));
    assert_int_equal(mem_find(m, 0)->flags[3] & MEM_PAGE_TOUCHED, 0);
    assert_int_equal(mem_find(m, 0)->flags[8] & MEM_PAGE_CODE, MEM_PAGE_CODE); /* the engine clears it */
    mem_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accesses_are_checked_at_every_border),
        cmocka_unit_test(memory_starts_as_zeros_and_keeps_what_is_written),
        cmocka_unit_test(rom_changes_by_load_only),
        cmocka_unit_test(slots_can_be_found_and_summed),
        cmocka_unit_test(host_memory_allows_huge_pages),
        cmocka_unit_test(a_refusal_of_the_host_is_an_error_in_words),
        cmocka_unit_test(writes_mark_each_page_dirty_once),
        cmocka_unit_test(only_writes_to_marked_chunks_are_reported),
        cmocka_unit_test(code_marks_cover_the_whole_page_and_no_more),
        cmocka_unit_test(grants_and_code_exclude_each_other),
        cmocka_unit_test(a_write_beside_a_decoder_is_seen_or_reported),
        cmocka_unit_test(power_on_zeroes_ram_and_reports_its_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
