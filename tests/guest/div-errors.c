/*
 * div-errors.c: DIV and IDIV fault when the quotient does not fit, at every size, and change nothing then.
 *
 * SDM 2A "DIV", "IDIV", APM 3. An engine that uses the host's own instruction dies here instead of its guest.
 */
#include "frame.h"

#define DIV(insn, hi, lo, by) \
    TRY(insn, : : "a"((uint64_t)(lo)), "d"((uint64_t)(hi)), "c"((uint64_t)(by)) : "memory", "cc")

static void check_error(struct trap t, uint64_t rax, uint64_t rdx)
{
    CHECK_FAULT(t, DE, 0);
    CHECK_EQ(t.regs.rax, rax);
    CHECK_EQ(t.regs.rdx, rdx);
}

static void check_result(uint64_t q, uint64_t r, uint64_t eq, uint64_t er)
{
    CHECK_EQ(q, eq);
    CHECK_EQ(r, er);
}

int main(void)
{
    check_error(DIV("divb %%cl", 0x55, 0x1234, 0), 0x1234, 0x55);
    check_error(DIV("divb %%cl", 0, 0x1234, 0x12), 0x1234, 0); /* 0x102 does not fit in AL */
    check_error(DIV("divw %%cx", 5, 0, 5), 0, 5);
    check_error(DIV("divl %%ecx", 7, 1, 7), 1, 7);
    check_error(DIV("divq %%rcx", 1, 0, 1), 0, 1);
    check_error(DIV("divq %%rcx", 0, 5, 0), 5, 0);
    check_error(DIV("idivb %%cl", 0, 0x0080, 1), 0x0080, 0); /* 128 */
    check_error(DIV("idivb %%cl", 0, 0x8000, 0xff), 0x8000, 0);
    check_error(DIV("idivw %%cx", 0xffff, 0x8000, 0xffff), 0x8000, 0xffff); /* -32768 / -1 */
    check_error(DIV("idivl %%ecx", 0xffffffff, 0x80000000, 0xffffffff), 0x80000000, 0xffffffff);
    check_error(DIV("idivq %%rcx", ~0ull, BIT(63), ~0ull), BIT(63), ~0ull);
    check_error(DIV("idivq %%rcx", 0, BIT(63), 1), BIT(63), 0);
    check_error(DIV("idivl %%ecx", 0, 5, 0), 5, 0);
    uint64_t zero = 0;
    check_error(TRY("divl %2", : : "a"(1), "d"(2), "m"(zero) : "memory", "cc"), 1, 2);

    /* Just inside, signs by the dividend; 32 bits clear the upper halves. */
    uint64_t q, r;
    asm volatile("idivq %4" : "=a"(q), "=d"(r) : "a"(-7ull), "d"(~0ull), "r"(2ull) : "cc");
    check_result(q, r, -3ull, -1ull);
    asm volatile("idivl %k4"
                 : "=a"(q), "=d"(r)
                 : "a"(0xaaaaaaaa00000007), "d"(0xbbbbbbbb00000000), "r"(-2)
                 : "cc");
    check_result(q, r, 0xfffffffd, 1);
    asm volatile("idivl %k4" : "=a"(q), "=d"(r) : "a"(0x80000000), "d"(0xffffffff), "r"(1) : "cc");
    check_result(q, r, 0x80000000, 0);
    asm volatile("divq %4" : "=a"(q), "=d"(r) : "a"(0ull), "d"(0xfffffffffffffffeull), "r"(~0ull) : "cc");
    check_result(q, r, 0xfffffffffffffffe, 0xfffffffffffffffe);
    asm volatile("divb %b2" : "=a"(q) : "a"(0x77770000000003e9), "r"(10) : "cc"); /* 1001 */
    CHECK_EQ(q, 0x7777000000000164); /* AH remainder, AL quotient, the rest stays */
    return 0;
}
