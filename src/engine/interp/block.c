/*
 * block.c: decoded blocks, cached by physical address and mode.
 *
 * Blocks live one behind the other in an arena; when it is full, all are thrown away at once. A block whose
 * bytes change is made stale: each of its instructions becomes op_stale, which looks its address up afresh,
 * so that nobody who still points into it (the jump cache, the very handler that stored) has to be found.
 *
 * An instruction that spans two pages, or that does not lie in memory, is fetched and compared with its last
 * decoded form each time (spanning[]): no page mapping and no store has to be watched for it.
 */
#include "engine/interp/block.h"

#include "engine/interp/insn.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define ARENA_SIZE MIB(32)
#define HASH_SIZE  65536u
#define PAGE_HASH  16384u
#define SPANNING   64u

struct spanning {
    uint8_t bytes[X86_MAX_INSN];
    uint8_t len; /* of the instruction; 0: empty */
    uint32_t mode;
    struct block *blk; /* one instruction and the end */
};

struct block_cache {
    uint8_t *arena;
    size_t used;
    struct block *hash[HASH_SIZE];
    struct block *by_page[PAGE_HASH];
    struct spanning spanning[SPANNING];
    uint64_t made;
    double evict_max_s;
};

#define BLOCK_SIZE(n) (sizeof(struct block) + ((n) + 1u) * sizeof(struct insn))

struct block_cache *block_cache_new(struct err *e)
{
    struct block_cache *bc = calloc(1, sizeof(*bc));
    if (!bc) {
        err_host(e, "no memory for the interpreter's block cache");
        return NULL;
    }
    bc->arena =
        mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bc->arena == MAP_FAILED) {
        err_host(e, "no memory for the interpreter's block cache (%llu MiB)",
                 (unsigned long long)ARENA_SIZE >> 20);
        free(bc);
        return NULL;
    }
    for (unsigned i = 0; i < SPANNING; i++) {
        bc->spanning[i].blk = calloc(1, BLOCK_SIZE(1));
        if (!bc->spanning[i].blk) {
            err_host(e, "no memory for the interpreter's block cache");
            block_cache_free(bc);
            return NULL;
        }
    }
    return bc;
}

void block_cache_free(struct block_cache *bc)
{
    if (!bc)
        return;
    for (unsigned i = 0; i < SPANNING; i++)
        free(bc->spanning[i].blk);
    munmap(bc->arena, ARENA_SIZE);
    free(bc);
}

static struct block **hash_head(struct block_cache *bc, gpa_t gpa, uint32_t mode)
{
    return &bc->hash[(gpa ^ gpa >> 16 ^ mode << 13) % HASH_SIZE];
}
static struct block **page_head(struct block_cache *bc, gpa_t gpa)
{
    return &bc->by_page[(gpa >> PAGE_SHIFT) % PAGE_HASH];
}

/* ---- pseudo-instructions ---- */

/* Behind the last instruction of a block that fell through. */
OP(op_block_end)
{
    v->insns--; /* insn_goto counts this one too */
    return insn_goto(v, in, this_rip(v, in));
}
OP(op_stale)
{
    v->insns += (uint64_t)(in - v->blk->insns);
    return insn_goto_slow(v, this_rip(v, in));
}
OP(op_undefined)
{
    return insn_ud(v, in);
}
OP(op_too_long)
{
    return insn_gp0(v, in);
}

bool block_insn_defined(const struct insn *in)
{
    return in->fn != op_undefined && in->fn != op_too_long;
}

bool block_is_end(const struct insn *in)
{
    return in->fn == op_block_end;
}

/* ---- throwing away ---- */

static void unlink_block(struct block_cache *bc, struct block *b)
{
    struct block **p = hash_head(bc, b->gpa, b->mode);
    while (*p != b)
        p = &(*p)->hash_next;
    *p = b->hash_next;
}

void block_invalidate(struct interp *v, gpa_t gpa, uint64_t len)
{
    bool left = false;
    struct block **p = page_head(v->blocks, gpa);
    while (*p) {
        struct block *b = *p;
        bool same_page = (b->gpa & PAGE_MASK) == (gpa & PAGE_MASK);
        if (same_page && ranges_overlap(b->gpa, b->bytes, gpa, len)) {
            *p = b->page_next;
            unlink_block(v->blocks, b);
            for (unsigned i = 0; i <= b->n; i++)
                b->insns[i].fn = op_stale;
            if (v->hooks)
                v->hooks->stale(v, b);
            continue;
        }
        left |= same_page;
        p = &b->page_next;
    }
    if (!left)
        mem_clear_code(v->c.mem, gpa & PAGE_MASK);
}

void block_flush_all(struct interp *v)
{
    struct block_cache *bc = v->blocks;
    struct timespec t0, t1;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    for (unsigned i = 0; i < PAGE_HASH; i++)
        for (struct block *b = bc->by_page[i]; b; b = b->page_next)
            mem_clear_code(v->c.mem, b->gpa & PAGE_MASK);
    memset(bc->hash, 0, sizeof(bc->hash));
    memset(bc->by_page, 0, sizeof(bc->by_page));
    bc->used = 0;
    if (v->hooks)
        v->hooks->flushed(v);
    v->blk = NULL;
    v->generation++; /* empties the jump cache */
    interp_mode_changed(&v->c);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    double s = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) * 1e-9;
    bc->evict_max_s = MAX(bc->evict_max_s, s);
}

/* ---- making ---- */

/* Decode one instruction from bytes; false: more bytes are needed. *ends: the block ends with it. */
static bool decode_one(struct interp *v, const uint8_t *bytes, size_t avail, struct insn *in, unsigned off,
                       bool *ends)
{
    struct sel s = {.v = v};
    s.code_bits = (const unsigned[]){16, 32, 64}[v->mode & MODE_CODE];
    *in = (struct insn){.off = (uint16_t)off};
    in->base = in->index = in->sbase = offsetof(struct interp, zero);
    *ends = true;
    switch (x86_decode(&v->decoder, s.code_bits, bytes, MIN(avail, (size_t)X86_MAX_INSN), &s.d)) {
    case X86_TRUNCATED: return false;
    case X86_INVALID:
        in->fn = op_undefined;
        in->len = (uint8_t)MIN(avail, (size_t)X86_MAX_INSN); /* what was looked at */
        return true;
    case X86_TOO_LONG:
        in->fn = op_too_long;
        in->len = X86_MAX_INSN;
        return true;
    case X86_DECODED: break;
    }
    in->len = s.d.i.length;
    if (!insn_select(&s, in)) {
        in->fn = op_undefined;
        return true;
    }
    *ends = s.ends;
    return true;
}

static void close_block(struct block *b, unsigned n, unsigned off)
{
    b->n = (uint16_t)n;
    b->insns[n] = (struct insn){.fn = op_block_end, .off = (uint16_t)off};
}

/* At most `avail` code bytes from lin, over a page border if need be: fetched each time. NULL: cpu->fault. */
static struct block *block_spanning(struct interp *v, uint64_t lin, uint32_t mode, uint64_t to_limit)
{
    struct block_cache *bc = v->blocks;
    struct spanning *sp = &bc->spanning[(lin >> 4 ^ lin) % SPANNING];
    uint8_t bytes[X86_MAX_INSN];
    unsigned acc = ACC_EXEC | (v->c.st.cpl == 3 ? ACC_USER : 0);
    unsigned first = (unsigned)MIN((uint64_t)X86_MAX_INSN, PAGE_SIZE - (lin & ~PAGE_MASK));
    unsigned avail = first;
    if (!v->c.ops->read(&v->c, lin, bytes, first, acc))
        return NULL;
    for (;;) {
        avail = (unsigned)MIN((uint64_t)avail, to_limit);
        if (sp->len && sp->mode == mode && sp->len <= avail && !memcmp(sp->bytes, bytes, sp->len))
            return sp->blk;
        bool ends;
        struct block *b = sp->blk;
        sp->len = 0;
        if (decode_one(v, bytes, avail, &b->insns[0], 0, &ends)) {
            close_block(b, 1, b->insns[0].len);
            b->mode = mode;
            sp->mode = mode;
            sp->len = b->insns[0].len <= avail ? b->insns[0].len : 0;
            memcpy(sp->bytes, bytes, sp->len);
            return b;
        }
        if (avail == to_limit) { /* the instruction runs over the limit of CS */
            cpu_raise_gp0(&v->c);
            return NULL;
        }
        if (!v->c.ops->read(&v->c, lin + first, bytes + first, X86_MAX_INSN - first, acc))
            return NULL;
        avail = X86_MAX_INSN;
    }
}

static struct block *block_make(struct interp *v, gpa_t gpa, uint32_t mode, uint64_t to_limit)
{
    struct block_cache *bc = v->blocks;
    if (bc->used + BLOCK_SIZE(BLOCK_INSNS) > ARENA_SIZE)
        block_flush_all(v);
    unsigned room = (unsigned)MIN(PAGE_SIZE - (gpa & ~PAGE_MASK), to_limit);
    const uint8_t *bytes = mem_ptr(v->c.mem, gpa, room);
    struct block *b = (struct block *)(bc->arena + bc->used);
    unsigned n = 0, off = 0, most = mode & MODE_ONE ? 1 : BLOCK_INSNS;
    /* Marked first: a store of another thread that comes while we decode is reported then. */
    mem_mark_code(v->c.mem, gpa, MIN((uint64_t)room, 512));
    for (bool ends = false; n < most && off < room && !ends; n++) {
        if (!decode_one(v, bytes + off, room - off, &b->insns[n], off, &ends))
            break;
        off += b->insns[n].len;
    }
    if (!n)
        return NULL;
    b->gpa = gpa;
    b->mode = mode;
    b->entry_m = b->entry_h = b->links = b->heat = b->crossings = b->rebound = 0;
    b->unmerged = false;
    b->second = 0;
    b->bytes = (uint16_t)MIN(off, room);
    close_block(b, n, off);
    bc->used += BLOCK_SIZE(n);
    bc->made++;
    struct block **h = hash_head(bc, gpa, mode), **p = page_head(bc, gpa);
    b->hash_next = *h;
    *h = b;
    b->page_next = *p;
    *p = b;
    return b;
}

struct block *block_solitary(struct interp *v, gpa_t gpa, gpa_t second, const struct block *from)
{
    struct block_cache *bc = v->blocks;
    if (bc->used + BLOCK_SIZE(BLOCK_INSNS) > ARENA_SIZE)
        block_flush_all(v);
    struct block *b = (struct block *)(bc->arena + bc->used);
    memcpy(b, from, BLOCK_SIZE(1));
    b->hash_next = b->page_next = NULL;
    b->gpa = gpa;
    b->second = second;
    b->bytes = (uint16_t)(PAGE_SIZE - (gpa & ~PAGE_MASK));
    bc->used += BLOCK_SIZE(1);
    bc->made++;
    return b;
}

struct block *block_find(struct interp *v, uint64_t rip)
{
    uint64_t lin = rip, to_limit = UINT64_MAX;
    uint32_t mode = v->mode | (v->in_step ? MODE_ONE : 0);
    if (!is64(v)) {
        const struct x86_seg *cs = &v->c.st.seg[SEG_CS];
        if (rip > cs->limit) {
            cpu_raise_gp0(&v->c);
            return NULL;
        }
        lin = x86_lma(&v->c.st) ? (uint32_t)(cs->base + rip) : (uint32_t)(cs->base + rip);
        to_limit = (uint64_t)cs->limit + 1 - rip;
    }
    gpa_t gpa;
    if (!tlb_fetch(v, lin, &gpa))
        return NULL;
    for (struct block *b = *hash_head(v->blocks, gpa, mode); b; b = b->hash_next)
        if (b->gpa == gpa && b->mode == mode && b->bytes <= to_limit)
            return b;
    struct block *b = mem_find(v->c.mem, gpa) ? block_make(v, gpa, mode, to_limit) : NULL;
    return b ? b : block_spanning(v, lin, mode, to_limit);
}

void block_counts(const struct block_cache *bc, uint64_t *blocks, uint64_t *bytes, double *evict_max_s)
{
    *blocks = bc->made;
    *bytes = bc->used;
    *evict_max_s = bc->evict_max_s;
}
