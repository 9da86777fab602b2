/*
 * umip.c: with CR4.UMIP, SGDT, SIDT, SLDT, STR and SMSW are #GP(0) outside CPL 0, and only there.
 *
 * SDM 3A 2.5 (CR4.UMIP), 2B "SGDT"; APM 2 3.1.3. Without it any program reads the kernel's addresses from
 * them.
 */
#include "frame.h"

static uint8_t buffer[16] USER_DATA;
#define USER_INSN(name, insn)                                 \
    static USER_CODE uint64_t name(uint64_t arg)              \
    {                                                         \
        asm volatile(insn : : "D"(buffer) : "rax", "memory"); \
        return arg;                                           \
    }
USER_INSN(do_sgdt, "sgdt (%%rdi)")
USER_INSN(do_sidt, "sidt (%%rdi)")
USER_INSN(do_sldt, "sldt %%eax")
USER_INSN(do_str, "str %%eax")
USER_INSN(do_smsw, "smsw %%eax")
USER_INSN(do_smsw_m, "smsw (%%rdi)")

int main(void)
{
    uint64_t (*const user[])(uint64_t) = {do_sgdt, do_sidt, do_sldt, do_str, do_smsw, do_smsw_m};
    if (!cpu_has_umip())
        exit_skip("no UMIP in CPUID");
    for (unsigned i = 0; i < 6; i++)
        CHECK_EQ(user_call(user[i], 7), 7);
    write_cr4(read_cr4() | CR4_UMIP);
    for (unsigned i = 0; i < 6; i++) {
        struct trap t = user_try(user[i], 7);
        CHECK_EQ(t.vector, GP);
        CHECK_EQ(t.error, 0);
    }
    uint64_t v;
    CHECK_NO_TRAP(TRY("sgdt %0", : "=m"(buffer) : : "memory"));
    CHECK_NO_TRAP(TRY("smsw %0", : "=r"(v) : : "memory"));
    CHECK_NO_TRAP(TRY("str %0", : "=r"(v) : : "memory"));
    return 0;
}
