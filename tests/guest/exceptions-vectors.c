/*
 * exceptions-vectors.c: every exception a program can raise by itself arrives with its own vector, error code
 * and RIP.
 *
 * SDM 3A 6.3 to 6.15, APM 2 8.2: faults report the instruction itself, traps the one behind it; error codes
 * hold the selector. A monitor that mixes these up sends a kernel's fix-up tables, its breakpoints and its
 * core dumps to the wrong place.
 */
#include "frame.h"

#define SEL_ABSENT_DATA (SEL_FREE)
#define SEL_ABSENT_CODE (SEL_FREE + 8)
#define SEL_READ_ONLY   (SEL_FREE + 16)

static struct trap load_ds(uint16_t sel)
{
    struct trap t = TRY("mov %0, %%ds", : : "r"(sel) : "memory");
    asm volatile("mov %0, %%ds" ::"r"(SEL_KDATA));
    return t;
}

static struct trap load_ss(uint16_t sel)
{
    return TRY("mov %0, %%ss", : : "r"(sel) : "memory");
}

static struct trap far_return(uint64_t sel)
{
    return TRY("lea 1f(%%rip), %%rax; push %0; push %%rax; .globl far_insn; far_insn: lretq; 1:",
               :
               : "r"(sel)
               : "memory", "rax");
}

extern const char far_insn[];

static USER_CODE uint64_t user_hlt(uint64_t arg)
{
    asm volatile(".globl user_hlt_insn; user_hlt_insn: hlt");
    return 0;
}

extern const char user_hlt_insn[];

int main(void)
{
    uint64_t noncanonical = 0x8000000000000000, zero = 0;

    CHECK_FAULT(TRY("divl %0", : : "m"(zero) : "rax", "rdx", "memory"), DE, 0);
    CHECK_TRAP(TRY("int3", : : : "memory"), BP, 0);
    CHECK_TRAP(TRY(".byte 0xcd, 3", : : : "memory"), BP, 0);
    CHECK_TRAP(TRY("int $4", : : : "memory"), OF, 0);
    CHECK_FAULT(TRY("ud2", : : : "memory"), UD, 0);
    CHECK_FAULT(TRY(".byte 0xce", : : : "memory"), UD, 0); /* INTO does not exist in 64-bit mode */
    CHECK_FAULT(TRY(".byte 0x06", : : : "memory"), UD, 0); /* nor does PUSH ES */
    CHECK_FAULT(TRY(".byte 0x8c, 0xf8", : : : "rax", "memory"), UD, 0); /* MOV from segment register 7 */
    CHECK_FAULT(TRY(".byte 0x8e, 0xc8", : : : "rax", "memory"), UD, 0); /* MOV to CS */

    CHECK_FAULT(TRY("mov (%0), %%al", : : "r"(noncanonical) : "rax", "memory"), GP, 0);

    gdt[SEL_ABSENT_DATA >> 3] = gdt[SEL_KDATA >> 3] & ~BIT(47);
    gdt[SEL_ABSENT_CODE >> 3] = gdt[SEL_KCODE >> 3] & ~BIT(47);
    gdt[SEL_READ_ONLY >> 3] = gdt[SEL_KDATA >> 3] & ~BIT(41);
    barrier();
    CHECK_FAULT(load_ds(SEL_ABSENT_DATA), NP, SEL_ABSENT_DATA);
    CHECK_FAULT(load_ss(SEL_ABSENT_DATA), SS, SEL_ABSENT_DATA);
    CHECK_FAULT(load_ss(SEL_READ_ONLY), GP, SEL_READ_ONLY);
    CHECK_FAULT(load_ss(SEL_UDATA), GP,
                SEL_UDATA & ~3); /* RPL and DPL must be CPL; RPL is not part of the code */
    CHECK_FAULT(load_ds(GDT_ENTRIES * 8), GP, GDT_ENTRIES * 8); /* beyond the limit */
    CHECK_FAULT(load_ds(4), GP, 4);                             /* TI: no LDT is loaded */
    CHECK_NO_TRAP(load_ds(3));                                  /* null selectors load with any RPL */
    CHECK_NO_TRAP(load_ds(SEL_READ_ONLY));
    CHECK_FAULT(TRY("ltr %0", : : "r"((uint16_t)SEL_TSS) : "memory"), GP, SEL_TSS); /* busy already */
    CHECK_TRAP_AT(far_return(SEL_ABSENT_CODE), NP, SEL_ABSENT_CODE, far_insn);
    CHECK_TRAP_AT(far_return(0), GP, 0, far_insn);
    CHECK_TRAP_AT(far_return(SEL_KDATA), GP, SEL_KDATA, far_insn);

    CHECK_FAULT(TRY("mov (%0), %%al", : : "r"(TEST_VA) : "rax", "memory"), PF, 0);
    CHECK_PF(TRY("movb $1, 5(%0)", : : "r"(TEST_VA) : "memory"), PF_W, TEST_VA + 5);
    CHECK_TRAP_AT(TRY("call *%0", : : "r"(TEST_VA) : "memory"), PF, cpu_has_nx() ? PF_I : 0, TEST_VA);

    CHECK_TRAP_AT(user_try(user_hlt, 0), GP, 0, user_hlt_insn);
    return 0;
}
