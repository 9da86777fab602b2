/*
 * moves_guest.c: a guest that notices when a piece of its state is lost on the way: values that live in x87
 * and vector registers all the time, a chain of SHA-256, a timer that is armed again and again, interrupts
 * that are pending while IF is clear, and a TSC that must not go back.
 *
 * 64-bit code without a library, at MOVES_LOAD; the compiler may use general registers only.
 */
#include "moves.h"
#include "sha256.h"

#define APIC(r)      (*(volatile uint32_t *)(0xfee00000ul + (r)))
#define MSR_DEADLINE 0x6e0
#define TIMER_VECTOR 0x40
#define IPI_VECTOR   0x41
#define TSC_DEADLINE 0x40000
#define CONTROL_WORD 0x27f  /* double precision: not what FNINIT leaves */
#define MXCSR        0x3f80 /* rounding down */
#define TIMER_TICKS  300000

static struct moves_shared *const shared = (struct moves_shared *)MOVES_SHARED;
static uint64_t deadline, last_tsc;

struct gate {
    uint16_t low, selector, attributes, middle;
    uint32_t high, zero;
};
static struct gate idt[256];

static void out(uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"((uint16_t)MOVES_PORT));
}

static void fail(uint32_t why)
{
    if (!shared->failure)
        shared->failure = why;
    for (;;)
        out((uint8_t)why);
}

static uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return (uint64_t)hi << 32 | lo;
}

static void look_at_tsc(void)
{
    uint64_t now = rdtsc();
    if (now < last_tsc)
        fail(MOVES_TSC_BACK);
    last_tsc = now;
}

static void arm(void)
{
    deadline = rdtsc() + TIMER_TICKS;
    __asm__ volatile("wrmsr"
                     :
                     : "c"(MSR_DEADLINE), "a"((uint32_t)deadline), "d"((uint32_t)(deadline >> 32))
                     : "memory");
}

__attribute__((interrupt)) static void on_timer(void *frame)
{
    if (rdtsc() < deadline)
        fail(MOVES_TIMER_EARLY);
    shared->ticks++;
    arm();
    APIC(0xb0) = 0;
}

__attribute__((interrupt)) static void on_ipi(void *frame)
{
    shared->ipis++;
    APIC(0xb0) = 0;
}

static void set_gate(unsigned vector, void (*handler)(void *))
{
    uint64_t at = (uint64_t)handler;
    idt[vector] =
        (struct gate){(uint16_t)at, MOVES_CS, 0x8e00, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0};
}

static void set_up(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr = {sizeof(idt) - 1, (uint64_t)idt};
    const uint16_t control = CONTROL_WORD;
    const uint32_t mxcsr = MXCSR;
    set_gate(TIMER_VECTOR, on_timer);
    set_gate(IPI_VECTOR, on_ipi);
    __asm__ volatile("lidt %0" : : "m"(idtr));
    __asm__ volatile("fninit; fldcw %0; fldz; ldmxcsr %1" : : "m"(control), "m"(mxcsr));
    __asm__ volatile("pxor %xmm9, %xmm9");
    if (shared->avx)
        __asm__ volatile("vpxor %ymm14, %ymm14, %ymm14");
    APIC(0xf0) = 0x1ff;
    APIC(0x320) = TSC_DEADLINE | TIMER_VECTOR;
    __asm__ volatile("mfence" : : : "memory");
    arm();
}

/* The registers count the rounds, in steps that leave no lane alone. */
static void count_in_registers(void)
{
    static const double step = 1.5;
    static const uint64_t steps[4] __attribute__((aligned(32))) = {1, 2, 3, 4};
    __asm__ volatile("faddl %0" : : "m"(step));
    __asm__ volatile("paddq %0, %%xmm9" : : "m"(steps[0]));
    if (shared->avx)
        __asm__ volatile("vpaddq %0, %%ymm14, %%ymm14" : : "m"(*(const uint64_t(*)[4])steps));
}

static void check_registers(uint32_t n)
{
    int64_t x87;
    uint64_t v[4] __attribute__((aligned(32)));
    uint16_t control;
    uint32_t mxcsr;
    __asm__ volatile("fld %%st(0); fadd %%st(0), %%st(0); fistpll %0; fnstcw %1; stmxcsr %2"
                     : "=m"(x87), "=m"(control), "=m"(mxcsr));
    if (x87 != 3 * (int64_t)n)
        fail(MOVES_X87);
    if (control != CONTROL_WORD)
        fail(MOVES_X87_CONTROL);
    if ((mxcsr & 0xffc0) != MXCSR)
        fail(MOVES_MXCSR);
    __asm__ volatile("movdqa %%xmm9, %0" : "=m"(*(uint64_t(*)[2])v));
    if (v[0] != n || v[1] != 2ull * n)
        fail(MOVES_VECTOR);
    if (!shared->avx)
        return;
    __asm__ volatile("vmovdqa %%ymm14, %0" : "=m"(v));
    for (uint64_t i = 0; i < 4; i++)
        if (v[i] != (i + 1) * n)
            fail(MOVES_VECTOR);
}

void moves_main(void);
void moves_main(void)
{
    static uint32_t k[64], h[8];
    sha256_constants(k);
    for (unsigned i = 0; i < 8; i++)
        h[i] = sha256_initial[i];
    set_up();
    for (uint32_t n = 1; !shared->stop; n++) {
        uint32_t ipis = shared->ipis, ticks = shared->ticks;
        __asm__ volatile("cli" : : : "memory");
        APIC(0x300) = 0x40000 | IPI_VECTOR; /* to itself: pending until STI */
        for (unsigned i = 0; i < 20; i++)
            sha256_round(h, n * 20 + i, k);
        count_in_registers();
        look_at_tsc();
        if (shared->ipis != ipis)
            fail(MOVES_IPI_EARLY);
        __asm__ volatile("sti; nop" : : : "memory");
        for (unsigned i = 0; i < 1000 && shared->ipis == ipis; i++)
            __asm__ volatile("pause" : : : "memory");
        if (shared->ipis != ipis + 1)
            fail(MOVES_IPI_LOST);
        /* One tick at least every few rounds; a lost timer keeps the guest here, and the test sees to that.
         */
        while (n % 16 == 0 && shared->ticks == ticks && !shared->stop)
            look_at_tsc();
        check_registers(n);
        for (unsigned i = 0; i < 8; i++)
            shared->digest[i] = h[i];
        shared->rounds = n;
    }
    __asm__ volatile("cli");
    for (;;)
        out(0);
}

__asm__(
    ".section .start, \"ax\"\n\t"
    "mov $0x60000, %esp\n\t"
    "call moves_main\n\t"
    ".previous");
