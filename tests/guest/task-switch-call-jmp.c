/*
 * task-switch-call-jmp.c: CALL and JMP to a TSS: the old task's registers go to its TSS, the new one's come
 * from its own; NT and the link with CALL, busy bits, CR0.TS; IRET goes back behind the CALL.
 *
 * SDM 3A 7.3, table 7-2, 7.4; APM 2 12.3.1 to 12.3.4.
 */
#include "frame32.h"

#define SEL_A    SEL_FREE
#define SEL_LDT_ (SEL_FREE + 8)
#define SEL_GATE (SEL_FREE + 16)

extern const char task[], task_jmp[];
static struct tss32 a;
static volatile uint32_t seen[8];
static uint64_t ldt[2];

asm(TEXT_BEGIN
    "task: mov %eax, seen\n mov %esp, seen+4\n pushf\n popl seen+8\n str %ecx\n mov %ecx, seen+12\n mov %ds, "
    "%ecx\n"
    "mov %ecx, seen+16\n smsw %ecx\n mov %ecx, seen+20\n clts\n sldt %ecx\n mov %ecx, seen+24\n inc %eax\n "
    "iret\n"
    "jmp task\n"
    "task_jmp: incl seen\n ljmp $0x28, $0\n jmp task_jmp\n");

static unsigned type_of(unsigned sel)
{
    return GDT(sel) >> 40 & 15;
}

static void reset_task(const char *at)
{
    a = (struct tss32){.eip = (uint32_t)at,
                       .eflags = 2,
                       .eax = 0x1111,
                       .esp = (uint32_t)user_stack + 4096,
                       .es = SEL_KDATA,
                       .cs = SEL_KCODE,
                       .ss = SEL_KDATA,
                       .ds = SEL_KDATA,
                       .ldt = SEL_LDT_,
                       .io_base = 104};
    GDT(SEL_A) = desc((uint32_t)&a, 103, D_TSS32, 0);
}

int main(void)
{
    ldt[1] = GDT(SEL_KDATA);
    GDT(SEL_LDT_) = desc((uint32_t)ldt, 15, D_LDT, 0);
    GDT(SEL_GATE) = gate(D_TASK, SEL_A, 0, 0);

    for (unsigned round = 0; round < 3; round++) {
        reset_task(task);
        a.ds = 8 | 4; /* of the LDT, which the switch has to load first */
        write_cr0(read_cr0() & ~CR0_TS);
        uint32_t esp, ebx = 0x77;
        if (round == 2)
            asm volatile("mov %%esp, %0\n std\n lcall %2, $0\n cld"
                         : "=&r"(esp), "+b"(ebx)
                         : "i"(SEL_GATE)
                         : "memory", "cc");
        else
            asm volatile("mov %%esp, %0\n std\n lcall %2, $0\n cld"
                         : "=&r"(esp), "+b"(ebx)
                         : "i"(SEL_A)
                         : "memory", "cc");
        CHECK_EQ(ebx, 0x77);
        CHECK_EQ(seen[0], 0x1111);
        CHECK_EQ(seen[1], (uint32_t)user_stack + 4096);
        CHECK_EQ(seen[2], FLAG_NT | 2);
        CHECK_EQ(seen[3], SEL_A);
        CHECK_EQ(seen[4], 0xc);
        CHECK_EQ(seen[5] & CR0_TS, CR0_TS);
        CHECK_EQ(seen[6], SEL_LDT_);
        CHECK_EQ(a.link, SEL_TSS);
        /* The old one's state, saved by CALL; it stays busy while nested. */
        CHECK_EQ(main_tss.t.ebx, 0x77);
        CHECK_EQ(main_tss.t.esp, esp);
        CHECK_EQ(main_tss.t.cs, SEL_KCODE);
        CHECK_EQ(main_tss.t.eflags & (FLAG_NT | FLAG_DF), FLAG_DF);
        /* The other's, saved by IRET: behind it, NT clear, no longer busy. */
        CHECK_EQ(a.eax, 0x1112);
        CHECK_EQ(a.eflags & FLAG_NT, 0);
        CHECK_EQ(*(volatile uint8_t *)a.eip, 0xeb); /* the JMP behind the IRET */
        CHECK_EQ(type_of(SEL_A), 9);
        CHECK_EQ(type_of(SEL_TSS), 11);
        CHECK_EQ(read_flags() & FLAG_NT, 0);
        CHECK_EQ(read_cr0() & CR0_TS, CR0_TS); /* the way back is a switch too */
    }

    /* JMP there and back: no link, no NT, the left one is not busy. */
    write_cr0(read_cr0() & ~CR0_TS);
    reset_task(task_jmp);
    a.link = 0x4321;
    seen[0] = 0;
    asm volatile("ljmp %0, $0" : : "i"(SEL_A) : "memory", "cc");
    CHECK_EQ(seen[0], 1);
    CHECK_EQ(a.link, 0x4321);
    CHECK_EQ(a.eflags & FLAG_NT, 0);
    CHECK_EQ(type_of(SEL_A), 9);
    CHECK_EQ(type_of(SEL_TSS), 11);
    asm volatile("ljmp %0, $0" : : "i"(SEL_A) : "memory", "cc"); /* goes on where it left */
    CHECK_EQ(seen[0], 2);
    return 0;
}
