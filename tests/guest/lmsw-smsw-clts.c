/*
 * lmsw-smsw-clts.c: LMSW changes PE, MP, EM and TS only and cannot clear PE; SMSW gives CR0's low word; CLTS
 * clears TS; all but SMSW are #GP outside CPL 0.
 *
 * SDM 2A "LMSW", "CLTS", 2B "SMSW", 3A 2.5; APM 3 "LMSW", "SMSW", "CLTS".
 */
#include "frame32.h"

extern const char user_lmsw[], user_clts[], user_smsw[];
asm(TEXT_BEGIN "user_lmsw: lmsw %ax\n user_clts: clts\n user_smsw: smsw %eax\n int $0x81\n");

static void lmsw(uint16_t v)
{
    asm volatile("lmsw %0" : : "r"(v) : "memory");
}

int main(void)
{
    uint32_t cr0 = (uint32_t)(read_cr0() & ~0xeull), v;
    write_cr0(cr0);
    lmsw(0);
    CHECK_EQ(read_cr0(), cr0); /* PE is still set */
    lmsw(0xfff0 | 0xe);
    CHECK_EQ(read_cr0(), cr0 | 0xe);
    asm volatile("clts" : : : "memory");
    CHECK_EQ(read_cr0(), cr0 | 6);
    uint16_t m = 8;
    asm volatile("lmsw %0" : : "m"(m) : "memory");
    CHECK_EQ(read_cr0(), cr0 | 8);
    asm volatile("smsw %0" : "=r"(v));
    CHECK_EQ(v & 0xffff, (cr0 | 8) & 0xffff);
    struct {
        uint16_t low, high;
    } w = {0, 0x7777};
    asm volatile("smsw %0" : "=m"(w.low) : : "memory");
    CHECK_EQ(w.low, (cr0 | 8) & 0xffff);
    CHECK_EQ(w.high, 0x7777); /* a word in memory */
    CHECK_FAULT(TRY("fninit", : : : "memory"), NM, 0);
    asm volatile("clts" : : : "memory");

    struct regs r = regs_user(user_lmsw);
    CHECK_END(run(&r), GP, 0, user_lmsw);
    r.eip = (uint32_t)user_clts;
    CHECK_END(run(&r), GP, 0, user_clts);
    r.eip = (uint32_t)user_smsw;
    struct trap t = run(&r);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax & 0xffff, cr0 & 0xffff);
    return 0;
}
