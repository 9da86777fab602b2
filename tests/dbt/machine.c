/*
 * machine.c: memory, page tables, handlers and one device around an engine, and the way back to the start.
 */
#include "machine.h"

#include "cpu/lapic.h"
#include "engine/dbt/dbt.h"
#include "engine/interp/interp.h"
#include "insn/values.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

extern const uint8_t handlers_begin[], handlers_end[], handler_syscall[];

#define RAM_SIZE   (RAM_PAGES * PAGE_SIZE)
#define TICK_US    5000 /* of processor time: each one kicks whoever runs */
#define WATCH_TICK 100  /* so many, and a run is taken for endless */

struct machine {
    const struct engine_ops *ops;
    enum engine_exit (*step)(struct engine_vcpu *v, bool *faulted);
    struct mem *mem;
    struct bus *bus;
    struct clock *clock;
    struct engine *engine;
    struct engine_vcpu *vcpu;
    struct cpu *cpu;
    struct cpuid_model model;
    struct x86_state start;
    pthread_mutex_t lock;
    uint64_t reads, writes, sum;
    uint8_t *ram;
    bool apic_used;
    _Alignas(64) uint8_t image[RAM_SIZE]; /* the start's */
};

/* ---- kicks at any time, and the watchdog ---- */

static struct engine_vcpu *volatile watched;
static const struct engine_ops *volatile watched_ops;
static volatile sig_atomic_t ticks, barked;

static void tick(int sig)
{
    if (!watched)
        return;
    barked |= ++ticks >= WATCH_TICK;
    watched_ops->kick(watched);
}

static void watch(struct machine *m)
{
    static bool started;
    if (!started) {
        const struct itimerval interval = {.it_interval.tv_usec = TICK_US, .it_value.tv_usec = TICK_US};
        const struct sigaction sa = {.sa_handler = tick, .sa_flags = SA_RESTART};
        sigaction(SIGVTALRM, &sa, NULL);
        setitimer(ITIMER_VIRTUAL, &interval, NULL);
        started = true;
    }
    ticks = barked = 0;
    watched_ops = m->ops;
    watched = m->vcpu;
}

/* ---- the device: reads count up, writes are summed, the upper half's raise an interrupt, or kick ---- */

static uint64_t device_read(void *opaque, uint64_t offset, unsigned size)
{
    struct machine *m = opaque;
    m->reads++;
    return (m->reads * 0x0102030405060701ull + offset) & mask_bytes(size);
}
static void device_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct machine *m = opaque;
    m->writes++;
    m->sum = m->sum * 0x9e3779b97f4a7c15ull + (value ^ offset << 56 ^ (uint64_t)size << 48);
    if (offset >= 0xc00)
        m->ops->kick(m->vcpu);
    else if (offset >= 0x800 && m->apic_used)
        m->ops->deliver_msi(m->engine, LAPIC_BASE, VEC_IRQ);
}
static const struct bus_desc device = {
    .name = "counter", .read = device_read, .write = device_write, .min_size = 1, .max_size = 8};

/* ---- memory ---- */

static void put64(struct machine *m, uint64_t at, uint64_t v)
{
    store_le(m->image + at, v, 8);
}
static void put_pte(struct machine *m, unsigned page, uint64_t v)
{
    put64(m, PG_PT * PAGE_SIZE + 8 * page, v);
}
#define PAGE(n) ((n)*PAGE_SIZE)

static void low_pages(struct machine *m)
{
    const uint64_t ro = PTE_P | PTE_U | PTE_A | PTE_D, rw = ro | PTE_W;
    static const struct {
        uint8_t at, page;
        bool write, clean;
    } data[] = {
        {0, 20, true, false},  {1, 21, true, false},  {2, 24, true, false}, {3, 25, false, false},
        {5, 27, true, true},   {6, 28, true, false},  {8, 22, true, false}, {11, 23, true, false},
        {12, 20, true, false}, {13, 29, false, true}, {15, 30, true, true},
    };
    memset(m->image + PAGE(PG_PT), 0, PAGE_SIZE);
    for (unsigned i = 0; i < 2; i++) {
        put_pte(m, i ? ALIAS_AT : CODE_AT, PAGE(PG_CODE) | rw);
        put_pte(m, (i ? ALIAS_AT : CODE_AT) + 1, PAGE(PG_CODE2) | rw);
        put_pte(m, STACK_AT + i, PAGE(PG_STACK + i) | rw | PTE_NX);
    }
    for (unsigned i = 0; i < ARRAY_LEN(data); i++)
        put_pte(m, DATA_AT + data[i].at,
                (PAGE(data[i].page) | PTE_P | PTE_U | PTE_NX | (data[i].write ? PTE_W : 0) |
                 (data[i].clean ? 0 : PTE_A | PTE_D)));
    put_pte(m, DATA_AT + 7, PAGE(26) | PTE_P | PTE_W | PTE_A | PTE_D); /* supervisor */
    put_pte(m, DATA_AT + 9, DEVICE_GPA | rw);
    put_pte(m, DATA_AT + 10, BEYOND_GPA | rw);
    put_pte(m, DATA_AT + 14, ROM_GPA | rw);
    put_pte(m, SCRATCH_AT, PAGE(PG_SCRATCH) | rw | PTE_NX);
}

/* The other address space, which shares the system's half. */
static void other_tables(struct machine *m)
{
    const uint64_t flags = PTE_P | PTE_W | PTE_A | PTE_D | PTE_U;
    memcpy(m->image + PAGE(PG_OTHER), m->image + PAGE(PG_PML4), 3 * PAGE_SIZE);
    put64(m, PAGE(PG_OTHER), PAGE(PG_OTHER + 1) | flags);
    put64(m, PAGE(PG_OTHER + 1) + 8 * (LOW_VA >> 30), PAGE(PG_OTHER + 2) | flags);
    put64(m, PAGE(PG_OTHER + 2) + 8 * (LOW_VA >> 21 & 511), PAGE(PG_OTHERPT) | flags);
}
static void other_low_pages(struct machine *m)
{
    uint8_t *pt = m->image + PAGE(PG_OTHERPT);
    memcpy(pt, m->image + PAGE(PG_PT), PAGE_SIZE);
    const uint64_t first = load_le(pt + 8 * DATA_AT, 8), third = load_le(pt + 8 * (DATA_AT + 2), 8);
    store_le(pt + 8 * DATA_AT, third, 8);
    store_le(pt + 8 * (DATA_AT + 2), first, 8);
}

static uint64_t segment(uint16_t attr)
{
    return 0xffffull | (uint64_t)(attr & 0xff) << 40 | 0xfull << 48 | (uint64_t)(attr >> 12) << 52;
}
#define DATA_SEG(dpl) (SEG_P | SEG_S | (dpl) << SEG_DPL_SHIFT | SEG_T_RW | SEG_T_ACCESSED | SEG_G | SEG_DB)
#define CODE_SEG(dpl) \
    (SEG_P | SEG_S | (dpl) << SEG_DPL_SHIFT | SEG_T_RW | SEG_T_ACCESSED | SEG_T_CODE | SEG_G | SEG_L)

static void gate(struct machine *m, unsigned vector, unsigned stub, unsigned dpl, unsigned ist)
{
    const uint64_t to = SYS(SYS_CODE) + stub * STUB_SIZE, at = PAGE(PG_SYS + SYS_IDT) + 16 * vector;
    put64(m, at,
          (to & 0xffff) | SEL_KCODE << 16 | (uint64_t)ist << 32 | (0x8eull | dpl << 5) << 40 |
              (to >> 16 & 0xffff) << 48);
    put64(m, at + 8, to >> 32);
}

static void system_pages(struct machine *m)
{
    const uint64_t flags = PTE_P | PTE_W | PTE_A | PTE_D, tables = PAGE(PG_SYS + SYS_TABLES);
    const uint64_t tss = SYS(SYS_TABLES) + 0x100;
    put64(m, PAGE(PG_PML4), PAGE(PG_PDPT) | flags | PTE_U);
    put64(m, PAGE(PG_PML4) + 8 * 256, PAGE(PG_SYSPDPT) | flags);
    put64(m, PAGE(PG_PDPT) + 8 * (LOW_VA >> 30), PAGE(PG_PD) | flags | PTE_U);
    put64(m, PAGE(PG_PD) + 8 * (LOW_VA >> 21 & 511), PAGE(PG_PT) | flags | PTE_U);
    put64(m, PAGE(PG_PD) + 8 * (LARGE_VA >> 21 & 511), 0 | flags | PTE_U | PTE_PS);
    put64(m, PAGE(PG_SYSPDPT), PAGE(PG_SYSPD) | flags);
    put64(m, PAGE(PG_SYSPD), PAGE(PG_SYSPT) | flags);
    for (unsigned i = 0; i < 8; i++)
        put64(m, PAGE(PG_SYSPT) + 8 * i, PAGE(PG_SYS + i) | flags | PTE_G);
    put64(m, PAGE(PG_SYSPT) + 8 * SYS_PT, PAGE(PG_PT) | flags | PTE_G);
    put64(m, PAGE(PG_SYSPT) + 8 * SYS_HIGH, PAGE(PG_CODE) | flags | PTE_G);
    put64(m, PAGE(PG_SYSPT) + 8 * (SYS_HIGH + 1), PAGE(PG_CODE2) | flags | PTE_G);
    put64(m, tables + SEL_KCODE, segment(CODE_SEG(0)));
    put64(m, tables + SEL_KDATA, segment(DATA_SEG(0)));
    put64(m, tables + (SEL_UDATA & ~7u), segment(DATA_SEG(3)));
    put64(m, tables + (SEL_UCODE & ~7u), segment(CODE_SEG(3)));
    put64(m, tables + SEL_TSS,
          0x67 | (tss & 0xffffff) << 16 | (uint64_t)(SEG_P | SYS_TSS32_BUSY) << 40 |
              (tss >> 24 & 0xff) << 56);
    put64(m, tables + SEL_TSS + 8, tss >> 32);
    put64(m, tables + 0x100 + 0x04, SYS(SYS_FAULT) + PAGE_SIZE); /* RSP0 */
    put64(m, tables + 0x100 + 0x24, SYS(SYS_FAULT) + PAGE_SIZE); /* IST1 */
    put64(m, tables + 0x100 + 0x2c, SYS(SYS_IRQ) + PAGE_SIZE);   /* IST2 */
    for (unsigned v = 0; v < 32; v++)
        gate(m, v, v, v == VEC_BP || v == VEC_OF ? 3 : 0, 1);
    gate(m, VEC_IRQ, 32, 0, 2);
    gate(m, VEC_END, 33, 3, 1);
    gate(m, VEC_IRET, 34, 3, 1);
    other_tables(m);
    memcpy(m->image + PAGE(PG_SYS + SYS_CODE), handlers_begin, (size_t)(handlers_end - handlers_begin));
}

static void start_state(struct machine *m)
{
    struct x86_state *s = &m->start;
    *s = m->cpu->st;
    s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    s->cr3 = PAGE(PG_PML4);
    s->cr4 =
        (CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_FSGSBASE) & m->model.cr4_mask;
    s->efer = (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE) & m->model.efer_mask;
    s->xcr0 = m->model.xcr0_mask;
    s->msr.star = (uint64_t)SEL_KCODE << 32 | (uint64_t)(SEL_UDATA - 8) << 48;
    s->msr.lstar = SYS(SYS_CODE) + (uint64_t)(handler_syscall - handlers_begin);
    s->msr.sfmask = FL_TF | FL_IF;
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        s->seg[i] = (struct x86_seg){.attr = SEG_UNUSABLE};
    s->seg[SEG_LDTR] = (struct x86_seg){.attr = SEG_UNUSABLE | SYS_LDT};
    s->seg[SEG_TR] = (struct x86_seg){
        .sel = SEL_TSS, .limit = 0x67, .base = SYS(SYS_TABLES) + 0x100, .attr = SEG_P | SYS_TSS32_BUSY};
    s->gdtr = (struct x86_table){SYS(SYS_TABLES), 0x3f};
    s->idtr = (struct x86_table){SYS(SYS_IDT), 0xfff};
    s->mp = X86_RUNNING;
}

struct machine *machine_new(const char *engine, const struct cpuid_model *model, const uint8_t *base,
                            struct err *e)
{
    struct machine *m = aligned_alloc(64, align_up(sizeof(*m), 64));
    assert(m);
    memset(m, 0, sizeof(*m));
    const bool interp = !strcmp(engine, "interp");
    m->ops = interp ? &interp_engine : &dbt_engine;
    m->step = interp ? interp_step : dbt_step;
    m->model = *model;
    pthread_mutex_init(&m->lock, NULL);
    m->mem = mem_new();
    m->bus = bus_new();
    m->clock = clock_new_stepped(0);
    if (!m->mem || !mem_add_ram(m->mem, 0, RAM_SIZE, e) || !mem_add_rom(m->mem, ROM_GPA, PAGE_SIZE, e)) {
        machine_free(m);
        return NULL;
    }
    bus_add_mmio(m->bus, DEVICE_GPA, PAGE_SIZE, &device, m, &m->lock);
    mem_load(m->mem, ROM_GPA, base, PAGE_SIZE);
    memcpy(m->image, base, RAM_SIZE);
    memset(m->image, 0, PAGE(PG_CODE));
    memset(m->image + PAGE(PG_SCRATCH), 0, PAGE_SIZE);
    system_pages(m);
    const struct engine_config cfg = {
        .mem = m->mem, .bus = m->bus, .clock = m->clock, .cpuid = &m->model, .cpus = 1, .counted = true};
    m->engine = m->ops->open(&cfg, e);
    m->vcpu = m->engine ? m->ops->vcpu_create(m->engine, 0, e) : NULL;
    if (!m->vcpu) {
        machine_free(m);
        return NULL;
    }
    m->cpu = interp ? interp_cpu(m->vcpu) : dbt_cpu(m->vcpu);
    m->ram = (uint8_t *)mem_ptr(m->mem, 0, RAM_SIZE);
    start_state(m);
    m->apic_used = true;
    return m;
}

void machine_free(struct machine *m)
{
    if (!m)
        return;
    watched = NULL;
    if (m->vcpu)
        m->ops->vcpu_destroy(m->vcpu);
    if (m->engine)
        m->ops->close(m->engine);
    clock_free(m->clock);
    bus_free(m->bus);
    mem_free(m->mem);
    free(m);
}

/* ---- back to the start ---- */

/* Only what differs is written, so that code which stayed the same stays translated. True: page tables
 * changed. */
static bool restore_memory(struct machine *m)
{
    bool tables = false;
    for (unsigned p = 0; p < RAM_PAGES; p++) {
        if (!memcmp(m->ram + PAGE(p), m->image + PAGE(p), PAGE_SIZE))
            continue;
        tables |= (p >= PG_PML4 && p <= PG_SYSPT) || (p >= PG_OTHER && p <= PG_OTHERPT);
        for (uint64_t at = PAGE(p); at < PAGE(p + 1); at += 64)
            if (memcmp(m->ram + at, m->image + at, 64))
                mem_write(m->mem, at, m->image + at, 64);
    }
    return tables;
}

static void load_vectors(struct x86_state *st, const struct seq *s)
{
    _Alignas(64) uint8_t x[XSAVE_SIZE];
    struct rng r;
    rng_init(&r, s->vector_seed, 0);
    value_xsave(&r, x, false);
    memcpy(&st->fpu.fx, x, XS_XMM);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(st->fpu.ymm[i], x + XS_XMM + 16 * i, 16);
        memcpy(st->fpu.ymm[i] + 16, x + XS_YMM_HI + 16 * i, 16);
    }
    st->fpu.fx.fcw = s->fcw;
    st->fpu.fx.fsw &= 0x7f00; /* nothing pending */
    st->fpu.fx.mxcsr = s->mxcsr;
    st->fpu.xinuse = st->xcr0;
}

static void load_state(struct machine *m, const struct seq *s)
{
    struct x86_state *st = &m->cpu->st;
    const unsigned dpl = s->user ? 3 : 0;
    *st = m->start;
    st->cr0 ^= s->cr0;
    st->cr4 ^= s->cr4 & m->model.cr4_mask;
    st->cr3 |= st->cr4 & CR4_PCIDE ? s->pcid : 0;
    st->cpl = (uint8_t)dpl;
    st->seg[SEG_CS] = (struct x86_seg){
        .sel = s->user ? SEL_UCODE : SEL_KCODE, .limit = 0xffffffff, .attr = (uint16_t)CODE_SEG(dpl)};
    st->seg[SEG_SS] = (struct x86_seg){
        .sel = s->user ? SEL_UDATA : SEL_KDATA, .limit = 0xffffffff, .attr = (uint16_t)DATA_SEG(dpl)};
    st->seg[SEG_FS].base = s->fs_base;
    st->seg[SEG_GS].base = s->gs_base;
    memcpy(st->gpr, s->gpr, sizeof(st->gpr));
    st->rip = (s->high ? SYS(SYS_HIGH) : LOW(CODE_AT)) + s->start;
    x86_set_rflags(st, (uint32_t)s->rflags);
    load_vectors(st, s);
}

/* As a kernel leaves it: x2APIC mode, enabled, nothing pending. */
static void reset_apic(struct machine *m)
{
    struct lapic *a = m->cpu->apic;
    lapic_reset(a, false);
    lapic_set_base(a, LAPIC_BASE | BIT(8) | BIT(11));
    lapic_set_base(a, LAPIC_BASE | BIT(8) | BIT(10) | BIT(11));
    lapic_msr_write(a, 0x80f, 0x1ff);
    m->apic_used = false;
}

void machine_load(struct machine *m, const struct seq *s, const struct code *c)
{
    const struct x86_state *st = &m->cpu->st;
    memcpy(m->image + PAGE(PG_CODE), c->bytes, PAGE_SIZE);
    memcpy(m->image + PAGE(PG_CODE2), c->bytes + PAGE_SIZE, PAGE_SIZE);
    memcpy(m->image + PAGE(PG_SPARE), c->bytes + PAGE_SIZE, PAGE_SIZE);
    memcpy(m->image + PAGE(PG_SYS + SYS_LENGTHS), c->lengths, sizeof(c->lengths));
    store_le(m->image + PAGE(PG_SYS + SYS_LOG) + LOG_CLEAR, s->clear_mf, 8);
    low_pages(m);
    for (unsigned i = 0; i < s->npte; i++)
        put_pte(m, s->pte[i].page, s->pte[i].value);
    other_low_pages(m);
    const uint64_t cr0 = st->cr0, cr3 = st->cr3, cr4 = st->cr4, efer = st->efer;
    bool flush = restore_memory(m) || s->flush;
    if (m->apic_used || s->apic)
        reset_apic(m);
    m->apic_used = s->apic;
    load_state(m, s);
    flush |= cr0 != st->cr0 || cr3 != st->cr3 || cr4 != st->cr4 || efer != st->efer;
    if (flush)
        m->cpu->ops->flush_all(m->cpu);
    m->cpu->ops->mode_changed(m->cpu);
    atomic_store(&m->cpu->kicked, false);
    cpu_recheck(m->cpu);
    m->reads = m->writes = m->sum = 0;
}

/* ---- running ---- */

void machine_counters(struct machine *m, struct engine_counters *out)
{
    m->ops->counters(m->vcpu, out);
}

static uint64_t insns(struct machine *m)
{
    struct engine_counters k;
    machine_counters(m, &k);
    return k.insns;
}

static void collect(struct machine *m, uint64_t before, enum engine_exit exit, struct ending *o)
{
    m->ops->pull(m->vcpu, GROUP_ALL, &o->st);
    o->insns = insns(m) - before;
    o->exit = exit;
    o->endless = barked;
    o->device_reads = m->reads;
    o->device_writes = m->writes;
    o->device_sum = m->sum;
    o->ram = m->ram;
}

void machine_run(struct machine *m, struct ending *o)
{
    struct engine_exit_info info;
    const uint64_t before = insns(m);
    watch(m);
    enum engine_exit exit;
    do /* a kick is of no consequence but for when it comes */
        exit = m->ops->run(m->vcpu, &info);
    while (exit == EXIT_KICK && !barked);
    watched = NULL;
    collect(m, before, exit, o);
}

static bool behind_sti(const struct machine *m)
{
    const uint64_t at = m->cpu->st.rip - 1 - LOW(CODE_AT);
    return at < CODE_PAGES * PAGE_SIZE &&
           m->ram[(at < PAGE_SIZE ? PAGE(PG_CODE) : PAGE(PG_CODE2 - 1)) + at] == 0xfb;
}

void machine_run_steps(struct machine *m, const struct seq *s, unsigned steps, struct ending *o)
{
    struct cpu *c = m->cpu;
    enum cpu_result r = CPU_GO_ON;
    const uint64_t before = insns(m);
    barked = 0;
    if (m->ops == &dbt_engine)
        dbt_bind(m->vcpu);
    for (unsigned n = 0; n < steps && r == CPU_GO_ON; n++) {
        bool faulted;
        /* Not behind an STI, which has its shadow in one engine only: translated code is interrupted at jumps
         * alone, and there is none. */
        if (s->boundaries >> (n & 63) & 1 && !behind_sti(m))
            m->ops->deliver_msi(m->engine, LAPIC_BASE, VEC_IRQ);
        if (atomic_load(&c->poll))
            r = cpu_events(c);
        if (r != CPU_GO_ON)
            break;
        m->step(m->vcpu, &faulted);
        if (faulted)
            r = cpu_deliver_fault(c);
        c->ops->mode_changed(c);
    }
    collect(m, before, r == CPU_HALT ? EXIT_HALT : r == CPU_GO_ON ? EXIT_KICK : EXIT_SHUTDOWN, o);
}
