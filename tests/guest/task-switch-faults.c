/*
 * task-switch-faults.c: what is wrong with the TSS is a fault of the old task, which has not been left; what
 * is wrong with its segments is a fault of the new one, at its first instruction.
 *
 * SDM 3A 7.3 table 7-1, 6.15 ("Invalid TSS Exception"); APM 2 8.2.11, 12.3.3.
 */
#include "frame32.h"

#define SEL_T   SEL_FREE
#define SEL_BAD (SEL_FREE + 8)
#define SEL_H   (SEL_FREE + 16)
static struct tss32 t, h;
extern const char task[], jump_at[], late[];
asm(TEXT_BEGIN "task: nop\n int $0x81\n jump_at: ljmp $0x40, $0\n late: pop %eax\n str %ecx\n int $0x81\n");

static void prepare(void)
{
    t = (struct tss32){.eip = (uint32_t)task,
                       .eflags = 2,
                       .esp = (uint32_t)user_stack + 4096,
                       .es = SEL_KDATA,
                       .cs = SEL_KCODE,
                       .ss = SEL_KDATA,
                       .ds = SEL_KDATA};
    GDT(SEL_T) = desc((uint32_t)&t, 103, D_TSS32, 0);
    tss_load(sizeof(main_tss) - 1);
}
static struct trap jump(void)
{
    struct regs r = regs_kernel(jump_at);
    return run(&r);
}
/*
 * The switch has happened: the main TSS is free again, TR was T's, RIP is the new task's. As its segments
 * cannot be relied on, the handler is a task.
 */
static void expect_late(unsigned vector, unsigned error)
{
    h = (struct tss32){.eip = (uint32_t)late,
                       .eflags = 2,
                       .esp = (uint32_t)user_stack + 2048,
                       .es = SEL_KDATA,
                       .cs = SEL_KCODE,
                       .ss = SEL_KDATA,
                       .ds = SEL_KDATA};
    GDT(SEL_H) = desc((uint32_t)&h, 103, D_TSS32, 0);
    idt[vector] = gate(D_TASK, SEL_H, 0, 0);
    struct trap e = jump();
    CHECK_RETURN(e);
    CHECK_EQ(e.regs.eax, error);
    CHECK_EQ(e.regs.ecx & 0xffff, SEL_H);
    CHECK_EQ(h.link, SEL_T);
    CHECK_EQ(t.eip, (uint32_t)task);
    CHECK_EQ(GDT(SEL_TSS) >> 40 & 15, 9);
    CHECK_EQ(GDT(SEL_T) >> 40 & 15, 11);
    idt_default(vector);
    asm volatile("lldt %0" : : "r"((uint16_t)0));
    prepare();
}
static void expect_early(unsigned vector, unsigned error)
{
    struct trap e = jump();
    uint16_t tr;
    asm volatile("str %0" : "=r"(tr));
    CHECK_EQ(tr, SEL_TSS);
    CHECK_END(e, (int)vector, error, jump_at);
    prepare();
}

int main(void)
{
    prepare();
    CHECK_EQ(jump().vector, VEC_RETURN);
    prepare();

    GDT(SEL_T) |= (uint64_t)D_BUSY << 40;
    expect_early(GP, SEL_T);
    GDT(SEL_T) = desc((uint32_t)&t, 103, D_TSS32 | D_ABSENT, 0);
    expect_early(NP, SEL_T);
    GDT(SEL_T) = desc((uint32_t)&t, 102, D_TSS32, 0);
    expect_early(TS, SEL_T);

    t.cs = 0;
    expect_late(TS, 0);
    t.cs = SEL_KDATA;
    expect_late(TS, SEL_KDATA);
    t.cs = SEL_UCODE & ~3u; /* DPL is not RPL */
    expect_late(TS, SEL_UCODE & ~3u);
    GDT(SEL_BAD) = desc(0, 0xfffff, D_CODE | D_ABSENT, D_32 | D_G);
    t.cs = SEL_BAD;
    expect_late(NP, SEL_BAD);
    t.ss = 0;
    expect_late(TS, 0);
    t.ss = SEL_KCODE;
    expect_late(TS, SEL_KCODE);
    t.ss = SEL_UDATA;
    expect_late(TS, SEL_UDATA & ~3u);
    GDT(SEL_BAD) = desc(0, 0xfffff, D_DATA | D_ABSENT, D_32 | D_G);
    t.ss = SEL_BAD;
    expect_late(SS, SEL_BAD);
    t.ds = SEL_BAD;
    expect_late(NP, SEL_BAD);
    t.es = 0xfff8;
    expect_late(TS, 0xfff8);
    GDT(SEL_BAD) = desc(0, 0xfffff, 0x98, D_32 | D_G); /* execute-only */
    t.fs = SEL_BAD;
    expect_late(TS, SEL_BAD);
    t.ldt = SEL_KDATA;
    expect_late(TS, SEL_KDATA);

    /* IRET of a nested task: the link has to name a busy TSS. */
    main_tss.t.link = SEL_T;
    write_flags(read_flags() | FLAG_NT);
    struct trap e = TRY("iret", : : : "memory");
    CHECK_FAULT(e, TS, SEL_T);
    main_tss.t.link = SEL_T | 4;
    write_flags(read_flags() | FLAG_NT);
    e = TRY("iret", : : : "memory");
    CHECK_FAULT(e, TS, SEL_T | 4);
    return 0;
}
