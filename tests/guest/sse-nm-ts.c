/*
 * sse-nm-ts.c: CR0.TS, EM and CR4.OSFXSR decide who gets #NM and who #UD.
 *
 * SDM 3A 2.5, 13.1, 6.15 (#NM), APM 2 3.1.1, 8.2. Lazy switching of the FPU rests on #NM; without it a
 * program computes with another's registers.
 */
#include "frame.h"

static uint8_t area[512] __attribute__((aligned(64)));
static uint64_t word = 1;

static struct trap x87(void)
{
    return TRY("fnop", : : : "memory");
}

static struct trap sse(void)
{
    return TRY("movq %0, %%xmm0", : : "r"(word) : "memory");
}

static struct trap wait_insn(void)
{
    return TRY("fwait", : : : "memory");
}

int main(void)
{
    uint64_t cr0 = read_cr0(), cr4 = read_cr4();

    CHECK_NO_TRAP(x87());
    CHECK_NO_TRAP(sse());

    write_cr0(cr0 | CR0_TS);
    CHECK_FAULT(x87(), NM, 0);
    CHECK_FAULT(sse(), NM, 0);
    CHECK_FAULT(wait_insn(), NM, 0); /* MP is set */
    CHECK_FAULT(TRY("fxsave %0", : : "m"(area) : "memory"), NM, 0);
    CHECK_FAULT(TRY("ldmxcsr %0", : : "m"(word) : "memory"), NM, 0);
    CHECK_FAULT(TRY("fninit", : : : "memory"), NM, 0);
    CHECK_NO_TRAP(TRY("prefetchnta %0; sfence; movnti %1, %0; pause",
                      :
                      : "m"(word), "r"(word)
                      : "memory")); /* these touch no such register */
    write_cr0((cr0 | CR0_TS) & ~CR0_MP);
    CHECK_NO_TRAP(wait_insn());
    CHECK_FAULT(x87(), NM, 0);
    asm volatile("clts");
    CHECK_EQ(read_cr0() & CR0_TS, 0);
    CHECK_NO_TRAP(x87());
    CHECK_NO_TRAP(sse());

    write_cr0((cr0 & ~CR0_MP) | CR0_EM);
    CHECK_FAULT(x87(), NM, 0);
    CHECK_FAULT(sse(), UD, 0);
    write_cr0(cr0);
    write_cr4(cr4 & ~CR4_OSFXSR);
    CHECK_FAULT(sse(), UD, 0);
    CHECK_NO_TRAP(x87());
    write_cr4(cr4);
    return 0;
}
