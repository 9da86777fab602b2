/*
 * stage.h: what a guest-code input begins with: the state of processor and memory, in a few bytes that all
 * mean something sensible, so that most inputs get to run.
 */
#ifndef TESTS_FUZZ_STAGE_H
#define TESTS_FUZZ_STAGE_H

#include "fuzz.h"
#include "rig.h"

enum stage_mode {
    STAGE_REAL,
    STAGE_PROT16,
    STAGE_PROT16_USER,
    STAGE_PROT32,
    STAGE_PROT32_USER,
    STAGE_PAGED32,
    STAGE_PAGED32_USER,
    STAGE_PAE,
    STAGE_PAE_USER,
    STAGE_V86,
    STAGE_COMPAT16,
    STAGE_COMPAT32,
    STAGE_COMPAT32_USER,
    STAGE_LONG,
    STAGE_LONG_USER,
    STAGE_MODES
};

/* options */
enum {
    STAGE_COMPARE = 1,     /* run blocks and single steps side by side; page tables lie in ROM */
    STAGE_TABLES_16 = 2,   /* outside long mode: 16-bit TSS and gates */
    STAGE_NO_HANDLERS = 4, /* the descriptors of IDT or IVT come from the input alone */
    STAGE_RSP = 8,         /* RSP from the list of values, not a stack */
    STAGE_FPU = 16,        /* x87 and SSE state from the header */
    STAGE_ROM = 32,        /* the code lies in ROM */
    STAGE_MASKED = 64,     /* TPR, LINT0 and the local vector table as after reset: no virtual wire */
};

/*
 * The header of an input, little-endian without holes. Behind it: `patches` times a word (address: bits 12 to
 * 15 a table, bits 0 to 11 an offset) and eight bytes; then `code` bytes of code, the rest is data.
 */
struct __attribute__((packed)) stage_header {
    uint8_t mode, options;
    uint8_t chunk;     /* instructions between two looks at the state, less one */
    uint8_t patches;   /* low 4 bits */
    uint32_t cr0, cr4; /* bits turned over, of those that the mode leaves free */
    uint32_t rflags;
    uint32_t dr7;
    uint8_t efer;    /* bit 0: SCE, 1: NXE */
    uint8_t pending; /* bit 0: NMI pending, 1: NMI masked, 2-3: shadow, 4: debug trap, 5: halted */
    uint8_t at;      /* where in its page the code begins: 0: start, else that many bytes before the end */
    uint8_t handler; /* which of the handlers every vector has */
    uint64_t gpr;    /* four bits a register: an index into stage_values */
    uint16_t fcw, fsw;
    uint32_t mxcsr;
    uint8_t segs[4];   /* data segments: low 5 bits a descriptor, high 3 bits which register */
    uint8_t events[8]; /* what happens between two chunks: see guest.c */
    uint16_t code;     /* bytes, at most STAGE_CODE_MAX; 0: all there are */
};
enum { STAGE_CODE_MAX = 2048 };

/* Where things lie. */
enum {
    STAGE_IVT = 0,
    STAGE_GDT = 0x1000,
    STAGE_IDT = 0x2000,
    STAGE_LDT = 0x3000,
    STAGE_TSS = 0x4000,
    STAGE_TSS_OTHER = 0x5000,
    STAGE_TSS16 = 0x5800,
    STAGE_HANDLERS = 0x6000,
    STAGE_STACKS = 0x8000,  /* two pages */
    STAGE_DATA = 0xb000,    /* three pages */
    STAGE_TABLES = 0x10000, /* page tables, or at RIG_ROM */
    STAGE_CODE = 0x20000,   /* one page, or in ROM */
    STAGE_CODE_ROM = RIG_ROM + 0x8000,
};

/* Selectors. */
enum {
    SEL_CODE32 = 0x08,
    SEL_DATA32 = 0x10,
    SEL_CODE64 = 0x18,
    SEL_CODE32_USER = 0x20,
    SEL_DATA32_USER = 0x28,
    SEL_CODE64_USER = 0x30,
    SEL_CODE16 = 0x38,
    SEL_DATA16 = 0x40,
    SEL_CONFORMING = 0x48,
    SEL_DOWN = 0x50,
    SEL_LDT = 0x58,
    SEL_TSS = 0x68,
    SEL_TSS_OTHER = 0x78,
    SEL_TSS16 = 0x88,
    SEL_CALL32 = 0x90,
    SEL_CALL64 = 0x98,
    SEL_TASK = 0xa8,
    SEL_ABSENT = 0xb0,
    SEL_CODE16_USER = 0xb8,
    SEL_DATA16_USER = 0xc0,
    SEL_READ_ONLY = 0xc8,
    SEL_EXEC_ONLY = 0xd0,
    SEL_END = 0xd8,
};

/* Reads the header; false: the input is too short to be one. */
bool stage_read(struct stage_header *h, struct cursor *in);
/* Puts a machine that has just been reset into the state that the input describes. */
void stage_set(struct rig *r, const struct stage_header *h, struct cursor in);
/* stage_tables.c: descriptor tables, task states, handlers; page tables. */
void stage_descriptors(struct rig *r, const struct stage_header *h);
void stage_pages(struct rig *r, const struct stage_header *h);
gpa_t stage_page_tables(const struct stage_header *h);
bool stage_is_long(const struct stage_header *h);

#endif
