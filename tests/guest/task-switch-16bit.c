/*
 * task-switch-16bit.c: a TSS of the 80286: words, no FS, GS and CR3; switching between it and a 32-bit one.
 *
 * SDM 3A 7.6 figure 7-10; APM 2 12.2.3.
 */
#include "frame32.h"

#define SEL_T SEL_FREE
extern const char task[], again[];
LOW_DATA static struct tss16 t;
LOW_DATA static volatile uint16_t seen[8];

asm(LOW_BEGIN
    "task: mov %ax, seen\n mov %sp, seen+2\n mov %fs, seen+4\n mov %gs, seen+6\n str %cx\n mov %cx, seen+8\n"
    "pushf\n popw seen+10\n mov $0xbeef1234, %eax\n pushl %eax\n popl %edx\n iret\nagain: jmp "
    "task\n" LOW_END);

int main(void)
{
    t = (struct tss16){.ip = (uint16_t)(uint32_t)task,
                       .flags = 2,
                       .ax = 0x1357,
                       .sp = 0x6ff0,
                       .es = SEL_DATA16,
                       .cs = SEL_CODE16,
                       .ss = SEL_DATA16,
                       .ds = SEL_DATA16};
    GDT(SEL_T) = desc((uint32_t)&t, 43, D_TSS16, 0);
    asm volatile("mov %0, %%fs; mov %0, %%gs" : : "r"(SEL_KDATA));
    asm volatile("lcall %0, $0" : : "i"(SEL_T) : "memory", "cc");
    CHECK_EQ(seen[0], 0x1357);
    CHECK_EQ(seen[1], 0x6ff0);
    CHECK_EQ(seen[2], 0);
    CHECK_EQ(seen[3], 0);
    CHECK_EQ(seen[4], SEL_T);
    CHECK_EQ(seen[5], FLAG_NT | 2);
    CHECK_EQ(t.link, SEL_TSS);
    CHECK_EQ(t.ax, 0x1234); /* words */
    CHECK_EQ(t.cx, SEL_T);
    CHECK_EQ(t.ip, (uint16_t)(uint32_t)again);
    CHECK_EQ(t.sp, 0x6ff0);
    CHECK_EQ(GDT(SEL_T) >> 40 & 15, 1);
    uint16_t fs;
    asm volatile("mov %%fs, %0" : "=r"(fs));
    CHECK_EQ(fs, SEL_KDATA); /* of the 32-bit TSS */

    GDT(SEL_T) = desc((uint32_t)&t, 42, D_TSS16, 0);
    CHECK_FAULT(TRY("lcall %0, $0", : : "i"(SEL_T) : "memory"), TS, SEL_T);
    return 0;
}
