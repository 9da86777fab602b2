/*
 * guest.c: cases in the interpreter.
 */
#include "guest.h"

#include "engine/dbt/dbt.h"
#include "engine/interp/interp.h"
#include "mode.h"
#include <stdlib.h>

/* Guest physical layout. */
#define GPA_PML4 0x1000
#define GPA_PDPT 0x2000
#define GPA_PD   0x3000
#define GPA_PT   0x4000
#define GPA_TSS  0x5000
#define GPA_HIGH 0x6000 /* page tables of the TSS: three pages */
#define GPA_CODE 0x10000
#define GPA_DATA 0x20000
#define RAM_SIZE MIB(2)
#define TSS_VA   0xffff800000000000ull /* the system's half: not reached by a case */

/* An engine that can run one instruction at a time. */
struct stepper {
    const struct engine_ops *ops;
    struct cpu *(*cpu)(struct engine_vcpu *v);
    enum engine_exit (*step)(struct engine_vcpu *v, bool *faulted);
};
static const struct stepper steppers[] = {
    {&interp_engine, interp_cpu, interp_step},
    {&dbt_engine, dbt_cpu, dbt_step},
};

struct guest {
    const struct stepper *by;
    struct mem *mem;
    struct bus *bus;
    struct clock *clock;
    struct engine *engine;
    struct engine_vcpu *vcpu;
    struct cpu *cpu;
    struct cpuid_model model;
    struct x86_state start;
    uint8_t *area; /* data pages, then the read-only page */
    const uint8_t *base;
    uint8_t before[DATA_SIZE];
};

static void put64(struct guest *g, gpa_t gpa, uint64_t v)
{
    mem_load(g->mem, gpa, &v, 8);
}

static void map_pages(struct guest *g, uint64_t va, gpa_t gpa, uint64_t size, uint64_t flags)
{
    for (uint64_t at = 0; at < size; at += PAGE_SIZE)
        put64(g, GPA_PT + 8 * (((va + at) >> 12) & 511), (gpa + at) | flags | PTE_P | PTE_U | PTE_A | PTE_D);
}

static void build_tables(struct guest *g)
{
    const uint64_t up = PTE_P | PTE_W | PTE_U | PTE_A;
    put64(g, GPA_PML4 + 8 * ((CODE_VA >> 39) & 511), GPA_PDPT | up);
    put64(g, GPA_PDPT + 8 * ((CODE_VA >> 30) & 511), GPA_PD | up);
    put64(g, GPA_PD + 8 * ((CODE_VA >> 21) & 511), GPA_PT | up);
    map_pages(g, CODE_VA, GPA_CODE, CODE_SIZE, PTE_W);
    map_pages(g, DATA_VA, GPA_DATA, DATA_SIZE, PTE_W | PTE_NX);
    put64(g, GPA_PML4 + 8 * ((TSS_VA >> 39) & 511), GPA_HIGH | PTE_P | PTE_W | PTE_A);
    put64(g, GPA_HIGH, (GPA_HIGH + 0x1000) | PTE_P | PTE_W | PTE_A);
    put64(g, GPA_HIGH + 0x1000, (GPA_HIGH + 0x2000) | PTE_P | PTE_W | PTE_A);
    put64(g, GPA_HIGH + 0x2000, GPA_TSS | PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX);
    map_pages(g, RO_VA, GPA_DATA + DATA_SIZE, RO_SIZE, PTE_NX);
}

/* As a Linux process has it (arch/x86/include/asm/segment.h names the selectors). */
static void start_state(struct guest *g)
{
    struct x86_state *s = &g->cpu->st;
    const uint16_t user = SEG_P | SEG_S | SEG_DPL | SEG_T_RW | SEG_T_ACCESSED | SEG_G;
    s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    s->cr3 = GPA_PML4;
    s->cr4 = (CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_FSGSBASE | CR4_UMIP) &
             g->model.cr4_mask;
    s->efer = (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE) & g->model.efer_mask;
    s->xcr0 = g->model.xcr0_mask;
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        s->seg[i] = (struct x86_seg){.attr = SEG_UNUSABLE};
    s->seg[SEG_CS] = (struct x86_seg){.sel = 0x33, .limit = 0xffffffff, .attr = user | SEG_T_CODE | SEG_L};
    s->seg[SEG_SS] = (struct x86_seg){.sel = 0x2b, .limit = 0xffffffff, .attr = user | SEG_DB};
    s->seg[SEG_LDTR] = (struct x86_seg){.attr = SEG_UNUSABLE | SYS_LDT};
    /* The I/O permission bitmap would lie beyond the limit: every port is refused. */
    s->seg[SEG_TR] =
        (struct x86_seg){.sel = 0x40, .limit = 0x67, .base = TSS_VA, .attr = SEG_P | SYS_TSS32_BUSY};
    put64(g, GPA_TSS + 0x60, 0x68ull << 48);
    s->cpl = 3;
    s->mp = X86_RUNNING;
    g->start = *s;
    g->cpu->ops->flush_all(g->cpu);
    cpu_state_loaded(g->cpu);
}

struct guest *guest_new(const char *engine, const struct cpuid_model *m, const uint8_t *base, struct err *e)
{
    const struct stepper *by = NULL;
    for (unsigned i = 0; i < ARRAY_LEN(steppers); i++)
        if (!strcmp(steppers[i].ops->name, engine))
            by = &steppers[i];
    if (!by) {
        err_config(e, "--engine: '%s' is none; use interp or dbt", engine);
        return NULL;
    }
    struct guest *g = aligned_alloc(64, align_up(sizeof(*g), 64));
    if (!g) {
        err_host(e, "no memory for the guest");
        return NULL;
    }
    memset(g, 0, sizeof(*g));
    g->by = by;
    g->model = *m;
    g->base = base;
    g->mem = mem_new();
    g->bus = bus_new();
    g->clock = clock_new_stepped(0);
    if (!g->mem || !mem_add_ram(g->mem, 0, RAM_SIZE, e)) {
        guest_free(g);
        return NULL;
    }
    const struct engine_config cfg = {
        .mem = g->mem, .bus = g->bus, .clock = g->clock, .cpuid = &g->model, .cpus = 1};
    g->engine = by->ops->open(&cfg, e);
    g->vcpu = g->engine ? by->ops->vcpu_create(g->engine, 0, e) : NULL;
    if (!g->vcpu) {
        guest_free(g);
        return NULL;
    }
    g->cpu = by->cpu(g->vcpu);
    if (by->ops == &dbt_engine)
        dbt_bind(g->vcpu);
    g->area = (uint8_t *)mem_ptr(g->mem, GPA_DATA, AREA_SIZE);
    memcpy(g->area, base, AREA_SIZE);
    memcpy(g->before, base, DATA_SIZE);
    memset((uint8_t *)mem_ptr(g->mem, GPA_CODE, CODE_SIZE), CODE_FILL, CODE_SIZE);
    build_tables(g);
    start_state(g);
    return g;
}

void guest_free(struct guest *g)
{
    if (g->vcpu)
        g->by->ops->vcpu_destroy(g->vcpu);
    if (g->engine)
        g->by->ops->close(g->engine);
    if (g->clock)
        clock_free(g->clock);
    if (g->bus)
        bus_free(g->bus);
    if (g->mem)
        mem_free(g->mem);
    free(g);
}

bool guest_ro_changed(const struct guest *g)
{
    return memcmp(g->area + DATA_SIZE, g->base + DATA_SIZE, RO_SIZE);
}

/* 16- and 32-bit code: what the selectors stand for. */
static void load_segments(struct x86_state *s, const struct mode *m)
{
    for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
        const struct mode_segment *from = &m->seg[i];
        unsigned type =
            SEG_T_RW | SEG_T_ACCESSED | (from->code ? SEG_T_CODE : 0) | (from->expand_down ? SEG_T_DC : 0);
        s->seg[i] = (struct x86_seg){
            .sel = from->sel,
            .base = from->base,
            .limit = from->limit,
            .attr = (uint16_t)(SEG_P | SEG_S | SEG_DPL | type | (from->big ? SEG_DB : 0) |
                               (from->limit == UINT32_MAX ? SEG_G : 0)),
        };
    }
}

static void load(struct guest *g, const struct icase *k)
{
    struct x86_state *s = &g->cpu->st;
    const struct regs *r = &k->in;
    *s = g->start;
    if (k->code_bits != 64)
        load_segments(s, mode_of(k->code_bits));
    memcpy(s->gpr, r->gpr, sizeof(s->gpr));
    s->rip = r->rip;
    x86_set_rflags(s, (uint32_t)r->rflags);
    s->seg[SEG_FS].base = r->fs_base;
    s->seg[SEG_GS].base = r->gs_base;
    memcpy(&s->fpu.fx, r->xsave, XS_XMM);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(s->fpu.ymm[i], r->xsave + XS_XMM + 16 * i, 16);
        memcpy(s->fpu.ymm[i] + 16, r->xsave + XS_YMM_HI + 16 * i, 16);
    }
    s->fpu.xinuse = s->xcr0;
}

static void store(const struct guest *g, struct regs *r)
{
    const struct x86_state *s = &g->cpu->st;
    memcpy(r->gpr, s->gpr, sizeof(r->gpr));
    r->rip = s->rip;
    r->rflags = x86_rflags(s);
    r->fs_base = s->seg[SEG_FS].base;
    r->gs_base = s->seg[SEG_GS].base;
    memcpy(r->xsave, &s->fpu.fx, XS_XMM);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(r->xsave + XS_XMM + 16 * i, s->fpu.ymm[i], 16);
        memcpy(r->xsave + XS_YMM_HI + 16 * i, s->fpu.ymm[i] + 16, 16);
    }
}

/* Instruction bytes into the code pages, as far as they reach. */
static void place_code(struct guest *g, const struct icase *k)
{
    uint8_t code[CASE_CODE];
    unsigned off = (unsigned)(case_linear(k) - CODE_VA), len = case_code(k, code);
    mem_write(g->mem, GPA_CODE + off, code, MIN(len, (unsigned)CODE_SIZE - off));
}
/* Nothing of it is left, nor of what the case stored there. */
static void clear_code(struct guest *g)
{
    uint8_t fill[CODE_SIZE];
    memset(fill, CODE_FILL, sizeof(fill));
    mem_write(g->mem, GPA_CODE, fill, sizeof(fill));
}

void guest_run(struct guest *g, const struct icase *k, struct outcome *o)
{
    bool faulted = false;
    load(g, k);
    place_code(g, k);
    area_prepare(k, g->area, g->before);
    o->vector = NO_FAULT;
    /* A repeated instruction is one iteration a step. */
    for (unsigned steps = 0; steps < 100000 && !faulted; steps++) {
        g->by->step(g->vcpu, &faulted);
        if (g->cpu->st.rip != k->in.rip)
            break;
    }
    /* A jump out of the code pages faults where it arrives. */
    uint64_t rip = g->cpu->st.rip + mode_base(k, SEG_CS);
    if (!faulted && (rip < CODE_VA || rip >= CODE_VA + CODE_SIZE) && rip != case_linear(k) + k->len)
        g->by->step(g->vcpu, &faulted);
    if (faulted) {
        o->vector = g->cpu->fault.vector;
        o->error = g->cpu->fault.has_error ? g->cpu->fault.error : 0;
        o->cr2 = g->cpu->fault.addr;
    }
    store(g, &o->out);
    area_collect(k, g->area, g->before, g->base, o);
    clear_code(g);
}
