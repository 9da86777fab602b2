/*
 * conforming-code.c: a conforming code segment is entered at the caller's privilege, from its own level or
 * less, and may be read at any.
 *
 * SDM 3A 5.8.1.2, 5.6.1; APM 2 4.7.2, 4.11.1.
 */
#include "frame32.h"

#define SEL_C0 SEL_FREE       /* conforming, DPL 0 */
#define SEL_C3 (SEL_FREE + 8) /* conforming, DPL 3 */
extern const char to_c0[], to_c3[], there[], read_c0[], to_k[];
asm(TEXT_BEGIN
    "to_c0: ljmp $0x40, $there\n to_c3: ljmp $0x48, $there\n to_k: ljmp $8, $there\n"
    "there: mov %cs, %eax\n mov %ss, %ecx\n int $0x81\n"
    "read_c0: mov $0x40, %eax\n mov %eax, %ds\n mov there, %eax\n int $0x81\n");

int main(void)
{
    GDT(SEL_C0) = desc(0, 0xfffff, D_CODE | D_CONF, D_32 | D_G);
    GDT(SEL_C3) = desc(0, 0xfffff, D_CODE | D_CONF | D_DPL(3), D_32 | D_G);
    struct regs user = regs_user(to_c0), kernel = regs_kernel(to_c0);

    struct trap t = run(&user);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax & 0xffff, SEL_C0 | 3); /* still CPL 3 */
    CHECK_EQ(t.regs.ecx & 0xffff, SEL_UDATA);
    t = run(&kernel);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax & 0xffff, SEL_C0);

    /* Not from more privilege than its own. */
    kernel.eip = (uint32_t)to_c3;
    CHECK_END(run(&kernel), GP, SEL_C3, to_c3);
    user.eip = (uint32_t)to_c3;
    CHECK_RETURN(run(&user));
    user.eip = (uint32_t)to_k; /* what does not conform asks for the same level */
    CHECK_END(run(&user), GP, SEL_KCODE, to_k);

    /* It may be read from any level. */
    user.eip = (uint32_t)read_c0;
    CHECK_RETURN(run(&user));
    return 0;
}
