/*
 * self-modifying-code.c: what was stored is what runs: the next instruction, another block, a page with data,
 * an alias.
 *
 * SDM 3A 8.1.3 and 11.6, APM 2 7.6.1: x86 keeps instruction and data coherent on one processor; a jump is
 * enough. Every JIT, and every kernel that patches itself, depends on it. Through another linear address it
 * needs a serialising instruction.
 */
#include "frame.h"

static uint8_t *code;

static uint64_t call(const void *at)
{
    uint64_t v;
    asm volatile("call *%1" : "=a"(v) : "r"(at) : "memory", "rcx", "rdx", "cc");
    return v;
}

/* MOV EAX, imm32; RET */
static void put_return(uint8_t *p, uint32_t v)
{
    p[0] = 0xb8;
    memcpy(p + 1, &v, 4);
    p[5] = 0xc3;
    barrier();
}

extern const char smc_begin[], smc_end[], smc_loop_begin[], smc_loop_end[];
asm(".section .rodata\n"
    /* Overwrites the immediate of the instruction behind the jump, in its own block. RDI = its own address.
     */
    "smc_begin:\n"
    "movl $0x22222222, smc_patch+1-smc_begin(%rdi)\n"
    "jmp smc_patch\n"
    "smc_patch: mov $0x11111111, %eax\n"
    "ret\n"
    "smc_end:\n"
    /* Counts in its own immediate, ten times round. */
    "smc_loop_begin:\n"
    "mov $10, %ecx\n"
    "smc_again: mov $100, %eax\n"
    "incl smc_again+1-smc_loop_begin(%rdi)\n"
    "dec %ecx\n"
    "jnz smc_again\n"
    "ret\n"
    "smc_loop_end:\n"
    ".text\n");

static uint64_t call_with_address(uint8_t *at)
{
    uint64_t v;
    asm volatile("call *%1" : "=a"(v) : "r"(at), "D"(at) : "memory", "rcx", "rdx", "cc");
    return v;
}

int main(void)
{
    code = pages_alloc(4);

    /* Same block. */
    for (unsigned i = 0; i < 50; i++) {
        memcpy(code, smc_begin, (size_t)(smc_end - smc_begin));
        CHECK_EQ(call_with_address(code), 0x22222222);
    }
    /* A hot loop that changes itself: the change of the last round is seen in the next. */
    memcpy(code, smc_loop_begin, (size_t)(smc_loop_end - smc_loop_begin));
    CHECK_EQ(call_with_address(code), 109);

    /* Another block, same page, other page, many times each. */
    for (uint32_t i = 0; i < 300; i++) {
        put_return(code + 0x100, i);
        CHECK_EQ(call(code + 0x100), i);
        put_return(code + PAGE + 0x100, ~i);
        CHECK_EQ(call(code + PAGE + 0x100), (uint32_t)~i);
        CHECK_EQ(call(code + 0x100), i);
    }

    /* Over a page boundary: either part changed. */
    uint8_t *cross = code + PAGE - 3;
    put_return(cross, 0x44332211);
    CHECK_EQ(call(cross), 0x44332211);
    code[PAGE] = 0x99;
    CHECK_EQ(call(cross), 0x44992211);
    cross[1] = 0x88;
    CHECK_EQ(call(cross), 0x44992288);

    /* Data beside code in one page: thousands of stores there do not disturb it. */
    put_return(code + 0x200, 77);
    volatile uint32_t *data = (volatile uint32_t *)(code + 0x240);
    for (uint32_t i = 0; i < 5000; i++) {
        *data = i;
        if (i % 16 == 0)
            CHECK_EQ(call(code + 0x200), 77);
    }
    CHECK_EQ(*data, 4999);

    /* By every kind of store. */
    uint64_t image = 0xc300000000b8 | 1ull << 8;
    asm volatile("movnti %1, %0" : "=m"(*(uint64_t *)(code + 0x300)) : "r"(image));
    asm volatile("sfence" ::: "memory");
    CHECK_EQ(call(code + 0x300), 1);
    asm volatile("lock; addl $0x100, %0" : "+m"(*(uint32_t *)(code + 0x300))::"cc");
    CHECK_EQ(call(code + 0x300), 2);
    asm volatile("xchgb %b1, %0" : "+m"(code[0x301]) : "q"(3));
    CHECK_EQ(call(code + 0x300), 3);
    uint8_t source[6];
    put_return(source, 4);
    void *from = source, *to = code + 0x300;
    uint64_t n = 6;
    asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n)::"memory");
    CHECK_EQ(call(code + 0x300), 4);
    asm volatile("push %1; pop %0" : "=m"(*(uint64_t *)(code + 0x300)) : "r"(0xc30000000005b8));
    code[0x305] = 0xc3;
    CHECK_EQ(call(code + 0x300), 5);

    /* Through another linear address of the same page. */
    uint64_t alias = TEST_VA + 0x20000;
    page_map(alias, (uint64_t)code, 1, PTE_P | PTE_W);
    for (uint32_t i = 0; i < 100; i++) {
        put_return((uint8_t *)alias + 0x400, i);
        serialise();
        CHECK_EQ(call(code + 0x400), i);
        put_return(code + 0x400, i + 1000);
        serialise();
        CHECK_EQ(call((void *)(alias + 0x400)), i + 1000);
    }

    /* Another page under the same address. */
    uint8_t *other = page_alloc();
    put_return(other + 0x400, 5555);
    page_map(alias, (uint64_t)other, 1, PTE_P | PTE_W);
    CHECK_EQ(call((void *)(alias + 0x400)), 5555);
    CHECK_EQ(call(code + 0x400), 1099);
    return 0;
}
