/*
 * run_options.c: the options of `trapeze run`.
 *
 * One table; its rows are what --help prints and what trapeze-run(1) explains. What the design has and this
 * version has not stands in the table too, and is refused by name.
 */
#include "cli/run_options.h"
#include "cli/cli.h"
#include "cli/run_values.h"
#include "engine/engine.h"
#include <stdio.h>

enum subject {
    SUBJECT_ENGINE = 1,
    SUBJECT_CPUS,
    SUBJECT_MEMORY,
    SUBJECT_MITIGATIONS,
    SUBJECT_KERNEL,
    SUBJECT_INITRD,
    SUBJECT_APPEND,
    SUBJECT_SERIAL,
    SUBJECT_DISPLAY,
    SUBJECT_NOGRAPHIC,
    SUBJECT_STATS,
    SUBJECT_COUNT,
    SUBJECT_TIMEOUT,
    SUBJECT_RESET,
    SUBJECT_DRY_RUN,
    SUBJECT_NET,
    SUBJECT_FIRMWARE,
    SUBJECT_TESTDEV,
    SUBJECT_DEBUGCON,
    SUBJECT_LATER,
    SUBJECT_HELP,
};

/* ---- the machine ---- */

static bool set_engine(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    char known[200] = "auto";

    for (unsigned i = 0; i < engine_count; i++) {
        size_t at = strlen(known);
        snprintf(known + at, sizeof(known) - at, "%s%s", i + 1 < engine_count ? ", " : " or ",
                 engines[i]->name);
    }
    if (strcmp(use->value, "auto") && !engine_find(use->value))
        return err_config(e, "%s '%.80s': unknown engine; use %s", use->name, use->value, known);
    a->vm.engine = use->value;
    return true;
}

/* QEMU's TCG is its software engine: ours is the first that is not the processor's own virtualization. */
static const char *software_engine(void)
{
    for (unsigned i = 0; i < engine_count; i++)
        if (strcmp(engines[i]->name, "kvm") && engines[i]->probe().usable)
            return engines[i]->name;
    return "auto";
}

static bool set_accel(void *target, const struct option_use *use, struct err *e)
{
    static const char *const words[] = {"kvm", "tcg", NULL};
    struct run_args *a = target;
    unsigned index;
    if (!value_word(use, words, &index, e))
        return false;
    if (index == 0)
        return set_engine(target, &(struct option_use){use->name, "kvm"}, e);
    a->vm.engine = software_engine();
    return true;
}

static bool set_cpus(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    return value_count(use, use->value, &a->vm.cpus, e);
}

static bool set_smp(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    const char *text = use->value;
    if (strchr(text, ','))
        return err_config(e, "%s '%.80s': the shape of the processor cannot be chosen; write %s 1", use->name,
                          text, use->name);
    if (!strncmp(text, "cpus=", 5))
        text += 5;
    return value_count(use, text, &a->vm.cpus, e);
}

static bool set_memory(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    return value_size(use, 1, &a->vm.memory, e);
}

static bool set_m(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    return value_size(use, MIB(1), &a->vm.memory, e);
}

static bool set_mitigations(void *target, const struct option_use *use, struct err *e)
{
    static const char *const words[] = {"on", "off", NULL};
    struct run_args *a = target;
    unsigned index;
    if (!value_word(use, words, &index, e))
        return false;
    a->vm.mitigations = index == 0;
    return true;
}

/* ---- what it starts ---- */

static bool set_kernel(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    a->vm.kernel = use->value;
    return true;
}

static bool set_initrd(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    a->vm.initrd = use->value;
    return true;
}

static bool set_append(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    a->vm.append = use->value;
    return true;
}

/* ---- its devices ---- */

static bool set_serial(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    a->vm.serial = use->value;
    return true;
}

static bool set_display(void *target, const struct option_use *use, struct err *e)
{
    if (!strcmp(use->value, "none"))
        return true;
    if (!strncmp(use->value, "vnc=", 4) || !strcmp(use->value, "vnc"))
        return err_config(e, "%s vnc: not built yet in this version; use the serial console: --display none",
                          use->name);
    return err_config(e, "%s '%.80s': not known; use none", use->name, use->value);
}

static bool set_nographic(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    a->nographic = true;
    return true;
}

static bool set_testdev(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    a->vm.testdev = true;
    return true;
}

/* PORT or PORT,file:PATH */
static bool set_debugcon(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    const char *sink = strchr(use->value, ',');
    if (!value_port(use, sink ? (size_t)(sink - use->value) : strlen(use->value), &a->vm.debugcon_port, e))
        return false;
    a->vm.debugcon = true;
    if (!sink)
        return true;
    if (strncmp(sink, ",file:", 6) || !sink[6])
        return err_config(
            e, "%s '%.80s': behind the port can only come ,file:PATH; leave it out for standard error",
            use->name, use->value);
    a->vm.debugcon_file = sink + 6;
    return true;
}

static bool set_net(void *target, const struct option_use *use, struct err *e)
{
    if (!strcmp(use->value, "none"))
        return true;
    return err_config(e, "%s: not built yet in this version; leave it out, or write %s none", use->name,
                      use->name);
}

static bool set_firmware(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    if (!strcmp(use->value, "bios") || !strcmp(use->value, "uefi"))
        return err_config(
            e,
            "%s %s: not built yet in this version; start a kernel with --kernel FILE, or give a "
            "ROM image (./%s, if that is a file's name)",
            use->name, use->value, use->value);
    a->vm.firmware = use->value;
    return true;
}

/* ---- the run ---- */

static bool set_stats(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    a->vm.stats = use->value;
    return true;
}

static bool set_count(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    a->vm.count = true;
    return true;
}

static bool set_timeout(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    return value_seconds(use, &a->vm.timeout, e);
}

static bool set_on_reset(void *target, const struct option_use *use, struct err *e)
{
    static const char *const words[] = {"reboot", "exit", NULL};
    struct run_args *a = target;
    unsigned index;
    if (!value_word(use, words, &index, e))
        return false;
    a->vm.reset_after_triple = index == 0;
    a->vm.reset_exits = index == 1;
    return true;
}

static bool set_no_reboot(void *target, const struct option_use *use, struct err *e)
{
    return set_on_reset(target, &(struct option_use){use->name, "exit"}, e);
}

static bool set_dry_run(void *target, const struct option_use *use, struct err *e)
{
    struct run_args *a = target;
    a->vm.dry_run = true;
    return true;
}

/* ---- the table ---- */

static const struct option machine_rows[] = {
    {"--engine", "NAME",
     "what runs the guest's instructions: auto (default) or\none that `trapeze engines` lists",
     SUBJECT_ENGINE, set_engine},
    {"--cpus", "N", "number of vCPUs (default 1, and no more in this version)", SUBJECT_CPUS, set_cpus},
    {"--memory", "SIZE", "guest memory, with K, M or G (default 512M)", SUBJECT_MEMORY, set_memory},
    {"--mitigations", "on|off",
     "on: the guest is told that its processor has the known\nspeculation weaknesses; off (default): that it "
     "has none",
     SUBJECT_MITIGATIONS, set_mitigations},
};

static const struct option start_rows[] = {
    {"--kernel", "FILE", "kernel: Linux (bzImage), multiboot, or ELF with a PVH entry", SUBJECT_KERNEL,
     set_kernel},
    {"--initrd", "FILE", "initial RAM disk for it; multiboot: FILE WORDS,... as modules", SUBJECT_INITRD,
     set_initrd},
    {"--append", "STRING", "kernel command line", SUBJECT_APPEND, set_append, .may_be_empty = true},
    {"--firmware", "FILE", "ROM image, entered at the processor's reset vector", SUBJECT_FIRMWARE,
     set_firmware},
};

static const struct option device_rows[] = {
    {"--serial", "PORT",
     "where the guest's serial port goes: stdio (default), null,\nfile:PATH or unix:PATH (a socket to listen "
     "on)",
     SUBJECT_SERIAL, set_serial},
    {"--display", "none", "no display (default)", SUBJECT_DISPLAY, set_display},
    {"--net", "none", "no network (default)", SUBJECT_NET, set_net},
    {"--debugcon", "PORT[,file:PATH]",
     "bytes that the guest writes to PORT (often 0xe9) go to\nstandard error or a file", SUBJECT_DEBUGCON,
     set_debugcon},
    {"--testdev", NULL, "the ports and memory of QEMU's pc-testdev, for CPU tests", SUBJECT_TESTDEV,
     set_testdev},
};

static const struct option run_rows[] = {
    {"--timeout", "SECONDS", "end the machine after that time, with status 124", SUBJECT_TIMEOUT,
     set_timeout},
    {"--on-reset", "reboot|exit",
     "what a reset by the guest does: restart the machine\n(reboot: after a triple fault too), or end it "
     "with status 0",
     SUBJECT_RESET, set_on_reset},
    {"--stats", "FILE", "write statistics of the run, as JSON", SUBJECT_STATS, set_stats},
    {"--count", NULL, "count every instruction exactly, even if that costs speed", SUBJECT_COUNT, set_count},
    {"--dry-run", NULL, "check options, files and host, build the machine, run nothing", SUBJECT_DRY_RUN,
     set_dry_run},
    {"--help", NULL, "print this, as do -h and -help", SUBJECT_HELP, NULL},
};

static const struct option qemu_rows[] = {
    {"-m", "SIZE", "as --memory; a plain number counts megabytes", SUBJECT_MEMORY, set_m},
    {"-smp", "[cpus=]N", "as --cpus", SUBJECT_CPUS, set_smp},
    {"-kernel", "FILE", "as --kernel", SUBJECT_KERNEL, set_kernel},
    {"-initrd", "FILE", "as --initrd", SUBJECT_INITRD, set_initrd},
    {"-append", "STRING", "as --append", SUBJECT_APPEND, set_append, .may_be_empty = true},
    {"-serial", "PORT", "as --serial", SUBJECT_SERIAL, set_serial},
    {"-display", "none", "as --display", SUBJECT_DISPLAY, set_display},
    {"-nographic", NULL, "as --serial stdio --display none", SUBJECT_NOGRAPHIC, set_nographic},
    {"-accel", "kvm|tcg", "as --engine kvm; tcg: the fastest software engine", SUBJECT_ENGINE, set_accel},
    {"-no-reboot", NULL, "as --on-reset exit", SUBJECT_RESET, set_no_reboot},
};

static const struct option later_rows[] = {
    {"--disk", "SPEC", "a disk image", SUBJECT_LATER,
     .refuse = "put what the guest needs into --initrd FILE"},
    {"--cdrom", "FILE", "a CD-ROM image", SUBJECT_LATER,
     .refuse = "put what the guest needs into --initrd FILE"},
};

static const struct option_group groups[] = {
    {"The machine", machine_rows, ARRAY_LEN(machine_rows)},
    {"What it starts", start_rows, ARRAY_LEN(start_rows)},
    {"Its devices", device_rows, ARRAY_LEN(device_rows)},
    {"The run", run_rows, ARRAY_LEN(run_rows)},
    {"QEMU's spellings", qemu_rows, ARRAY_LEN(qemu_rows)},
    {"Not built yet in this version", later_rows, ARRAY_LEN(later_rows)},
};

const struct option_table run_options = {"run", groups, ARRAY_LEN(groups)};

bool run_option_known(const char *word)
{
    return options_find(&run_options, word);
}

/* What no single word shows. */
static bool fits_together(struct run_args *a, struct err *e)
{
    struct vm_config *vm = &a->vm;
    if (a->nographic && vm->serial && strcmp(vm->serial, "stdio"))
        return err_config(
            e,
            "-nographic and --serial %.200s contradict each other: -nographic is --serial stdio; "
            "leave out one of them",
            vm->serial);
    if (!vm->kernel && vm->initrd)
        return err_config(e,
                          "--initrd without --kernel: an initial RAM disk needs a kernel; add --kernel FILE");
    if (!vm->kernel && vm->append)
        return err_config(e, "--append without --kernel: a command line needs a kernel; add --kernel FILE");
    if (!vm->kernel && !vm->firmware)
        return err_config(e, "nothing to start: give --kernel FILE or --firmware FILE");
    return true;
}

enum parse_result run_options_parse(char **words, struct run_args *args, struct err *e)
{
    *args = (struct run_args){
        .vm = {.engine = "auto", .cpus = 1, .memory = MIB(512)},
    };
    enum parse_result r = options_parse(&run_options, words, args, e);
    if (r == PARSE_OK && !fits_together(args, e))
        return PARSE_FAILED;
    if (!args->vm.serial)
        args->vm.serial = "stdio";
    return r;
}
