/*
 * seeds.c: writes the corpus that a fuzz run begins with: each instruction form of each code size, from the
 * list of tests/insn, as an input of the target that runs it.
 *
 * usage: fuzz-seeds guest|decode FOLDER
 */
#include "insn/forms.h"
#include "stage.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENCODINGS = 3, PER_FORM_MAX = 15 * ENCODINGS };

static const char *folder;
static unsigned written;

static void write_file(const char *kind, unsigned code_bits, unsigned n, const void *a, size_t a_size,
                       const void *b, size_t b_size)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s-%u-%04u", folder, kind, code_bits, n);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(a, 1, a_size, f) != a_size || fwrite(b, 1, b_size, f) != b_size || fclose(f)) {
        perror(path);
        exit(1);
    }
    written++;
}

/* A few encodings, and an end that stops the guest: HLT, or a fault where that is not allowed. */
static unsigned form_bytes(const struct forms *f, const struct form *form, uint8_t code[PER_FORM_MAX + 1])
{
    struct rng r;
    unsigned n = 0;
    rng_init(&r, 1, form->key);
    for (unsigned i = 0; i < ENCODINGS; i++) {
        struct x86_decoded d;
        uint8_t bytes[15];
        unsigned len = form_encode(f, form, &r, true, bytes, &d);
        memcpy(code + n, bytes, len);
        n += len;
    }
    code[n++] = 0xf4;
    return n;
}

static void guest_seed(const char *kind, unsigned code_bits, unsigned n, const uint8_t *code, unsigned len)
{
    static const uint8_t modes16[] = {STAGE_REAL, STAGE_PROT16, STAGE_V86, STAGE_COMPAT16, STAGE_PROT16_USER};
    static const uint8_t modes32[] = {STAGE_PROT32, STAGE_PAGED32_USER, STAGE_PAE, STAGE_COMPAT32_USER,
                                      STAGE_PAE_USER};
    static const uint8_t modes64[] = {STAGE_LONG, STAGE_LONG_USER};
    struct stage_header h = {
        .mode = code_bits == 16   ? modes16[n % ARRAY_LEN(modes16)]
                : code_bits == 32 ? modes32[n % ARRAY_LEN(modes32)]
                                  : modes64[n % ARRAY_LEN(modes64)],
        .options = STAGE_COMPARE | (n & 4 ? STAGE_FPU : 0),
        .chunk = 3,
        .cr4 = n & 8 ? CR4_FSGSBASE : 0,
        .rflags = FL_IF,
        .efer = 3,
        .handler = (uint8_t)(n % 8),
        .gpr = 0x3333333333333332ull ^ (uint64_t)n << 12,
        .fcw = 0x340,
        .mxcsr = 0x1f80,
        .segs = {0x05, 0x25, 0x45, 0x65},
        .code = (uint16_t)len,
    };
    write_file(kind, code_bits, n, &h, sizeof(h), code, len);
}

/* seeds_system.S: records of code size, length and bytes. */
extern const uint8_t fuzz_system_seeds[];

static void write_system(void)
{
    unsigned n = 0;
    for (const uint8_t *p = fuzz_system_seeds; p[0]; p += 2 + p[1])
        for (unsigned mode = 0; mode < 5;
             mode++, n++) /* each in every mode of its size, and from ring 3 too */
            guest_seed("system", p[0], 5 * n + mode, p + 2, p[1]);
}

/* Of the devices' operations: what needs several steps in the right order (see devices.c). */
static const struct {
    const char *bytes;
    unsigned size;
} device_seeds[] = {
#define SEED(text)             \
    {                          \
        text, sizeof(text) - 1 \
    }
    /* I/O APIC, a level-triggered pin: raised, taken, ended, taken again; an edge; a lowest-priority message
     */
    SEED("\x0e\x10\x48\x80\0\0\x89\x80\x0a\x2b\0\0\x0a\x09\x80\x2b\0\0"),
    SEED("\x0e\x10\x48\x01\0\0\x89\x80\x0a\x2b\0\0\x0a\x09\x80\x2b\0\0"),
    SEED("\x0e\x10\x48\x09\0\0\x0e\x11\0\0\0\xff\x89\x80\x0a\x2b\0\0"),
    /* 8259: initialised, an interrupt, acknowledged, ended; the second chip; poll and special mask */
    SEED("\1\0\0\x11\1\0\1\x20\1\0\1\4\1\0\1\1\x89\1\x0a\1\0\0\x20"),
    SEED("\1\0\0\x11\1\0\1\x20\1\0\1\4\1\0\1\3\1\1\0\x11\1\1\1\x28\1\1\1\2\1\1\1\1\x89\x0c\x0a\1\1\0\x62\1\0"
         "\0\x62"),
    SEED("\1\0\0\x0c\0\0\0\1\0\0\x68\1\0\0\x0a\x89\1\0\0\0\1\2\0\xff"),
    /* 8254: each mode counts; read back, latched */
    SEED("\1\3\3\x34\1\3\0\xff\1\3\0\1\x74\xff\xff\1\3\3\xc2\0\3\0\0\3\0"),
    SEED("\1\3\3\xb6\1\3\2\xff\1\3\2\1\1\4\0\3\x74\xff\xff\0\4\0\1\3\3\x80\0\3\2"),
    SEED("\1\3\3\x31\1\3\0\x99\1\3\0\1\x74\xff\xff\1\3\3\x38\1\3\0\2\1\3\0\0\x75\xff\xff"),
    /* local APIC: periodic, one-shot, deadline; x2APIC; to itself */
    SEED("\x1b\x20\3\x40\0\2\0\x1b\xe0\3\x0b\0\0\0\x1b\x80\3\0\x10\0\0\x44\xff\xff\x0a\x0b\x90\3\x2b\0\0"),
    SEED("\x1b\x20\3\x40\0\0\0\x1b\x80\3\0\x10\0\0\x44\xff\xff\x0a\x0b\x90\3\x2b\0\0"),
    SEED("\x1b\x20\3\x40\0\4\0\x6b\0\x10\x44\xff\xff\x0a\x2b\0\0\x3b\xe0\2"),
    SEED("\x5b\0\x0c\x3b\2\0\x4b\x3f\0\x50\0\0\0\0\0\0\0\x0a\x4b\x0b\0\0\0\0\0\0\0\0\0"),
    SEED("\x1b\0\3\x50\0\4\0\x0a\x1b\0\3\0\x44\4\0\x0a\x1b\x80\0\x60\0\0\0"),
    /* RTC: periodic, alarm, update */
    SEED("\1\7\0\x0b\1\7\1\x72\1\7\0\x0a\1\7\1\x26\xf5\xff\xff\1\7\0\x0c\0\7\1"),
    /* PM: enable, timer, button, S5 */
    SEED("\1\x0a\0\xa0\1\x0a\0\xf1\x11\x09\2\x21\1\x0c\xf5\xff\xff\x20\x09\x08\x10\x09\0\x11\x09\4\0\x34"),
    /* serial: FIFO, loop-back, interrupts; characters come and go */
    SEED("\1\x08\2\xc7\1\x08\1\x0f\1\x08\4\x0b\6\x0f\0\x08\0\1\x08\0A\1\x08\0B\x74\xff\xff\0\x08\2\x37\0"),
    SEED("\1\x08\4\x1f\1\x08\0A\0\x08\0\0\x08\6\x87\x30\1\x08\3\x80\1\x08\0\1\1\x08\3\x43"),
    /* keyboard: keys, its commands, the controller's */
    SEED("\x88\x1e\0\0\5\0\0\6\0\1\5\0\xed\1\5\0\7\1\5\0\xff\0\5\0\1\6\0\x20\0\5\0\1\6\0\x60\1\5\0\x47"),
    SEED("\1\6\0\xd2\1\5\0\x1c\1\6\0\xd4\1\5\0\xf4\1\6\0\xaa\0\5\0\1\6\0\xfe"),
    /* reset register, port 0x92, debug exit; the end */
    SEED("\1\x0b\1\2\1\x0b\1\6\1\x0c\0\1\1\x0d\0\x55\x0d"),
    /* PCI: the bridge's header by both ways, a BAR that is not there */
    SEED("\x0f\0\0\x8f\4\0\xff\xff\xff\xff\x0f\0\x08\x22\1\0\0\x23\1\4\0\xff\xff\xff\xff\x8f\x10\0\xff\xff"
         "\xff\xff"),
};

static void write_devices(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(device_seeds); i++)
        write_file("chips", 0, i, device_seeds[i].bytes, device_seeds[i].size, "", 0);
}

static void write_forms(bool guest, unsigned code_bits, const struct cpuid_model *m)
{
    struct forms f = {0};
    forms_find(&f, m, m->vendor == CPU_AMD, code_bits);
    for (unsigned n = 0; n < f.count; n++) {
        uint8_t code[PER_FORM_MAX + 1];
        unsigned len = form_bytes(&f, &f.form[n], code);
        const uint8_t mode = code_bits == 64 ? 2 : code_bits == 32 ? 1 : 0;
        if (guest)
            guest_seed("form", code_bits, n, code, len);
        else
            write_file("form", code_bits, n, &mode, 1, code, len);
    }
    forms_free(&f);
}

int main(int argc, char **argv)
{
    static const unsigned sizes[] = {16, 32, 64};
    const char *target = argc == 3 ? argv[1] : "";
    const bool guest = !strcmp(target, "guest"), decode = !strcmp(target, "decode"),
               devices = !strcmp(target, "devices");
    if (!guest && !decode && !devices) {
        fprintf(stderr, "usage: fuzz-seeds guest|decode|devices FOLDER\n");
        return 2;
    }
    folder = argv[2];
    const struct cpuid_config config = {.cpus = 1, .tsc_khz = 1000000};
    struct cpuid_model m;
    cpuid_compose(&m, &config);
    if (devices)
        write_devices();
    else
        for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
            write_forms(guest, sizes[i], &m);
    if (guest)
        write_system();
    printf("%u seeds\n", written);
    return 0;
}
