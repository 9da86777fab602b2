/*
 * paging.h: page tables of the frame (SDM 3A 4.5, APM 2 5.3). main() starts with 4 GiB mapped one to one by 2
 * MiB pages, writable and executable, supervisor only; the image's own first 2 MiB by 4 KiB pages, USER_CODE
 * and USER_DATA of it with U. Nothing here flushes the TLB but page_map; entries that an image changes by
 * hand are its own affair.
 */
#ifndef GUEST_PAGING_H
#define GUEST_PAGING_H

#include "cpu.h"

#define PTE_P       BIT(0)
#define PTE_W       BIT(1)
#define PTE_U       BIT(2)
#define PTE_PWT     BIT(3)
#define PTE_PCD     BIT(4)
#define PTE_A       BIT(5)
#define PTE_D       BIT(6)
#define PTE_PS      BIT(7) /* levels 2 and 3; PAT at level 1 */
#define PTE_G       BIT(8)
#define PTE_NX      BIT(63)
#define PTE_ADDRESS 0x000ffffffffff000ull

#define PAGE    4096ull
#define PAGE_2M (2ull << 20)
#define PAGE_1G (1ull << 30)

/* Nothing is mapped here: for the pages of a test. Its PML4 entry is not shared with anything. */
#define TEST_VA 0x0000400000000000ull

void paging_init(void);
/* A zeroed page, never given back; va = pa. */
void *page_alloc(void);
/* n pages one behind the other. */
void *pages_alloc(unsigned n);
/* Map va to pa at level 1 (4 KiB), 2 (2 MiB) or 3 (1 GiB) with these bits; makes and splits tables as it
 * must. */
void page_map(uint64_t va, uint64_t pa, unsigned level, uint64_t flags);
/* The entry for va at this level (4 is the PML4), NULL where a table on the way is missing or a larger page
 * ends it. */
uint64_t *page_entry(uint64_t va, unsigned level);
/* A page of memory mapped at va with 4 KiB: its identity address. */
void *page_map_new(uint64_t va, uint64_t flags);
extern uint64_t pml4[512];

#endif
