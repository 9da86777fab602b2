/*
 * rings-1-and-2.c: privilege levels 1 and 2: interrupts go to their stacks of the TSS and IRET leads back
 * outwards; they may use supervisor pages, and no privileged instruction.
 *
 * SDM 3A 5.5, 5.8.5, 7.2.1, 4.6 (CPL below 3 is supervisor mode); APM 2 4.10, 5.6. OS/2 had its I/O code in
 * ring 2.
 */
#include "frame32.h"

#define C(n) (SEL_FREE + 16 * ((n)-1) + (n))     /* code of ring 1, 2 */
#define D(n) (SEL_FREE + 8 + 16 * ((n)-1) + (n)) /* its stack */
static uint8_t stacks[3][1024] __attribute__((aligned(16)));
static uint32_t dir[1024] __attribute__((aligned(4096)));
static volatile uint32_t word = 0x5150;
extern const char to_1[], in_1[], in_2[], hlt_at[], cli_at[], user_read[];
/* From ring 3 by INT to 1 and to 2, each time back by IRET. */
asm(TEXT_BEGIN
    "to_1: int $0x41\n mov %cs, %esi\n int $0x42\n int $0x81\n"
    "in_1: mov %cs, %eax\n mov %ss, %ebx\n mov %esp, %ecx\n mov %ss:word, %edx\n iret\n"
    "in_2: mov %cs, %edi\n mov %ss, %ebp\n iret\n"
    "hlt_at: hlt\n cli_at: cli\n user_read: mov word, %eax\n");

int main(void)
{
    for (unsigned n = 1; n < 3; n++) {
        GDT(C(n)) = desc(0, 0xfffff, D_CODE | D_DPL(n), D_32 | D_G);
        GDT(D(n)) = desc(0, 0xfffff, D_DATA | D_DPL(n), D_32 | D_G);
        idt[0x40 + n] = gate(D_INT32 | D_DPL(3), C(n) & ~3u, (uint32_t)(n == 1 ? in_1 : in_2), 0);
    }
    main_tss.t.esp1 = (uint32_t)stacks[1] + 1024;
    main_tss.t.ss1 = D(1);
    main_tss.t.esp2 = (uint32_t)stacks[2] + 1024;
    main_tss.t.ss2 = D(2);
    struct regs r = regs_user(to_1);
    struct trap t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax & 0xffff, C(1));
    CHECK_EQ(t.regs.ebx & 0xffff, D(1));
    CHECK_EQ(t.regs.ecx, (uint32_t)stacks[1] + 1024 - 20);
    CHECK_EQ(t.regs.edx, 0x5150);
    CHECK_EQ(t.regs.esi & 0xffff, SEL_UCODE);
    CHECK_EQ(t.regs.edi & 0xffff, C(2));
    CHECK_EQ(t.regs.ebp & 0xffff, D(2));

    for (unsigned n = 1; n < 3; n++) {
        r = regs_kernel(hlt_at);
        r.cs = C(n);
        r.ss = r.ds = r.es = D(n);
        CHECK_END(run(&r), GP, 0, hlt_at);
        r.eip = (uint32_t)cli_at;
        CHECK_END(run(&r), GP, 0, cli_at);
    }
    /* Paging: a supervisor page is theirs. */
    for (unsigned i = 0; i < 1024; i++)
        dir[i] = i << 22 | 0x83;
    write_cr4(CR4_PSE);
    write_cr3((uint32_t)dir);
    write_cr0(read_cr0() | CR0_PG);
    r = regs_kernel(in_1);
    r.cs = C(1);
    r.ss = r.ds = r.es = D(1);
    r.eip = (uint32_t)hlt_at; /* fetched from such a page: #GP, not #PF */
    CHECK_END(run(&r), GP, 0, hlt_at);
    r = regs_user(user_read);
    t = run(&r);
    CHECK_END(t, PF, PF_P | PF_U, user_read);
    return 0;
}
