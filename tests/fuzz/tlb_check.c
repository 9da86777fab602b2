/*
 * tlb_check.c: do all entries of the software TLB lead into guest memory?
 */
#include "check.h"
#include "fuzz.h"

#include "engine/interp/insn.h"

static void check_entry(const struct mem *m, const struct tlb_entry *e, unsigned index)
{
    const uint64_t tags[] = {e->rd, e->wr, e->ex};
    for (unsigned k = 0; k < 3; k++) {
        if (tags[k] == TLB_INVALID)
            continue;
        unsigned n;
        const struct mem_slot *s = mem_slots(m, &n), *end = s + n;
        FUZZ_CHECK((tags[k] >> PAGE_SHIFT & (TLB_SIZE - 1)) == index, "tag %llx in slot %u",
                   (unsigned long long)tags[k], index);
        const uint8_t *hva = (const uint8_t *)(uintptr_t)(tags[k] + e->addend);
        while (s < end && !((uintptr_t)(hva - s->hva) <= s->size - PAGE_SIZE))
            s++;
        FUZZ_CHECK(s < end, "page %llx leads out of guest memory", (unsigned long long)tags[k]);
        if (k != 1)
            continue;
        FUZZ_CHECK(!s->rom, "ROM may be written at %llx", (unsigned long long)tags[k]);
        FUZZ_CHECK(!(s->flags[(hva - s->hva) >> PAGE_SHIFT] & MEM_PAGE_CODE),
                   "a page with code may be written at %llx", (unsigned long long)tags[k]);
    }
}

void check_tlb(const struct cpu *c)
{
    const struct interp *v = (const struct interp *)c;
    FUZZ_CHECK(v->wr.kind == WR_NONE, "a store has not been finished");
    FUZZ_CHECK(v->nfilled <= ARRAY_LEN(v->filled), "%u entries are filled", v->nfilled);
    for (unsigned k = 0; k < v->nfilled; k++) {
        unsigned bank = v->filled[k] >> 16, i = v->filled[k] & 0xffff;
        check_entry(c->mem, &v->tlbs[bank][i], i);
    }
}
