/*
 * kinds_system.c: sequences that change page tables and modes, take interrupts, and leave guest memory.
 */
#include "maker.h"

/* ---- page tables ---- */

/* What is enough to make a change of the tables seen. */
enum flush { FLUSH_ANY, FLUSH_GLOBAL, FLUSH_PCIDS };

static void add_pte(struct maker *m, unsigned page, uint64_t value, enum flush flush)
{
    const unsigned first = flush == FLUSH_ANY ? 0 : 1;
    const unsigned from = m->s->n;
    add_mov64(m, RAX, SYS(SYS_PT) + 8 * page);
    uint8_t b[7] = {0x48, 0xc7, 0x00};
    store_le(b + 3, value, 4);
    add_bytes(m, b, sizeof(b));
    uint8_t invlpg[8] = {0x0f, 0x01, 0x3c, 0x25};
    store_le(invlpg + 4, LOW(page), 4);
    switch (flush == FLUSH_PCIDS ? 1 : first + rng_below(&m->r, 4 - first)) {
    case 0:
        ADD(m, 0x0f, 0x20, 0xd8); /* mov rax, cr3 */
        ADD(m, 0x0f, 0x22, 0xd8);
        break;
    case 1:
        ADD(m, 0x0f, 0x20, 0xe0); /* mov rax, cr4; CR4.PGE off and on */
        ADD(m, 0x48, 0x34, 0x80); /* xor al, 80 */
        ADD(m, 0x0f, 0x22, 0xe0);
        ADD(m, 0x48, 0x34, 0x80);
        ADD(m, 0x0f, 0x22, 0xe0);
        break;
    default: add_bytes(m, invlpg, sizeof(invlpg)); break;
    }
    add_mov32(m, RAX, 8); /* accessed bits are not read by what follows: see machine.c */
    m->groups++;
    for (unsigned i = from; i < m->s->n; i++)
        m->s->item[i].group = m->groups;
}

/* Into one of the two address spaces, each with a PCID of its own when there are any. */
static void add_space(struct maker *m)
{
    const bool other = maker_coin(m), pcid = m->s->cr4 & CR4_PCIDE;
    uint64_t cr3 = (other ? PG_OTHER : PG_PML4) * PAGE_SIZE;
    if (pcid)
        cr3 |= (other ? 2u : 1u) | (maker_coin(m) ? BIT(63) : 0);
    add_mov64(m, RAX, cr3);
    ADD(m, 0x0f, 0x22, 0xd8);
}

void make_paging(struct maker *m)
{
    static const uint8_t frames[] = {20, 21, 22, 23, 24, 25, 27, 28, 29, 30, 31};
    struct rng *r = &m->r;
    const bool spaces = rng_chance(r, 35), global = !spaces && rng_chance(r, 40);
    enum flush flush = global ? FLUSH_GLOBAL : FLUSH_ANY;
    maker_begin(m, false);
    m->s->flush = true;
    m->no_repeat = true; /* over itself it depends on when it is kicked */
    m->s->high = maker_coin(m);
    if (spaces && m->pools->pcid && maker_coin(m)) {
        m->s->cr4 = CR4_PCIDE;
        m->s->pcid = 1;
        flush = FLUSH_PCIDS;
    }
    maker_repoint(m, maker_border_place, 20);
    const uint32_t k = add_counter(m, 3 + rng_below(r, 4));
    const unsigned top = m->s->n;
    if (maker_coin(m))
        m->s->start = (uint16_t)(PAGE_SIZE - rng_below(r, 120));
    for (unsigned n = 2 + rng_below(r, 4); n > 0; n--) {
        add_some(m, 1, 5);
        if (spaces && maker_coin(m)) {
            add_space(m);
            add_some(m, 0, 3);
        }
        const uint64_t flags = (rng_chance(r, 85) ? PTE_P : 0) | (rng_chance(r, 80) ? PTE_W : 0) |
                               (rng_chance(r, 70) ? PTE_U : 0) | (maker_coin(m) ? PTE_A : 0) |
                               (rng_chance(r, 30) ? PTE_D | PTE_A : 0) |
                               (global && maker_coin(m) ? PTE_G : 0);
        const unsigned skip = maker_coin(m) ? add_only_at(m, k, 1 + rng_below(r, 4)) : MAX_ITEMS;
        if (rng_chance(r, 30)) /* the second page of code lies elsewhere now, with the same in it at first */
            add_pte(m, CODE_AT + 1,
                    (uint64_t)(maker_coin(m) ? PG_SPARE : PG_CODE2) * PAGE_SIZE | PTE_P | PTE_W | PTE_U,
                    flush);
        else
            add_pte(m, DATA_AT + rng_below(r, 4),
                    (uint64_t)frames[rng_below(r, sizeof(frames))] * PAGE_SIZE | flags, flush);
        if (skip < MAX_ITEMS)
            patch_target(m, skip, m->s->n);
        if (rng_chance(r, 30)) {
            const unsigned victim = add_victim(m);
            add_store_into(m, victim, maker_coin(m) ? (ALIAS_AT - CODE_AT) * PAGE_SIZE : 0);
        }
    }
    add_loop(m, k, top);
}

/* ---- interrupts ---- */

void make_irq(struct maker *m)
{
    maker_begin(m, false);
    m->s->apic = true;
    m->s->rflags |= maker_coin(m) ? FL_IF : 0;
    m->no_repeat = true;
    /* One in 32: the handler takes 14 steps, and some are to be left for the sequence. */
    m->s->boundaries = rng64(&m->r) & rng64(&m->r) & rng64(&m->r) & rng64(&m->r) & rng64(&m->r);
    m->spoil = 1;
    const bool loop = maker_coin(m);
    const uint32_t k = loop ? add_counter(m, 3 + rng_below(&m->r, 3)) : 0;
    const unsigned top = m->s->n;
    for (unsigned n = 3 + rng_below(&m->r, 8); n > 0; n--) {
        switch (rng_below(&m->r, 7)) {
        case 0:
        case 1: /* to ourselves */
            add_mov32(m, RCX, 0x83f);
            add_mov32(m, RAX, VEC_IRQ);
            ADD(m, 0x31, 0xd2);
            ADD(m, 0x0f, 0x30);
            break;
        case 2: ADD(m, 0xfb); break; /* sti */
        case 3: ADD(m, 0xfa); break; /* cli */
        case 4:                      /* pushfq; set or clear IF; popfq */
            ADD(m, 0x9c);
            if (maker_coin(m))
                ADD(m, 0x81, 0x0c, 0x24, 0, 2, 0, 0);
            else
                ADD(m, 0x81, 0x24, 0x24, 0xff, 0xfd, 0xff, 0xff);
            ADD(m, 0x9d);
            break;
        case 5: /* mov ss, eax: a shadow */
            add_mov32(m, RAX, SEL_KDATA);
            ADD(m, 0x8e, 0xd0);
            break;
        default: add_some(m, 1, 3); break;
        }
        if (maker_coin(m))
            add_random(m);
    }
    if (loop)
        add_loop(m, k, top);
}

/* ---- modes ---- */

void make_modes(struct maker *m)
{
    struct rng *r = &m->r;
    unsigned calls[8], ncalls = 0;
    /* A change that comes late, and stays, finds code translated in the mode before. */
    const unsigned times = 4 + rng_below(&m->r, 8);
    const bool user = maker_coin(m);
    maker_begin(m, user);
    m->s->cr0 = rng_chance(r, 30) ? CR0_TS : 0;
    m->s->cr4 = m->pools->smap && !user && maker_coin(m) ? CR4_SMAP : 0;
    m->s->rflags |= rng_chance(r, 30) ? FL_AC : 0;
    m->weight[POOL_INTEGER] = 40;
    m->weight[POOL_VECTOR] = 45;
    m->weight[POOL_X87] = 15;
    const uint32_t k = add_counter(m, times);
    const unsigned top = m->s->n;
    for (unsigned n = 3 + rng_below(r, 5); n > 0; n--) {
        add_some(m, 0, 4);
        if (maker_coin(m) && m->s->n < MAX_ITEMS / 2) /* the same code in another mode, by the jump table */
            calls[ncalls++] = add_call(m, 0);
        const unsigned late = rng_chance(r, 60) ? add_only_at(m, k, 1 + rng_below(r, times)) : MAX_ITEMS;
        switch (rng_below(r, user ? 4 : 8)) {
        case 0: add_mxcsr(m, maker_coin(m) ? 0x1f80 : rng64(r) & 0xffbf); break;
        case 1: /* AC */
            ADD(m, 0x9c);
            ADD(m, 0x81, 0x34, 0x24, 0, 0, 4, 0);
            ADD(m, 0x9d);
            break;
        case 2:
            if (user)
                ADD(m, 0x0f, 0x05); /* syscall, which comes straight back */
            else
                ADD(m, 0x0f, 0x01, maker_coin(m) ? 0xca : 0xcb); /* clac, stac */
            break;
        case 3: /* TF, which the handler clears */
            ADD(m, 0x9c);
            ADD(m, 0x81, 0x0c, 0x24, 0, 1, 0, 0);
            ADD(m, 0x9d);
            break;
        case 4: ADD(m, 0x0f, 0x06); break; /* clts */
        case 5:                            /* TS */
            ADD(m, 0x0f, 0x20, 0xc0);
            ADD(m, 0x83, 0xc8, 0x08);
            ADD(m, 0x0f, 0x22, 0xc0);
            break;
        case 6: /* XCR0.AVX */
            ADD(m, 0x31, 0xc9);
            ADD(m, 0x31, 0xd2);
            add_mov32(m, RAX, maker_coin(m) ? 7 : 3);
            ADD(m, 0x0f, 0x01, 0xd1);
            break;
        default: /* CR4.OSFXSR or OSXSAVE */
            ADD(m, 0x0f, 0x20, 0xe0);
            if (maker_coin(m))
                ADD(m, 0x35, 0, 2, 0, 0);
            else
                ADD(m, 0x35, 0, 0, 4, 0);
            ADD(m, 0x0f, 0x22, 0xe0);
            break;
        }
        if (late < MAX_ITEMS)
            patch_target(m, late, m->s->n);
    }
    add_loop(m, k, top);
    add_jmp(m, AT_END);
    const unsigned function = m->s->n;
    add_some(m, 1, 4);
    ADD(m, 0xc3);
    for (unsigned i = 0; i < ncalls; i++)
        patch_target(m, calls[i], function);
}

/* ---- for the tests of isolation ---- */

static void set_pte(struct maker *m, unsigned page, uint64_t value)
{
    m->s->pte[m->s->npte++] = (struct pte_change){(uint16_t)page, value};
}

/* Pointers around the ends of memory, of ROM and of the device, and into a large page that begins in memory.
 */
void make_bounds(struct maker *m)
{
    const uint64_t rw = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
    const uint64_t pages[] = {(RAM_PAGES - 1) * PAGE_SIZE, RAM_PAGES * PAGE_SIZE,
                              ROM_GPA - PAGE_SIZE,         ROM_GPA,
                              ROM_GPA + PAGE_SIZE,         DEVICE_GPA,
                              (RAM_PAGES - 1) * PAGE_SIZE, BEYOND_GPA};
    maker_begin(m, maker_coin(m));
    for (unsigned i = 0; i < MAX_PTES; i++)
        set_pte(m, DATA_AT + i, pages[i] | rw);
    m->npointers = 1 + rng_below(&m->r, 3);
    for (unsigned i = 0; i < m->npointers; i++) {
        uint64_t at = data_va(rng_below(&m->r, 9)) + rng_below(&m->r, 96) - 64;
        if (rng_chance(&m->r, 40)) /* the last pages of memory by the large page */
            at = LARGE_VA + RAM_PAGES * PAGE_SIZE - 64 + rng_below(&m->r, 96);
        m->s->gpr[m->pointer[i]] = at;
    }
    const uint32_t k = add_counter(m, 3);
    const unsigned top = m->s->n;
    for (unsigned n = 4 + rng_below(&m->r, 12); n > 0; n--)
        if (rng_chance(&m->r, 70))
            add_random_of(m, POOL_MEMORY);
        else
            add_random(m);
    add_loop(m, k, top);
}

/* Control goes where no code is: to devices, beyond memory, over the end of memory, to odd addresses. */
void make_foreign(struct maker *m)
{
    const uint64_t x = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
    maker_begin(m, maker_coin(m));
    set_pte(m, DATA_AT + 0, (RAM_PAGES - 1) * PAGE_SIZE | x);
    set_pte(m, DATA_AT + 1, RAM_PAGES * PAGE_SIZE | x);
    const uint32_t k = add_counter(m, 5);
    const unsigned top = m->s->n;
    add_some(m, 0, 6);
    uint64_t to;
    switch (rng_below(&m->r, 6)) {
    case 0: to = data_va(9) + rng_below(&m->r, PAGE_SIZE); break;
    case 1: to = data_va(10) + rng_below(&m->r, PAGE_SIZE); break;
    case 2: to = data_va(1) - 1 - rng_below(&m->r, 16); break;
    case 3: to = data_va(1); break;
    case 4: to = LARGE_VA + RAM_PAGES * PAGE_SIZE - rng_below(&m->r, 16); break;
    default: to = maker_bad_place(m); break;
    }
    /* The end of memory holds NOPs, so that control runs over it. */
    add_mov64(m, RDI, data_va(1) - 32);
    add_mov64(m, RAX, 0x9090909090909090ull);
    for (unsigned i = 0; i < 4; i++)
        ADD(m, 0x48, 0x89, 0x47, (uint8_t)(8 * i)); /* mov [rdi + 8i], rax */
    const unsigned skip = rng_chance(&m->r, 60) ? add_only_at(m, k, 1) : MAX_ITEMS;
    add_mov64(m, RAX, to);
    if (maker_coin(m))
        ADD(m, 0xff, 0xe0);
    else
        ADD(m, 0xff, 0xd0);
    if (skip < MAX_ITEMS)
        patch_target(m, skip, m->s->n);
    add_loop(m, k, top);
}
