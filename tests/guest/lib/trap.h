/*
 * trap.h: exceptions and interrupts: handlers by vector, and trying an instruction that may fault.
 *
 * A vector with a handler goes to it. Without one, an exception while something is being tried is recorded
 * and the try ends; any other is printed and ends the run with EXIT_TRAP.
 */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#ifndef __x86_64__
#include "trap32.h"
#else
#include "cpu.h"

/* What the entry code pushes, lowest address first; error is 0 for vectors that have none. A handler may
 * change it. */
struct regs {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

typedef void trap_handler(struct regs *r);

#define NO_TRAP (-1)

/* How a try ended. */
struct trap {
    int vector; /* NO_TRAP: it came to its end */
    uint64_t error, cr2, dr6;
    uint64_t tried, behind; /* addresses of the instruction and of what follows it (TRY only) */
    struct regs regs;
};

/* NULL: none. Handlers run with IF clear (interrupt gates). */
void trap_set_handler(unsigned vector, trap_handler *h);
/* The gate of a vector (SDM 3A 6.14.1): IST index 0 to 7, DPL, trap gate rather than interrupt gate. */
void trap_set_gate(unsigned vector, unsigned ist, unsigned dpl, bool trap_gate);
/* As if never present: using it gives #NP (or #GP beyond the limit). */
void trap_clear_gate(unsigned vector);

extern uint64_t gdt[GDT_ENTRIES];
/* 64-bit TSS (SDM 3A 7.7), with an I/O bitmap that forbids every port; its limit covers the bitmap. */
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t ist[8]; /* [0] is reserved */
    uint64_t reserved1;
    uint16_t reserved2;
    uint16_t io_base;
    uint8_t io_bitmap[8192 + 1];
} __attribute__((packed));
extern struct tss tss;
/* (Re)load TR with a TSS of this limit. */
void tss_load(uint32_t limit);
void idt_load(uint64_t base, uint16_t limit);
void trap_init(void);

/* Used by TRY, try_call and user_run: where to go on, with which RSP, after an exception; resume 0: nothing
 * is tried. */
struct trap_try {
    uint64_t resume, rsp, tried, behind;
};
extern struct trap_try trap_try;
extern struct trap trap_last;

void trap_try_begin(void);
struct trap trap_try_end(void);

/*
 * Execute one instruction (or some) given as an asm statement; gives the struct trap. Operands as usual:
 *     t = TRY("mov %0, (%1)", : : "r"(v), "r"(p) : "memory");
 * After an exception, execution goes on behind it with the registers of the moment, RSP as before, flags
 * clear but IF.
 */
#define TRY(insn, ...)                               \
    ({                                               \
        trap_try_begin();                            \
        asm volatile(                                \
            "movq %%rsp, trap_try+8\n\t"             \
            "movq $771f, trap_try+16\n\t"            \
            "movq $772f, trap_try+24\n\t"            \
            "movq $772f, trap_try\n"                 \
            "771: " insn                             \
            "\n"                                     \
            "772: movq $0, trap_try\n" __VA_ARGS__); \
        trap_try_end();                              \
    })

/* The same for a function; a fault abandons it. tried and behind are 0. */
struct trap try_call(void (*fn)(uint64_t arg), uint64_t arg);

/* Print a frame; for handlers that give up. */
void trap_print(const struct regs *r);

#endif
#endif
