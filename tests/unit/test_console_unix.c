/*
 * test_console_unix.c: consoles that listen on a unix socket.
 */
#include "console_rig.h"

/* ---- the socket ---- */

static int try_connect(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Connect, and see that the console serves this client. */
static int join(struct rig *r)
{
    int fd = try_connect(r->path);
    assert_true(fd >= 0);
    size_t before = r->got_len;
    make_room(r, 16);
    assert_int_equal(write(fd, "!", 1), 1);
    WAIT(r, got_len, before + 1);
    assert_int_equal(r->got[before], '!');
    return fd;
}

static void socket_carries_both_ways(void **state)
{
    struct rig *r = *state;
    struct stat st;
    open_spec(r, CONSOLE_UNIX);
    start(r);
    assert_int_equal(stat(r->path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(put(r, "nobody hears this"), 17);
    int fd = join(r);
    assert_int_equal(put(r, "hello"), 5);
    expect(fd, "hello");
    make_room(r, 16);
    assert_int_equal(write(fd, "\x01x", 2), 2); /* data here */
    expect_input(r, "!\x01x");
    assert_int_equal(so_far(r, &r->quits), 0);
    close(fd);
    stop(r);
    assert_int_equal(stat(r->path, &st), -1); /* removed */
}

static void socket_pastes_and_pushes_every_byte(void **state)
{
    struct rig *r = *state;
    pthread_t t;
    open_spec(r, CONSOLE_UNIX);
    start(r);
    int fd = try_connect(r->path);
    struct feed f = {fd, PASTE};
    pthread_create(&t, NULL, feed, &f);
    take_slowly(r, PASTE);
    pthread_join(t, NULL);
    push_pattern_through(r, fd);
    close(fd);
}

static void second_client_waits_for_the_first_to_leave(void **state)
{
    struct rig *r = *state;
    open_spec(r, CONSOLE_UNIX);
    start(r);
    int first = join(r);
    int second = try_connect(r->path);
    assert_true(second >= 0);
    make_room(r, 16);
    assert_int_equal(write(second, "2", 1), 1);
    assert_int_equal(put(r, "for the first"), 13);
    expect(first, "for the first");
    assert_int_equal(write(first, "1", 1), 1);
    expect_input(r, "!1");
    close(first);
    expect_input(r, "!12");
    assert_int_equal(put(r, "for the second"), 14);
    expect(second, "for the second");
    close(second);
}

static void what_a_client_sent_before_it_left_is_delivered(void **state)
{
    struct rig *r = *state;
    uint8_t buf[5000];
    open_spec(r, CONSOLE_UNIX);
    start(r);
    int fd = try_connect(r->path);
    fill_pattern(buf, 0, sizeof buf);
    assert_int_equal(write(fd, buf, sizeof buf), sizeof buf);
    close(fd);
    take_slowly(r, 1000);
    /* The next client is served although the guest still reads the last one's input. */
    fd = try_connect(r->path);
    assert_int_equal(write(fd, "next", 4), 4);
    char answer[1] = {0};
    while (answer[0] != 'x') {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(put(r, "x"), 1);
        if (poll(&p, 1, 1) == 1)
            read_all(fd, answer, 1);
    }
    make_room(r, 4004);
    WAIT(r, got_len, 5004);
    check_pattern(r->got, 0, 5000);
    assert_memory_equal(r->got + 5000, "next", 4);
    close(fd);
}

static void client_that_has_finished_sending_still_receives(void **state)
{
    struct rig *r = *state;
    open_spec(r, CONSOLE_UNIX);
    start(r);
    int fd = join(r);
    shutdown(fd, SHUT_WR);
    assert_int_equal(put(r, "answer"), 6);
    expect(fd, "answer");
    close(fd);
    close(join(r)); /* and the next is served */
}

static void client_that_leaves_a_full_ring_frees_the_guest(void **state)
{
    struct rig *r = *state;
    open_spec(r, CONSOLE_UNIX);
    start(r);
    int fd = join(r);
    while (put(r, "0123456789abcdef") == 16)
        ;
    assert_int_equal(put(r, "x"), 0);
    close(fd);
    WAIT(r, writables, 1);
    assert_int_equal(put(r, "x"), 1);
    fd = join(r);
    assert_int_equal(put(r, "new"), 3);
    expect(fd, "new"); /* nothing of the old client's */
    close(fd);
    assert_int_equal(so_far(r, &r->losses), 0);
}

static void stale_socket_file_is_replaced_and_a_live_one_is_not(void **state)
{
    struct rig *r = *state;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct err e = {0};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", r->path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 1), 0);
    const struct console_spec spec = {.kind = CONSOLE_UNIX, .path = r->path};
    assert_null(console_open(&spec, r->loop, events(r), &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, "listens"));
    close(fd); /* the file stays */
    open_spec(r, CONSOLE_UNIX);
    start(r);
    close(join(r));
    /* A file that has taken our file's place is not ours to remove. */
    unlink(r->path);
    fd = open(r->path, O_WRONLY | O_CREAT, 0600);
    close(fd);
    stop(r);
    assert_int_equal(access(r->path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(socket_carries_both_ways),
        T(socket_pastes_and_pushes_every_byte),
        T(second_client_waits_for_the_first_to_leave),
        T(what_a_client_sent_before_it_left_is_delivered),
        T(client_that_has_finished_sending_still_receives),
        T(client_that_leaves_a_full_ring_frees_the_guest),
        T(stale_socket_file_is_replaced_and_a_live_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
