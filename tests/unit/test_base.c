/*
 * test_base.c: errors, the log, checked arithmetic and bits.
 */
#include "base/base.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Standard error goes to a file between capture_begin and capture_end, which gives its text. */
struct capture {
    int saved, file;
    char text[20000];
};

static void capture_begin(struct capture *c)
{
    char name[] = "/tmp/trapeze-test-XXXXXX";
    c->file = mkstemp(name);
    assert_true(c->file >= 0);
    unlink(name);
    c->saved = dup(STDERR_FILENO);
    dup2(c->file, STDERR_FILENO);
}

static const char *capture_end(struct capture *c)
{
    dup2(c->saved, STDERR_FILENO);
    close(c->saved);
    ssize_t n = pread(c->file, c->text, sizeof(c->text) - 1, 0);
    close(c->file);
    c->text[n > 0 ? n : 0] = 0;
    return c->text;
}

static unsigned lines_of(const char *text)
{
    unsigned n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void errors_carry_kind_and_words(void **state)
{
    struct err e = {0};
    assert_false(err_config(&e, "disk '%s': no such file", "a"));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_string_equal(e.text, "disk 'a': no such file");
    assert_false(err_host(&e, "%d", 7));
    assert_int_equal(e.kind, ERR_HOST);
    assert_string_equal(e.text, "7");
    assert_false(err_host(NULL, "nobody wants to know"));
}

static void errors_may_quote_themselves(void **state)
{
    struct err e = {0};
    err_config(&e, "inner");
    err_host(&e, "outer: %s", e.text);
    assert_string_equal(e.text, "outer: inner");
}

static void long_errors_are_cut(void **state)
{
    struct err e = {0};
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    err_host(&e, "%s", text);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

static void log_lines_have_prefix_and_newline(void **state)
{
    struct capture c;
    capture_begin(&c);
    log_error("a %d", 1);
    log_warn("b");
    log_info("c");
    assert_string_equal(capture_end(&c), "trapeze: error: a 1\ntrapeze: warning: b\ntrapeze: c\n");
}

static void log_escapes_what_drives_a_terminal(void **state)
{
    static const struct {
        const char *message, *line;
    } table[] = {
        {"a\x1b[2Jb", "a\\x1b[2Jb"},
        {"two\nlines\r", "two\\x0alines\\x0d"},
        {"\x7f", "\\x7f"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xc2\x9b"
         "2J",
         "\\xc2\\x9b2J"}, /* CSI as U+009B */
        {"\x9b"
         "2J",
         "\\x9b2J"},                                  /* CSI as one byte */
        {"\xc0\x8a", "\\xc0\\x8a"},                   /* overlong newline */
        {"\xe0\x80\x8a", "\\xe0\\x80\\x8a"},          /* overlong newline */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond U+10FFFF */
        {"cut \xe2\x82", "cut \\xe2\\x82"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct capture c;
        char want[100];
        capture_begin(&c);
        log_info("%s", table[i].message);
        snprintf(want, sizeof(want), "trapeze: %s\n", table[i].line);
        assert_string_equal(capture_end(&c), want);
    }
}

static void long_messages_stay_one_line_below_pipe_buf(void **state)
{
    struct capture c;
    char text[8000];
    memset(text, 1, sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    capture_begin(&c);
    log_warn("%s", text);
    const char *out = capture_end(&c);
    assert_int_equal(lines_of(out), 1);
    assert_true(strlen(out) > 3000 && strlen(out) <= 4096);
    assert_string_equal(out + strlen(out) - 4, "...\n");
}

static void log_leaves_errno_alone(void **state)
{
    struct capture c;
    capture_begin(&c);
    errno = ENOTTY;
    log_warn("x");
    int after = errno;
    capture_end(&c);
    assert_int_equal(after, ENOTTY);
}

static void guest_messages_are_limited_and_counted(void **state)
{
    struct log_limit limit = {0};
    struct capture c;
    capture_begin(&c);
    for (unsigned i = 0; i < 1000; i++)
        log_guest(&limit, "event %u", i);
    const char *out = capture_end(&c);
    assert_int_equal(limit.count, 1000);
    assert_int_equal(lines_of(out), 11);
    assert_non_null(strstr(out, "trapeze: guest: event 0\n"));
    assert_non_null(strstr(out, "trapeze: guest: event 9\n"));
    assert_non_null(strstr(out, "only counted"));
}

static void arithmetic_reports_overflow(void **state)
{
    uint64_t r = 0;
    assert_true(add_u64(UINT64_MAX - 1, 1, &r));
    assert_int_equal(r, UINT64_MAX);
    assert_false(add_u64(UINT64_MAX, 1, &r));
    assert_true(mul_u64(1ull << 32, (1ull << 32) - 1, &r));
    assert_int_equal(r, UINT64_MAX - UINT32_MAX);
    assert_false(mul_u64(1ull << 32, 1ull << 32, &r));
}

static void ranges_do_not_wrap(void **state)
{
    assert_true(range_within(0, 10, 10));
    assert_true(range_within(10, 0, 10));
    assert_false(range_within(11, 0, 10));
    assert_false(range_within(1, 10, 10));
    assert_false(range_within(5, UINT64_MAX, 10));
    assert_false(range_within(UINT64_MAX, 2, 10));
    assert_true(ranges_overlap(0, 10, 9, 1));
    assert_false(ranges_overlap(0, 10, 10, 1));
    assert_false(ranges_overlap(0, 10, 5, 0));
}

static void bits_and_bytes(void **state)
{
    assert_int_equal(bits(0xabcd, 4, 8), 0xbc);
    assert_int_equal(bits(~0ull, 0, 64), ~0ull);
    assert_int_equal(bits(~0ull, 63, 1), 1);
    assert_int_equal(mask_bytes(0), 0);
    assert_int_equal(mask_bytes(4), 0xffffffff);
    assert_int_equal(mask_bytes(8), ~0ull);
    assert_int_equal(sign_extend(0x80, 8), -128);
    assert_int_equal(sign_extend(0x7f, 8), 127);
    assert_int_equal(sign_extend(0xffffffff, 64), 0xffffffff);
    assert_int_equal(align_up(4097, 4096), 8192);
    assert_int_equal(align_up(4096, 4096), 4096);
    assert_int_equal(align_down(8191, 4096), 4096);
    uint8_t b[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    assert_int_equal(load_le(b + 1, 4), 0x05040302);
    store_le(b + 3, 0xaabb, 2);
    assert_int_equal(load_le(b, 8), 0x080706aabb030201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_carry_kind_and_words),
        cmocka_unit_test(errors_may_quote_themselves),
        cmocka_unit_test(long_errors_are_cut),
        cmocka_unit_test(log_lines_have_prefix_and_newline),
        cmocka_unit_test(log_escapes_what_drives_a_terminal),
        cmocka_unit_test(long_messages_stay_one_line_below_pipe_buf),
        cmocka_unit_test(log_leaves_errno_alone),
        cmocka_unit_test(guest_messages_are_limited_and_counted),
        cmocka_unit_test(arithmetic_reports_overflow),
        cmocka_unit_test(ranges_do_not_wrap),
        cmocka_unit_test(bits_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
