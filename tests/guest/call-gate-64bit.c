/*
 * call-gate-64bit.c: a call gate of long mode has 16 bytes and leads to 64-bit code only; to more privilege
 * it takes RSP from the TSS, loads a null SS and pushes eight-byte values, no parameters.
 *
 * SDM 3A 5.8.3.1, 5.8.5.1, 2A "CALL"; APM 2 4.8.3 (call gates), 8.9.3.
 */
#include "frame.h"

#define SEL_CG SEL_FREE
extern const char gate_target[], gate_call[], gate_behind[];
static volatile uint64_t seen[6];
asm(".text\ngate_target: mov %ss, %eax\n mov %rax, seen+40\n pop seen\n pop seen+8\n pop seen+16\n pop "
    "seen+24\n"
    "push seen+24\n push seen+16\n push seen+8\n push seen\n mov %rsp, seen+32\n lretq\n"
    ".section .user.text, \"ax\"\n"
    "gate_call: lcall *gate_ptr\n gate_behind: mov $0x4444, %eax\n int $0x80\n"
    "gate_ptr: .long 0\n .word 0x4b\n .text\n");

static void set_gate(uint64_t target, uint16_t sel, unsigned dpl)
{
    gdt[SEL_CG >> 3] = (target & 0xffff) | (uint64_t)sel << 16 | (uint64_t)(0x8c | dpl << 5) << 40 |
                       (target >> 16 & 0xffff) << 48;
    gdt[(SEL_CG >> 3) + 1] = target >> 32;
}
static struct trap go(uint64_t *rax)
{
    struct user_state u = user_state_for((uint64_t(*)(uint64_t))gate_call, 0);
    struct trap t;
    user_run(&u, rax, &t);
    return t;
}

int main(void)
{
    uint64_t rax = 0, rsp = user_state_for((uint64_t(*)(uint64_t))gate_call, 0).rsp;
    set_gate((uint64_t)gate_target, SEL_KCODE, 3);
    CHECK_NO_TRAP(go(&rax));
    CHECK_EQ(rax, 0x4444);
    CHECK_EQ(seen[0], (uint64_t)gate_behind);
    CHECK_EQ(seen[1], SEL_UCODE);
    CHECK_EQ(seen[2], rsp);
    CHECK_EQ(seen[3], SEL_UDATA);
    CHECK_EQ(seen[4], tss.rsp[0] - 32);
    CHECK_EQ(seen[5], 0);

    set_gate((uint64_t)gate_target, SEL_KCODE, 0);
    CHECK_TRAP_AT(go(NULL), GP, SEL_CG, gate_call);
    set_gate((uint64_t)gate_target, SEL_KCODE32, 3);
    CHECK_TRAP_AT(go(NULL), GP, SEL_KCODE32, gate_call);
    set_gate((uint64_t)gate_target, SEL_KCODE, 3);
    gdt[(SEL_CG >> 3) + 1] |= 0x9ull << 40; /* the second type field has to be 0 */
    CHECK_TRAP_AT(go(NULL), GP, SEL_CG, gate_call);
    return 0;
}
