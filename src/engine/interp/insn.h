/*
 * engine/interp/insn.h: the interpreter's own form of an instruction, its vCPU, and how handlers reach
 * memory.
 *
 * A guest instruction is decoded once into a struct insn of 32 bytes whose `fn` is a handler for its operand
 * kinds and width; blocks of them are cached by physical address (block.c). A handler does the whole
 * instruction and returns the one to run next: `in + 1`, the first of another block, or NULL to leave for the
 * run loop. RIP is not kept while a block runs: it is block_rip + in->off.
 *
 * Operands are byte offsets into struct interp, so that a register, AH, a segment base, RIP for
 * position-independent addressing and "none" (a word that is zero) are all read the same way.
 */
#ifndef ENGINE_INTERP_INSN_H
#define ENGINE_INTERP_INSN_H

#include "cpu/cpu.h"
#include "engine/interp/interp.h"
#include "x86/decode.h"

struct interp;
struct insn;
typedef const struct insn *insn_fn(struct interp *v, const struct insn *in);

struct insn {
    insn_fn *fn;
    int32_t imm;  /* immediate or branch displacement, sign-extended; for some handlers an index */
    int32_t disp; /* of the memory operand; rip-relative: from the block's start */
    uint16_t base, index, sbase; /* offsets into struct interp; sbase: FS or GS base in 64-bit mode */
    uint16_t dst, src;           /* register operands */
    uint16_t off;                /* from the block's first byte */
    uint8_t scale;               /* shift of index: 0 to 3 */
    uint8_t len;
    uint8_t flags; /* IN_* */
    uint8_t
        osz; /* operand size in bytes, for handlers that are not made for one size; or the third register */
};
_Static_assert(sizeof(struct insn) == 32, "struct insn is 32 bytes");

/* insn.flags */
#define IN_SEG          0x01u          /* the address needs the segment check (seg_address) */
#define IN_SEG_NO(f)    ((f) >> 1 & 7) /* which segment */
#define IN_SEG_SHIFT    1
#define IN_ASZ          0x30u /* address size: 0: 2, 1: 4, 2: 8 bytes */
#define IN_ASZ_SHIFT    4
#define IN_ASZ_BYTES(f) (2u << ((f) >> IN_ASZ_SHIFT & 3))
#define IN_REP          0x40u
#define IN_REPNE        0x80u

struct block {
    struct block *hash_next, *page_next;
    gpa_t gpa;     /* of the first byte */
    uint32_t mode; /* MODE_* of the key */
    uint16_t n;    /* instructions, the closing pseudo-instruction not counted */
    uint16_t
        bytes; /* guest bytes, on the first page (an instruction that spans pages is a block of its own) */
    /* The translator's: host code, as offsets into its cache; 0: none. */
    uint32_t entry_m, entry_h, stale_code;
    uint32_t links;      /* jumps of other blocks to it */
    uint32_t heat;       /* how often it was interpreted */
    gpa_t second;        /* the first byte on a second page, of an instruction that spans two; else 0 */
    uint64_t vpage;      /* at which supervisor code was translated */
    uint8_t rebound;     /* how often it was translated for another page */
    uint16_t crossings;  /* checks that failed because they span two pages */
    bool unmerged;       /* each access has a check of its own */
    struct insn insns[]; /* n + 1: behind the last one stands op_block_end */
};

/* What decoding depends on. */
enum {
    MODE_CODE16 = 0,
    MODE_CODE32 = 1,
    MODE_CODE64 = 2,
    MODE_CODE = 3,
    MODE_STACK32 = 4, /* outside 64-bit mode: SS.B */
    MODE_ONE = 8,     /* blocks of one instruction */
    /* For translated code only: */
    MODE_SSE = 16,         /* SSE instructions raise no #NM, #UD or #XM */
    MODE_AVX = 32,         /* nor do those of AVX */
    MODE_RIGHTS_SHIFT = 6, /* TLB bank, two bits */
    MODE_CHECKED = 256,    /* #AC or data breakpoints: every access goes the slow way */
};

#define BLOCK_INSNS 32u /* at most, in a block */

/* Softmmu TLB: direct-mapped, one bank for each kind of rights. */
#define TLB_BITS    10
#define TLB_SIZE    (1u << TLB_BITS)
#define TLB_INVALID 1ull /* no page address: never equal to a tag */

enum tlb_bank { BANK_SUPER, BANK_SUPER_AC, BANK_USER, BANK_CHECKED, TLB_BANKS };
/* BANK_CHECKED is never filled: #AC checks and data breakpoints send every access the slow way. */

struct tlb_entry {
    uint64_t rd, wr, ex; /* linear page when reads, writes, fetches may go directly; else TLB_INVALID */
    uintptr_t addend;    /* hva = lin + addend */
};

/* Beside each entry: what the slow path has to know. */
struct tlb_info {
    uint64_t page; /* linear page, or TLB_INVALID */
    struct cpu_translation t;
    bool ram; /* in a slot: addend is right */
    bool rom;
    bool logged; /* the slot stands in v->filled */
};

/* Translations of a PCID that is not the current one (tlb_space.c). */
struct tlb_space {
    unsigned pcid;         /* or ~0: none */
    uint64_t since;        /* when they were put aside: v->spaces_left then */
    struct tlb_kept *kept; /* n of them; room for every slot, or NULL */
    unsigned n;
};
#define TLB_SPACES 8

#define JC_SIZE 4096u
struct jump_cache {
    uint64_t rip;
    uint64_t key; /* v->key when it was made */
    struct block *blk;
};

/* A store in progress that needs more than the store itself: see wr_begin. */
enum wr_kind { WR_NONE, WR_REPORT, WR_BOUNCE };
struct wr_pending {
    enum wr_kind kind;
    unsigned len, first; /* bytes; of them on the first page */
    gpa_t gpa[2];        /* where the parts go */
    bool ram[2];
    uint8_t *hva[2];
    _Alignas(64) uint8_t buf[64];
};

/* Of what a run of instructions is made; see run.c. */
struct interp {
    struct cpu c;       /* first: offsets count from here */
    uint64_t zero;      /* "no register" */
    uint64_t block_rip; /* RIP of the first byte of blk */
    struct block *blk;
    uint64_t key;          /* of jump-cache entries: TLB generation, rights, mode */
    struct tlb_entry *tlb; /* bank in use */
    struct wr_pending wr;
    uint64_t insns;  /* retired before the current block was entered */
    uint64_t faults; /* instructions that raised a fault instead */
    /* interp_run_limited: where insns + faults is to stop, and handlers that may be called until then. */
    bool limited;
    uint64_t stop_at, calls_left;
    bool faulted;       /* a handler left with cpu->fault to be delivered */
    bool single;        /* TF, RF, breakpoints: one instruction at a time */
    bool in_step;       /* step_one is running: no handler goes on to another instruction */
    bool alone;         /* no handler goes on to another block */
    bool fetch_special; /* the page of the last tlb_fetch is: see tlb_special */
    bool translates;    /* modes are told apart as translated code needs it */
    bool tf_at_end;     /* SYSCALL, SYSRET: TF counts as it is after the instruction */
    bool noncanonical;  /* the fault just raised is for a non-canonical address: #GP or #SS by segment */
    bool no_trap;       /* INT n: no single-step trap behind it */
    uint64_t cs_base;   /* for which the generation stands, outside 64-bit mode */
    uint32_t cs_limit;
    bool stepping; /* the engine's user asked for single step */
    bool error;    /* EXIT_ERROR: error_text */
    uint32_t mode;
    uint32_t rights; /* bank, for the key */
    uint64_t generation;
    struct tlb_entry tlbs[TLB_BANKS][TLB_SIZE];
    struct tlb_info info[TLB_BANKS][TLB_SIZE];
    uint32_t filled[TLB_BANKS * TLB_SIZE]; /* log of filled slots: bank << 16 | index */
    unsigned nfilled;
    uint64_t large_lo, large_hi; /* linear range that holds fragments of large pages */
    unsigned pcid;               /* whose translations these are, with the global ones */
    struct tlb_space spaces[TLB_SPACES];
    uint64_t spaces_left;
    struct jump_cache jc[JC_SIZE];
    struct block_cache *blocks;
    struct x86_decoder decoder;
    struct engine *engine;
    struct mem_listener listener;
    uint64_t tlb_misses, halts, events;
    uint64_t breakpoint[16];
    unsigned nbreakpoints;
    char error_text[256];
    struct fp_thunks *thunks;
    bool ferr;                       /* FERR# is asserted */
    bool ignne;                      /* the instruction in work runs although an x87 exception is pending */
    const struct block_hooks *hooks; /* or NULL */
};

/* For who keeps code made from blocks. */
struct block_hooks {
    void (*stale)(struct interp *v, struct block *b); /* its bytes changed */
    void (*flushed)(struct interp *v);                /* all blocks are gone */
    void (*write_revoked)(struct interp *v);          /* some page may no longer be written directly */
};

/* ---- registers ---- */

#define R8AT(v, o)  (*(uint8_t *)((char *)(v) + (o)))
#define R16AT(v, o) (*(uint16_t *)((char *)(v) + (o)))
#define R32AT(v, o) (*(uint32_t *)((char *)(v) + (o)))
#define R64AT(v, o) (*(uint64_t *)((char *)(v) + (o)))

#define ST(v) (&(v)->c.st)

/* A register write of 1, 2, 4 or 8 bytes; 4 clears the upper half, as in 64-bit mode. */
static ALWAYS_INLINE void reg_write(struct interp *v, unsigned o, uint64_t val, unsigned size)
{
    switch (size) {
    case 1: R8AT(v, o) = (uint8_t)val; break;
    case 2: R16AT(v, o) = (uint16_t)val; break;
    case 4: R64AT(v, o) = (uint32_t)val; break;
    default: R64AT(v, o) = val;
    }
}
static ALWAYS_INLINE uint64_t reg_read(struct interp *v, unsigned o, unsigned size)
{
    switch (size) {
    case 1: return R8AT(v, o);
    case 2: return R16AT(v, o);
    case 4: return R32AT(v, o);
    default: return R64AT(v, o);
    }
}

/* ---- where we are ---- */

static ALWAYS_INLINE bool is64(const struct interp *v)
{
    return (v->mode & MODE_CODE) == MODE_CODE64;
}
/* RIP cut to the code size. */
static ALWAYS_INLINE uint64_t rip_mask(const struct interp *v, uint64_t rip)
{
    return is64(v) ? rip : (uint32_t)rip;
}
static ALWAYS_INLINE uint64_t this_rip(const struct interp *v, const struct insn *in)
{
    return rip_mask(v, v->block_rip + in->off);
}
static ALWAYS_INLINE uint64_t next_rip(const struct interp *v, const struct insn *in)
{
    return rip_mask(v, v->block_rip + in->off + in->len);
}

/* ---- leaving a handler ---- */

/* The instruction raised cpu->fault: it has not happened. */
const struct insn *insn_fault(struct interp *v, const struct insn *in);
const struct insn *insn_ud(struct interp *v, const struct insn *in);
const struct insn *insn_gp0(struct interp *v, const struct insn *in);
/* The instruction is done, st.rip is set (by cpu/): find the next block, or leave when something is pending.
 */
const struct insn *insn_continue(struct interp *v, const struct insn *in);
/* A single-step trap is due at the end of this instruction. */
void step_trap(struct interp *v);
/* The instruction is done; go on at `rip` (masked already) through the jump cache. */
const struct insn *insn_goto_slow(struct interp *v, uint64_t rip);
/* Done; the mode may have changed or an event be pending: set st.rip and leave for the run loop. */
const struct insn *insn_leave(struct interp *v, const struct insn *in, uint64_t rip);

static ALWAYS_INLINE void count_block(struct interp *v, const struct insn *in)
{
    v->insns += (uint64_t)(in - v->blk->insns) + 1;
}
static ALWAYS_INLINE const struct insn *insn_goto(struct interp *v, const struct insn *in, uint64_t rip)
{
    count_block(v, in);
    struct jump_cache *j = &v->jc[(rip ^ rip >> 12) & (JC_SIZE - 1)];
    if (LIKELY(j->rip == rip && j->key == v->key &&
               !atomic_load_explicit(&v->c.poll, memory_order_relaxed))) {
        v->blk = j->blk;
        v->block_rip = rip;
        return j->blk->insns;
    }
    return insn_goto_slow(v, rip);
}

/* ---- addresses ---- */

static ALWAYS_INLINE uint64_t address_sum(struct interp *v, const struct insn *in)
{
    return R64AT(v, in->base) + (R64AT(v, in->index) << in->scale) + (uint64_t)(int64_t)in->disp;
}
/* Segmented address with every check; false: cpu->fault. acc: ACC_READ or ACC_WRITE. */
bool seg_address(struct interp *v, unsigned seg, uint64_t ea, unsigned size, unsigned acc, uint64_t *lin);
bool insn_address_slow(struct interp *v, const struct insn *in, unsigned size, unsigned acc, uint64_t *lin);
/* Effective address without the segment, cut to the address size (LEA, BT's base). */
uint64_t insn_ea(struct interp *v, const struct insn *in);

/* Linear address of the memory operand. */
static ALWAYS_INLINE bool insn_address(struct interp *v, const struct insn *in, unsigned size, unsigned acc,
                                       uint64_t *lin)
{
    if (UNLIKELY(in->flags & IN_SEG))
        return insn_address_slow(v, in, size, acc, lin);
    *lin = address_sum(v, in) + R64AT(v, in->sbase);
    return true;
}

/* ---- memory ---- */

bool tlb_load_slow(struct interp *v, uint64_t lin, void *buf, unsigned size, bool stack);
/*
 * A store in two steps, so that a read-modify-write has checked everything before it changes anything:
 * wr_begin gives the place to store to (guest memory itself, or v->wr.buf holding the old contents when
 * `rmw`), wr_end finishes what is not finished by the store. NULL: cpu->fault. At most 64 bytes.
 */
void *wr_begin_slow(struct interp *v, uint64_t lin, unsigned size, bool rmw, bool stack);
void wr_finish(struct interp *v);

static ALWAYS_INLINE struct tlb_entry *tlb_at(struct interp *v, uint64_t lin)
{
    return &v->tlb[lin >> PAGE_SHIFT & (TLB_SIZE - 1)];
}
/*
 * The index comes from the first byte and the tag is compared with the last byte's page: an access over two
 * pages never hits, as an entry only ever holds a page of its own index.
 */
static ALWAYS_INLINE bool ld_lin(struct interp *v, uint64_t lin, void *buf, unsigned size)
{
    struct tlb_entry *e = tlb_at(v, lin);
    if (LIKELY(((lin + size - 1) & PAGE_MASK) == e->rd)) {
        __builtin_memcpy(buf, (const void *)(lin + e->addend), size);
        return true;
    }
    return tlb_load_slow(v, lin, buf, size, false);
}
static ALWAYS_INLINE void *wr_begin(struct interp *v, uint64_t lin, unsigned size, bool rmw)
{
    struct tlb_entry *e = tlb_at(v, lin);
    if (LIKELY(((lin + size - 1) & PAGE_MASK) == e->wr))
        return (void *)(lin + e->addend);
    return wr_begin_slow(v, lin, size, rmw, false);
}
static ALWAYS_INLINE void wr_end(struct interp *v)
{
    if (UNLIKELY(v->wr.kind != WR_NONE))
        wr_finish(v);
}
static ALWAYS_INLINE bool st_lin(struct interp *v, uint64_t lin, const void *buf, unsigned size)
{
    void *p = wr_begin(v, lin, size, false);
    if (UNLIKELY(!p))
        return false;
    __builtin_memcpy(p, buf, size);
    wr_end(v);
    return true;
}
/* The memory operand of `in`. */
static ALWAYS_INLINE bool ld_op(struct interp *v, const struct insn *in, void *buf, unsigned size)
{
    uint64_t lin;
    return insn_address(v, in, size, ACC_READ, &lin) && ld_lin(v, lin, buf, size);
}
static ALWAYS_INLINE bool st_op(struct interp *v, const struct insn *in, const void *buf, unsigned size)
{
    uint64_t lin;
    return insn_address(v, in, size, ACC_WRITE, &lin) && st_lin(v, lin, buf, size);
}
static ALWAYS_INLINE void *wr_op(struct interp *v, const struct insn *in, unsigned size, bool rmw)
{
    uint64_t lin;
    return insn_address(v, in, size, ACC_WRITE, &lin) ? wr_begin(v, lin, size, rmw) : NULL;
}

/* ---- stack (stack.c): SP or ESP or RSP as the mode says; all or nothing ---- */

bool stack_push(struct interp *v, uint64_t val, unsigned size);
bool stack_pop(struct interp *v, uint64_t *val, unsigned size);
/* Read at a linear address that was made with SS: faults are the stack's. */
bool stack_load(struct interp *v, uint64_t lin, void *buf, unsigned size);
/* Read at SP + skip without popping; move SP by n (wrapping as its size says). */
bool stack_peek(struct interp *v, int64_t skip, uint64_t *val, unsigned size);
/* Could a value of that size be pushed? False: cpu->fault. */
bool stack_can_push(struct interp *v, unsigned size);
void stack_move(struct interp *v, int64_t n);

/* The common forms in line: 8 bytes in 64-bit mode. */
static ALWAYS_INLINE bool push8(struct interp *v, uint64_t val)
{
    uint64_t lin = v->c.st.gpr[RSP] - 8;
    struct tlb_entry *e = tlb_at(v, lin);
    if (UNLIKELY(((lin + 7) & PAGE_MASK) != e->wr))
        return stack_push(v, val, 8);
    __builtin_memcpy((void *)(lin + e->addend), &val, 8);
    v->c.st.gpr[RSP] = lin;
    return true;
}
static ALWAYS_INLINE bool pop8(struct interp *v, uint64_t *val)
{
    uint64_t lin = v->c.st.gpr[RSP];
    struct tlb_entry *e = tlb_at(v, lin);
    if (UNLIKELY(((lin + 7) & PAGE_MASK) != e->rd))
        return stack_pop(v, val, 8);
    __builtin_memcpy(val, (const void *)(lin + e->addend), 8);
    v->c.st.gpr[RSP] = lin + 8;
    return true;
}

/* ---- TLB and blocks ---- */

void tlb_init(struct interp *v);
void tlb_free(struct interp *v);
/*
 * A supervisor translation that is not global, or of the lower half of the address space. With a translator
 * these get no direct entry, so that what it makes from direct entries outlives a change of the address
 * space.
 */
static inline bool tlb_special(unsigned bank, uint64_t lin, const struct cpu_translation *t)
{
    return bank == BANK_SUPER && (!t->global || !(lin >> 63));
}
void tlb_flush_all(struct interp *v);
void tlb_flush_nonglobal(struct interp *v);
void tlb_flush_page(struct interp *v, uint64_t lin);
void tlb_flush_pcid(struct interp *v, unsigned pcid, bool one_page, uint64_t lin);
/* CR3 was loaded: drop what is not global of its PCID, unless `keep`. */
void tlb_cr3_loaded(struct interp *v, bool keep);
/* A walk for lin faulted: what is held for it goes (SDM 3A 4.10.4.1). */
void tlb_faulted(struct interp *v, uint64_t lin);
/* No direct writes to that guest page any more. */
void tlb_revoke_write(struct interp *v, gpa_t page);
/*
 * Linear addresses around [lin, lin+span), span at most a page, that may be read, or written, directly: host
 * address = linear + addend for all of [lo, hi]. The access is one that is about to happen; of a write that
 * may not (!certain) no dirty bit is set. False: not possible, cpu->fault means nothing.
 */
struct tlb_range {
    uint64_t lo, hi;
    uintptr_t addend;
    bool special; /* as tlb_special */
};
bool tlb_range(struct interp *v, uint64_t lin, unsigned span, bool write, bool certain, struct tlb_range *r);
/* Physical address of the code byte at `lin`; false: cpu->fault. */
bool tlb_fetch(struct interp *v, uint64_t lin, gpa_t *gpa);
extern const struct cpu_ops interp_cpu_ops;

/* Work out mode, rights, bank and single from the state: after anything that changes them. */
void interp_mode_changed(struct cpu *c);

struct block_cache *block_cache_new(struct err *e);
void block_cache_free(struct block_cache *bc);
/* The block at st.rip in the current mode, made if need be. NULL: cpu->fault (fetch). */
struct block *block_find(struct interp *v, uint64_t rip);
void block_invalidate(struct interp *v, gpa_t gpa, uint64_t len);
void block_flush_all(struct interp *v);
/*
 * A block of its own for one instruction at gpa, which goes on at `second` on another page: a copy of what
 * block_find gave. It is found by nobody and watched by nobody; it goes with the others.
 */
struct block *block_solitary(struct interp *v, gpa_t gpa, gpa_t second, const struct block *from);
/* Is it a valid instruction, with a handler of its own? */
bool block_insn_defined(const struct insn *in);
void block_counts(const struct block_cache *bc, uint64_t *blocks, uint64_t *bytes, double *evict_max_s);

/* ---- from decoded to handler (select.c and the op_*.c files) ---- */

/* What a selector sees. */
struct sel {
    struct interp *v;
    struct x86_decoded d;
    unsigned code_bits;
    unsigned osz, asz; /* bytes */
    bool lock, rep, repne;
    bool ends;     /* set by the selector: nothing follows in the block */
    unsigned nops; /* visible operands */
};
/* Choose in->fn and fill operands; false: #UD. `arg` comes from the table. */
typedef bool select_fn(struct sel *s, struct insn *in, unsigned arg);

/* Fill *in from *s: true, or false for an instruction that is invalid here (#UD). in->off and len are set
 * before. */
bool insn_select(struct sel *s, struct insn *in);

/* Helpers for selectors. */
uint16_t sel_reg(ZydisRegister r); /* offset of a general register (AH and friends too) */
void sel_mem(struct sel *s, struct insn *in, unsigned op); /* address fields from operand `op` */
static inline bool sel_is_reg(const struct sel *s, unsigned op)
{
    return s->d.op[op].type == ZYDIS_OPERAND_TYPE_REGISTER;
}
static inline bool sel_is_mem(const struct sel *s, unsigned op)
{
    return s->d.op[op].type == ZYDIS_OPERAND_TYPE_MEMORY;
}
static inline bool sel_is_imm(const struct sel *s, unsigned op)
{
    return s->d.op[op].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}
static inline unsigned sel_size(const struct sel *s, unsigned op)
{
    return s->d.op[op].size / 8;
}

/* One row of a file's table: mnemonic, selector, its argument. */
struct sel_row {
    uint16_t mnemonic;
    select_fn *fn;
    unsigned arg;
};
/* Each op_*.c has one such table, ended by fn NULL; select.c joins them. */
extern const struct sel_row op_alu_rows[], op_shift_rows[], op_mul_rows[], op_mov_rows[], op_bit_rows[],
    op_branch_rows[], op_stack_rows[], op_string_rows[], op_system_rows[], op_io_rows[], op_segment_rows[],
    op_atomic_rows[], op_flags_rows[];

/*
 * x87, MMX, SSE, AVX and their state instructions (fp_*.c): all mnemonics that no row names come here. The
 * handler may use in->imm as an index into v->thunks.
 */
bool fp_select(struct sel *s, struct insn *in);
bool fp_init(struct interp *v, struct err *e);
void fp_free(struct interp *v);

#define OP(name) static const struct insn *name(struct interp *v, const struct insn *in)

#endif
