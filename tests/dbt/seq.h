/*
 * seq.h: a sequence: instructions with the state from which they start.
 *
 * Instructions are items; one that names another (a jump, a store into code) does so by its number, so that
 * items can be left out while a failing sequence is made smaller.
 */
#ifndef TESTS_DBT_SEQ_H
#define TESTS_DBT_SEQ_H

#include "layout.h"
#include "mem/mem.h"
#include "x86/decode.h"
#include "x86/x86.h"

#define MAX_ITEMS  160u
#define ITEM_BYTES 24u

enum fix {
    FIX_NONE,
    FIX_REL, /* 32 bits: from the item's end to the target item */
    FIX_ABS, /* 32 bits: the target item's address + add */
    FIX_RIP, /* 32 bits: from the item's end to the linear address `add` */
};
struct item {
    uint8_t len; /* 0: left out */
    uint8_t bytes[ITEM_BYTES];
    uint8_t fix; /* enum fix */
    uint8_t at;  /* offset of the field */
    uint16_t target;
    uint8_t group; /* not 0: items that are left out together */
    uint32_t add;
};

/* An entry of the lower half's page table that is not as usual. */
struct pte_change {
    uint16_t page;
    uint64_t value;
};
#define MAX_PTES 8u

struct seq {
    uint64_t number;
    unsigned kind;
    unsigned n, npte;
    struct item item[MAX_ITEMS];
    struct pte_change pte[MAX_PTES];
    uint16_t start; /* offset of the first instruction in the code pages */
    bool user, apic, clear_mf;
    bool high;  /* starts at the code's place in the upper half, whose pages are global */
    bool flush; /* the TLB is emptied in front of each run: it may end with entries that the tables contradict
                 */
    bool irqs_vary;    /* how many interrupts are taken, and where, is the engine's affair */
    uint32_t cr0, cr4; /* bits that differ from the usual */
    uint16_t pcid;     /* in CR3 at the start, when CR4.PCIDE is set */
    uint64_t rflags, fs_base, gs_base;
    uint64_t gpr[X86_NGPR];
    uint16_t fcw;
    uint32_t mxcsr;
    uint64_t vector_seed;
    uint64_t boundaries; /* block size 1: bit n: an interrupt is sent before step n (mod 64) */
};

/* The items laid out. */
struct code {
    uint8_t bytes[CODE_PAGES * PAGE_SIZE];
    uint8_t lengths[CODE_PAGES * PAGE_SIZE];
    uint16_t at[MAX_ITEMS + 1];
};
/* False: it does not fit. */
bool seq_lay_out(const struct seq *s, struct code *c);

#endif
