/*
 * task-switch-cr3.c: a switch to a 32-bit TSS loads CR3 from it, drops what is not global, and comes back to
 * the old task's by IRET; the TSS itself does not get the old CR3.
 *
 * SDM 3A 7.2.1 (CR3 is a static field), 7.3, 4.10.4.1; APM 2 12.2.4.
 */
#include "frame32.h"

#define VA    0x40000000u
#define SEL_T SEL_FREE
static uint32_t dir[2][1024] __attribute__((aligned(4096)));
static struct tss32 t;
static volatile uint32_t seen[2], *const va = (volatile uint32_t *)VA;
extern const char task[];
asm(TEXT_BEGIN
    "task: mov 0x40000000, %eax\n mov %eax, seen\n mov %cr3, %eax\n mov %eax, seen+4\n iret\n jmp task\n");

int main(void)
{
    for (unsigned d = 0; d < 2; d++)
        for (unsigned i = 0; i < 1024; i++)
            dir[d][i] = i << 22 | 0x83;
    dir[0][VA >> 22] = 0x1000000 | 0x83;
    dir[1][VA >> 22] = 0x1400000 | 0x83;
    write_cr4(CR4_PSE);
    write_cr3((uint32_t)dir[0]);
    write_cr0(read_cr0() | CR0_PG);
    *(volatile uint32_t *)0x1000000 = 0x11111111;
    *(volatile uint32_t *)0x1400000 = 0x22222222;
    t = (struct tss32){.eip = (uint32_t)task,
                       .eflags = 2,
                       .esp = (uint32_t)user_stack + 4096,
                       .es = SEL_KDATA,
                       .cs = SEL_KCODE,
                       .ss = SEL_KDATA,
                       .ds = SEL_KDATA,
                       .cr3 = (uint32_t)dir[1]};
    GDT(SEL_T) = desc((uint32_t)&t, 103, D_TSS32, 0);
    main_tss.t.cr3 = (uint32_t)dir[0];
    for (unsigned round = 0; round < 3; round++) {
        CHECK_EQ(*va, 0x11111111);
        asm volatile("lcall %0, $0" : : "i"(SEL_T) : "eax", "memory", "cc");
        CHECK_EQ(seen[0], 0x22222222);
        CHECK_EQ(seen[1], (uint32_t)dir[1]);
        CHECK_EQ(*va, 0x11111111);
        CHECK_EQ(read_cr3(), (uint32_t)dir[0]);
        CHECK_EQ(t.cr3, (uint32_t)dir[1]);
    }
    /* What is in the TSS counts on the way back too, whatever CR3 was. */
    main_tss.t.cr3 = (uint32_t)dir[1];
    asm volatile("lcall %0, $0" : : "i"(SEL_T) : "eax", "memory", "cc");
    CHECK_EQ(*va, 0x22222222);
    CHECK_EQ(read_cr3(), (uint32_t)dir[1]);
    return 0;
}
