/*
 * cpu_env.h: for tests of what cpu/ says about modes, segments, transfers and events: a vCPU whose cpu_ops
 * reach memory by cpu_walk itself, with descriptor tables, task states and page tables at fixed places.
 */
#ifndef TESTS_UNIT_CPU_ENV_H
#define TESTS_UNIT_CPU_ENV_H

#include "cpu_fixture.h"

/* Where things are in guest memory (1 MiB, mapped one to one where paging is on). */
enum {
    AT_GDT = 0x1000,
    AT_IDT = 0x2000,
    AT_TSS = 0x3000,
    AT_LDT = 0x4000,
    AT_TSS2 = 0x5000,
    AT_TSS16 = 0x6000,
    AT_STACK0 = 0x9000,    /* top of the CPL 0 stack in use */
    AT_STACK_TSS = 0xa000, /* top of the one in the TSS for CPL 0 */
    AT_STACK_IST = 0xb000,
    AT_STACK3 = 0xc000,
    AT_STACK_TASK = 0xd000,
    AT_CODE = 0x10000,
    AT_HANDLER = 0x11000,
    AT_TARGET = 0x12000, /* EIPs; nothing is executed */
    AT_TABLES = 0x80000,
    AT_TABLES32 = 0x90000,   /* page tables */
    AT_NOWHERE = 0x40000000, /* no memory; not mapped either */
};

/* Selectors. */
enum {
    S_CODE = 0x08,
    S_DATA = 0x10,
    S_UCODE = 0x1b,
    S_UDATA = 0x23,
    S_CODE64 = 0x28,
    S_UCODE64 = 0x33,
    S_CONF = 0x38,
    S_CODE16 = 0x40,
    S_RODATA = 0x48,
    S_NPDATA = 0x50,
    S_NPCODE = 0x58,
    S_XONLY = 0x60,
    S_TSS = 0x68 /* and 0x70 */,
    S_LDT = 0x78 /* and 0x80 */,
    S_GATE = 0x88 /* and 0x90 */,
    S_TSS2 = 0x98,
    S_TASK = 0xa0,
    S_TSS16 = 0xa8,
    S_DOWN = 0xb0,
    S_LD = 0xb8,
    S_DATA16 = 0xc0,
    S_UCONF3 = 0xcb,
    S_SMALL = 0xd0,
    S_CODE1 = 0xd9,
    S_DATA1 = 0xe1,
    GDT_LIMIT = 0xff,
    S_BEYOND = 0x100,
    S_LDT_DATA = 0x0c, /* in the LDT */
};

#define A_CODE   (SEG_S | SEG_P | SEG_T_CODE | SEG_T_RW)
#define A_DATA   (SEG_S | SEG_P | SEG_T_RW)
#define A_DPL(n) ((n) << SEG_DPL_SHIFT)

static inline uint64_t mk_desc(uint32_t base, uint32_t limit, uint32_t attr)
{
    uint64_t d = (uint64_t)(limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
                 (uint64_t)(attr & 0xff) << 40 | (uint64_t)(limit >> 16 & 0xf) << 48;
    return d | (uint64_t)(attr >> 12 & 0xf) << 52 | (uint64_t)(base >> 24) << 56;
}
/* Call, interrupt, trap and task gates. */
static inline uint64_t mk_gate(uint16_t sel, uint32_t off, uint32_t attr, unsigned count)
{
    return (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)count << 32 | (uint64_t)(attr & 0xff) << 40 |
           (uint64_t)(off >> 16) << 48;
}

static inline void poke(struct fixture *f, gpa_t gpa, uint64_t v, unsigned n)
{
    assert_true(mem_load(f->mem, gpa, &v, n));
}
static inline uint64_t peek(struct fixture *f, gpa_t gpa, unsigned n)
{
    uint64_t v = 0;
    assert_true(mem_read(f->mem, gpa, &v, n));
    return v;
}
static inline void set_desc(struct fixture *f, unsigned sel, uint64_t d)
{
    poke(f, AT_GDT + (sel & ~7u), d, 8);
}
/* An IDT entry, in the form of the current mode. */
static inline void set_idt(struct fixture *f, unsigned vector, uint16_t sel, uint32_t off, uint32_t attr,
                           unsigned ist)
{
    if (x86_lma(&f->cpu[0].st)) {
        poke(f, AT_IDT + 16 * vector, mk_gate(sel, off, attr, ist), 8);
        poke(f, AT_IDT + 16 * vector + 8, 0, 8);
    } else {
        poke(f, AT_IDT + 8 * vector, mk_gate(sel, off, attr, 0), 8);
    }
}

/* ---- struct cpu_ops over cpu_walk; counts calls ---- */

static unsigned env_mode_changes, env_flush_all, env_flush_nonglobal, env_flush_page, env_cr3_loads,
    env_flush_pcid;
static bool env_cr3_kept;
/* What the mode depends on (cpu.h, mode_changed), as it was when last reported. */
static struct {
    struct x86_seg cs;
    uint16_t ss_size;
    uint8_t cpl;
    uint64_t cr0, cr4, efer, dr7;
    uint32_t flags;
} env_reported;

static inline bool env_access(struct cpu *c, uint64_t lin, void *to, const void *from, unsigned len,
                              unsigned acc)
{
    for (int pass = 0; pass < 2; pass++) /* translate everything before the first byte moves */
        for (unsigned i = 0; i < len; i++) {
            struct cpu_translation t;
            uint64_t at = x86_lma(&c->st) ? lin + i : (uint32_t)(lin + i);
            if (x86_lma(&c->st) && !is_canonical(at))
                return cpu_raise_gp0(c);
            if (!cpu_walk(c, at, acc, &t))
                return false;
            gpa_t gpa = t.page + (at & 0xfff);
            if (pass && to && !mem_read(c->mem, gpa, (uint8_t *)to + i, 1))
                ((uint8_t *)to)[i] = 0xff;
            if (pass && from)
                mem_write(c->mem, gpa, (const uint8_t *)from + i, 1);
        }
    return true;
}
static inline bool env_read(struct cpu *c, uint64_t lin, void *buf, unsigned len, unsigned acc)
{
    return env_access(c, lin, buf, NULL, len, acc | ACC_READ);
}
static inline bool env_write(struct cpu *c, uint64_t lin, const void *buf, unsigned len, unsigned acc)
{
    return env_access(c, lin, NULL, buf, len, acc | ACC_WRITE);
}
static inline bool env_probe(struct cpu *c, uint64_t lin, unsigned len, unsigned acc)
{
    return env_access(c, lin, NULL, NULL, len, acc | ACC_WRITE);
}
static inline void env_flush_all_fn(struct cpu *c)
{
    env_flush_all++;
}
static inline void env_flush_nonglobal_fn(struct cpu *c)
{
    env_flush_nonglobal++;
}
static inline void env_flush_page_fn(struct cpu *c, uint64_t lin)
{
    env_flush_page++;
}
static inline void env_cr3_fn(struct cpu *c, bool keep)
{
    env_cr3_loads++;
    env_cr3_kept = keep;
}
static inline void env_flush_pcid_fn(struct cpu *c, unsigned pcid, bool one, uint64_t lin)
{
    env_flush_pcid++;
}
static inline void env_mode_fn(struct cpu *c)
{
    const struct x86_state *st = &c->st;
    env_mode_changes++;
    env_reported.cs = st->seg[SEG_CS];
    env_reported.ss_size = st->seg[SEG_SS].attr & SEG_DB;
    env_reported.cpl = st->cpl;
    env_reported.cr0 = st->cr0;
    env_reported.cr4 = st->cr4;
    env_reported.efer = st->efer;
    env_reported.dr7 = st->dr7;
    env_reported.flags = st->rflags & (FL_TF | FL_RF | FL_VM | FL_AC);
}
/* Has the engine been told of the mode as it is now? */
static inline bool mode_reported(struct cpu *c)
{
    unsigned count = env_mode_changes;
    __typeof__(env_reported) told = env_reported;
    env_mode_fn(c);
    env_mode_changes = count;
    return !memcmp(&told, &env_reported, sizeof(told));
}
static const struct cpu_ops env_ops = {
    .read = env_read,
    .write = env_write,
    .probe_write = env_probe,
    .flush_all = env_flush_all_fn,
    .flush_nonglobal = env_flush_nonglobal_fn,
    .flush_page = env_flush_page_fn,
    .cr3_loaded = env_cr3_fn,
    .flush_pcid = env_flush_pcid_fn,
    .mode_changed = env_mode_fn,
};

/* ---- modes ---- */

static inline void env_gdt(struct fixture *f)
{
    const uint32_t big = SEG_G | SEG_DB;
    set_desc(f, S_CODE, mk_desc(0, 0xfffff, A_CODE | big));
    set_desc(f, S_DATA, mk_desc(0, 0xfffff, A_DATA | big));
    set_desc(f, S_UCODE, mk_desc(0, 0xfffff, A_CODE | big | A_DPL(3)));
    set_desc(f, S_UDATA, mk_desc(0, 0xfffff, A_DATA | big | A_DPL(3)));
    set_desc(f, S_CODE64, mk_desc(0, 0xfffff, A_CODE | SEG_G | SEG_L));
    set_desc(f, S_UCODE64, mk_desc(0, 0xfffff, A_CODE | SEG_G | SEG_L | A_DPL(3)));
    set_desc(f, S_CONF, mk_desc(0, 0xfffff, A_CODE | SEG_T_DC | big));
    set_desc(f, S_CODE16, mk_desc(0, 0xffff, A_CODE));
    set_desc(f, S_RODATA, mk_desc(0, 0xfffff, (A_DATA & ~SEG_T_RW) | big));
    set_desc(f, S_NPDATA, mk_desc(0, 0xfffff, (A_DATA & ~SEG_P) | big));
    set_desc(f, S_NPCODE, mk_desc(0, 0xfffff, (A_CODE & ~SEG_P) | big));
    set_desc(f, S_XONLY, mk_desc(0, 0xfffff, (A_CODE & ~SEG_T_RW) | big));
    set_desc(f, S_TSS, mk_desc(AT_TSS, 0xfff, SEG_P | SYS_TSS32));
    set_desc(f, S_LDT, mk_desc(AT_LDT, 0xff, SEG_P | SYS_LDT));
    set_desc(f, S_TSS2, mk_desc(AT_TSS2, 0x67, SEG_P | SYS_TSS32));
    set_desc(f, S_TASK, mk_gate(S_TSS2, 0, SEG_P | SYS_TASK, 0));
    set_desc(f, S_TSS16, mk_desc(AT_TSS16, 0x2b, SEG_P | SYS_TSS16));
    set_desc(f, S_DOWN, mk_desc(0, 0xfff, A_DATA | SEG_T_DC | SEG_DB));
    set_desc(f, S_LD, mk_desc(0, 0xfffff, A_CODE | SEG_G | SEG_L | SEG_DB));
    set_desc(f, S_DATA16, mk_desc(0, 0xffff, A_DATA));
    set_desc(f, S_UCONF3, mk_desc(0, 0xfffff, A_CODE | SEG_T_DC | big | A_DPL(3)));
    set_desc(f, S_SMALL, mk_desc(0, 0xff, A_CODE | SEG_DB));
    set_desc(f, S_CODE1, mk_desc(0, 0xfffff, A_CODE | big | A_DPL(1)));
    set_desc(f, S_DATA1, mk_desc(0, 0xfffff, A_DATA | big | A_DPL(1)));
    /* Good ones just beyond the limits: only the limit keeps them out. */
    set_desc(f, S_BEYOND, mk_desc(0, 0xfffff, A_CODE | big));
    poke(f, AT_LDT + 0x100, mk_desc(0, 0xfffff, A_DATA | big), 8);
    poke(f, AT_LDT + 8, mk_desc(0, 0xfffff, A_DATA | big), 8);
    f->cpu[0].st.gdtr = (struct x86_table){AT_GDT, GDT_LIMIT};
}

static inline void set_seg(struct cpu *c, enum x86_sreg r, uint16_t sel, uint16_t attr)
{
    c->st.seg[r] = (struct x86_seg){.limit = 0xffffffff, .sel = sel, .attr = attr | SEG_T_ACCESSED};
}

/* 32-bit protected mode without paging, at the given privilege level, TSS loaded, all handlers at AT_HANDLER.
 */
static inline struct cpu *env_protected(struct fixture *f, unsigned cpl)
{
    struct cpu *c = &f->cpu[0];
    const uint16_t big = SEG_G | SEG_DB;
    c->ops = &env_ops;
    x86_reset(&c->st, false, f->model.signature, true);
    env_gdt(f);
    c->st.cr0 = CR0_PE | CR0_ET | CR0_NE;
    c->st.cpl = (uint8_t)cpl;
    set_seg(c, SEG_CS, cpl ? S_UCODE : S_CODE, A_CODE | big | (cpl ? SEG_DPL : 0));
    for (enum x86_sreg r = SEG_ES; r <= SEG_GS; r++)
        if (r != SEG_CS)
            set_seg(c, r, cpl ? S_UDATA : S_DATA, A_DATA | big | (cpl ? SEG_DPL : 0));
    c->st.seg[SEG_TR] = (struct x86_seg){AT_TSS, 0xfff, S_TSS, SEG_P | SYS_TSS32_BUSY};
    set_desc(f, S_TSS, mk_desc(AT_TSS, 0xfff, SEG_P | SYS_TSS32_BUSY));
    c->st.seg[SEG_LDTR] = (struct x86_seg){AT_LDT, 0xff, S_LDT, SEG_P | SYS_LDT};
    c->st.idtr = (struct x86_table){AT_IDT, 0x7ff};
    c->st.gpr[RSP] = cpl ? AT_STACK3 : AT_STACK0;
    c->st.rip = AT_CODE;
    x86_set_rflags(&c->st, FL_IF);
    poke(f, AT_TSS + 4, AT_STACK_TSS, 4);
    poke(f, AT_TSS + 8, S_DATA, 2);
    poke(f, AT_TSS + 102, 104, 2);
    for (unsigned v = 0; v < 256; v++)
        set_idt(f, v, S_CODE, AT_HANDLER + v, SEG_P | SYS_INT32 | A_DPL(3), 0);
    env_mode_changes = env_flush_all = env_flush_nonglobal = env_flush_page = env_cr3_loads = env_flush_pcid =
        0;
    atomic_store(&c->poll, 0);
    return c;
}

/* Long mode: the first GiB mapped one to one by one large page for everybody, except AT_NOWHERE and above. */
static inline struct cpu *env_long(struct fixture *f, unsigned cpl)
{
    struct cpu *c = env_protected(f, cpl);
    poke(f, AT_TABLES, (AT_TABLES + 0x1000) | PTE_P | PTE_W | PTE_U, 8);
    poke(f, AT_TABLES + 0x1000, 0x83 | PTE_U, 8);
    c->st.cr3 = AT_TABLES;
    c->st.cr4 = CR4_PAE;
    c->st.efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    c->st.cr0 |= CR0_PG | CR0_WP;
    set_seg(c, SEG_CS, cpl ? S_UCODE64 : S_CODE64, A_CODE | SEG_G | SEG_L | (cpl ? SEG_DPL : 0));
    poke(f, AT_TSS + 4, AT_STACK_TSS, 8);
    poke(f, AT_TSS + 36, AT_STACK_IST, 8);
    poke(f, AT_GDT + S_TSS + 8, 0, 8);
    poke(f, AT_GDT + S_LDT + 8, 0, 8);
    c->st.idtr.limit = 0xfff;
    for (unsigned v = 0; v < 256; v++)
        set_idt(f, v, S_CODE64, AT_HANDLER + v, SEG_P | SYS_INT32 | A_DPL(3), 0);
    return c;
}

/* 32-bit paging, the first MiB one to one by 4 KiB pages; `page` gets the rights given. */
static inline void env_paging32(struct fixture *f, gpa_t page, uint64_t rights)
{
    struct cpu *c = &f->cpu[0];
    poke(f, AT_TABLES32, (AT_TABLES32 + 0x1000) | PTE_P | PTE_W | PTE_U, 4);
    for (unsigned i = 0; i < 256; i++)
        poke(f, AT_TABLES32 + 0x1000 + 4 * i, i << 12 | PTE_P | PTE_W | PTE_U, 4);
    poke(f, AT_TABLES32 + 0x1000 + 4 * (page >> 12), page | rights, 4);
    c->st.cr3 = AT_TABLES32;
    c->st.cr0 |= CR0_PG | CR0_WP;
}

/* Virtual-8086 mode at IOPL `level`. */
static inline struct cpu *env_v86(struct fixture *f, unsigned level)
{
    struct cpu *c = env_protected(f, 3);
    for (enum x86_sreg r = SEG_ES; r <= SEG_GS; r++)
        c->st.seg[r] =
            (struct x86_seg){0x8000, 0xffff, 0x800, SEG_P | SEG_DPL | SEG_S | SEG_T_RW | SEG_T_ACCESSED};
    c->st.gpr[RSP] = 0x1000;
    c->st.rip = 0x100;
    x86_set_rflags(&c->st, FL_VM | FL_IF | level << 12);
    return c;
}

/* Real mode, interrupt table at 0: vector n leads to 0x1000:n. */
static inline struct cpu *env_real(struct fixture *f)
{
    struct cpu *c = &f->cpu[0];
    c->ops = &env_ops;
    x86_reset(&c->st, false, f->model.signature, true);
    for (enum x86_sreg r = SEG_ES; r <= SEG_GS; r++) {
        c->st.seg[r].base = 0x8000;
        c->st.seg[r].sel = 0x800;
    }
    c->st.gpr[RSP] = 0x1000;
    c->st.rip = 0x100;
    c->st.idtr.limit = 0x3ff;
    for (unsigned v = 0; v < 256; v++)
        poke(f, 4 * v, 0x10000000 | v, 4);
    x86_set_rflags(&c->st, FL_IF | FL_AC);
    atomic_store(&c->poll, 0);
    return c;
}

/* ---- what came of it ---- */

/* The faults of a table: vector << 16 | error, without error code: vector << 16 | NO_ERROR. */
#define OK          0u
#define NO_ERROR    0xffffu
#define F(vec, err) ((uint32_t)(vec) << 16 | (err))
#define GP(err)     F(VEC_GP, err)
#define UD          F(VEC_UD, NO_ERROR)

static inline uint32_t outcome(const struct cpu *c, bool done)
{
    if (done)
        return OK;
    return F(c->fault.vector, c->fault.has_error ? c->fault.error : NO_ERROR);
}
#define assert_outcome(c, done, want, name)                                                    \
    do {                                                                                       \
        uint32_t got_ = outcome(c, done);                                                      \
        if (got_ != (want))                                                                    \
            fail_msg("%s: %#x, not %#x (vector << 16 | error)", name, got_, (unsigned)(want)); \
    } while (0)
#define assert_field(got, want, name, field)                                               \
    do {                                                                                   \
        if ((uint64_t)(got) != (uint64_t)(want))                                           \
            fail_msg("%s: %s is %#llx, not %#llx", name, field, (unsigned long long)(got), \
                     (unsigned long long)(want));                                          \
    } while (0)

#endif
