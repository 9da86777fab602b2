/*
 * trap32.c: GDT, IDT, TSS and the dispatch of exceptions of a 32-bit image.
 */
#include "trap32.h"
#include "check.h"
#include "mem.h"

#define ISR_SIZE 16

uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(8))) = {
    [SEL_KCODE >> 3] = 0x00cf9b000000ffff,  [SEL_KDATA >> 3] = 0x00cf93000000ffff,
    [SEL_UCODE >> 3] = 0x00cffb000000ffff,  [SEL_UDATA >> 3] = 0x00cff3000000ffff,
    [SEL_CODE16 >> 3] = 0x00009b000000ffff, [SEL_DATA16 >> 3] = 0x000093000000ffff,
};
uint64_t idt[256] __attribute__((aligned(8)));
struct main_tss main_tss __attribute__((aligned(512)));
struct trap_try trap_try;
struct regs trap_regs;
uint8_t user_stack[4096] __attribute__((aligned(16)));
static struct trap trap_last;
static trap_handler *handlers[256];

extern const char isr_entries[], real_entries[], stack0_top[];
extern struct regs real_regs;
void trap_dispatch(void);
void run_raw(void);
void real_run_raw(void);

void trap_set_handler(unsigned vector, trap_handler *h)
{
    handlers[vector] = h;
}

/* ---- descriptors ---- */

uint64_t desc(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    uint64_t a = access & D_ABSENT ? access & 0x7f : access;
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | a << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)flags << 52 | (uint64_t)(base >> 24) << 56;
}

uint64_t gate(unsigned access, unsigned sel, uint32_t offset, unsigned count)
{
    uint64_t a = access & D_ABSENT ? access & 0x7f : access;
    return (offset & 0xffff) | sel << 16 | (uint64_t)count << 32 | a << 40 | (uint64_t)(offset >> 16) << 48;
}

void idt_default(unsigned vector)
{
    idt[vector] = gate(D_INT32, SEL_KCODE, (uint32_t)isr_entries + vector * ISR_SIZE, 0);
    barrier();
}

void idt_load(uint32_t base, uint16_t limit)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) r = {limit, base};
    asm volatile("lidtl %0" ::"m"(r) : "memory");
}

void gdt_load(uint16_t limit)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) r = {limit, (uint32_t)gdt};
    asm volatile("lgdtl %0" ::"m"(r) : "memory");
}

void tss_load(uint32_t limit)
{
    GDT(SEL_TSS) = desc((uint32_t)&main_tss, limit, D_TSS32, 0);
    asm volatile("ltr %0" ::"r"((uint16_t)SEL_TSS) : "memory");
}

void trap_init(void)
{
    for (unsigned v = 0; v < 256; v++)
        idt_default(v);
    idt[VEC_RETURN] |= (uint64_t)D_DPL(3) << 40;
    idt_load((uint32_t)idt, sizeof(idt) - 1);
    main_tss.t.esp0 = (uint32_t)stack0_top;
    main_tss.t.ss0 = SEL_KDATA;
    main_tss.t.io_base = offsetof(struct main_tss, io);
    memset(main_tss.redirect, 0xff, sizeof(main_tss.redirect));
    memset(main_tss.io, 0xff, sizeof(main_tss.io));
    tss_load(sizeof(main_tss) - 1);
    uint32_t volatile *ivt = (uint32_t volatile *)0;
    asm("" : "+r"(ivt));
    for (unsigned v = 0; v < 256; v++)
        ivt[v] = (uint32_t)real_entries + v * ISR_SIZE;
}

/* ---- dispatch ---- */

static void cut_selectors(struct regs *r)
{
    uint32_t *s[] = {&r->cs, &r->ss, &r->ds, &r->es, &r->fs, &r->gs};
    for (unsigned i = 0; i < sizeof(s) / sizeof(*s); i++)
        *s[i] &= 0xffff;
}

static void trap_print(const struct regs *r)
{
    print("vector %u error %x at %x:%x eflags %x cr2 %lx\n", r->vector, r->error, r->cs, r->eip, r->eflags,
          (unsigned long)read_cr2());
    print("ss:esp %x:%x ds %x es %x eax %x ebx %x ecx %x edx %x\n", r->ss, r->esp, r->ds, r->es, r->eax,
          r->ebx, r->ecx, r->edx);
}

/* Called by isr32.S: trap_regs is what was interrupted, and becomes what to go on with. */
void trap_dispatch(void)
{
    struct regs *r = &trap_regs;
    cut_selectors(r);
    if (handlers[r->vector]) {
        handlers[r->vector](r);
        return;
    }
    if (!trap_try.resume) {
        print("not asked for: ");
        trap_print(r);
        exit_fail(EXIT_TRAP);
    }
    trap_last.vector = (int)r->vector;
    trap_last.error = r->error;
    trap_last.cr2 = (uint32_t)read_cr2();
    trap_last.regs = *r;
    if (r->vector == DB)
        trap_last.dr6 = (uint32_t)read_dr6();
    r->eip = trap_try.resume;
    r->cs = SEL_KCODE;
    r->eflags = FLAGS_ALWAYS;
    r->esp = trap_try.esp;
    r->ss = r->ds = r->es = SEL_KDATA;
    trap_try.resume = 0;
}

void trap_try_begin(void)
{
    trap_try = (struct trap_try){0};
    memset(&trap_last, 0, sizeof(trap_last));
    trap_last.vector = NO_TRAP;
}

struct trap trap_try_end(void)
{
    trap_last.tried = trap_try.tried;
    trap_last.behind = trap_try.behind;
    return trap_last;
}

/* ---- code run under them ---- */

struct trap run(const struct regs *r)
{
    trap_try_begin();
    trap_regs = *r;
    run_raw();
    return trap_try_end();
}

struct regs regs_kernel(const void *eip)
{
    return (struct regs){.eip = (uint32_t)eip,
                         .cs = SEL_KCODE,
                         .eflags = FLAGS_ALWAYS,
                         .esp = (uint32_t)user_stack + sizeof(user_stack) - 64,
                         .ss = SEL_KDATA,
                         .ds = SEL_KDATA,
                         .es = SEL_KDATA};
}

struct regs regs_user(const void *eip)
{
    struct regs r = regs_kernel(eip);
    r.cs = SEL_UCODE;
    r.ss = r.ds = r.es = SEL_UDATA;
    return r;
}

struct regs regs_v86(const void *ip)
{
    return (struct regs){.eip = (uint32_t)ip, .eflags = FLAGS_ALWAYS | FLAG_VM, .esp = 0x7000};
}

struct regs regs_real(const void *ip)
{
    return (struct regs){.eip = (uint32_t)ip, .eflags = FLAGS_ALWAYS, .esp = 0x7000};
}

struct trap real_run(const struct regs *r)
{
    struct trap t = {0};
    uint32_t idtr = (uint32_t)idt;
    real_regs = *r;
    real_run_raw();
    idt_load(idtr, sizeof(idt) - 1);
    cut_selectors(&real_regs);
    real_regs.eip &= 0xffff;
    real_regs.eflags &= 0xffff;
    t.vector = (int)(real_regs.vector & 0xff);
    t.regs = real_regs;
    if (t.vector == DB)
        t.dr6 = (uint32_t)read_dr6();
    return t;
}

/* ---- check.h ---- */

void check_failed(const char *file, int line, const char *what, uint64_t expected, uint64_t got)
{
    print("%s:%d: %s: expected %lx, got %lx\n", file, line, what, (unsigned long)expected,
          (unsigned long)got);
    exit_fail(EXIT_CHECK);
}

void check_trap(const char *file, int line, const struct trap *t, int vector, uint64_t error, uint64_t rip)
{
    if (t->vector == vector && (vector == NO_TRAP || (t->error == error && t->regs.eip == rip)))
        return;
    print("%s:%d: expected vector %d error %lx at %lx, got ", file, line, vector, (unsigned long)error,
          (unsigned long)rip);
    if (t->vector == NO_TRAP)
        print("none\n");
    else
        trap_print(&t->regs);
    exit_fail(EXIT_CHECK);
}
