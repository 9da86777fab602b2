/*
 * compat-32bit-segment.c: user code in a 32-bit segment runs as 32-bit code: registers, addresses, stack, far
 * jumps to 64-bit and 16-bit code.
 *
 * SDM 3A 5.2.1 (compatibility mode), 1 3.2.1, APM 2 1.3.1. Every 32-bit program under a 64-bit kernel is
 * this.
 */
#include "frame.h"

#define SEL_CODE16 ((SEL_FREE + 16) | 3)

extern const char code32_add[], code32_wrap[], code32_far64[], code32_into[], code32_bound[], code32_call16[],
    code16_entry[];

/* RDI is what user_state.rdi gave. Each ends by INT 0x80. */
asm(".section .user.text, \"ax\"\n"
    ".code32\n"
    "code32_add:\n" /* 0x40 is INC EAX, not a REX prefix; PUSH takes four bytes; registers are 32 bits wide */
    "mov $0xfffffffe, %eax\n"
    ".byte 0x40\n"
    "inc %eax\n"
    "mov %esp, %ecx\n"
    "push $1\n"
    "sub %esp, %ecx\n"
    "lea 5(%eax,%ecx), %eax\n"
    "int $0x80\n"
    "code32_wrap:\n" /* an effective address wraps at 4 GiB */
    "mov $0xfffffff0, %ebx\n"
    "mov 0x10(%ebx,%edi), %eax\n"
    "int $0x80\n"
    "code32_far64:\n" /* to 64-bit code and there a 64-bit register */
    "ljmp $0x2b, $1f\n"
    ".code64\n"
    "1: mov $0x123456789abcdef0, %rax\n"
    "int $0x80\n"
    ".code32\n"
    "code32_into:\n"
    "mov $0x7fffffff, %eax\n"
    "inc %eax\n"
    "into\n"
    "int $0x80\n"
    "code32_bound:\n"
    "mov $9, %eax\n"
    "bound %eax, (%edi)\n"
    "int $0x80\n"
    "code32_call16:\n"
    "ljmp $0x5b, $0\n" /* SEL_CODE16 begins at code16_entry */
    ".code16\n"
    "code16_entry:\n"
    "mov $0xffff, %ax\n"
    "inc %ax\n"
    "jnz 1f\n"
    "mov $0x4321, %ax\n"
    "1: movzx %ax, %eax\n"
    "int $0x80\n"
    ".code64\n"
    ".text\n");

static uint32_t user_words[4] USER_DATA = {0xcafe, 1, 8, 0};

static struct user_state start(const char *at, uint64_t rdi)
{
    struct user_state u = user_state_for((uint64_t(*)(uint64_t))at, rdi);
    u.cs = SEL_UCODE32;
    u.rflags &= ~FLAG_IF;
    return u;
}

static uint64_t run(const char *at, uint64_t rdi)
{
    struct user_state u = start(at, rdi);
    uint64_t rax;
    asm volatile("mov %0, %%ds; mov %0, %%es" ::"r"(SEL_UDATA));
    user_run(&u, &rax, NULL);
    return rax;
}

static struct trap run_to_trap(const char *at, uint64_t rdi)
{
    struct user_state u = start(at, rdi);
    struct trap t;
    asm volatile("mov %0, %%ds; mov %0, %%es" ::"r"(SEL_UDATA));
    CHECK(!user_run(&u, NULL, &t));
    CHECK_EQ(t.regs.cs, SEL_UCODE32);
    return t;
}

static uint64_t descriptor(uint64_t base, uint64_t limit, uint64_t type)
{
    return (limit & 0xffff) | (base & 0xffffff) << 16 | type << 40 | (limit >> 16 & 15) << 48 |
           (base >> 24 & 0xff) << 56;
}

int main(void)
{
    uint64_t words = (uint64_t)user_words;

    gdt[SEL_CODE16 >> 3] = descriptor((uint64_t)code16_entry, 0xffff, 0x00fb);
    barrier();

    CHECK_EQ(run(code32_add, 0), 9);
    CHECK_EQ(run(code32_wrap, words), 0xcafe);
    CHECK_EQ(run(code32_far64, 0), 0x123456789abcdef0);
    CHECK_EQ(run(code32_call16, 0), 0x4321);
    struct trap t = run_to_trap(code32_into, 0);
    CHECK_EQ(t.vector, GP); /* INTO obeys the gate's DPL */
    trap_set_gate(OF, 0, 3, false);
    t = run_to_trap(code32_into, 0);
    CHECK_EQ(t.vector, OF);
    user_words[0] = 1;
    user_words[1] = 8;
    CHECK_EQ(run_to_trap(code32_bound, words).vector, BR);
    user_words[1] = 9;
    CHECK_EQ(run(code32_bound, words), 9);
    return 0;
}
