/*
 * paging.c: builds and changes the frame's page tables.
 */
#include "paging.h"
#include "check.h"

#define POOL_PAGES 256

uint64_t pml4[512] __attribute__((aligned(4096)));
static uint8_t pool[POOL_PAGES][PAGE] __attribute__((aligned(4096)));
static unsigned pool_used;

extern const char image_start[], user_start[], user_end[], memory_end[];

void *pages_alloc(unsigned n)
{
    if (pool_used + n > POOL_PAGES) {
        print("frame: out of pages\n");
        exit_fail(EXIT_FRAME);
    }
    void *p = pool[pool_used];
    pool_used += n;
    return p;
}

void *page_alloc(void)
{
    return pages_alloc(1);
}

static unsigned index_at(uint64_t va, unsigned level)
{
    return va >> (3 + 9 * level) & 511;
}

/* The table below entry *e of this level, which is made, or split from a large page, where there is none. */
static uint64_t *table_below(uint64_t *e, unsigned level)
{
    if (!(*e & PTE_P)) {
        *e = (uint64_t)page_alloc() | PTE_P | PTE_W | PTE_U | PTE_A;
    } else if (*e & PTE_PS) {
        uint64_t *t = page_alloc();
        uint64_t step = level == 3 ? PAGE_2M : PAGE;
        uint64_t keep = level == 3 ? *e : *e & ~PTE_PS;
        for (unsigned i = 0; i < 512; i++)
            t[i] = keep + i * step;
        *e = (uint64_t)t | PTE_P | PTE_W | PTE_U | PTE_A;
    }
    return (uint64_t *)(*e & PTE_ADDRESS);
}

static uint64_t *entry_make(uint64_t va, unsigned level)
{
    uint64_t *table = pml4;
    for (unsigned l = 4; l > level; l--)
        table = table_below(&table[index_at(va, l)], l);
    return &table[index_at(va, level)];
}

uint64_t *page_entry(uint64_t va, unsigned level)
{
    uint64_t *table = pml4;
    for (unsigned l = 4; l > level; l--) {
        uint64_t e = table[index_at(va, l)];
        if (!(e & PTE_P) || (l < 4 && e & PTE_PS))
            return NULL;
        table = (uint64_t *)(e & PTE_ADDRESS);
    }
    return &table[index_at(va, level)];
}

void page_map(uint64_t va, uint64_t pa, unsigned level, uint64_t flags)
{
    *entry_make(va, level) = pa | flags | (level > 1 ? PTE_PS : 0);
    invlpg(va);
}

void *page_map_new(uint64_t va, uint64_t flags)
{
    void *p = page_alloc();
    page_map(va, (uint64_t)p, 1, flags);
    return p;
}

void paging_init(void)
{
    uint64_t flags = PTE_P | PTE_W | PTE_A | PTE_D;

    for (uint64_t a = 0; a < 4 * PAGE_1G; a += PAGE_2M)
        *entry_make(a, 2) = a | flags | PTE_PS;
    for (uint64_t a = (uint64_t)user_start; a < (uint64_t)user_end; a += PAGE)
        *entry_make(a, 1) = a | flags | PTE_U;
    write_cr3((uint64_t)pml4);
}
