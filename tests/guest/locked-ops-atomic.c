/*
 * locked-ops-atomic.c: locked instructions and XCHG do what their unlocked forms do, over cache lines and
 * pages too, and an interrupt never finds one half done.
 *
 * SDM 3A 8.1.2, 2A "CMPXCHG", "CMPXCHG8B/16B", "XADD", APM 3. Every lock in every kernel.
 */
#include "frame.h"

static uint8_t area[8192] __attribute__((aligned(4096)));
static volatile uint64_t counter, ticks;

static void tick(struct regs *r)
{
    /* Adds on its own to what the interrupted code adds to. */
    asm volatile("incq %0" : "+m"(counter)::"cc");
    ticks++;
    apic_eoi();
}

static void check_at(uint8_t *at)
{
    uint64_t v, old;
    uint8_t zf;

    *(uint64_t *)at = 0x0102030405060708;
    asm volatile("lock; addq %1, %0" : "+m"(*(uint64_t *)at) : "r"(0x10ull) : "cc");
    CHECK_EQ(*(uint64_t *)at, 0x0102030405060718);
    asm volatile("lock; orb $0x80, %0" : "+m"(*at)::"cc");
    CHECK_EQ(*(uint64_t *)at, 0x0102030405060798);
    asm volatile("lock; negl %0" : "+m"(*(uint32_t *)at)::"cc");
    CHECK_EQ(*(uint32_t *)at, 0xfaf9f868);
    v = 0x55;
    asm volatile("lock; xaddq %0, %1" : "+r"(v), "+m"(*(uint64_t *)at)::"cc");
    CHECK_EQ(v, 0x01020304faf9f868);
    CHECK_EQ(*(uint64_t *)at, 0x01020304faf9f8bd);
    v = 7;
    asm volatile("xchgq %0, %1" : "+r"(v), "+m"(*(uint64_t *)at));
    CHECK_EQ(v, 0x01020304faf9f8bd);
    CHECK_EQ(*(uint64_t *)at, 7);

    /* CMPXCHG: equal, unequal; the unequal one loads RAX and stores what was there. */
    old = 7;
    asm volatile("lock; cmpxchgq %3, %1; setz %2"
                 : "+a"(old), "+m"(*(uint64_t *)at), "=q"(zf)
                 : "r"(9ull)
                 : "cc");
    CHECK_EQ(zf, 1);
    CHECK_EQ(*(uint64_t *)at, 9);
    old = 0xffffffff00000007;
    asm volatile("lock; cmpxchgq %3, %1; setz %2"
                 : "+a"(old), "+m"(*(uint64_t *)at), "=q"(zf)
                 : "r"(1ull)
                 : "cc");
    CHECK_EQ(zf, 0);
    CHECK_EQ(old, 9);
    CHECK_EQ(*(uint64_t *)at, 9);
    /* 32 bits: RAX's upper half goes when it is loaded. */
    old = 0xffffffff00000008;
    asm volatile("lock; cmpxchgl %2, %1" : "+a"(old), "+m"(*(uint32_t *)at) : "r"(1) : "cc");
    CHECK_EQ(old, 9);
    asm volatile("lock; btsq $40, %1; setc %0" : "=q"(zf), "+m"(*(uint64_t *)at)::"cc");
    CHECK_EQ(zf, 0);
    CHECK_EQ(*(uint64_t *)at, 9 | BIT(40));
    asm volatile("lock; btrq $40, %1; setc %0" : "=q"(zf), "+m"(*(uint64_t *)at)::"cc");
    CHECK_EQ(zf, 1);
    asm volatile("lock; decw %0" : "+m"(*(uint16_t *)at)::"cc");
    CHECK_EQ(*(uint64_t *)at, 8);
}

int main(void)
{
    static const unsigned offsets[] = {0, 1, 7, 60, 63, 4088, 4092, 4095};
    for (unsigned i = 0; i < sizeof(offsets) / sizeof(*offsets); i++)
        check_at(area + offsets[i]);

    /* Bit offsets reach beyond the operand, to both sides. */
    uint8_t carry;
    memset(area, 0, sizeof(area));
    area[2048 + 100] = 0x10;
    asm volatile("lock; btsq %2, %1; setc %0"
                 : "=q"(carry), "+m"(*(uint64_t *)(area + 2048))
                 : "r"(804ull)
                 : "cc", "memory");
    CHECK_EQ(carry, 1);
    asm volatile("lock; btsq %2, %1; setc %0"
                 : "=q"(carry), "+m"(*(uint64_t *)(area + 2048))
                 : "r"(-9ull)
                 : "cc", "memory");
    CHECK_EQ(carry, 0);
    CHECK_EQ(area[2046], 0x80);

    uint64_t *pair = (uint64_t *)(area + 4096);
    uint64_t lo = 1, hi = 2;
    uint8_t zf;
    pair[0] = 1, pair[1] = 2;
    asm volatile("lock; cmpxchg16b %2; setz %3"
                 : "+a"(lo), "+d"(hi), "+m"(*pair), "=q"(zf)
                 : "b"(3ull), "c"(4ull)
                 : "cc", "memory");
    CHECK_EQ(zf, 1);
    CHECK_EQ(pair[0], 3);
    CHECK_EQ(pair[1], 4);
    asm volatile("lock; cmpxchg16b %2; setz %3"
                 : "+a"(lo), "+d"(hi), "+m"(*pair), "=q"(zf)
                 : "b"(5ull), "c"(6ull)
                 : "cc", "memory");
    CHECK_EQ(zf, 0);
    CHECK_EQ(lo, 3);
    CHECK_EQ(hi, 4);
    CHECK_FAULT(TRY("lock; cmpxchg16b 8(%0)",
                    :
                    : "D"(pair)
                    : "rax", "rbx", "rcx", "rdx", "memory", "cc"),
                GP, 0);

    /* Against an interrupt that adds to the same word: nothing is lost. */
    trap_set_handler(0x99, tick);
    apic_write(APIC_TIMER_DIVIDE, 0xb);
    apic_write(APIC_LVT_TIMER, 0x99 | APIC_TIMER_PERIODIC);
    apic_write(APIC_TIMER_COUNT, 50000);
    sti();
    uint64_t n = 0;
    while (ticks < 100) {
        asm volatile("lock; incq %0" : "+m"(counter)::"cc");
        asm volatile("incq %0"
                     : "+m"(counter)::"cc"); /* one instruction is whole for interrupts without LOCK too */
        n += 2;
    }
    cli();
    apic_write(APIC_TIMER_COUNT, 0);
    CHECK_EQ(counter, n + ticks);
    return 0;
}
