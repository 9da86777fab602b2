/*
 * seeds.c: writes the corpus that a fuzz run begins with: each instruction form of each code size, from the
 * list of tests/insn, as an input of the target that runs it.
 *
 * usage: fuzz-seeds guest|decode FOLDER
 */
#include "../insn/forms.h"
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

static void guest_seed(unsigned code_bits, unsigned n, const uint8_t *code, unsigned len)
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
    write_file("form", code_bits, n, &h, sizeof(h), code, len);
}

static void write_forms(bool guest, unsigned code_bits, const struct cpuid_model *m)
{
    struct forms f = {0};
    forms_find(&f, m, code_bits);
    for (unsigned n = 0; n < f.count; n++) {
        uint8_t code[PER_FORM_MAX + 1];
        unsigned len = form_bytes(&f, &f.form[n], code);
        const uint8_t mode = code_bits == 64 ? 2 : code_bits == 32 ? 1 : 0;
        if (guest)
            guest_seed(code_bits, n, code, len);
        else
            write_file("form", code_bits, n, &mode, 1, code, len);
    }
    forms_free(&f);
}

int main(int argc, char **argv)
{
    static const unsigned sizes[] = {16, 32, 64};
    bool guest = argc == 3 && !strcmp(argv[1], "guest");
    if (argc != 3 || (!guest && strcmp(argv[1], "decode"))) {
        fprintf(stderr, "usage: fuzz-seeds guest|decode FOLDER\n");
        return 2;
    }
    folder = argv[2];
    const struct cpuid_config config = {.cpus = 1, .tsc_khz = 1000000};
    struct cpuid_model m;
    cpuid_compose(&m, &config);
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
        write_forms(guest, sizes[i], &m);
    printf("%u seeds\n", written);
    return 0;
}
