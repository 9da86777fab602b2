/*
 * paging-pae.c: PAE paging outside long mode: four page-directory pointers, 2 MiB and 4 KiB pages of 8-byte
 * entries, NX, addresses above 4 GiB.
 *
 * SDM 3A 4.4, 4.4.1, 4.6, 4.7; APM 2 5.2.3.
 */
#include "frame32.h"

#define VA 0xc0000000u
static uint64_t pdpt[4] __attribute__((aligned(32))), pd[4][512] __attribute__((aligned(4096)));
static uint64_t pt[512] __attribute__((aligned(4096)));
static uint8_t page[4096] __attribute__((aligned(4096)));
extern const char target[], user_write[];
asm(TEXT_BEGIN "target: ret\n user_write: mov %eax, (%ebx)\n int $0x81\n");

static struct trap jump(uint32_t va)
{
    struct trap t = TRY("call *%0", : : "r"(va) : "memory");
    return t;
}

int main(void)
{
    for (unsigned g = 0; g < 4; g++) {
        pdpt[g] = (uint32_t)pd[g] | 1;
        for (unsigned i = 0; i < 512; i++)
            pd[g][i] = ((uint64_t)g << 30 | i << 21) | 0x87;
    }
    pd[3][0] = (uint32_t)pt | 7;
    pt[0] = (uint32_t)page | 3;
    page[0] = 0xc3; /* RET */
    write_cr4(CR4_PAE);
    write_cr3((uint32_t)pdpt);
    write_cr0(read_cr0() | CR0_PG | CR0_WP);
    wrmsr(MSR_EFER, EFER_NXE);

    *(volatile uint32_t *)(VA + 8) = 0x77;
    CHECK_EQ(*(volatile uint32_t *)(page + 8), 0x77);
    CHECK_EQ(pt[0] & 0x60, 0x60);
    CHECK_EQ(pd[3][0] & 0x60, 0x20);
    CHECK_NO_TRAP(jump(VA));
    pt[0] |= BIT(63);
    invlpg(VA);
    struct trap t = jump(VA);
    CHECK_END(t, PF, PF_P | PF_I, VA);
    CHECK_EQ(t.cr2, VA);
    CHECK_EQ(*(volatile uint32_t *)(VA + 8), 0x77);
    struct regs r = regs_user(user_write);
    r.ebx = VA + 8;
    CHECK_END(run(&r), PF, PF_P | PF_W | PF_U, user_write);
    pt[0] |= 4;
    invlpg(VA);
    CHECK_RETURN(run(&r));
    CHECK_PF(TRY("movl $0, (%0)", : : "r"(VA + 0x1000) : "memory"), PF_W, VA + 0x1000);

    /* The pointers are loaded with CR3: what is changed in memory counts from the next load. */
    pd[1][0] = 0x1000000 | 0x83;
    pdpt[3] = (uint32_t)pd[1] | 1;
    write_cr3(read_cr3());
    *(volatile uint32_t *)0x40000010 = 0x5151;
    CHECK_EQ(*(volatile uint32_t *)(VA + 0x10), 0x5151);
    pdpt[3] = 0;
    write_cr3(read_cr3());
    CHECK_PF(TRY("movl $0, (%0)", : : "r"(VA) : "memory"), PF_W, VA);
    return 0;
}
