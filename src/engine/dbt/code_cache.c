/*
 * code_cache.c: the translated code of one vCPU: links between blocks, the jump table, what happens when code
 * becomes stale or the cache is full.
 *
 * Code is written through one mapping and run through the other. When the cache is full, everything goes, the
 * decoded blocks too.
 */
#include "engine/dbt/vcpu.h"

#include <stdlib.h>
#include <sys/mman.h>

#define MAX_LINKS    (1u << 20)
#define MAX_CROSSING (1u << 17)

/* Memory of which only what is touched costs anything. */
static void *lazy(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

bool code_cache_init(struct dbt_vcpu *d, size_t size, struct err *e)
{
    if (!code_mem_new(&d->code, size, e))
        return false;
    d->links = lazy(MAX_LINKS * sizeof(*d->links));
    d->site = lazy(MAX_WINDOWS * sizeof(*d->site));
    d->crossing = lazy(MAX_CROSSING * sizeof(*d->crossing));
    if (!d->links || !d->site || !d->crossing || !span_init(d)) {
        code_cache_free(d);
        return err_host(e, "no memory for the translator's tables");
    }
    d->code_at = 64; /* 0 means "no code" */
    if (!thunks_emit(d)) {
        code_cache_free(d);
        return err_host(e, "the code cache is too small");
    }
    d->code_first = d->code_at;
    for (unsigned b = 0; b < JT_BANKS; b++) {
        d->genx[b] = 1ull << 48;
        memset(d->jt_tag[b], 0, sizeof(d->jt_tag[b]));
    }
    d->nlinks = 1; /* 0 ends a list */
    return true;
}

void code_cache_free(struct dbt_vcpu *d)
{
    if (d->links)
        munmap(d->links, MAX_LINKS * sizeof(*d->links));
    if (d->site)
        munmap(d->site, MAX_WINDOWS * sizeof(*d->site));
    if (d->crossing)
        munmap(d->crossing, MAX_CROSSING * sizeof(*d->crossing));
    span_free(d);
    d->links = NULL;
    d->site = NULL;
    d->crossing = NULL;
    code_mem_free(&d->code);
}

void code_cache_flush(struct dbt_vcpu *d)
{
    d->code_at = d->code_first;
    d->nlinks = 1;
    d->ncrossing = 0;
    d->flushes++;
    span_flush(d);
    for (unsigned b = 0; b < JT_BANKS; b++) {
        jump_table_flush(d, b);
    }
    for (unsigned log = 0; log < ARRAY_LEN(d->log); log++)
        windows_empty(d, log);
    d->nwindows = 0;
}

/* ---- links ---- */

static void set_rel32(struct dbt_vcpu *d, uint32_t site, uint32_t target)
{
    uint32_t rel = target - (site + 4);
    memcpy(d->code.rw + site, &rel, 4);
}

uint32_t link_new(struct dbt_vcpu *d, uint32_t site, uint32_t stub, bool host_flags, bool crosses)
{
    if (d->nlinks == MAX_LINKS)
        return 0;
    d->links[d->nlinks] =
        (struct link){.site = site, .stub = stub, .host_flags = host_flags, .crosses = crosses};
    return d->nlinks++;
}

static void disconnect(struct dbt_vcpu *d, struct link *l)
{
    set_rel32(d, l->site, l->stub);
    l->target = NULL;
}

void links_uncross(struct dbt_vcpu *d)
{
    for (uint32_t i = 0; i < d->ncrossing; i++) {
        struct link *l = &d->links[d->crossing[i]];
        if (!l->target) /* its target became stale meanwhile */
            continue;
        uint32_t *p = &l->target->links;
        while (*p != d->crossing[i])
            p = &d->links[*p].next;
        *p = l->next;
        disconnect(d, l);
    }
    d->ncrossing = 0;
}

void link_connect(struct dbt_vcpu *d, uint32_t n, struct block *target)
{
    struct link *l = &d->links[n];
    if (l->target)
        return;
    if (l->crosses) {
        if (d->ncrossing == MAX_CROSSING)
            links_uncross(d);
        d->crossing[d->ncrossing++] = n;
    }
    l->target = target;
    l->next = target->links;
    target->links = n;
    set_rel32(d, l->site, l->host_flags ? target->entry_h : target->entry_m);
}

void block_code_stale(struct dbt_vcpu *d, struct block *b)
{
    if (!b->entry_m)
        return;
    for (uint32_t n = b->links; n; n = d->links[n].next)
        disconnect(d, &d->links[n]);
    b->links = 0;
    /* Who still comes by the jump table has the flags in st.cc. */
    d->code.rw[b->entry_m] = 0xe9;
    set_rel32(d, b->entry_m + 1, b->stale_code);
    b->entry_m = b->entry_h = 0;
}

/* ---- the jump table ---- */

void jump_table_add(struct dbt_vcpu *d, uint64_t rip, struct block *b)
{
    unsigned bank = d->ev.i.rights, i = (unsigned)(rip ^ rip >> 8) & (JT_SIZE - 1);
    d->jt_tag[bank][i] = rip ^ d->genx[bank];
    d->jt_code[bank][i] = (uintptr_t)d->code.rx + b->entry_m;
}

/* The tables are told apart by rights alone: when anything else of the mode changes, they start anew. */
void jump_table_mode(struct dbt_vcpu *d)
{
    const uint32_t mode = d->ev.i.mode & ~(3u << MODE_RIGHTS_SHIFT);
    if (mode == d->jt_mode)
        return;
    d->jt_mode = mode;
    for (unsigned b = 0; b < JT_BANKS; b++)
        jump_table_flush(d, b);
}

void jump_table_flush(struct dbt_vcpu *d, unsigned bank)
{
    uint64_t generation = (d->genx[bank] >> 48) + 1;
    if (generation == 0x8000) {
        generation = 1;
        memset(d->jt_tag[bank], 0, sizeof(d->jt_tag[bank]));
    }
    d->genx[bank] = generation << 48;
}
