/*
 * loader.c: fuzz target: files that the monitor is started with: kernel, initramfs, command line.
 *
 * An input is three bytes (memory size, size of the initramfs, length of the command line) and the kernel
 * file.
 */
#include "fuzz.h"

#include "boot/kernel.h"
#include <stdlib.h>

static const uint64_t memories[] = {MIB(2), MIB(4), MIB(32), MIB(64), GIB(3), GIB(4), GIB(8)};

struct machine {
    struct layout layout;
    struct mem *mem;
};
static struct machine machines[ARRAY_LEN(memories)];

static void make_machine(struct machine *m, uint64_t memory)
{
    struct err e = {0};
    struct layout_range range[LAYOUT_MAX_RANGES];
    FUZZ_CHECK(layout_init(&m->layout, memory, 46, &e), "%s", e.text);
    m->mem = mem_new();
    unsigned n = layout_ranges(&m->layout, range);
    for (unsigned i = 0; i < n; i++)
        FUZZ_CHECK((range[i].rom ? mem_add_rom : mem_add_ram)(m->mem, range[i].gpa, range[i].size, &e), "%s",
                   e.text);
}

/* An exact copy, so that a sanitizer sees what reads beyond it. */
static uint8_t *copy_of(const uint8_t *data, size_t n)
{
    uint8_t *p = malloc(n);
    FUZZ_CHECK(p, "no memory");
    memcpy(p, data, n);
    return p;
}

static void check_linux(const struct machine *m, const struct boot_plan *p)
{
    FUZZ_CHECK(p->kernel >= LAYOUT_HIGH_START && p->kernel + p->kernel_run_size <= m->layout.acpi_tables,
               "kernel at 0x%llx", (unsigned long long)p->kernel);
    if (p->initrd_size)
        FUZZ_CHECK(!ranges_overlap(p->initrd, p->initrd_size, p->kernel, p->kernel_run_size) &&
                       mem_ptr(m->mem, p->initrd, p->initrd_size),
                   "initramfs at 0x%llx", (unsigned long long)p->initrd);
}

static void boot(struct machine *m, const struct kernel_start *b)
{
    struct err e = {0};
    struct kernel_plan plan;
    struct boot_entry entry = {0};
    struct x86_state s = {0};
    if (!kernel_plan(&plan, &m->layout, b, &e)) {
        FUZZ_CHECK(e.kind == ERR_CONFIG && e.text[0], "no reason");
        return;
    }
    if (b->kernel->kind == KERNEL_LINUX)
        check_linux(m, &plan.linux_plan);
    else
        for (unsigned i = 0; i < b->modules; i++)
            FUZZ_CHECK(mem_ptr(m->mem, plan.module_at[i], b->module[i].file->size), "module at 0x%llx",
                       (unsigned long long)plan.module_at[i]);
    kernel_load(m->mem, &m->layout, b, &plan, 0, &entry);
    x86_reset(&s, false, 0, true);
    boot_set_state(&entry, &s);
    FUZZ_CHECK(mem_ptr(m->mem, s.rip, 1), "entry at 0x%llx", (unsigned long long)s.rip);
    mem_zero_ram(m->mem);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = {data, data + size};
    struct machine *m = &machines[take(&in, 1) % ARRAY_LEN(memories)];
    static uint8_t initrd_bytes[255 * 8192];
    char cmdline[512] = {0};
    uint64_t initrd_size = take(&in, 1) * 8192;
    memset(cmdline, 'a', (size_t)take(&in, 1) * 2);
    if (!left(&in))
        return -1;
    if (!m->mem)
        make_machine(m, memories[m - machines]);

    struct err e = {0};
    struct kernel k;
    size_t n = left(&in);
    uint8_t *bytes = copy_of(in.at, n);
    const struct host_file file = {.data = bytes, .size = n};
    const struct host_file initrd = {.data = initrd_bytes, .size = initrd_size};
    const struct boot_module module = {.file = &initrd, .path = "initrd", .words = cmdline};
    const struct kernel_start b = {
        .kernel = &k, .cmdline = cmdline, .module = &module, .modules = initrd_size ? 1 : 0};
    if (kernel_parse(&k, &file, "kernel", &e))
        boot(m, &b);
    else
        FUZZ_CHECK(e.kind == ERR_CONFIG && e.text[0], "no reason");
    free(bytes);
    return 0;
}
