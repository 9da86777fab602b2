/*
 * test_console_in.c: what a console reads, from pipes, files and terminals; the escape key.
 */
#include "console_rig.h"

/* ---- input ---- */

static void pasted_pipe_arrives_whole_at_a_small_fifo(void **state)
{
    struct rig *r = *state;
    int p[2], out[2];
    pthread_t t;
    assert_int_equal(pipe(p), 0);
    assert_int_equal(pipe(out), 0);
    open_fds(r, p[0], out[1]);
    start(r);
    struct feed f = {p[1], PASTE};
    pthread_create(&t, NULL, feed, &f);
    take_slowly(r, PASTE);
    pthread_join(t, NULL);
    assert_int_equal(fcntl(p[0], F_GETFL) & O_NONBLOCK, 0);
    /* Its end is not the console's end. */
    close(p[1]);
    make_room(r, 16);
    assert_int_equal(put(r, "still here"), 10);
    expect(out[0], "still here");
    assert_int_equal(r->got_len, PASTE);
    close(p[0]);
    close(out[0]);
    close(out[1]);
}

static void nothing_is_read_that_the_device_cannot_take(void **state)
{
    struct rig *r = *state;
    int s[2];
    char rest[8];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    r->room = 3;
    open_fds(r, s[0], -1);
    start(r);
    assert_int_equal(write(s[1], "abcdef", 6), 6);
    expect_input(r, "abc");
    stop(r);
    assert_int_equal(recv(s[0], rest, sizeof rest, MSG_DONTWAIT), 3);
    assert_memory_equal(rest, "def", 3);
    close(s[0]);
    close(s[1]);
}

static void regular_file_arrives_whole(void **state)
{
    struct rig *r = *state;
    int fd = open(r->path, O_RDWR | O_CREAT, 0600);
    struct feed f = {fd, 5000};
    feed(&f);
    lseek(fd, 0, SEEK_SET);
    open_fds(r, fd, -1);
    start(r);
    take_slowly(r, 5000);
    close(fd);
}

static void dev_null_is_an_input_that_ends(void **state)
{
    struct rig *r = *state;
    int fd = open("/dev/null", O_RDWR);
    r->room = 16;
    open_fds(r, fd, fd);
    start(r);
    assert_int_equal(put(r, "abc"), 3);
    stop(r);
    assert_int_equal(r->got_len, 0);
    assert_int_equal(so_far(r, &r->losses), 0);
    close(fd);
}

static void control_a_is_data_where_there_is_no_terminal(void **state)
{
    struct rig *r = *state;
    int p[2];
    assert_int_equal(pipe(p), 0);
    r->room = 16;
    open_fds(r, p[0], -1);
    start(r);
    assert_int_equal(write(p[1],
                           "\x01x\x01\x01"
                           "b",
                           5),
                     5);
    expect_input(r,
                 "\x01x\x01\x01"
                 "b");
    assert_int_equal(so_far(r, &r->quits), 0);
    close(p[0]);
    close(p[1]);
}

/* ---- the terminal ---- */

static void escape_keys_work_at_a_terminal(void **state)
{
    struct rig *r = *state;
    struct termios before, during, after;
    int slave, master = open_pty(&slave, false);
    r->room = 100;
    tcgetattr(slave, &before);
    open_fds(r, slave, -1);
    tcgetattr(slave, &during);
    assert_int_equal(during.c_lflag & (ECHO | ICANON | ISIG), 0);
    start(r);
    /* In one piece and key by key; \003 and \r arrive as they are. */
    assert_int_equal(write(master,
                           "ab\x01\x01"
                           "c\x01zd\003\r\x01",
                           11),
                     11);
    expect_input(r,
                 "ab\x01"
                 "cd\003\r");
    assert_int_equal(write(master, "b", 1), 1);
    WAIT(r, breaks, 1);
    assert_int_equal(write(master, "\x01h", 2), 2);
    assert_int_equal(write(master, "e", 1), 1);
    expect_input(r,
                 "ab\x01"
                 "cd\003\re");
    assert_int_equal(so_far(r, &r->quits), 0);
    assert_int_equal(write(master, "\x01x", 2), 2);
    WAIT(r, quits, 1);
    assert_int_equal(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
    stop(r);
    tcgetattr(slave, &after);
    assert_int_equal(after.c_lflag, before.c_lflag);
    assert_int_equal(after.c_iflag, before.c_iflag);
    close(master);
    close(slave);
}

static void escape_key_works_while_the_guest_does_not_read(void **state)
{
    struct rig *r = *state;
    int slave, master = open_pty(&slave, false);
    open_fds(r, slave, -1);
    start(r);
    assert_int_equal(write(master, "hello?", 6), 6);
    assert_int_equal(write(master, "\x01x", 2), 2);
    WAIT(r, quits, 1);
    make_room(r, 16);
    expect_input(r, "hello?");
    stop(r);
    close(master);
    close(slave);
}

static void pasted_terminal_arrives_whole_at_a_small_fifo(void **state)
{
    struct rig *r = *state;
    int slave, master = open_pty(&slave, false);
    open_fds(r, slave, -1);
    start(r);
    uint8_t *paste = malloc(PASTE);
    for (size_t i = 0; i < PASTE; i++)
        paste[i] = "0123456789 abcdefghijklmnopqrstuvwxyz\n"[pattern(i) % 38];
    /* As a terminal emulator does: in pieces, waiting as long as it takes. */
    for (size_t at = 0, seen = 0; seen < PASTE;) {
        while (at < PASTE) {
            struct pollfd w = {.fd = master, .events = POLLOUT};
            if (poll(&w, 1, 0) != 1)
                break;
            ssize_t k = write(master, paste + at, MIN(512, PASTE - at));
            assert_true(k > 0);
            at += (size_t)k;
        }
        size_t want = MIN(seen + 16, at);
        make_room(r, want - seen);
        WAIT(r, got_len, want);
        seen = want;
    }
    assert_int_equal(r->got_len, PASTE);
    assert_memory_equal(r->got, paste, PASTE);
    assert_int_equal(r->too_much, 0);
    free(paste);
    stop(r);
    close(master);
    close(slave);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(pasted_pipe_arrives_whole_at_a_small_fifo),
        T(nothing_is_read_that_the_device_cannot_take),
        T(regular_file_arrives_whole),
        T(dev_null_is_an_input_that_ends),
        T(control_a_is_data_where_there_is_no_terminal),
        T(escape_keys_work_at_a_terminal),
        T(escape_key_works_while_the_guest_does_not_read),
        T(pasted_terminal_arrives_whole_at_a_small_fifo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
