/*
 * trap.c: GDT, IDT and TSS of the frame, and the dispatch of exceptions and interrupts (SDM 3A 6, 7; APM 2 8,
 * 12).
 */
#include "trap.h"
#include "check.h"
#include "user.h"

#define ISR_SIZE 16

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_mid;
    uint32_t offset_high, reserved;
};

uint64_t gdt[GDT_ENTRIES] = {
    [SEL_KCODE >> 3] = 0x00af9b000000ffff,   [SEL_KDATA >> 3] = 0x00cf93000000ffff,
    [SEL_UCODE32 >> 3] = 0x00cffb000000ffff, [SEL_UDATA >> 3] = 0x00cff3000000ffff,
    [SEL_UCODE >> 3] = 0x00affb000000ffff,   [SEL_KCODE32 >> 3] = 0x00cf9b000000ffff,
};
struct tss tss __attribute__((aligned(16)));
struct trap_try trap_try;
struct trap trap_last;

static struct gate idt[256] __attribute__((aligned(16)));
static trap_handler *handlers[256];
static uint8_t ist_stacks[2][4096] __attribute__((aligned(16)));

extern const char isr_entries[], isr_user_return[];
void try_call_raw(void (*fn)(uint64_t), uint64_t arg);
void trap_dispatch(struct regs *r);

static const char *const names[] = {
    [DE] = "#DE", [DB] = "#DB", [NMI] = "NMI", [BP] = "#BP", [OF] = "#OF", [BR] = "#BR",
    [UD] = "#UD", [NM] = "#NM", [DF] = "#DF",  [TS] = "#TS", [NP] = "#NP", [SS] = "#SS",
    [GP] = "#GP", [PF] = "#PF", [MF] = "#MF",  [AC] = "#AC", [MC] = "#MC", [XM] = "#XM",
};

static const char *trap_name(int vector)
{
    if (vector == NO_TRAP)
        return "no exception";
    if (vector >= 0 && vector < (int)(sizeof(names) / sizeof(*names)) && names[vector])
        return names[vector];
    return "interrupt";
}

void trap_set_handler(unsigned vector, trap_handler *h)
{
    handlers[vector] = h;
}

static void gate_write(unsigned vector, uint64_t target, unsigned ist, unsigned dpl, bool trap_gate)
{
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)target,
        .selector = SEL_KCODE,
        .ist = (uint8_t)ist,
        .type = (uint8_t)(0x80 | dpl << 5 | (trap_gate ? 15 : 14)),
        .offset_mid = (uint16_t)(target >> 16),
        .offset_high = (uint32_t)(target >> 32),
    };
    barrier();
}

void trap_set_gate(unsigned vector, unsigned ist, unsigned dpl, bool trap_gate)
{
    gate_write(vector, (uint64_t)isr_entries + vector * ISR_SIZE, ist, dpl, trap_gate);
}

void trap_clear_gate(unsigned vector)
{
    idt[vector].type &= 0x7f;
    barrier();
}

void idt_load(uint64_t base, uint16_t limit)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr = {limit, base};
    asm volatile("lidt %0" ::"m"(idtr) : "memory");
}

void tss_load(uint32_t limit)
{
    uint64_t base = (uint64_t)&tss;
    gdt[SEL_TSS >> 3] = (limit & 0xffff) | (base & 0xffffff) << 16 | 0x89ull << 40 |
                        (uint64_t)(limit >> 16 & 15) << 48 | (base >> 24 & 0xff) << 56;
    gdt[(SEL_TSS >> 3) + 1] = base >> 32;
    asm volatile("ltr %0" ::"r"((uint16_t)SEL_TSS) : "memory");
}

void trap_init(void)
{
    for (unsigned v = 0; v < 256; v++)
        trap_set_gate(v, 0, 0, false);
    trap_set_gate(DF, 1, 0, false);
    gate_write(VEC_USER_RETURN, (uint64_t)isr_user_return, 0, 3, false);
    idt_load((uint64_t)idt, sizeof(idt) - 1);
    tss.ist[1] = (uint64_t)ist_stacks[0] + sizeof(ist_stacks[0]);
    tss.ist[2] = (uint64_t)ist_stacks[1] + sizeof(ist_stacks[1]);
    tss.io_base = offsetof(struct tss, io_bitmap);
    for (unsigned i = 0; i < sizeof(tss.io_bitmap); i++)
        tss.io_bitmap[i] = 0xff;
    tss_load(sizeof(tss) - 1);
}

void trap_print(const struct regs *r)
{
    print("%s (vector %u) error %lx at %lx cs %lx rflags %lx cr2 %lx\n", trap_name((int)r->vector),
          (unsigned)r->vector, r->error, r->rip, r->cs, r->rflags, read_cr2());
    print("rsp %lx rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx\n", r->rsp, r->rax, r->rbx, r->rcx,
          r->rdx, r->rsi, r->rdi, r->rbp);
}

/* Called by isr.S with interrupts off. */
void trap_dispatch(struct regs *r)
{
    if (handlers[r->vector]) {
        handlers[r->vector](r);
        return;
    }
    if (!trap_try.resume || r->vector >= 32) {
        print("not asked for: ");
        trap_print(r);
        exit_fail(EXIT_TRAP);
    }
    trap_last = (struct trap){.vector = (int)r->vector, .error = r->error, .cr2 = read_cr2(), .regs = *r};
    if (r->vector == DB)
        trap_last.dr6 = read_dr6();
    r->rip = trap_try.resume;
    r->rsp = trap_try.rsp;
    r->cs = SEL_KCODE;
    r->ss = SEL_KDATA;
    r->rflags = (r->rflags & FLAG_IF) | FLAGS_ALWAYS;
    trap_try.resume = 0;
}

void trap_try_begin(void)
{
    trap_try = (struct trap_try){0};
    trap_last = (struct trap){.vector = NO_TRAP};
}

struct trap trap_try_end(void)
{
    trap_last.tried = trap_try.tried;
    trap_last.behind = trap_try.behind;
    return trap_last;
}

struct trap try_call(void (*fn)(uint64_t arg), uint64_t arg)
{
    trap_try_begin();
    try_call_raw(fn, arg);
    return trap_try_end();
}

void check_failed(const char *file, int line, const char *what, uint64_t expected, uint64_t got)
{
    print("%s:%d: %s: expected %lx, got %lx\n", file, line, what, expected, got);
    exit_fail(EXIT_CHECK);
}

void check_trap(const char *file, int line, const struct trap *t, int vector, uint64_t error, uint64_t rip)
{
    if (t->vector == vector && (vector == NO_TRAP || (t->error == error && t->regs.rip == rip)))
        return;
    print("%s:%d: expected %s", file, line, trap_name(vector));
    if (vector != NO_TRAP)
        print(" error %lx at %lx", error, rip);
    print(", got %s", trap_name(t->vector));
    if (t->vector != NO_TRAP)
        print(" error %lx at %lx, cs %lx cr2 %lx", t->error, t->regs.rip, t->regs.cs, t->cr2);
    print("\n");
    exit_fail(EXIT_CHECK);
}
