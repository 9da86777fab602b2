/*
 * paging-user-supervisor.c: user code reaches a page only where U is set at every level.
 *
 * SDM 3A 4.6.1, APM 2 5.6.1. Otherwise user programs read the kernel's memory; or the kernel's pages are
 * refused to the kernel.
 */
#include "frame.h"

static USER_CODE uint64_t user_read(uint64_t va)
{
    return *(volatile uint64_t *)va;
}

static USER_CODE uint64_t user_write(uint64_t va)
{
    *(volatile uint64_t *)va = 7;
    return 0;
}

static USER_CODE uint64_t user_jump(uint64_t va)
{
    asm volatile("jmp *%0" ::"r"(va));
    return 0;
}

static void check_user_fault(uint64_t (*fn)(uint64_t), uint64_t va, uint64_t error)
{
    struct trap t = user_try(fn, va);
    CHECK_EQ(t.vector, PF);
    CHECK_EQ(t.error, error);
    CHECK_EQ(t.cr2, va);
    CHECK_EQ(t.regs.cs, SEL_UCODE);
    CHECK_EQ(t.regs.ss, SEL_UDATA);
}

int main(void)
{
    uint64_t va = TEST_VA + 0x5008, exec = cpu_has_nx() ? PF_I : 0;
    uint64_t *p = (uint64_t *)((uint64_t)page_map_new(va & ~0xfffull, PTE_P | PTE_W | PTE_U) + 8);
    *p = 0x1122334455667788;

    CHECK_EQ(user_call(user_read, va), 0x1122334455667788);
    user_call(user_write, va);
    CHECK_EQ(*p, 7);

    for (unsigned level = 1; level <= 4; level++) {
        *page_entry(va, level) &= ~PTE_U;
        invlpg(va);
        CHECK_EQ(read8(va), 7); /* the supervisor may: and its translation must not serve the user */
        check_user_fault(user_read, va, PF_P | PF_U);
        check_user_fault(user_write, va, PF_P | PF_U | PF_W);
        check_user_fault(user_jump, va, PF_P | PF_U | exec);
        *page_entry(va, level) |= PTE_U;
        invlpg(va);
        CHECK_EQ(user_call(user_read, va), 7);
    }
    *page_entry(va, 1) &= ~PTE_P;
    invlpg(va);
    check_user_fault(user_read, va, PF_U);
    check_user_fault(user_write, va, PF_U | PF_W);
    check_user_fault(user_jump, va, PF_U | exec);
    check_user_fault(user_read, (uint64_t)&gdt, PF_P | PF_U); /* the frame itself */
    return 0;
}
