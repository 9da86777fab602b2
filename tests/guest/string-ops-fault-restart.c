/*
 * string-ops-fault-restart.c: a repeated string instruction that faults has done exactly the elements before,
 * and goes on.
 *
 * SDM 1 7.3.9.3, 2B "REP", APM 3 1.2.6. RIP is the instruction's; RCX, RSI and RDI tell how far it came.
 * copy_to_user counts by it, and demand paging goes on from it.
 */
#include "frame.h"

#define VA (TEST_VA + 0x30000)

static uint8_t *first, *second; /* at VA and VA + PAGE; the latter comes and goes */

static void absent(void)
{
    page_map(VA + PAGE, (uint64_t)second, 1, 0);
}

static void present(struct regs *r)
{
    CHECK_EQ(read_cr2() & ~(PAGE - 1), VA + PAGE);
    page_map(VA + PAGE, (uint64_t)second, 1, PTE_P | PTE_W);
}

#define STRING(insn, si, di, n) \
    TRY(insn, : : "S"(si), "D"(di), "c"((uint64_t)(n)), "a"(0x4141414141414141) : "memory", "cc")

static void check_end(struct trap t, uint64_t error, uint64_t cr2, uint64_t rcx, uint64_t rsi, uint64_t rdi)
{
    CHECK_PF(t, error, cr2);
    CHECK_EQ(t.regs.rcx, rcx);
    CHECK_EQ(t.regs.rsi, rsi);
    CHECK_EQ(t.regs.rdi, rdi);
}

int main(void)
{
    uint64_t buffer = (uint64_t)pages_alloc(2);

    first = page_map_new(VA, PTE_P | PTE_W);
    second = page_alloc();
    absent();
    for (unsigned i = 0; i < 2 * PAGE; i++)
        ((uint8_t *)buffer)[i] = (uint8_t)(i * 7 + 1);

    /* The destination ends. */
    check_end(STRING("rep movsb", buffer, VA + PAGE - 10, 100), PF_W, VA + PAGE, 90, buffer + 10, VA + PAGE);
    CHECK_EQ(memcmp(first + PAGE - 10, (void *)buffer, 10), 0);
    check_end(STRING("rep movsq", buffer, VA + PAGE - 80, 100), PF_W, VA + PAGE, 90, buffer + 80, VA + PAGE);
    check_end(STRING("rep stosb", 0, VA + PAGE - 5, 100), PF_W, VA + PAGE, 95, 0, VA + PAGE);
    check_end(STRING("rep stosl", 0, VA + PAGE - 40, 100), PF_W, VA + PAGE, 90, 0, VA + PAGE);
    CHECK_EQ(first[PAGE - 40], 0x41);

    /* An element over the boundary is not stored in part; CR2 is in the second page. */
    first[PAGE - 4] = 0x13;
    check_end(STRING("rep stosq", 0, VA + PAGE - 12, 2), PF_W, VA + PAGE, 1, 0, VA + PAGE - 4);
    CHECK_EQ(first[PAGE - 4], 0x13);
    CHECK_EQ(first[PAGE - 5], 0x41);

    /* The source ends. */
    check_end(STRING("rep movsb", VA + PAGE - 10, buffer, 100), 0, VA + PAGE, 90, VA + PAGE, buffer + 10);
    check_end(STRING("rep lodsw", VA + PAGE - 10, 0, 100), 0, VA + PAGE, 95, VA + PAGE, 0);

    /* Comparisons: while all is equal they run into it. */
    memset(first, 0x41, PAGE);
    memset((void *)buffer, 0x41, PAGE);
    check_end(STRING("repe scasb", 0, VA + PAGE - 10, 100), 0, VA + PAGE, 90, 0, VA + PAGE);
    check_end(STRING("repe cmpsb", buffer, VA + PAGE - 10, 100), 0, VA + PAGE, 90, buffer + 10, VA + PAGE);

    /* Backwards, out of the lower end. */
    page_map(VA - PAGE, 0, 1, 0);
    struct trap t = TRY("std; .globl back_insn; back_insn: rep stosb; cld",
                        :
                        : "D"(VA + 9), "c"(100), "a"(0x42)
                        : "memory", "cc");
    extern const char back_insn[];
    CHECK_TRAP_AT(t, PF, PF_W, back_insn);
    CHECK_EQ(t.cr2, VA - 1);
    CHECK_EQ(t.regs.rcx, 90);
    CHECK_EQ(t.regs.rdi, VA - 1);
    CHECK_EQ(t.regs.rflags & FLAG_DF, FLAG_DF);
    CHECK_EQ(first[0], 0x42);

    /* Count 0 touches nothing. */
    CHECK_NO_TRAP(STRING("rep movsb", 0, VA + PAGE, 0));
    CHECK_NO_TRAP(STRING("rep stosq", 0, VA + PAGE, 0));

    /* With a handler that brings the page, it simply goes on. */
    trap_set_handler(PF, present);
    for (unsigned i = 0; i < 2 * PAGE; i++)
        ((uint8_t *)buffer)[i] = (uint8_t)(i * 11 + 3);
    for (unsigned off = 0; off < 16; off++) {
        uint64_t si = buffer, di = VA + off, n = (2 * PAGE - 16) / 8;
        absent();
        memset(second, 0, PAGE);
        asm volatile("rep movsq" : "+S"(si), "+D"(di), "+c"(n)::"memory");
        CHECK_EQ(n, 0);
        CHECK_EQ(si, buffer + 2 * PAGE - 16);
        CHECK_EQ(memcmp((void *)(VA + off), (void *)buffer, 2 * PAGE - 16), 0);
    }
    return 0;
}
