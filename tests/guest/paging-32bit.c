/*
 * paging-32bit.c: two levels of 32-bit entries: 4 KiB pages, 4 MiB pages with CR4.PSE, rights, accessed and
 * dirty bits, and error codes without a word on instruction fetches.
 *
 * SDM 3A 4.3, 4.6, 4.7, 4.8; APM 2 5.2.
 */
#include "frame32.h"

#define P 1u
#define W 2u
#define U 4u
#define A 0x20u
#define D 0x40u
#define S 0x80u /* PS */
static uint32_t dir[1024] __attribute__((aligned(4096))), table[1024] __attribute__((aligned(4096)));
static uint8_t page[2][4096] __attribute__((aligned(4096)));
#define VA 0x40000000u /* by table; identity is by 4 MiB pages below it */
extern const char user_read[], user_write[], user_jump[];
asm(TEXT_BEGIN
    "user_read: mov (%ebx), %eax\n int $0x81\n user_write: mov %eax, (%ebx)\n int $0x81\n user_jump: jmp "
    "*%ebx\n");

static struct trap load(uint32_t va)
{
    uint32_t v;
    return TRY("mov (%1), %0", : "=&r"(v) : "r"(va) : "memory");
}
static struct trap store(uint32_t va)
{
    return TRY("movl $0x99, (%0)", : : "r"(va) : "memory");
}
static struct trap user(const char *at, uint32_t va)
{
    struct regs r = regs_user(at);
    r.ebx = va;
    return run(&r);
}
static void set(uint32_t pde, uint32_t pte)
{
    dir[VA >> 22] = (uint32_t)table | pde;
    table[0] = (uint32_t)page[0] | pte;
    invlpg(VA);
}

int main(void)
{
    for (unsigned i = 0; i < 1024; i++)
        dir[i] = i << 22 | S | U | W | P;
    write_cr4(CR4_PSE);
    write_cr3((uint32_t)dir);
    set(P | W, P | W);
    write_cr0(read_cr0() | CR0_PG | CR0_WP);
    *(volatile uint32_t *)page[0] = 0x1234;

    CHECK_EQ(*(volatile uint32_t *)VA, 0x1234);
    CHECK_EQ(table[0] & (A | D), A);
    CHECK_EQ(dir[VA >> 22] & (A | D), A);
    CHECK_NO_TRAP(store(VA));
    CHECK_EQ(table[0] & (A | D), A | D);
    CHECK_EQ(dir[VA >> 22] & D, 0);
    CHECK_EQ(*(volatile uint32_t *)page[0], 0x99);

    CHECK_PF(load(VA + 4096), 0, VA + 4096);
    set(P, P | W);
    CHECK_PF(store(VA), PF_P | PF_W, VA);
    CHECK_EQ(table[0] & D, 0);
    set(W, P | W);
    CHECK_PF(store(VA + 8), PF_W, VA + 8);
    CHECK_EQ(table[0] & A, 0);
    set(P | W | U, P | W);
    struct trap t = user(user_read, VA);
    CHECK_END(t, PF, PF_P | PF_U, user_read);
    CHECK_EQ(t.cr2, VA);
    set(P | U, P | W | U);
    CHECK_RETURN(user(user_read, VA));
    CHECK_END(user(user_write, VA), PF, PF_P | PF_U | PF_W, user_write);
    set(P | W, P | W | U);
    t = user(user_jump, VA);
    CHECK_END(t, PF, PF_P | PF_U, VA); /* no NX, no SMEP: bit 4 stays clear */

    /* 4 MiB: the entry of the directory maps; bits 21 to 0 come from the address. */
    dir[VA >> 22] = ((uint32_t)page & 0xffc00000u) | S | W | P;
    invlpg(VA);
    uint32_t in = VA + ((uint32_t)page[1] & 0x3fffff);
    CHECK_NO_TRAP(store(in));
    CHECK_EQ(*(volatile uint32_t *)page[1], 0x99);
    CHECK_EQ(dir[VA >> 22] & (A | D), A | D);
    /* Without PSE the bit means nothing, and the entry names a table. */
    static uint32_t low[1024] __attribute__((aligned(4096)));
    for (unsigned i = 0; i < 1024; i++)
        low[i] = i << 12 | W | P;
    dir[0] = (uint32_t)low | W | P;
    set(S | W | P, W | P);
    write_cr3(read_cr3());
    write_cr4(0);
    CHECK_NO_TRAP(store(VA + 4));
    CHECK_EQ(*(volatile uint32_t *)(page[0] + 4), 0x99);
    CHECK_PF(load(VA + 4096), 0, VA + 4096);
    write_cr0(read_cr0() & ~CR0_PG);
    CHECK_EQ(*(volatile uint32_t *)(page[0] + 4), 0x99);
    return 0;
}
