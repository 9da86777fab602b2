/*
 * compat-32bit-limits.c: in compatibility mode segment limits hold, also of expand-down segments and of the
 * stack.
 *
 * SDM 3A 5.3, 5.3.1, APM 2 4.8.1. 64-bit mode ignores limits; a monitor may not do so for 32-bit programs
 * (Wine, DOS extenders, sandboxes by segments).
 */
#include "frame.h"

#define SEL_SMALL_DATA (SEL_FREE | 3)
#define SEL_DOWN_DATA  ((SEL_FREE + 8) | 3)

extern const char code32_limit[], code32_limit_insn[], code32_down[], code32_down_insn[], code32_stack[],
    code32_stack_insn[];

/* EDI is what user_state.rdi gave. Each ends by INT 0x80, unless it faults. */
asm(".section .user.text, \"ax\"\n"
    ".code32\n"
    "code32_limit:\n"
    "mov $0x4b, %eax\n" /* SEL_SMALL_DATA */
    "mov %eax, %es\n"
    "movb %es:0xfff, %al\n"
    "code32_limit_insn: movb %es:0x1000, %al\n"
    "int $0x80\n"
    "code32_down:\n"
    "mov $0x53, %eax\n" /* SEL_DOWN_DATA */
    "mov %eax, %es\n"
    "movb %es:(%edi), %al\n"
    "code32_down_insn: movb %es:0xfff, %al\n"
    "int $0x80\n"
    "code32_stack:\n" /* SS with a limit: #SS */
    "mov $0x4b, %eax\n"
    "mov %eax, %ss\n"
    "mov $0x1000, %esp\n"
    "push %eax\n"
    "mov $0x1002, %esp\n"
    "code32_stack_insn: push %eax\n"
    "int $0x80\n"
    ".code64\n"
    ".text\n");

static uint32_t user_word USER_DATA;

static struct user_state start(const char *at, uint64_t rdi)
{
    struct user_state u = user_state_for((uint64_t(*)(uint64_t))at, rdi);
    u.cs = SEL_UCODE32;
    u.rflags &= ~FLAG_IF;
    return u;
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
    gdt[SEL_SMALL_DATA >> 3] = descriptor((uint64_t)user_stack & ~0xfffull, 0xfff, 0x40f3);
    gdt[SEL_DOWN_DATA >> 3] = descriptor(0, 0xfff, 0x40f7); /* expand-down: above the limit only */
    barrier();
    CHECK_TRAP_AT(run_to_trap(code32_limit, 0), GP, 0, code32_limit_insn);
    CHECK_TRAP_AT(run_to_trap(code32_down, (uint64_t)&user_word), GP, 0, code32_down_insn);
    CHECK_TRAP_AT(run_to_trap(code32_stack, 0), SS, 0, code32_stack_insn);
    return 0;
}
