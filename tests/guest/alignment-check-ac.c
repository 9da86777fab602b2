/*
 * alignment-check-ac.c: with CR0.AM and RFLAGS.AC, user code gets #AC(0) for what is not aligned; the kernel
 * never does.
 *
 * SDM 3A 6.15 (#AC, table 6-7), APM 2 8.2.16. Few use it, but a kernel's handler expects the error code.
 */
#include "frame.h"

static uint8_t data[64] USER_DATA __attribute__((aligned(64)));

static USER_CODE uint64_t user_load8(uint64_t at)
{
    return *(volatile uint64_t *)at;
}

static USER_CODE uint64_t user_load2(uint64_t at)
{
    return *(volatile uint16_t *)at;
}

static USER_CODE uint64_t user_load1(uint64_t at)
{
    return *(volatile uint8_t *)at;
}

static USER_CODE uint64_t user_store4(uint64_t at)
{
    *(volatile uint32_t *)at = 1;
    return 0;
}

static struct trap with_ac(uint64_t (*fn)(uint64_t), uint64_t off)
{
    struct user_state u = user_state_for(fn, (uint64_t)data + off);
    struct trap t;
    u.rflags |= FLAG_AC;
    user_run(&u, NULL, &t);
    return t;
}

static void check_ac(struct trap t)
{
    CHECK_EQ(t.vector, AC);
    CHECK_EQ(t.error, 0);
    CHECK_EQ(t.regs.cs, SEL_UCODE);
}

int main(void)
{
    CHECK_NO_TRAP(with_ac(user_load8, 1)); /* AM is clear */
    write_cr0(read_cr0() | CR0_AM);
    for (uint64_t off = 0; off < 16; off++) {
        if (off % 8)
            check_ac(with_ac(user_load8, off));
        else
            CHECK_NO_TRAP(with_ac(user_load8, off));
        if (off % 4)
            check_ac(with_ac(user_store4, off));
        else
            CHECK_NO_TRAP(with_ac(user_store4, off));
        if (off % 2)
            check_ac(with_ac(user_load2, off));
        else
            CHECK_NO_TRAP(with_ac(user_load2, off));
        CHECK_NO_TRAP(with_ac(user_load1, off));
    }
    CHECK_NO_TRAP(user_try(user_load8, (uint64_t)data + 1)); /* AC is clear */
    write_flags(read_flags() | FLAG_AC);
    read8((uint64_t)data + 1); /* CPL 0 */
    write_flags(read_flags() & ~FLAG_AC);
    write_cr0(read_cr0() & ~CR0_AM);
    return 0;
}
