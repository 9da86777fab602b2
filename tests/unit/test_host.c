/*
 * test_host.c: the event loop, code memory, files, the process's own figures and the terminal.
 */
#include "host/host.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- event loop ---- */

struct peer {
    struct loop *loop;
    int fd, other; /* the ends of a socket pair; fd is watched */
    unsigned calls;
    uint32_t events;
    struct peer *victim; /* removed by the first call */
};

static void peer_init(struct peer *p, struct loop *l)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    *p = (struct peer){.loop = l, .fd = fds[0], .other = fds[1]};
}

static void peer_close(struct peer *p)
{
    close(p->fd);
    close(p->other);
}

static void peer_say(struct peer *p)
{
    assert_int_equal(write(p->other, "x", 1), 1);
}

static void on_peer(void *opaque, uint32_t events)
{
    struct peer *p = opaque;
    char c;
    p->calls++;
    p->events = events;
    if (read(p->fd, &c, 1) != 1 || p->victim)
        loop_stop(p->loop);
    if (p->victim)
        loop_remove(p->loop, p->victim->fd);
}

static void stop_loop(void *opaque)
{
    loop_stop(opaque);
}

/* Runs the loop until it has served all that is ready now. */
static void run_ready(struct loop *l)
{
    for (unsigned i = 0; i < 3; i++) {
        loop_post(l, stop_loop, l);
        loop_run(l);
    }
}

static struct loop *new_loop(void)
{
    struct err e = {0};
    struct loop *l = loop_new(&e);
    assert_non_null(l);
    return l;
}

static void descriptors_are_served_as_asked(void **state)
{
    struct loop *l = new_loop();
    struct peer p;
    struct err e = {0};
    peer_init(&p, l);
    assert_true(loop_add(l, p.fd, EPOLLIN, on_peer, &p, &e));
    run_ready(l);
    assert_int_equal(p.calls, 0);
    peer_say(&p);
    run_ready(l);
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.events, EPOLLIN);
    loop_change(l, p.fd, 0);
    peer_say(&p);
    run_ready(l);
    assert_int_equal(p.calls, 1);
    loop_change(l, p.fd, EPOLLIN);
    run_ready(l);
    assert_int_equal(p.calls, 2);
    peer_say(&p);
    loop_remove(l, p.fd);
    run_ready(l);
    assert_int_equal(p.calls, 2);
    loop_remove(l, p.fd); /* again: nothing */
    loop_change(l, p.fd, EPOLLIN);
    run_ready(l);
    assert_int_equal(p.calls, 2);
    assert_true(loop_add(l, p.fd, EPOLLIN, on_peer, &p, &e));
    run_ready(l);
    assert_int_equal(p.calls, 3);
    loop_free(l);
    peer_close(&p);
}

static void a_closed_peer_is_told_even_when_nothing_was_asked(void **state)
{
    struct loop *l = new_loop();
    struct peer p;
    peer_init(&p, l);
    assert_true(loop_add(l, p.fd, 0, on_peer, &p, NULL));
    close(p.other);
    loop_run(l); /* on_peer stops it */
    assert_int_equal(p.calls, 1);
    assert_true(p.events & EPOLLHUP);
    loop_remove(l, p.fd);
    loop_free(l);
    close(p.fd);
}

static void removal_drops_events_of_the_same_batch(void **state)
{
    struct loop *l = new_loop();
    struct peer a, b;
    peer_init(&a, l);
    peer_init(&b, l);
    a.victim = &b;
    b.victim = &a;
    assert_true(loop_add(l, a.fd, EPOLLIN, on_peer, &a, NULL));
    assert_true(loop_add(l, b.fd, EPOLLIN, on_peer, &b, NULL));
    peer_say(&a);
    peer_say(&b);
    loop_run(l);
    assert_int_equal(a.calls + b.calls, 1); /* whichever came first removed the other */
    run_ready(l);
    assert_int_equal(a.calls + b.calls, 1);
    loop_free(l);
    peer_close(&a);
    peer_close(&b);
}

static void count_calls(void *opaque, uint32_t events)
{
    ++*(unsigned *)opaque;
}

struct reuse {
    struct loop *loop;
    int fds[2]; /* both ready; the first callback gives the other's number to a quiet file */
    int quiet;
    unsigned calls, stale;
};

static void reuse_other(struct reuse *r, int other)
{
    if (r->calls++)
        return;
    loop_remove(r->loop, other);
    assert_int_equal(dup2(r->quiet, other), other);
    assert_true(loop_add(r->loop, other, EPOLLIN, count_calls, &r->stale, NULL));
}

static void on_first(void *opaque, uint32_t events)
{
    struct reuse *r = opaque;
    reuse_other(r, r->fds[1]);
}

static void on_second(void *opaque, uint32_t events)
{
    struct reuse *r = opaque;
    reuse_other(r, r->fds[0]);
}

static void an_event_is_not_given_to_a_new_file_of_the_same_number(void **state)
{
    struct loop *l = new_loop();
    struct peer a, b, quiet;
    peer_init(&a, l);
    peer_init(&b, l);
    peer_init(&quiet, l);
    struct reuse r = {.loop = l, .fds = {a.fd, b.fd}, .quiet = quiet.fd};
    assert_true(loop_add(l, a.fd, EPOLLIN, on_first, &r, NULL));
    assert_true(loop_add(l, b.fd, EPOLLIN, on_second, &r, NULL));
    peer_say(&a);
    peer_say(&b);
    run_ready(l);
    assert_true(r.calls >= 1);
    assert_int_equal(r.stale, 0);
    peer_say(&quiet); /* the new watch works */
    run_ready(l);
    assert_true(r.stale >= 1);
    loop_free(l);
    peer_close(&a);
    peer_close(&b);
    peer_close(&quiet);
}

static void always_ready_files_are_served_like_poll_would(void **state)
{
    struct loop *l = new_loop();
    struct peer p = {.loop = l, .fd = open("/dev/null", O_RDWR | O_CLOEXEC)};
    struct err e = {0};
    assert_true(p.fd >= 0);
    assert_true(loop_add(l, p.fd, EPOLLIN, on_peer, &p, &e));
    loop_run(l); /* end of file stops it */
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.events, EPOLLIN);
    loop_change(l, p.fd, 0);
    run_ready(l);
    assert_int_equal(p.calls, 1);
    loop_change(l, p.fd, EPOLLOUT);
    loop_run(l);
    assert_true(p.calls >= 2);
    assert_int_equal(p.events, EPOLLOUT);
    loop_remove(l, p.fd);
    p.calls = 0;
    run_ready(l);
    assert_int_equal(p.calls, 0);
    loop_free(l);
    close(p.fd);
}

static void a_bad_descriptor_is_an_error(void **state)
{
    struct loop *l = new_loop();
    struct err e = {0};
    assert_false(loop_add(l, -1, EPOLLIN, on_peer, NULL, &e));
    assert_int_equal(e.kind, ERR_HOST);
    assert_false(loop_add(l, 1000, EPOLLIN, on_peer, NULL, &e));
    assert_non_null(strstr(e.text, "descriptor 1000"));
    loop_free(l);
}

struct tally {
    struct loop *loop;
    unsigned n, order[8];
    bool rearmed;
};

static void tally_post(void *opaque)
{
    ((struct tally *)opaque)->n++;
}

static void *post_many(void *opaque)
{
    struct tally *t = opaque;
    for (unsigned i = 0; i < 5000; i++)
        loop_post(t->loop, tally_post, t);
    return NULL;
}

static void posts_of_all_threads_run_once_each(void **state)
{
    struct tally t = {.loop = new_loop()};
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, post_many, &t);
    run_ready(t.loop);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    run_ready(t.loop);
    assert_int_equal(t.n, 10000);
    loop_free(t.loop);
}

static void post_again(void *opaque)
{
    struct tally *t = opaque;
    if (++t->n < 100)
        loop_post(t->loop, post_again, t);
    else
        loop_stop(t->loop);
}

static void a_post_may_post(void **state)
{
    struct tally t = {.loop = new_loop()};
    loop_post(t.loop, post_again, &t);
    loop_run(t.loop);
    assert_int_equal(t.n, 100);
    loop_free(t.loop);
}

static void a_stop_before_the_run_is_not_lost(void **state)
{
    struct loop *l = new_loop();
    loop_stop(l);
    loop_run(l);
    loop_free(l);
}

static void on_timer_stop(void *opaque)
{
    struct tally *t = opaque;
    t->n++;
    loop_stop(t->loop);
}

static void the_timer_fires_and_is_replaced_or_disarmed(void **state)
{
    struct tally t = {.loop = new_loop()};
    loop_on_timer(t.loop, on_timer_stop, &t);
    loop_set_timer(t.loop, 0);
    loop_run(t.loop);
    assert_int_equal(t.n, 1);
    loop_set_timer(t.loop, 3600000000000ull);
    loop_set_timer(t.loop, 1000);
    loop_run(t.loop);
    assert_int_equal(t.n, 2);
    loop_set_timer(t.loop, 1);
    usleep(1000);
    loop_set_timer(t.loop, UINT64_MAX); /* never, though it has expired already */
    run_ready(t.loop);
    assert_int_equal(t.n, 2);
    loop_free(t.loop);
}

static void on_signal(void *opaque, int sig)
{
    struct tally *t = opaque;
    t->order[t->n++ & 7] = (unsigned)sig;
    if (t->n == 2)
        loop_stop(t->loop);
}

static void signals_arrive_as_calls(void **state)
{
    struct tally t = {.loop = new_loop()};
    sigset_t old;
    pthread_sigmask(SIG_SETMASK, NULL, &old);
    static const int wanted[] = {SIGUSR1, SIGTERM};
    assert_true(loop_signals(t.loop, wanted, 2, on_signal, &t, NULL));
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGUSR1);
    loop_run(t.loop);
    assert_int_equal(t.n, 2);
    assert_int_equal(t.order[0] + t.order[1], SIGTERM + SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    loop_free(t.loop);
}

/* ---- code memory ---- */

static void what_is_written_at_rw_runs_at_rx(void **state)
{
    struct code_mem cm;
    struct err e = {0};
    assert_true(code_mem_new(&cm, 100000, &e));
    assert_true(cm.size >= 100000 && cm.rw != cm.rx);
    static const uint8_t code[] = {0xb8, 0x2a, 0, 0, 0, 0xc3}; /* mov eax, 42; ret */
    memcpy(cm.rw + 4096, code, sizeof(code));
    assert_memory_equal(cm.rx + 4096, code, sizeof(code));
    int (*fn)(void) = (int (*)(void))(uintptr_t)(cm.rx + 4096);
    assert_int_equal(fn(), 42);
    code_mem_free(&cm);
    assert_null(cm.rw);
    code_mem_free(&cm);
}

/* The rights, as in "rw-s", of the mapping that holds p. */
static void mapping_rights(const void *p, char rights[5])
{
    FILE *f = fopen("/proc/self/maps", "re");
    assert_non_null(f);
    char line[512];
    rights[0] = 0;
    while (fgets(line, sizeof(line), f)) {
        unsigned long from, to;
        char r[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, r) == 3 && (uintptr_t)p >= from && (uintptr_t)p < to)
            memcpy(rights, r, 5);
    }
    fclose(f);
}

static void no_address_is_writable_and_executable(void **state)
{
    struct code_mem cm;
    char rights[5];
    assert_true(code_mem_new(&cm, 4096, NULL));
    mapping_rights(cm.rw, rights);
    assert_string_equal(rights, "rw-s");
    mapping_rights(cm.rx, rights);
    assert_string_equal(rights, "r-xs");
    code_mem_free(&cm);
}

static void impossible_code_memory_is_an_error(void **state)
{
    struct code_mem cm;
    struct err e = {0};
    assert_false(code_mem_new(&cm, (size_t)1 << 60, &e));
    assert_int_equal(e.kind, ERR_HOST);
    assert_null(cm.rw);
}

/* ---- files ---- */

static void files_appear_in_memory(void **state)
{
    char name[] = "/tmp/trapeze-test-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    char text[10000];
    for (unsigned i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 7);
    assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
    close(fd);
    struct host_file f;
    struct err e = {0};
    assert_true(host_file_open(&f, name, "initrd", &e));
    unlink(name);
    assert_int_equal(f.size, sizeof(text));
    assert_memory_equal(f.data, text, sizeof(text));
    host_file_close(&f);
    assert_null(f.data);
    host_file_close(&f);
}

static void a_file_that_cannot_be_had_is_named_with_the_mend(void **state)
{
    char dir[] = "/tmp/trapeze-test-XXXXXX", empty[64], fifo[64];
    assert_non_null(mkdtemp(dir));
    snprintf(empty, sizeof(empty), "%s/empty", dir);
    snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
    close(open(empty, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(mkfifo(fifo, 0600), 0);
    const struct {
        const char *path, *words;
    } table[] = {
        {"/nonexistent/vmlinuz", "kernel '/nonexistent/vmlinuz': no such file; check the path"},
        {"/etc/passwd/x", "no such file"},
        {dir, "is a directory"},
        {empty, "is empty"},
        {fifo, "not a regular file"},
        {"/dev/null", "not a regular file"},
        {"", "no such file"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct host_file f = {.size = 1};
        struct err e = {0};
        assert_false(host_file_open(&f, table[i].path, "kernel", &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_non_null(strstr(e.text, table[i].words));
        assert_non_null(strstr(e.text, table[i].path));
        assert_null(strchr(e.text, '\n'));
        assert_null(f.data);
        assert_false(host_file_open(&f, table[i].path, "kernel", NULL));
    }
    if (geteuid() != 0) { /* root reads everything */
        struct host_file f;
        struct err e = {0};
        chmod(empty, 0);
        assert_false(host_file_open(&f, empty, "kernel", &e));
        assert_non_null(strstr(e.text, "no permission"));
    }
    unlink(empty);
    unlink(fifo);
    rmdir(dir);
}

/* ---- this process ---- */

static void the_processs_figures_are_of_the_right_size(void **state)
{
    double age = host_process_age(), cpu = host_cpu_seconds();
    assert_true(age > 0 && age < 3600);
    assert_true(cpu > 0 && cpu < 3600);
    assert_true(host_process_age() >= age);
    uint64_t rss = host_peak_rss();
    assert_true(rss > KIB(100));
    volatile char *p = malloc(MIB(64));
    for (size_t i = 0; i < MIB(64); i += 4096)
        p[i] = 1;
    free((void *)p);
    assert_true(host_peak_rss() >= MIB(64)); /* a peak: it stays */
}

/* ---- terminal ---- */

static void a_terminal_is_made_raw_and_restored(void **state)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int tty = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(tty >= 0);
    struct termios before, raw, after;
    assert_int_equal(tcgetattr(tty, &before), 0);
    assert_true(before.c_lflag & ECHO);
    assert_true(term_raw(tty));
    assert_int_equal(tcgetattr(tty, &raw), 0);
    assert_int_equal(raw.c_lflag & (ECHO | ICANON | ISIG | IEXTEN), 0);
    assert_int_equal(raw.c_iflag & (ICRNL | IXON | ISTRIP), 0);
    assert_int_equal(raw.c_cflag & CSIZE, CS8);
    assert_true(term_raw(tty)); /* again: what is restored is still the first */
    term_restore();
    assert_int_equal(tcgetattr(tty, &after), 0);
    assert_int_equal(after.c_lflag, before.c_lflag);
    assert_int_equal(after.c_iflag, before.c_iflag);
    assert_int_equal(after.c_cflag, before.c_cflag);
    after.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(tty, TCSANOW, &after);
    term_restore(); /* again: does nothing any more */
    assert_int_equal(tcgetattr(tty, &after), 0);
    assert_int_equal(after.c_lflag & ECHO, 0);
    close(tty);
    close(master);
}

static void what_is_no_terminal_is_left_alone(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_true(term_raw(fds[0]));
    term_restore();
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_served_as_asked),
        cmocka_unit_test(a_closed_peer_is_told_even_when_nothing_was_asked),
        cmocka_unit_test(removal_drops_events_of_the_same_batch),
        cmocka_unit_test(an_event_is_not_given_to_a_new_file_of_the_same_number),
        cmocka_unit_test(always_ready_files_are_served_like_poll_would),
        cmocka_unit_test(a_bad_descriptor_is_an_error),
        cmocka_unit_test(posts_of_all_threads_run_once_each),
        cmocka_unit_test(a_post_may_post),
        cmocka_unit_test(a_stop_before_the_run_is_not_lost),
        cmocka_unit_test(the_timer_fires_and_is_replaced_or_disarmed),
        cmocka_unit_test(signals_arrive_as_calls),
        cmocka_unit_test(what_is_written_at_rw_runs_at_rx),
        cmocka_unit_test(no_address_is_writable_and_executable),
        cmocka_unit_test(impossible_code_memory_is_an_error),
        cmocka_unit_test(files_appear_in_memory),
        cmocka_unit_test(a_file_that_cannot_be_had_is_named_with_the_mend),
        cmocka_unit_test(the_processs_figures_are_of_the_right_size),
        cmocka_unit_test(a_terminal_is_made_raw_and_restored),
        cmocka_unit_test(what_is_no_terminal_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
