/*
 * stack-noncanonical.c: addresses by RSP or RBP that are not canonical give #SS(0), whatever prefix stands
 * there.
 *
 * SDM 1 3.3.7.1, SDM 3A 6.15 (#SS), APM 2 8.2.13. Linux mends a bad user RSP at IRET by this vector (espfix,
 * ptrace).
 */
#include "frame.h"

static struct trap stack_at(uint64_t rsp, unsigned what)
{
    struct trap t;

    switch (what) {
    case 0: t = TRY("mov %0, %%rsp; push %%rax; ", : : "r"(rsp) : "memory"); break;
    case 1: t = TRY("mov %0, %%rsp; pop %%rax; ", : : "r"(rsp) : "rax", "memory"); break;
    case 2: t = TRY("mov %0, %%rsp; call 1f; 1: ", : : "r"(rsp) : "memory"); break;
    case 3: t = TRY("mov %0, %%rsp; ret; ", : : "r"(rsp) : "memory"); break;
    case 4: t = TRY("mov %0, %%rbp; movw (%%rbp), %%ax", : : "r"(rsp) : "rax", "rbp", "memory"); break;
    default: /* a DS prefix is ignored in 64-bit mode */
        t = TRY("mov %0, %%rbp; .byte 0x3e; movw (%%rbp), %%ax", : : "r"(rsp) : "rax", "rbp", "memory");
        break;
    }
    return t;
}

int main(void)
{
    static const uint64_t bad[] = {0x0000800000001000, 0xffff7fffffffffff, 0x8000000000000000,
                                   0x0123456789abcdef};

    /* With RSP bad, the exception needs another stack. */
    trap_set_gate(SS, 2, 0, false);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        for (unsigned what = 0; what < 6; what++) {
            struct trap t = stack_at(bad[i] & ~7ull, what);
            CHECK_EQ(t.vector, SS);
            CHECK_EQ(t.error, 0);
        }
    }
    /* RSP just above the hole: PUSH would store below, in it. */
    CHECK_EQ(stack_at(0xffff800000000000, 0).vector, SS);
    /* The first byte is still canonical, the second is not. */
    page_map_new(0x0000800000000000 - PAGE, PTE_P | PTE_W);
    CHECK_EQ(stack_at(0x0000800000000000 - 1, 4).vector, SS);
    CHECK_EQ(stack_at(0x0000800000000000 - 2, 4).vector, NO_TRAP);
    return 0;
}
