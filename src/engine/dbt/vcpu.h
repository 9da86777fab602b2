/*
 * engine/dbt/vcpu.h: the translator's vCPU: the interpreter's, and behind it what translated code needs.
 *
 * While translated code runs, gs points at this struct. Guest registers live in host registers (regs.h) or in
 * st.gpr; RIP is `vpage` plus an offset that the code knows; flags are in the host's flags or in st.cc
 * (flags.h); vector registers and MXCSR are the host's.
 */
#ifndef ENGINE_DBT_VCPU_H
#define ENGINE_DBT_VCPU_H

#include "engine/dbt/emit.h"
#include "engine/interp/insn.h"
#include "engine/interp/soft.h"
#include "host/host.h"

/* Indirect jumps look their target up here, one table for each kind of rights. */
#define JT_SIZE  4096u
#define JT_BANKS 3u /* BANK_SUPER, BANK_SUPER_AC, BANK_USER */

/* A direct jump from one block into another: a 32-bit displacement that is patched. */
struct link {
    uint32_t site;        /* of the displacement */
    uint32_t stub;        /* where it goes when the target is not known */
    uint32_t next;        /* in the target's list; 0 ends it */
    bool host_flags;      /* the guest's flags are in the host's there: to entry_h */
    bool crosses;         /* to another page: undone when supervisor translations are flushed */
    struct block *target; /* NULL: goes to its stub */
};

/* Why translated code came back to C. */
enum leave {
    LEAVE_RIP,      /* st.rip is set */
    LEAVE_OUT,      /* a callout said so: st.rip or v->faulted is set */
    LEAVE_LINK = 16 /* st.rip is set; LEAVE_LINK + n: link n wants its target */
};

/* See window.c. */
#define MAX_WINDOWS (1u << 17)
#define WINDOW_LOG  4096u

struct window {
    uint64_t lo, len, delta;
    uint64_t logged; /* WINDOW_LOGGED*: in which logs it stands */
};
enum { WINDOW_LOGGED = 1, WINDOW_LOGGED_SPECIAL = 2 };
/* What a window's check is for. */
struct window_site {
    struct block *b;
    uint8_t insn; /* where the interpreter goes on when the check cannot pass */
    uint8_t base; /* enum base */
    uint8_t bank;
    bool write;
    bool certain; /* instruction `insn` itself writes */
    int32_t lo;   /* from the base's value to the first byte */
    uint32_t span;
};
/* Windows filled since the last flush. */
struct window_log {
    uint32_t n;
    uint32_t slot[WINDOW_LOG];
};

struct tr;

struct dbt_thunks {
    uint32_t enter;   /* C: uint32_t (*)(struct dbt_vcpu *, const void *code) */
    uint32_t leave;   /* r11d: enum leave; guest state in registers, flags in st.cc */
    uint32_t callout; /* r11: block, r14d: instruction; comes back, or leaves */
    uint32_t rest;    /* the same, and leaves */
    uint32_t fill;    /* r11d: window; comes back when it is filled, or leaves; keeps r10 and r14 */
};

struct dbt_vcpu {
    struct engine_vcpu ev; /* first: offsets from gs are offsets into struct interp too */

    /* ---- used by translated code ---- */
    struct dbt_vcpu *self;
    uint64_t vpage;    /* linear address of the page that the running code lies on */
    uint64_t jump_rip; /* an indirect call's target over the push */
    uint64_t jump_code;
    uint32_t host_mxcsr;
    uint8_t used_sse, used_avx;         /* translated code has put these components of st.fpu in use */
    uint64_t genx[JT_BANKS];            /* differs for each generation in bits 48 to 62 */
    uint64_t jt_tag[JT_BANKS][JT_SIZE]; /* rip ^ genx */
    uint64_t jt_code[JT_BANKS][JT_SIZE];
    uint64_t keep[2];  /* scratch registers over a fill */
    uint64_t fill_lin; /* address of an access that has no base */
    /* 2 * bank + write; the last: those whose pages are special (tlb_special) */
    struct window_log log[2 * JT_BANKS + 1];

    /* ---- used by C only ---- */
    struct code_mem code;
    uint32_t code_at;    /* next free byte */
    uint32_t code_first; /* behind the thunks */
    struct dbt_thunks thunks;
    struct link *links;
    uint32_t nlinks;
    uint32_t *crossing; /* connected links that cross */
    uint32_t ncrossing;
    bool special_code; /* supervisor code on a special page has run: in the jump table, among the links */
    bool avx;          /* the host saves 32-byte vector registers */
    uint32_t jt_mode;  /* under which the jump tables were filled */
    struct window_site *site;
    uint32_t nwindows;
    bool counted;         /* translated code keeps ev.i.insns exact */
    uint64_t interpreted; /* instructions, of those in ev.i.insns */
    uint64_t translated, translated_insns, callouts, rests, fills, dispatches;
    struct span *span; /* see span.c */
    uint64_t flushes;  /* of all code */
    struct tr *tr;
    struct cpu_ops ops; /* the interpreter's, and the jump table follows each flush */
    struct x86_decoded decoded[BLOCK_INSNS];

    struct window window[MAX_WINDOWS]; /* last: mostly never touched */
};

#define GS(field) gs_at(offsetof(struct dbt_vcpu, field))
#define GS_GPR(n) gs_at(offsetof(struct dbt_vcpu, ev.i.c.st.gpr) + 8 * (size_t)(n))

/* thunks.c: enter, leave and callout, emitted once. False: no room. */
bool thunks_emit(struct dbt_vcpu *d);
/* run.c: the slow side of a translated instruction, by the interpreter; true: leave translated code. */
uint32_t dbt_callout(struct dbt_vcpu *d, struct block *b, uint32_t index);
/* From instruction `index` on to the end of the block, or where a branch leads: st.rip or a fault is set. */
uint32_t dbt_interpret_rest(struct dbt_vcpu *d, struct block *b, uint32_t index);
/* fill.c: 0: window `slot` has been filled; 1: leave. */
uint32_t dbt_fill(struct dbt_vcpu *d, uint32_t slot);
#define LOG_SPECIAL (2 * JT_BANKS)
void windows_empty(struct dbt_vcpu *d, unsigned log);
enum engine_exit dbt_run_loop(struct dbt_vcpu *d, struct engine_exit_info *info);

/* translate.c: make host code for b, which is to be the block at the current state. False: the cache is full.
 */
bool translate_block(struct dbt_vcpu *d, struct block *b);

/* span.c */
bool span_init(struct dbt_vcpu *d);
void span_free(struct dbt_vcpu *d);
void span_flush(struct dbt_vcpu *d);
/* For the instruction at rip, decoded as `b`, that spans two pages: its block for translation, or NULL. */
struct block *span_find(struct dbt_vcpu *d, uint64_t rip, const struct block *b);
/* All bytes of b's instruction, copied. */
void span_bytes(const struct dbt_vcpu *d, const struct block *b, uint8_t bytes[X86_MAX_INSN]);

/* code_cache.c */
bool code_cache_init(struct dbt_vcpu *d, size_t size, struct err *e);
void code_cache_free(struct dbt_vcpu *d);
/* Forget all code (the blocks have been forgotten). */
void code_cache_flush(struct dbt_vcpu *d);
/* A new link whose displacement lies at site; its number, or 0 when there is no room. */
uint32_t link_new(struct dbt_vcpu *d, uint32_t site, uint32_t stub, bool host_flags, bool crosses);
/* Links that cross pages go to their stubs again. */
void links_uncross(struct dbt_vcpu *d);
/* Let the link jump to the block's code. */
void link_connect(struct dbt_vcpu *d, uint32_t n, struct block *target);
/* The block's bytes changed: nobody may come into it again. */
void block_code_stale(struct dbt_vcpu *d, struct block *b);
/* The jump table: remember the block at rip; see that the table is of the mode that runs; forget what a TLB
 * flush makes doubtful. */
void jump_table_add(struct dbt_vcpu *d, uint64_t rip, struct block *b);
void jump_table_mode(struct dbt_vcpu *d);
void jump_table_flush(struct dbt_vcpu *d, unsigned bank);

#endif
