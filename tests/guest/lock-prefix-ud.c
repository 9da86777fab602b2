/*
 * lock-prefix-ud.c: LOCK is for read-modify-write of memory by a few instructions; with anything else it is
 * #UD.
 *
 * SDM 2A "LOCK", APM 3 1.2.5. A fault is all a program gets that believes its store to be locked.
 */
#include "frame.h"

#define CHECK_UD(insn)   CHECK_FAULT(TRY(insn, : : "b"(&word), "a"(word) : "rcx", "rdx", "memory", "cc"), UD, 0)
#define CHECK_FINE(insn) CHECK_NO_TRAP(TRY(insn, : : "b"(&word), "a"(word) : "rcx", "rdx", "memory", "cc"))

static uint64_t word[2] __attribute__((aligned(16)));

int main(void)
{
    CHECK_UD("lock; nop");
    CHECK_UD("lock; mov %%rax, (%%rbx)");
    CHECK_UD("lock; mov (%%rbx), %%rax");
    CHECK_UD("lock; add (%%rbx), %%rax");
    CHECK_UD(".byte 0xf0; add %%rax, %%rcx");
    CHECK_UD("lock; cmpq $0, (%%rbx)");
    CHECK_UD("lock; testq $0, (%%rbx)");
    CHECK_UD("lock; shlq $1, (%%rbx)");
    CHECK_UD("lock; btq $1, (%%rbx)");
    CHECK_UD("lock; pushq (%%rbx)");
    CHECK_UD(".byte 0xf0; inc %%rcx");
    CHECK_UD(".byte 0xf0; xchg %%rax, %%rcx");
    CHECK_UD(".byte 0xf0; cmpxchg %%rax, %%rcx");

    CHECK_FINE("lock; add %%rax, (%%rbx)");
    CHECK_FINE("lock; incb (%%rbx)");
    CHECK_FINE("lock; notq (%%rbx)");
    CHECK_FINE("lock; btsq $1, (%%rbx)");
    CHECK_FINE("lock; xchg %%rax, (%%rbx)");
    CHECK_FINE("lock; xadd %%rax, (%%rbx)");
    CHECK_FINE("lock; cmpxchg8b (%%rbx)");
    CHECK_FINE("lock; cmpxchg16b (%%rbx)");
    return 0;
}
