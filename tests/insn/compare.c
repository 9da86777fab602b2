/*
 * compare.c: the two outcomes of a case side by side.
 */
#include "compare.h"

#include "flags.h"
#include <inttypes.h>
#include <stdio.h>

const char *const field_names[F_NAMES] = {
    "registers",  "rip", "flags", "undefined-flags", "memory",    "vectors",    "mxcsr", "fcw",
    "fsw",        "ftw", "st",    "fop/fip/fdp",     "exception", "error-code", "cr2",   "segment-base",
    "flag-table",
};

/* Flags that a program sees, RF and IF left out: a fault's frame has RF set. */
#define FLAGS_SEEN (FL_CC | FL_DF | FL_AC | FL_NT | FL_ID | FL_TF)

static bool same_pointers(const uint8_t *a, const uint8_t *b, enum fp_pointers known)
{
    unsigned bytes = known == POINTERS_FULL ? 8 : 4;
    if (known == POINTERS_LOST)
        return true;
    return !memcmp(a + XS_FOP, b + XS_FOP, 2) && !memcmp(a + XS_FIP, b + XS_FIP, bytes) &&
           !memcmp(a + XS_FDP, b + XS_FDP, bytes);
}

static uint32_t compare_x87(const uint8_t *a, const uint8_t *b, enum fp_pointers known)
{
    uint32_t f = 0;
    f |= memcmp(a + XS_FCW, b + XS_FCW, 2) ? F_FCW : 0;
    f |= memcmp(a + XS_FSW, b + XS_FSW, 2) ? F_FSW : 0;
    f |= a[XS_FTW] != b[XS_FTW] ? F_FTW : 0;
    f |= same_pointers(a, b, known) ? 0 : F_FPTR;
    f |= memcmp(a + XS_MXCSR, b + XS_MXCSR, 4) ? F_MXCSR : 0;
    for (unsigned i = 0; i < 8; i++)
        f |= memcmp(a + XS_ST + 16 * i, b + XS_ST + 16 * i, 10) ? F_ST : 0;
    return f;
}

static uint32_t compare_memory(const struct outcome *a, const struct outcome *b)
{
    if (a->nchunks != b->nchunks || a->overflow != b->overflow)
        return F_MEM;
    return memcmp(a->chunk, b->chunk, a->nchunks) || memcmp(a->data, b->data, (size_t)a->nchunks * CHUNK)
               ? F_MEM
               : 0;
}

static uint32_t compare_flags(const struct icase *k, const struct x86_decoded *d,
                              const struct outcome *native, const struct outcome *interp)
{
    const struct flag_row *row = flag_row_for(k, d);
    uint64_t diff = (native->out.rflags ^ interp->out.rflags) & FLAGS_SEEN;
    uint64_t changed = (native->out.rflags ^ k->in.rflags) & (FL_CC | FL_DF);
    bool faulted = native->vector != NO_FAULT;
    uint32_t f = diff & (faulted ? 0 : row->undefined) ? F_UNDEF_FLAGS : 0;
    f |= diff & ~(uint64_t)(faulted ? 0 : row->undefined) ? F_FLAGS : 0;
    if (!faulted && (changed & ~(uint64_t)(row->written | row->undefined)))
        f |= F_TABLE;
    return f;
}

/* Outside 64-bit mode what is beyond EAX to EDI is not to be seen (SDM 1 3.4.1.1). */
static bool same_registers(const struct icase *k, const struct regs *a, const struct regs *b)
{
    if (k->code_bits == 64)
        return !memcmp(a->gpr, b->gpr, sizeof(a->gpr));
    for (unsigned i = 0; i < 8; i++)
        if ((uint32_t)a->gpr[i] != (uint32_t)b->gpr[i])
            return false;
    return true;
}

uint32_t compare_outcomes(const struct icase *k, const struct x86_decoded *d, const struct outcome *native,
                          const struct outcome *interp)
{
    const struct regs *a = &native->out, *b = &interp->out;
    uint32_t f = 0;
    if (native->vector != interp->vector)
        f |= F_VECTOR;
    else if (native->vector != NO_FAULT) {
        f |= native->error != interp->error ? F_ERROR : 0;
        f |= native->vector == VEC_PF && native->cr2 != interp->cr2 ? F_CR2 : 0;
    }
    f |= same_registers(k, a, b) ? 0 : F_GPR;
    f |= a->rip != b->rip ? F_RIP : 0;
    f |= compare_flags(k, d, native, interp);
    f |= a->fs_base != b->fs_base || a->gs_base != b->gs_base ? F_SEGBASE : 0;
    f |= compare_x87(a->xsave, b->xsave, native->pointers);
    f |= memcmp(a->xsave + XS_XMM, b->xsave + XS_XMM, 256) ||
                 memcmp(a->xsave + XS_YMM_HI, b->xsave + XS_YMM_HI, 256)
             ? F_VEC
             : 0;
    f |= compare_memory(native, interp);
    return f ? f & ~differences_allowed(k, d, native, interp) : 0;
}

/* ---- printing ---- */

static void print_hex(const uint8_t *p, unsigned n)
{
    while (n--)
        printf("%02x", p[n]); /* the highest byte first, as numbers are written */
}

static void print_vector(const uint8_t *p, unsigned n)
{
    for (unsigned at = n; at; at -= 8) {
        print_hex(p + at - 8, 8);
        if (at > 8)
            printf("_");
    }
}

static const char *const gpr_names[X86_NGPR] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

static void print_flags(uint64_t f)
{
    static const struct {
        uint32_t bit;
        char name[3];
    } names[] = {{FL_OF, "O"}, {FL_SF, "S"}, {FL_ZF, "Z"},  {FL_AF, "A"},  {FL_PF, "P"},
                 {FL_CF, "C"}, {FL_DF, "D"}, {FL_AC, "Ac"}, {FL_NT, "Nt"}, {FL_ID, "Id"}};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        printf("%s", f & names[i].bit ? names[i].name : "-");
    printf(" (%" PRIx64 ")", f);
}

/* The x87 part of an image in one line. */
static void print_x87(const uint8_t *x)
{
    printf("fcw %04x fsw %04x ftw %02x fop %03x fip %" PRIx64 " fdp %" PRIx64 " mxcsr %08x",
           (unsigned)load_le(x, 2), (unsigned)load_le(x + 2, 2), x[XS_FTW], (unsigned)load_le(x + XS_FOP, 2),
           load_le(x + XS_FIP, 8), load_le(x + XS_FDP, 8), (unsigned)load_le(x + XS_MXCSR, 4));
}

static void print_outcome(const char *who, const struct outcome *o)
{
    printf("  %-6s ", who);
    if (o->vector == DIED) {
        printf("the child died\n");
        return;
    }
    if (o->vector == NO_FAULT)
        printf("no fault");
    else
        printf("exception %u error %x cr2 %" PRIx64, o->vector, o->error, o->cr2);
    printf(" rip %" PRIx64 " flags ", o->out.rip);
    print_flags(o->out.rflags);
    printf("\n         ");
    print_x87(o->out.xsave);
    printf("\n");
}

static bool in_patch(const struct icase *k, unsigned off, uint8_t *byte)
{
    bool in = false;
    for (unsigned i = 0; i < k->npatches; i++)
        if (off >= k->patch[i].off && off < k->patch[i].off + k->patch[i].len) {
            *byte = k->patch_bytes[k->patch[i].at + off - k->patch[i].off];
            in = true;
        }
    return in;
}

static void print_inputs(const struct icase *k)
{
    printf("  in     rip %" PRIx64 " flags ", k->in.rip);
    print_flags(k->in.rflags);
    printf(" fs %" PRIx64 " gs %" PRIx64 "\n         ", k->in.fs_base, k->in.gs_base);
    print_x87(k->in.xsave);
    for (unsigned i = 0; i < X86_NGPR; i++)
        printf("%s%-3s %016" PRIx64, i % 4 ? "  " : "\n         ", gpr_names[i], k->in.gpr[i]);
    printf("\n");
    for (unsigned i = 0; i < k->npatches; i++) {
        const struct patch *p = &k->patch[i];
        printf("         [%" PRIx64 "] =", (uint64_t)DATA_VA + p->off);
        for (unsigned b = 0; b < MIN(p->len, 64u); b++) {
            uint8_t v = 0;
            in_patch(k, p->off + b, &v);
            printf(" %02x", v);
        }
        printf("%s\n", p->len > 64 ? " ..." : "");
    }
}

static void print_registers(const struct icase *k, const struct regs *a, const struct regs *b, uint32_t f)
{
    for (unsigned i = 0; i < X86_NGPR; i++)
        if (a->gpr[i] != b->gpr[i])
            printf("  %-6s native %016" PRIx64 "  interp %016" PRIx64 "\n", gpr_names[i], a->gpr[i],
                   b->gpr[i]);
    if (f & F_SEGBASE)
        printf("  fs/gs  native %" PRIx64 " %" PRIx64 "  interp %" PRIx64 " %" PRIx64 "\n", a->fs_base,
               a->gs_base, b->fs_base, b->gs_base);
    for (unsigned i = 0; i < 16; i++)
        for (unsigned hi = 0; hi < 2; hi++) {
            unsigned at = (hi ? XS_YMM_HI : XS_XMM) + 16 * i;
            if (!(f & F_VEC) && !memcmp(a->xsave + at, k->in.xsave + at, 16))
                continue;
            bool same = !memcmp(a->xsave + at, b->xsave + at, 16);
            printf("  %s%-2u%s in ", hi ? "ymm" : "xmm", i, hi ? "h" : " ");
            print_vector(k->in.xsave + at, 16);
            printf(" native ");
            print_vector(a->xsave + at, 16);
            if (!same) {
                printf(" interp ");
                print_vector(b->xsave + at, 16);
            }
            printf("\n");
        }
    for (unsigned i = 0; i < 8; i++) {
        unsigned at = XS_ST + 16 * i;
        if (!(f & (F_ST | F_FSW)) && !memcmp(a->xsave + at, k->in.xsave + at, 10))
            continue;
        printf("  st%u    in ", i);
        print_hex(k->in.xsave + at, 10);
        printf(" native ");
        print_hex(a->xsave + at, 10);
        if (memcmp(a->xsave + at, b->xsave + at, 10)) {
            printf(" interp ");
            print_hex(b->xsave + at, 10);
        }
        printf("\n");
    }
}

static void print_memory(const char *who, const struct outcome *o)
{
    for (unsigned i = 0; i < o->nchunks; i++) {
        printf("  %-6s [%" PRIx64 "] :=", who, (uint64_t)DATA_VA + o->chunk[i] * CHUNK);
        for (unsigned b = 0; b < CHUNK; b++)
            printf(" %02x", o->data[i][b]);
        printf("\n");
    }
}

void print_case(const struct icase *k, const struct x86_decoded *d, const char *form,
                const struct outcome *native, const struct outcome *interp, uint32_t differing)
{
    char text[128];
    if (k->undecoded)
        snprintf(text, sizeof(text), "(none)");
    else
        x86_format(d, k->in.rip, text, sizeof(text));
    printf("case %" PRIu64 ": %s\n  bytes ", k->number, form);
    for (unsigned i = 0; i < k->len; i++)
        printf(" %02x", k->bytes[i]);
    printf("   %s\n  differ:", text);
    for (unsigned i = 0; i < F_NAMES; i++)
        if (differing & 1u << i)
            printf(" %s", field_names[i]);
    if (!differing)
        printf(" nothing");
    printf("\n");
    print_inputs(k);
    print_outcome("native", native);
    print_outcome("interp", interp);
    if (native->vector == DIED)
        return;
    print_registers(k, &native->out, &interp->out, differing);
    print_memory("native", native);
    if (differing & F_MEM)
        print_memory("interp", interp);
}
