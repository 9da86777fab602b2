/*
 * rmw-fault-is-write.c: an instruction that reads and writes one operand in memory faults on it as a write,
 * once.
 *
 * SDM 3A 4.7 (W/R), 2A "CMPXCHG" (the destination is written in any case); so seen on AMD's processors. A
 * kernel that is told of a read maps the zero page and gets a second fault; userfaultfd and write watches
 * count wrongly.
 */
#include "frame.h"

#define CHECK_WRITE(insn) \
    CHECK_PF(TRY(insn, : : "b"(TEST_VA), "a"(0), "c"(0) : "rdx", "memory", "cc"), PF_W, TEST_VA)

int main(void)
{
    CHECK_WRITE("incb (%%rbx)");
    CHECK_WRITE("addl $1, (%%rbx)");
    CHECK_WRITE("lock; addl $1, (%%rbx)");
    CHECK_WRITE("notq (%%rbx)");
    CHECK_WRITE("xchg %%cl, (%%rbx)");
    CHECK_WRITE("xadd %%ecx, (%%rbx)");
    CHECK_WRITE("cmpxchg %%cl, (%%rbx)");
    CHECK_WRITE("cmpxchg8b (%%rbx)");
    CHECK_WRITE("lock; cmpxchg16b (%%rbx)");
    CHECK_WRITE("btsl $0, (%%rbx)");
    CHECK_WRITE("shlb $1, (%%rbx)");
    CHECK_WRITE("setc (%%rbx)");
    CHECK_WRITE("popq (%%rbx)");
    CHECK_PF(TRY("cmpb $1, (%%rbx)", : : "b"(TEST_VA) : "memory", "cc"), 0, TEST_VA);
    CHECK_PF(TRY("btl $1, (%%rbx)", : : "b"(TEST_VA) : "memory", "cc"), 0, TEST_VA);
    CHECK_PF(TRY("pushq (%%rbx)", : : "b"(TEST_VA) : "memory", "cc"), 0, TEST_VA);
    return 0;
}
