/*
 * trap32.h: exceptions and interrupts of a 32-bit image, its descriptor tables, and code run under them:
 * 16-bit, user, virtual-8086, real mode.
 *
 * As in trap.h, an exception while something is tried is recorded and ends the try; any other fails the
 * image.
 */
#ifndef GUEST_TRAP32_H
#define GUEST_TRAP32_H

#include "cpu.h"
#include "image32.h"

/* The order is isr32.S's; selectors are cut to 16 bits. */
struct regs {
    uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
    uint32_t eip, cs, eflags, esp, ss, ds, es, fs, gs;
    uint32_t vector, error;
};
typedef void trap_handler(struct regs *r);

#define NO_TRAP (-1)
struct trap {
    int vector;
    uint32_t error, cr2, dr6;
    uint32_t tried, behind; /* TRY only */
    struct regs regs;
};

void trap_set_handler(unsigned vector, trap_handler *h);
void trap_init(void);

/* ---- descriptors (SDM 3A 3.4.5, 3.5) ---- */

extern uint64_t gdt[GDT_ENTRIES];
extern uint64_t idt[256];

/* Access bytes without the accessed bit; present. The DPL goes in by D_DPL. */
#define D_DATA   0x92u /* writable */
#define D_CODE   0x9au /* readable */
#define D_DOWN   0x04u /* data: expand-down */
#define D_CONF   0x04u /* code: conforming */
#define D_LDT    0x82u
#define D_TSS16  0x81u
#define D_TSS32  0x89u
#define D_BUSY   0x02u
#define D_CALL16 0x84u
#define D_TASK   0x85u
#define D_INT16  0x86u
#define D_TRAP16 0x87u
#define D_CALL32 0x8cu
#define D_INT32  0x8eu
#define D_TRAP32 0x8fu
#define D_DPL(n) ((unsigned)(n) << 5)
#define D_ABSENT 0x100u /* P is to be clear */
/* Flags: 32-bit, page granularity. */
#define D_32 0x4u
#define D_G  0x8u
uint64_t desc(uint32_t base, uint32_t limit, unsigned access, unsigned flags);
/* A gate; count: parameters of a call gate. */
uint64_t gate(unsigned access, unsigned sel, uint32_t offset, unsigned count);
#define GDT(sel) gdt[(sel) >> 3]
/* Back to the entry of isr32.S, interrupt gate of 32 bits, DPL 0. */
void idt_default(unsigned vector);
void idt_load(uint32_t base, uint16_t limit);
void gdt_load(uint16_t limit);

struct tss32 {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_base;
} __attribute__((packed));
struct tss16 {
    uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags;
    uint16_t ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
} __attribute__((packed));
/* The frame's own, in TR; behind it the redirection bitmap (all set: to the IDT) and an I/O bitmap for 1024
 * ports (all set: refused). */
extern struct main_tss {
    struct tss32 t;
    uint8_t redirect[32], io[128 + 1];
} __attribute__((packed)) main_tss;
/* (Re)load TR with it. */
void tss_load(uint32_t limit);

/* ---- trying ---- */

struct trap_try {
    uint32_t resume, esp, tried, behind;
};
extern struct trap_try trap_try;
void trap_try_begin(void);
struct trap trap_try_end(void);

/* As in trap.h. */
#define TRY(insn, ...)                               \
    ({                                               \
        trap_try_begin();                            \
        asm volatile(                                \
            "movl %%esp, trap_try+4\n\t"             \
            "movl $771f, trap_try+8\n\t"             \
            "movl $772f, trap_try+12\n\t"            \
            "movl $772f, trap_try\n"                 \
            "771: " insn                             \
            "\n"                                     \
            "772: movl $0, trap_try\n" __VA_ARGS__); \
        trap_try_end();                              \
    })

/* Go to these registers by IRET, with the next exception or interrupt as the end of it. */
struct trap run(const struct regs *r);
/* To begin with: flat segments of CPL 0 or 3, a stack, flags clear. */
struct regs regs_kernel(const void *eip);
struct regs regs_user(const void *eip);
/* Virtual-8086 mode: code in .low at segment 0, stack at 0:0x7000. */
struct regs regs_v86(const void *ip);
extern uint8_t user_stack[4096];

/*
 * Real mode: to these registers, whatever interrupt comes next is the end of it; error is 0, and the upper
 * halves of eip and eflags are too. `limit`: of the interrupt table at 0.
 */
struct trap real_run(const struct regs *r);
struct regs regs_real(const void *ip);
extern struct {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed)) real_idtr;

/* 16-bit code and what it needs, below 64 KiB: asm(LOW_BEGIN "name: ..." LOW_END). Ends by INT 0x81. */
#define LOW_BEGIN ".section .low, \"awx\"\n.code16\n"
#define LOW_END   "\n.code32\n.text\n"
#define LOW_DATA  __attribute__((section(".low.data")))
/* 32-bit code in assembly. */
#define TEXT_BEGIN ".text\n.code32\n"

#endif
