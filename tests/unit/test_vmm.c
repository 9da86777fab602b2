/*
 * test_vmm.c: a machine from its configuration to its end: exit status, statistics, errors, reset; the guest
 * is a C function on a fake engine.
 */
#include "vmm/vmm.h"
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#include <cmocka.h>

#include "fake_engine.h"

#include "dev/chip/acpi_pm.h"

static struct vm_config config(void)
{
    return (struct vm_config){
        .engine = "good", .cpus = 1, .memory = MIB(64), .kernel = kernel_file(), .serial = "null"};
}

static struct vm_result run(const struct vm_config *cfg)
{
    struct vm_result r;
    struct err e = {0};
    if (!vmm_run(cfg, &r, &e))
        fail_msg("vmm_run: %s", e.text);
    return r;
}

/* ---- guests ---- */

static uint32_t exit_value;

static enum engine_exit guest_debug_exit(struct engine *en, struct engine_exit_info *info)
{
    out(en, 0xf4, 4, exit_value);
    return EXIT_KICK;
}

static void power_off(struct engine *en)
{
    out(en, ACPI_PM1A_CNT_PORT, 2, ACPI_PM1_SLP_EN | ACPI_SLP_TYP_S5 << ACPI_PM1_SLP_TYP_SHIFT);
}

static enum engine_exit guest_power_off(struct engine *en, struct engine_exit_info *info)
{
    power_off(en);
    return EXIT_KICK;
}

static enum engine_exit guest_reset(struct engine *en, struct engine_exit_info *info)
{
    out(en, 0xcf9, 1, 2);
    out(en, 0xcf9, 1, 6);
    return EXIT_KICK;
}

static enum engine_exit guest_triple_fault(struct engine *en, struct engine_exit_info *info)
{
    return EXIT_SHUTDOWN;
}

static enum engine_exit guest_halt(struct engine *en, struct engine_exit_info *info)
{
    return EXIT_HALT;
}

static enum engine_exit guest_spins(struct engine *en, struct engine_exit_info *info)
{
    return EXIT_KICK;
}

static enum engine_exit guest_engine_error(struct engine *en, struct engine_exit_info *info)
{
    snprintf(info->text, sizeof(info->text), "the host took the engine away");
    return EXIT_ERROR;
}

/* ---- exit status ---- */

static void exit_status_is_that_of_the_contract(void **state)
{
    static const struct {
        struct vm_result r;
        int status;
        const char *name;
    } table[] = {
        {{.end = VM_POWEROFF}, 0, "poweroff"},
        {{.end = VM_RESET}, 0, "reset"},
        {{.end = VM_QUIT}, 0, "quit"},
        {{.end = VM_TRIPLE_FAULT}, 3, "triple-fault"},
        {{.end = VM_TIMEOUT}, 124, "timeout"},
        {{.end = VM_ERROR}, 1, "error"},
        {{.end = VM_SIGNAL, .signal = SIGTERM}, 143, "signal"},
        {{.end = VM_SIGNAL, .signal = SIGINT}, 130, "signal"},
        {{.end = VM_DEBUG_EXIT, .debug_exit = 0}, 1, "debug-exit"},
        {{.end = VM_DEBUG_EXIT, .debug_exit = 1}, 3, "debug-exit"},
        {{.end = VM_DEBUG_EXIT, .debug_exit = 0x10}, 33, "debug-exit"},
        {{.end = VM_DEBUG_EXIT, .debug_exit = 0x7f}, 255, "debug-exit"},
        {{.end = VM_DEBUG_EXIT, .debug_exit = 0x80}, 1, "debug-exit"},
        {{.end = VM_DEBUG_EXIT, .debug_exit = 0xffffffff}, 255, "debug-exit"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        assert_int_equal(vm_exit_status(&table[i].r), table[i].status);
        assert_string_equal(vm_end_names[table[i].r.end], table[i].name);
    }
}

/* ---- ends ---- */

static void guest_ends_the_machine(void **state)
{
    struct vm_config cfg = config();

    guest = guest_power_off;
    assert_int_equal(run(&cfg).end, VM_POWEROFF);

    guest = guest_debug_exit;
    exit_value = 0x12345678;
    struct vm_result r = run(&cfg);
    assert_int_equal(r.end, VM_DEBUG_EXIT);
    assert_int_equal(r.debug_exit, 0x12345678);

    guest = guest_triple_fault;
    assert_int_equal(run(&cfg).end, VM_TRIPLE_FAULT);

    guest = guest_reset;
    cfg.reset_exits = true;
    assert_int_equal(run(&cfg).end, VM_RESET);
}

static void time_out_ends_a_guest_that_sleeps_or_spins(void **state)
{
    struct vm_config cfg = config();
    cfg.timeout = 0.02;
    guest = guest_halt;
    assert_int_equal(run(&cfg).end, VM_TIMEOUT);
    guest = guest_spins;
    assert_int_equal(run(&cfg).end, VM_TIMEOUT);
}

static enum engine_exit guest_first_write_wins(struct engine *en, struct engine_exit_info *info)
{
    out(en, 0xf4, 1, 5);
    out(en, 0xf4, 1, 6);
    power_off(en);
    return EXIT_SHUTDOWN;
}

static void first_end_counts(void **state)
{
    struct vm_config cfg = config();
    guest = guest_first_write_wins;
    struct vm_result r = run(&cfg);
    assert_int_equal(r.end, VM_DEBUG_EXIT);
    assert_int_equal(r.debug_exit, 5);
}

static void engine_error_is_a_host_error(void **state)
{
    struct vm_config cfg = config();
    struct vm_result r;
    struct err e = {0};
    guest = guest_engine_error;
    assert_false(vmm_run(&cfg, &r, &e));
    assert_int_equal(e.kind, ERR_HOST);
    assert_non_null(strstr(e.text, "the host took the engine away"));
    assert_int_equal(r.end, VM_ERROR);
}

/* ---- reset ---- */

#define MARK 0x2000000ull

static unsigned boots_wanted;

/* Finds the machine as at power-on, spoils it, resets; powers off in the last boot. */
static enum engine_exit guest_boots_again(struct engine *en, struct engine_exit_info *info)
{
    uint32_t mark = 1;
    uint8_t byte = 0;

    assert_int_equal(en->st.rip, KERNEL_LOAD + BOOT_ENTRY64_OFFSET);
    assert_true(mem_read(en->cfg.mem, MARK, &mark, 4));
    assert_int_equal(mark, 0);
    assert_true(mem_read(en->cfg.mem, KERNEL_LOAD + 0x1001, &byte, 1));
    assert_int_equal(byte, (uint8_t)(0x1001 * 7));
    assert_int_equal(in(en, 0x21, 1) & 0x10, 0); /* 8259: no mask */
    assert_int_equal(in(en, 0x3ff, 1), 0);       /* UART: scratch register */
    assert_int_equal(in(en, 0xcf8, 4), 0);       /* PCI: CONFIG_ADDRESS */

    mark = 0xdeadbeef;
    byte = 0;
    assert_true(mem_write(en->cfg.mem, MARK, &mark, 4));
    assert_true(mem_write(en->cfg.mem, KERNEL_LOAD + 0x1001, &byte, 1));
    en->st.rip = 0;
    out(en, 0x21, 1, 0xff);
    out(en, 0x3ff, 1, 0x55);
    out(en, 0xcf8, 4, 0x80000000);

    if (en->boots == boots_wanted) {
        power_off(en);
        return EXIT_KICK;
    }
    switch (en->boots % 4) {
    case 0: out(en, 0xcf9, 1, 6); break;
    case 1: out(en, 0x92, 1, 1); break;
    case 2: out(en, 0x64, 1, 0xfe); break; /* 8042: pulse the reset line */
    case 3: return EXIT_SHUTDOWN;
    }
    return EXIT_KICK;
}

static void reset_starts_again_from_power_on(void **state)
{
    struct vm_config cfg = config();
    guest = guest_boots_again;
    boots_wanted = 40;
    cfg.reset_after_triple = true;
    assert_int_equal(run(&cfg).end, VM_POWEROFF);

    /* Without --on-reset=reboot the triple fault, the fourth restart, is the end. */
    cfg.reset_after_triple = false;
    assert_int_equal(run(&cfg).end, VM_TRIPLE_FAULT);
}

/* ---- signals ---- */

static enum engine_exit guest_heeds_power_button(struct engine *en, struct engine_exit_info *info)
{
    static bool sent;
    if (!sent) {
        sent = true;
        kill(getpid(), SIGTERM);
    }
    if (in(en, ACPI_PM1A_EVT_PORT, 2) & ACPI_PM1_PWRBTN)
        power_off(en);
    return EXIT_KICK;
}

static int second_signal;

static enum engine_exit guest_ignores_power_button(struct engine *en, struct engine_exit_info *info)
{
    if (!(en->st.gpr[RAX]++))
        kill(getpid(), SIGHUP);
    if (in(en, ACPI_PM1A_EVT_PORT, 2) & ACPI_PM1_PWRBTN) {
        out(en, ACPI_PM1A_EVT_PORT, 2, ACPI_PM1_PWRBTN);
        kill(getpid(), second_signal);
    }
    return EXIT_KICK;
}

static enum engine_exit guest_is_interrupted(struct engine *en, struct engine_exit_info *info)
{
    if (!(en->st.gpr[RAX]++))
        kill(getpid(), SIGINT);
    return EXIT_HALT;
}

static void signals_press_the_button_then_end(void **state)
{
    struct vm_config cfg = config();

    guest = guest_heeds_power_button;
    assert_int_equal(run(&cfg).end, VM_POWEROFF);

    static const int seconds[] = {SIGTERM, SIGHUP, SIGINT};
    for (unsigned i = 0; i < ARRAY_LEN(seconds); i++) {
        guest = guest_ignores_power_button;
        second_signal = seconds[i];
        struct vm_result r = run(&cfg);
        assert_int_equal(r.end, VM_SIGNAL);
        assert_int_equal(r.signal, second_signal);
    }

    guest = guest_is_interrupted;
    struct vm_result r = run(&cfg);
    assert_int_equal(r.end, VM_SIGNAL);
    assert_int_equal(r.signal, SIGINT);
}

/* ---- console ---- */

static enum engine_exit guest_prints(struct engine *en, struct engine_exit_info *info)
{
    for (unsigned i = 0; i < 100000; i++) {
        while (!(in(en, 0x3fd, 1) & 0x20))
            ;
        out(en, 0x3f8, 1, i & 0xff);
    }
    out(en, 0xf4, 1, 0);
    return EXIT_KICK;
}

static void all_output_arrives(void **state)
{
    struct vm_config cfg = config();
    char serial[160];
    snprintf(serial, sizeof(serial), "file:%s", test_path("out"));
    cfg.serial = serial;
    guest = guest_prints;
    assert_int_equal(run(&cfg).end, VM_DEBUG_EXIT);

    FILE *f = fopen(serial + 5, "rb");
    assert_non_null(f);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(fgetc(f), i & 0xff);
    assert_int_equal(fgetc(f), EOF);
    fclose(f);
}

/* Says 'r', then powers off at the first character. */
static enum engine_exit guest_waits_for_a_key(struct engine *en, struct engine_exit_info *info)
{
    if (!(en->st.gpr[RAX]++))
        out(en, 0x3f8, 1, 'r');
    if (in(en, 0x3fd, 1) & 1)
        power_off(en);
    return EXIT_KICK;
}

static _Noreturn void child_on_terminal(int terminal)
{
    struct vm_config cfg = config();
    struct vm_result r;
    struct err e;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    for (int fd = 0; fd < 3; fd++)
        dup2(terminal, fd);
    cfg.serial = "stdio";
    guest = guest_waits_for_a_key;
    _exit(vmm_run(&cfg, &r, &e) ? vm_exit_status(&r) : 77);
}

static void terminal_is_restored_on_every_end(void **state)
{
    static const struct {
        const char *keys;
        int signal;
        int status; /* negative: killed by this signal */
    } table[] = {
        {"p", 0, 0}, {"\1x", 0, 0}, {NULL, SIGINT, 130}, {NULL, SIGQUIT, 131}, {NULL, SIGABRT, -SIGABRT},
    };
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct termios before, now;
        int status;
        char c;
        int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_int_equal(grantpt(master) | unlockpt(master), 0);
        int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_int_equal(tcgetattr(terminal, &before), 0);
        assert_true(before.c_lflag & ICANON);

        pid_t pid = fork();
        if (pid == 0)
            child_on_terminal(terminal);
        do
            assert_int_equal(read(master, &c, 1), 1);
        while (c != 'r');
        assert_int_equal(tcgetattr(terminal, &now), 0);
        assert_false(now.c_lflag & (ICANON | ECHO | ISIG));

        if (table[i].keys)
            assert_int_equal(write(master, table[i].keys, strlen(table[i].keys)), strlen(table[i].keys));
        else
            kill(pid, table[i].signal);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (table[i].status < 0)
            assert_int_equal(WIFSIGNALED(status) ? -WTERMSIG(status) : 1, table[i].status);
        else
            assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : -1, table[i].status);
        assert_int_equal(tcgetattr(terminal, &now), 0);
        assert_int_equal(now.c_lflag, before.c_lflag);
        assert_int_equal(now.c_iflag, before.c_iflag);
        close(terminal);
        close(master);
    }
}

/* ---- statistics ---- */

static json_t *load_stats(const char *path)
{
    json_error_t je;
    json_t *o = json_load_file(path, 0, &je);
    if (!o)
        fail_msg("%s: %s", path, je.text);
    return o;
}

static void statistics_have_the_contracts_keys(void **state)
{
    static const char *const keys[] = {
        "engine", "end",        "wall_s", "cpu_s",       "debug_exit",  "first_insn_s",    "insns",
        "exits",  "tlb_misses", "blocks", "cache_bytes", "evict_max_s", "rss_extra_bytes", "insns_direct"};
    struct vm_config cfg = config();
    cfg.stats = test_path("stats.json");
    guest = guest_debug_exit;
    exit_value = 42;
    fake_counts = (struct engine_counters){
        .insns = 1ull << 40,
        .counts_insns = true,
        .tlb_misses = 7,
        .blocks = 8,
        .cache_bytes = 9,
        .evict_max_s = 0.5,
        .exits = {{"pio", 11, 0.25}, {"kick", 5, 1}},
        .exit_kinds = 2,
    };
    run(&cfg);
    json_t *o = load_stats(cfg.stats);
    assert_int_equal(json_object_size(o), ARRAY_LEN(keys));
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
        assert_non_null(json_object_get(o, keys[i]));

    assert_string_equal(json_string_value(json_object_get(o, "engine")), "good");
    assert_string_equal(json_string_value(json_object_get(o, "end")), "debug-exit");
    assert_int_equal(json_integer_value(json_object_get(o, "debug_exit")), 42);
    assert_int_equal(json_integer_value(json_object_get(o, "insns")), 1ll << 40);
    assert_true(json_is_null(json_object_get(o, "insns_direct")));
    assert_int_equal(json_integer_value(json_object_get(o, "tlb_misses")), 7);
    assert_int_equal(json_integer_value(json_object_get(o, "blocks")), 8);
    assert_int_equal(json_integer_value(json_object_get(o, "cache_bytes")), 9);
    assert_true(json_real_value(json_object_get(o, "evict_max_s")) == 0.5);
    double first = json_real_value(json_object_get(o, "first_insn_s"));
    assert_true(first > 0);
    assert_true(first <= json_real_value(json_object_get(o, "wall_s")));
    assert_true(json_real_value(json_object_get(o, "cpu_s")) > 0);
    assert_true(json_integer_value(json_object_get(o, "rss_extra_bytes")) > 0);

    json_t *exits = json_object_get(o, "exits");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(exits, "pio"), "n")), 11);
    assert_true(json_real_value(json_object_get(json_object_get(exits, "pio"), "s")) == 0.25);
    /* Known to the engine and to the vCPU's thread: counted once, times added. */
    assert_int_equal(json_integer_value(json_object_get(json_object_get(exits, "kick"), "n")), 5);
    assert_true(json_real_value(json_object_get(json_object_get(exits, "kick"), "s")) >= 1);
    json_decref(o);
    memset(&fake_counts, 0, sizeof(fake_counts));
}

static void statistics_replace_the_old_ones_on_every_end(void **state)
{
    struct vm_config cfg = config();
    cfg.stats = test_path("stats2.json");
    put_file(cfg.stats, "old", 3);
    unsigned files = test_files(false);

    guest = guest_triple_fault;
    run(&cfg);
    json_t *o = load_stats(cfg.stats);
    assert_string_equal(json_string_value(json_object_get(o, "end")), "triple-fault");
    assert_true(json_is_null(json_object_get(o, "debug_exit")));
    assert_true(json_is_null(json_object_get(o, "insns")));
    json_decref(o);

    struct vm_result r;
    struct err e;
    guest = guest_engine_error;
    assert_false(vmm_run(&cfg, &r, &e));
    o = load_stats(cfg.stats);
    assert_string_equal(json_string_value(json_object_get(o, "end")), "error");
    json_decref(o);

    /* Through a symbolic link, and no temporary file is left. */
    assert_int_equal(symlink(cfg.stats, test_path("link")), 0);
    cfg.stats = test_path("link");
    guest = guest_power_off;
    run(&cfg);
    struct stat st;
    assert_int_equal(lstat(cfg.stats, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    o = load_stats(test_path("stats2.json"));
    assert_string_equal(json_string_value(json_object_get(o, "end")), "poweroff");
    json_decref(o);
    assert_int_equal(test_files(false), files + 1);
}

/* ---- configuration ---- */

static void wrong_configurations_are_told_before_anything_runs(void **state)
{
    static const struct {
        const char *what; /* the field that is wrong */
        const char *text; /* its value, where it is a text */
        double number;
        const char *message[2]; /* the thing and the mend */
    } table[] = {
        {"engine", "warp", 0, {"--engine warp", "auto, broken, good"}},
        {"engine", "broken", 0, {"--engine broken", "no /dev/broken; load the module"}},
        {"cpus", NULL, 0, {"--cpus 0", "--cpus 1"}},
        {"cpus", NULL, 2, {"--cpus 2: this version runs one vCPU; use --cpus 1", ""}},
        {"memory", NULL, 0, {"--memory", "give more"}},
        {"memory", NULL, 4097, {"--memory", "512M"}},
        {"memory", NULL, (double)MIB(1), {"--memory", "give more"}},
        {"memory", NULL, (double)MIB(16), {"--memory", "M or more"}},
        {"memory", NULL, 0x1p63, {"--memory", "give less"}},
        {"kernel", NULL, 0, {"--kernel", "--firmware"}},
        {"kernel", "/nonexistent/vmlinuz", 0, {"kernel '/nonexistent/vmlinuz'", "check the path"}},
        {"kernel", "/dev/null", 0, {"kernel '/dev/null'", "regular file"}},
        {"kernel", "/bin/sh", 0, {"kernel '/bin/sh'", "bzImage"}},
        {"initrd", "/nonexistent/initrd", 0, {"initrd '/nonexistent/initrd'", "check the path"}},
        {"serial", "teletype", 0, {"teletype", "stdio"}},
        {"stats", "/nonexistent/s.json", 0, {"--stats '/nonexistent/s.json'", "directory you may write to"}},
        {"stats", "/tmp", 0, {"--stats '/tmp'", "directory"}},
        {"stats", "", 0, {"--stats ''", "give a path"}},
        {"timeout", NULL, -1, {"--timeout -1", "seconds"}},
        {"timeout", NULL, (double)INFINITY, {"--timeout inf", "seconds"}},
    };
    guest = guest_power_off;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct vm_config cfg = config();
        struct vm_result r;
        struct err e = {0};
        const char *w = table[i].what;
        if (!strcmp(w, "engine"))
            cfg.engine = table[i].text;
        else if (!strcmp(w, "cpus"))
            cfg.cpus = (unsigned)table[i].number;
        else if (!strcmp(w, "memory"))
            cfg.memory = (uint64_t)table[i].number;
        else if (!strcmp(w, "kernel"))
            cfg.kernel = table[i].text;
        else if (!strcmp(w, "initrd"))
            cfg.initrd = table[i].text;
        else if (!strcmp(w, "serial"))
            cfg.serial = table[i].text;
        else if (!strcmp(w, "stats"))
            cfg.stats = table[i].text;
        else
            cfg.timeout = table[i].number;
        for (cfg.dry_run = false;; cfg.dry_run = true) {
            if (vmm_run(&cfg, &r, &e))
                fail_msg("row %u was accepted", i);
            assert_int_equal(e.kind, ERR_CONFIG);
            for (unsigned m = 0; m < 2; m++)
                if (!strstr(e.text, table[i].message[m]))
                    fail_msg("row %u: '%s' does not say '%s'", i, e.text, table[i].message[m]);
            assert_null(fake);
            if (cfg.dry_run)
                break;
        }
    }
}

static void wrong_configuration_leaves_no_statistics(void **state)
{
    struct vm_config cfg = config();
    struct vm_result r;
    struct err e;
    cfg.stats = test_path("none.json");
    cfg.kernel = "/nonexistent";
    assert_false(vmm_run(&cfg, &r, &e));
    assert_int_not_equal(access(cfg.stats, F_OK), 0);
}

static void auto_takes_the_first_engine_that_can_run(void **state)
{
    struct vm_config cfg = config();
    guest = guest_power_off;
    cfg.engine = "auto";
    cfg.stats = test_path("auto.json");
    run(&cfg);
    json_t *o = load_stats(cfg.stats);
    assert_string_equal(json_string_value(json_object_get(o, "engine")), "good");
    json_decref(o);
}

static bool guest_ran;

static enum engine_exit guest_must_not_run(struct engine *en, struct engine_exit_info *info)
{
    guest_ran = true;
    power_off(en);
    return EXIT_KICK;
}

static void dry_run_runs_and_touches_nothing(void **state)
{
    struct vm_config cfg = config();
    char serial[160];
    const char *out_file = test_path("precious");
    put_file(out_file, "keep", 4);
    snprintf(serial, sizeof(serial), "file:%s", out_file);
    cfg.serial = serial;
    cfg.stats = test_path("dry.json");
    cfg.dry_run = true;
    guest = guest_must_not_run;
    struct vm_result r = run(&cfg);
    assert_int_equal(vm_exit_status(&r), 0);
    assert_false(guest_ran);
    assert_int_not_equal(access(cfg.stats, F_OK), 0);
    struct stat st;
    assert_int_equal(stat(out_file, &st), 0);
    assert_int_equal(st.st_size, 4);
}

/* In a shell's background or under nohup some are ignored, and what the caller ignores stays so. */
static int set_up(void **state)
{
    static const int used[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    for (unsigned i = 0; i < ARRAY_LEN(used); i++)
        signal(used[i], SIG_DFL);
    return 0;
}

static int clean_up(void **state)
{
    remove_test_dir();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_status_is_that_of_the_contract),
        cmocka_unit_test(guest_ends_the_machine),
        cmocka_unit_test(time_out_ends_a_guest_that_sleeps_or_spins),
        cmocka_unit_test(first_end_counts),
        cmocka_unit_test(engine_error_is_a_host_error),
        cmocka_unit_test(reset_starts_again_from_power_on),
        cmocka_unit_test(signals_press_the_button_then_end),
        cmocka_unit_test(all_output_arrives),
        cmocka_unit_test(terminal_is_restored_on_every_end),
        cmocka_unit_test(statistics_have_the_contracts_keys),
        cmocka_unit_test(statistics_replace_the_old_ones_on_every_end),
        cmocka_unit_test(wrong_configurations_are_told_before_anything_runs),
        cmocka_unit_test(wrong_configuration_leaves_no_statistics),
        cmocka_unit_test(auto_takes_the_first_engine_that_can_run),
        cmocka_unit_test(dry_run_runs_and_touches_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
