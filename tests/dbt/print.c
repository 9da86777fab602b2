/*
 * print.c: sequences and differences in words.
 */
#include "print.h"
#include "machine.h"

#include "engine/engine.h"
#include <inttypes.h>
#include <stdio.h>

static const char *const gpr_names[X86_NGPR] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

static void pair(const char *name, uint64_t a, uint64_t b)
{
    if (a != b)
        printf("    %-14s interp %#18" PRIx64 "   dbt %#18" PRIx64 "\n", name, a, b);
}

static void print_system(const struct x86_state *x, const struct x86_state *y)
{
    pair("cr0", x->cr0, y->cr0);
    pair("cr3", x->cr3, y->cr3);
    pair("cr4", x->cr4, y->cr4);
    pair("efer", x->efer, y->efer);
    pair("cpl", x->cpl, y->cpl);
    pair("mp", x->mp, y->mp);
    pair("dr6", x->dr6, y->dr6);
    pair("dr7", x->dr7, y->dr7);
    pair("shadow", x->ev.shadow, y->ev.shadow);
    pair("debug_pending", x->ev.debug_pending, y->ev.debug_pending);
    pair("cs", x->seg[SEG_CS].sel, y->seg[SEG_CS].sel);
    pair("ss", x->seg[SEG_SS].sel, y->seg[SEG_SS].sel);
    pair("fs.base", x->seg[SEG_FS].base, y->seg[SEG_FS].base);
    pair("gs.base", x->seg[SEG_GS].base, y->seg[SEG_GS].base);
}

static void print_memory(const struct ending *a, const struct ending *b)
{
    unsigned shown = 0;
    for (uint64_t at = 0; at < RAM_PAGES * PAGE_SIZE && shown < 12; at += 8) {
        char name[32];
        uint64_t x = load_le(a->ram + at, 8), y = load_le(b->ram + at, 8);
        if (x == y)
            continue;
        snprintf(name, sizeof(name), "[%05" PRIx64 "]", at);
        pair(name, x, y);
        shown++;
    }
}

void endings_print(const struct ending *a, const struct ending *b, unsigned differing)
{
    const struct x86_state *x = &a->st, *y = &b->st;
    printf("  differing:");
    for (unsigned i = 0; i < DIFFERENCES; i++)
        if (differing >> i & 1)
            printf(" %s", difference_names[i]);
    printf("\n");
    for (unsigned i = 0; i < X86_NGPR; i++)
        pair(gpr_names[i], x->gpr[i], y->gpr[i]);
    pair("rip", x->rip, y->rip);
    pair("rflags", x86_rflags(x), x86_rflags(y));
    pair("cr2", x->cr2, y->cr2);
    pair("mxcsr", x->fpu.fx.mxcsr, y->fpu.fx.mxcsr);
    pair("fsw", x->fpu.fx.fsw, y->fpu.fx.fsw);
    pair("ftw", x->fpu.fx.ftw, y->fpu.fx.ftw);
    pair("fip", x->fpu.fx.fip, y->fpu.fx.fip);
    pair("fdp", x->fpu.fx.fdp, y->fpu.fx.fdp);
    for (unsigned i = 0; i < 8; i++) {
        char name[16];
        snprintf(name, sizeof(name), "st%u", i);
        pair(name, load_le(x->fpu.fx.st[i], 8), load_le(y->fpu.fx.st[i], 8));
    }
    for (unsigned i = 0; i < 64; i++) {
        char name[16];
        snprintf(name, sizeof(name), "ymm%u.%u", i / 4, i % 4);
        pair(name, load_le(x->fpu.ymm[i / 4] + 8 * (i % 4), 8), load_le(y->fpu.ymm[i / 4] + 8 * (i % 4), 8));
    }
    print_system(x, y);
    pair("insns", a->insns, b->insns);
    pair("exit", a->exit, b->exit);
    pair("endless", a->endless, b->endless);
    pair("device reads", a->device_reads, b->device_reads);
    pair("device writes", a->device_writes, b->device_writes);
    pair("device sum", a->device_sum, b->device_sum);
    print_memory(a, b);
}

void ending_print(const struct ending *o)
{
    const struct x86_state *s = &o->st;
    const uint8_t *log = o->ram + (PG_SYS + SYS_LOG) * PAGE_SIZE;
    for (unsigned i = 0; i < X86_NGPR; i++)
        printf("    %-4s %016" PRIx64 "%s", gpr_names[i], s->gpr[i], i % 4 == 3 ? "\n" : "");
    printf("    rip %" PRIx64 " rflags %x mxcsr %x fsw %x insns %" PRIu64 " exit %s\n", s->rip, x86_rflags(s),
           s->fpu.fx.mxcsr, s->fpu.fx.fsw, o->insns, engine_exit_names[o->exit]);
    for (uint64_t n = 1; n <= MIN(load_le(log + LOG_COUNT, 8), (uint64_t)LOG_LIMIT - 1); n++) {
        const uint8_t *e = log + n * LOG_ENTRY;
        printf("    exception %u error %x at %x flags %x cr2 %" PRIx64 "\n", (unsigned)load_le(e, 4),
               (unsigned)load_le(e + 8, 4), (unsigned)load_le(e + 16, 4), (unsigned)load_le(e + 12, 4),
               load_le(e + 24, 8));
    }
}

void seq_print(const struct seq *s, const struct x86_decoder *decoder)
{
    struct code c;
    printf("  CPL %d rflags %x mxcsr %x cr0^%x cr4^%x fs %" PRIx64 " gs %" PRIx64 "%s\n", s->user ? 3 : 0,
           (unsigned)s->rflags, s->mxcsr, s->cr0, s->cr4, s->fs_base, s->gs_base,
           s->high   ? " high"
           : s->apic ? " apic"
                     : "");
    for (unsigned i = 0; i < X86_NGPR; i++)
        printf("    %-4s %016" PRIx64 "%s", gpr_names[i], s->gpr[i], i % 4 == 3 ? "\n" : "");
    for (unsigned i = 0; i < s->npte; i++)
        printf("    page %u: %" PRIx64 "\n", s->pte[i].page, s->pte[i].value);
    if (!seq_lay_out(s, &c))
        return;
    for (unsigned n = 0; n < s->n; n++) {
        struct x86_decoded d;
        char text[128] = "(no instruction)";
        const uint32_t at = LOW(CODE_AT) + c.at[n];
        if (!s->item[n].len)
            continue;
        if (x86_decode(decoder, 64, c.bytes + c.at[n], s->item[n].len, &d) == X86_DECODED)
            x86_format(&d, at, text, sizeof(text));
        printf("    %3u %x:", n, at);
        for (unsigned i = 0; i < s->item[n].len; i++)
            printf(" %02x", c.bytes[c.at[n] + i]);
        printf("%*s %s\n", s->item[n].len < 12 ? 3 * (12 - s->item[n].len) : 0, "", text);
    }
}
