/*
 * test_console.c: what a console writes, to pipes, sockets, terminals and files; its specification.
 */
#include "console_rig.h"

/* ---- the specification ---- */

static void specification_is_parsed(void **state)
{
    static const struct {
        const char *text;
        int kind; /* -1: refused */
        const char *path;
    } rows[] = {
        {"stdio", CONSOLE_STDIO, NULL},
        {"null", CONSOLE_NULL, NULL},
        {"file:/a:b", CONSOLE_FILE, "/a:b"},
        {"unix:x", CONSOLE_UNIX, "x"},
        {"", -1, NULL},
        {"file:", -1, NULL},
        {"unix:", -1, NULL},
        {"file", -1, NULL},
        {"stdio:", -1, NULL},
        {"stdi", -1, NULL},
        {"tcp:1", -1, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct console_spec s;
        struct err e = {0};
        assert_int_equal(console_parse(&s, rows[i].text, &e), rows[i].kind >= 0);
        if (rows[i].kind < 0) {
            assert_int_equal(e.kind, ERR_CONFIG);
            continue;
        }
        assert_int_equal(s.kind, rows[i].kind);
        if (rows[i].path)
            assert_string_equal(s.path, rows[i].path);
        else
            assert_null(s.path);
    }
}

static void null_console_takes_everything(void **state)
{
    struct rig *r = *state;
    open_spec(r, CONSOLE_NULL);
    start(r);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(put(r, "0123456789"), 10);
    assert_true(console_drain(r->console, 0));
    assert_int_equal(so_far(r, &r->writables), 0);
}

/* ---- output ---- */

static void pipe_gets_every_byte_under_back_pressure(void **state)
{
    struct rig *r = *state;
    int p[2];
    assert_int_equal(pipe(p), 0);
    open_fds(r, -1, p[1]);
    start(r);
    push_pattern_through(r, p[0]);
    /* The description that others share has kept its flags. */
    assert_int_equal(fcntl(p[1], F_GETFL) & O_NONBLOCK, 0);
    close(p[0]);
    close(p[1]);
}

static void socket_gets_every_byte_under_back_pressure(void **state)
{
    struct rig *r = *state;
    int s[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    open_fds(r, -1, s[1]);
    start(r);
    push_pattern_through(r, s[0]);
    assert_int_equal(fcntl(s[1], F_GETFL) & O_NONBLOCK, 0);
    close(s[0]);
    close(s[1]);
}

static void terminal_gets_every_byte_under_back_pressure(void **state)
{
    struct rig *r = *state;
    int slave, master = open_pty(&slave, true);
    open_fds(r, -1, slave);
    start(r);
    push_pattern_through(r, master);
    assert_int_equal(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
    close(master);
    close(slave);
}

/* A descriptor that cannot be opened a second time: opening the master again would make another terminal. */
static void pty_master_works_by_polling(void **state)
{
    struct rig *r = *state;
    int slave, master = open_pty(&slave, true);
    r->room = 100;
    open_fds(r, -1, master);
    start(r);
    assert_int_equal(put(r, "from the guest\r\n"), 16);
    expect(slave, "from the guest\r\n");
    assert_int_equal(fcntl(master, F_GETFL) & O_NONBLOCK, 0);
    stop(r);
    close(master);
    close(slave);
}

static void lost_reader_is_told_once(void **state)
{
    struct rig *r = *state;
    int p[2];
    assert_int_equal(pipe(p), 0);
    open_fds(r, -1, p[1]);
    start(r);
    assert_int_equal(put(r, "a"), 1);
    close(p[0]);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(put(r, "gone"), 4); /* discarded, and the guest goes on */
    WAIT(r, losses, 1);
    assert_non_null(strstr(r->loss, "standard output"));
    assert_non_null(strstr(r->loss, strerror(EPIPE)));
    assert_false(console_drain(r->console, 10));
    stop(r);
    assert_int_equal(r->losses, 1);
    close(p[1]);
}

static void reader_lost_while_output_waits_frees_the_guest(void **state)
{
    struct rig *r = *state;
    int p[2];
    assert_int_equal(pipe(p), 0);
    open_fds(r, -1, p[1]);
    start(r);
    while (put(r, "0123456789abcdef") == 16)
        ;
    close(p[0]);
    WAIT(r, losses, 1);
    WAIT(r, writables, 1);
    assert_int_equal(put(r, "x"), 1);
    close(p[1]);
}

static void *read_later(void *opaque)
{
    usleep(20000);
    uint8_t buf[4096];
    int fd = *(int *)opaque;
    while (read(fd, buf, sizeof buf) > 0)
        ;
    return NULL;
}

static void drain_waits_for_the_reader_but_not_for_ever(void **state)
{
    struct rig *r = *state;
    int p[2];
    pthread_t t;
    assert_int_equal(pipe(p), 0);
    open_fds(r, -1, p[1]);
    console_connect(r->console, device(r)); /* no loop: as at the end of a machine */
    while (put(r, "0123456789abcdef") == 16)
        ;
    assert_false(console_drain(r->console, 30));
    pthread_create(&t, NULL, read_later, &p[0]);
    assert_true(console_drain(r->console, 30000));
    stop(r);
    close(p[1]);
    pthread_join(t, NULL);
    close(p[0]);
}

static void closed_descriptors_are_no_console(void **state)
{
    struct rig *r = *state;
    open_fds(r, -1, -1);
    start(r);
    assert_int_equal(put(r, "abc"), 3);
    assert_int_equal(so_far(r, &r->losses), 0);
}

/* ---- files ---- */

static void file_is_truncated_and_gets_every_byte(void **state)
{
    struct rig *r = *state;
    uint8_t buf[5000];
    int fd = open(r->path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "what was there before", 21), 21);
    close(fd);
    open_spec(r, CONSOLE_FILE);
    start(r);
    fill_pattern(buf, 0, sizeof buf);
    assert_int_equal(console_write(r->console, buf, sizeof buf), sizeof buf);
    stop(r);
    fd = open(r->path, O_RDONLY);
    memset(buf, 0, sizeof buf);
    assert_int_equal(read(fd, buf, sizeof buf), sizeof buf);
    check_pattern(buf, 0, sizeof buf);
    assert_int_equal(read(fd, buf, 1), 0);
    close(fd);
}

static void full_disk_is_told_once(void **state)
{
    struct rig *r = *state;
    snprintf(r->path, sizeof r->path, "/dev/full");
    open_spec(r, CONSOLE_FILE);
    start(r);
    assert_int_equal(put(r, "abc"), 3);
    assert_int_equal(put(r, "abc"), 3);
    WAIT(r, losses, 1);
    assert_non_null(strstr(r->loss, strerror(ENOSPC)));
    stop(r);
    assert_int_equal(r->losses, 1);
    snprintf(r->path, sizeof r->path, "%s/port", r->dir);
}

static void bad_paths_are_refused_with_their_name(void **state)
{
    struct rig *r = *state;
    char missing[80], long_path[200];
    snprintf(missing, sizeof missing, "%s/no/port", r->dir);
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = 0;
    int fd = open(r->path, O_WRONLY | O_CREAT, 0600);
    close(fd);
    const struct console_spec specs[] = {
        {CONSOLE_FILE, r->dir},    {CONSOLE_FILE, missing},
        {CONSOLE_UNIX, missing},   {CONSOLE_UNIX, r->path} /* not a socket */,
        {CONSOLE_UNIX, long_path},
    };
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        struct err e = {0};
        assert_null(console_open(&specs[i], r->loop, events(r), &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_non_null(strstr(e.text, specs[i].path));
        assert_non_null(strchr(e.text, ';'));
    }
    assert_int_equal(access(r->path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(specification_is_parsed),
        T(null_console_takes_everything),
        T(pipe_gets_every_byte_under_back_pressure),
        T(socket_gets_every_byte_under_back_pressure),
        T(terminal_gets_every_byte_under_back_pressure),
        T(pty_master_works_by_polling),
        T(lost_reader_is_told_once),
        T(reader_lost_while_output_waits_frees_the_guest),
        T(drain_waits_for_the_reader_but_not_for_ever),
        T(closed_descriptors_are_no_console),
        T(file_is_truncated_and_gets_every_byte),
        T(full_disk_is_told_once),
        T(bad_paths_are_refused_with_their_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
