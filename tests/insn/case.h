/*
 * case.h: one case: an instruction with all the state it starts from, and what came of it.
 *
 * The native child and the interpreted guest have the same address space: two code pages, two data pages, a
 * read-only page behind them, and nothing else that a case is to hit.
 */
#ifndef TESTS_INSN_CASE_H
#define TESTS_INSN_CASE_H

#include "mem/mem.h"
#include "x86/x86.h"

/* Below 2 GiB, so that 32-bit displacements and address-size prefixes reach it. */
#define CODE_VA    0x30000000ull /* readable, writable, executable; unmapped in front and behind */
#define CODE_SIZE  (2 * PAGE_SIZE)
#define DATA_VA    0x30010000ull /* two pages readable and writable, not executable; unmapped in front */
#define DATA_SIZE  (2 * PAGE_SIZE)
#define RO_VA      (DATA_VA + DATA_SIZE) /* one page readable only; unmapped behind */
#define RO_SIZE    PAGE_SIZE
#define AREA_SIZE  (DATA_SIZE + RO_SIZE)
#define CODE_FILL  0xcc /* INT3: what the code pages hold around the instruction */
#define CASE_BYTES 20u
#define CHUNK      64u
#define MAX_CHUNKS 40u
#define XSAVE_SIZE 832u /* x87, SSE and AVX state in standard form (SDM 1 13.4) */

/* Offsets in an XSAVE image (SDM 1 table 10-2, 13.4). */
enum {
    XS_FCW = 0,
    XS_FSW = 2,
    XS_FTW = 4,
    XS_FOP = 6,
    XS_FIP = 8,
    XS_FDP = 16,
    XS_MXCSR = 24,
    XS_MXCSR_MASK = 28,
    XS_ST = 32,
    XS_XMM = 160,
    XS_BV = 512,
    XS_XCOMP = 520,
    XS_YMM_HI = 576,
};

struct regs {
    uint64_t gpr[X86_NGPR];
    uint64_t rip, rflags, fs_base, gs_base;
    _Alignas(64) uint8_t xsave[XSAVE_SIZE];
};

/* Bytes of the data pages that differ from the base image when the case starts. */
struct patch {
    uint16_t off, len; /* within DATA_SIZE */
    uint16_t at;       /* in patch_bytes */
};
#define MAX_PATCHES 8u
#define PATCH_BYTES 2048u

struct icase {
    uint64_t number;
    uint32_t form;
    uint8_t code_bits; /* 64, 32, 16 */
    uint8_t len;
    uint8_t bytes[CASE_BYTES]; /* more than 15 where the instruction is too long */
    bool undecoded;            /* no instruction: the decoded form is empty */
    uint8_t npatches;
    uint16_t patch_used;
    struct patch patch[MAX_PATCHES];
    uint8_t patch_bytes[PATCH_BYTES];
    struct regs in;
};

#define NO_FAULT 0xff
#define DIED     0xfe /* native: the child did not survive it */

/*
 * How much of FOP, FIP and FDP is known. AMD's XSAVE gives zeros for them unless FSW.ES is set (APM 2
 * 11.5.3): then FNSTENV tells their low 32 bits, where no signal frame and no context switch lies in between.
 */
enum fp_pointers { POINTERS_FULL, POINTERS_LOW32, POINTERS_LOST };

struct outcome {
    uint8_t vector;   /* NO_FAULT or the exception */
    uint8_t pointers; /* enum fp_pointers; the interpreter's are full */
    uint8_t nchunks;
    bool overflow; /* more chunks changed than there is room for */
    uint32_t error;
    uint64_t cr2; /* of a page fault */
    struct regs out;
    uint8_t chunk[MAX_CHUNKS]; /* numbers of 64-byte chunks of the data pages that changed */
    uint8_t data[MAX_CHUNKS][CHUNK];
};
_Static_assert(DATA_SIZE / CHUNK <= 256, "a chunk's number fits");

/* Data pages: put the patches in, find what changed, put the base image back. `before` is scratch that equals
 * the base image between cases. */
void area_prepare(const struct icase *k, uint8_t *area, uint8_t *before);
void area_collect(const struct icase *k, uint8_t *area, uint8_t *before, const uint8_t *base,
                  struct outcome *o);

#endif
