/*
 * iret-privilege-levels.c: IRETQ goes to CPL 0 or 3, takes the flags the level may change, and refuses what
 * is wrong with #GP of the right selector.
 *
 * SDM 2A "IRET/IRETD/IRETQ", APM 3 "IRET". It is the way out of every interrupt; what it lets through is a
 * way into the kernel.
 */
#include "frame.h"

extern const char iret_insn[], iret_landed[];

struct frame {
    uint64_t rip, cs, rflags, rsp, ss;
};

static struct trap iret(const struct frame *f)
{
    return TRY(
        "mov %%rsp, %%rbx\n\t"
        "push 32(%0); push 24(%0); push 16(%0); push 8(%0); push (%0)\n\t"
        ".globl iret_insn; iret_insn: iretq\n\t"
        ".globl iret_landed; iret_landed: mov %%rsp, landed_rsp; pushf; pop landed_flags; mov %%rbx, "
        "%%rsp\n\t"
        "mov %%ss, landed_ss; push $2; popf",
        :
        : "r"(f)
        : "rbx", "memory", "cc");
}
uint64_t landed_rsp, landed_flags, landed_ss;

static USER_CODE uint64_t user_flags(uint64_t arg)
{
    uint64_t v;
    asm volatile("pushf; pop %0" : "=r"(v));
    return v;
}

/* IRETQ at CPL 3 to CPL 3 with other flags; gives the flags then. */
static USER_CODE uint64_t user_iret(uint64_t flags)
{
    uint64_t v;
    asm volatile(
        "mov %%rsp, %%rbx; mov %%ss, %%eax; push %%rax; push %%rbx; push %1; mov %%cs, %%eax; push %%rax\n\t"
        "lea 1f(%%rip), %%rax; push %%rax; iretq; 1: pushf; pop %0"
        : "=&r"(v)
        : "r"(flags)
        : "rax", "rbx", "memory", "cc");
    return v;
}

static USER_CODE uint64_t user_iret_to_kernel(uint64_t cs)
{
    asm volatile(
        "mov %%rsp, %%rbx; mov %%ss, %%eax; push %%rax; push %%rbx; pushf; push %0; push $0; iretq" ::"r"(cs)
        : "rax", "rbx", "memory");
    return 0;
}

static USER_CODE uint64_t user_segments(uint64_t arg)
{
    uint64_t ds, es;
    asm volatile("mov %%ds, %0; mov %%es, %1" : "=r"(ds), "=r"(es));
    return (es & 0xffff) << 16 | (ds & 0xffff);
}

static void check_refused(struct frame f, uint64_t vector, uint64_t error)
{
    struct trap t = iret(&f);
    CHECK_TRAP_AT(t, (int)vector, error, iret_insn);
    CHECK_EQ(t.regs.cs, SEL_KCODE);
}

int main(void)
{
    uint64_t top = (uint64_t)page_alloc() + PAGE;
    const struct frame good = {(uint64_t)iret_landed, SEL_KCODE, FLAGS_ALWAYS, top, SEL_KDATA};
    struct frame f = good;

    /* To the same level: RSP and SS are taken as well, in 64-bit mode. */
    f.rflags = FLAG_CF | FLAG_OF | FLAG_ID | FLAG_AC | FLAG_IOPL(3) | FLAG_NT | FLAGS_ALWAYS | FLAG_RF;
    CHECK_NO_TRAP(iret(&f));
    CHECK_EQ(landed_rsp, top);
    CHECK_EQ(landed_flags & ~FLAG_RF, f.rflags & ~FLAG_RF);
    f = good;
    f.ss = 0; /* a null SS is allowed at CPL 0 */
    CHECK_NO_TRAP(iret(&f));
    CHECK_EQ(landed_ss, 0);
    asm volatile("mov %0, %%ss" ::"r"(SEL_KDATA));

    f = good, f.cs = 0;
    check_refused(f, GP, 0);
    f = good, f.cs = SEL_KDATA;
    check_refused(f, GP, SEL_KDATA);
    f = good, f.cs = GDT_ENTRIES * 8;
    check_refused(f, GP, GDT_ENTRIES * 8);
    f = good, f.cs = SEL_KCODE | 3; /* RPL 3, DPL 0 */
    check_refused(f, GP, SEL_KCODE);
    f = good, f.cs = SEL_UCODE, f.ss = SEL_KDATA; /* SS must be of the new level */
    check_refused(f, GP, SEL_KDATA);
    f = good, f.cs = SEL_UCODE, f.ss = 3; /* null is not for CPL 3 */
    check_refused(f, GP, 0);
    f = good, f.rflags |= FLAG_NT; /* NT of the image is fine, of the processor not */
    CHECK_NO_TRAP(iret(&f));
    write_flags(FLAG_NT | FLAGS_ALWAYS);
    struct trap t = TRY("iretq", : : : "memory");
    CHECK_FAULT(t, GP, 0);

    gdt[SEL_FREE >> 3] = gdt[SEL_KCODE >> 3] & ~BIT(47);
    barrier();
    f = good, f.cs = SEL_FREE;
    check_refused(f, NP, SEL_FREE);

    /* To CPL 3 with flags of all kinds. */
    struct user_state u = user_state_for(user_flags, 0);
    uint64_t rax;
    u.rflags = FLAG_CF | FLAG_IOPL(3) | FLAG_AC | FLAG_ID | FLAGS_ALWAYS;
    user_run(&u, &rax, NULL);
    CHECK_EQ(rax, u.rflags);

    /* At CPL 3, IRET changes neither IOPL nor, with IOPL 0, IF. */
    rax = user_call(user_iret, FLAG_CF | FLAG_IOPL(3) | FLAG_IF | FLAG_AC | FLAGS_ALWAYS);
    CHECK_EQ(rax, FLAG_CF | FLAG_AC | FLAGS_ALWAYS);
    t = user_try(user_iret_to_kernel, SEL_KCODE);
    CHECK_EQ(t.vector, GP);
    CHECK_EQ(t.error, SEL_KCODE);
    t = user_try(user_iret_to_kernel, SEL_KCODE | 3);
    CHECK_EQ(t.vector, GP);
    CHECK_EQ(t.error, SEL_KCODE);

    /* Leaving to CPL 3 nulls data segment registers of more privilege. */
    asm volatile("mov %0, %%ds; mov %1, %%es" ::"r"(SEL_KDATA), "r"(SEL_UDATA));
    CHECK_EQ(user_call(user_segments, 0), (uint64_t)SEL_UDATA << 16);
    return 0;
}
