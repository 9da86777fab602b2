/*
 * decode.c: fuzz target: decoder and block building alone, without running anything: any bytes as code of any
 * size, in memory that ends behind them.
 *
 * An input is a byte that gives code size and place, and the bytes of code.
 */
#include "check.h"
#include "fuzz.h"
#include "rig.h"

#include "engine/interp/block.h"
#include "engine/interp/insn.h"

enum { CODE = 0x20000, MAX_CODE = 512, LONG_TABLES = 0x10000 };

static struct rig *rig;

static void long_mode(struct x86_state *s)
{
    const uint64_t tables[] = {(LONG_TABLES + 0x1000) | PTE_P | PTE_W | PTE_A,
                               PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS};
    mem_load(rig->mem, LONG_TABLES, &tables[0], 8);
    mem_load(rig->mem, LONG_TABLES + 0x1000, &(uint64_t){(LONG_TABLES + 0x2000) | PTE_P | PTE_W | PTE_A}, 8);
    mem_load(rig->mem, LONG_TABLES + 0x2000, &tables[1], 8);
    s->cr0 |= CR0_PE | CR0_PG;
    s->cr4 |= CR4_PAE;
    s->efer = EFER_LME | EFER_LMA;
    s->cr3 = LONG_TABLES;
    s->seg[SEG_CS].attr |= SEG_L;
}

static void set_mode(unsigned kind)
{
    struct x86_state *s = &rig->cpu->st;
    s->cr4 = (CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE) & rig->model.cr4_mask;
    s->xcr0 = rig->model.xcr0_mask;
    s->seg[SEG_CS] =
        (struct x86_seg){.limit = 0xffffffff, .attr = SEG_P | SEG_S | SEG_T_CODE | SEG_T_RW | SEG_T_ACCESSED};
    if (kind)
        s->cr0 |= CR0_PE;
    if (kind == 1)
        s->seg[SEG_CS].attr |= SEG_DB;
    if (kind == 2)
        long_mode(s);
    cpu_state_loaded(rig->cpu);
}

/* A block stands for what was decoded: in order, without gaps, on its page. Returns its bytes. */
static unsigned check_block(const struct block *b)
{
    unsigned off = 0;
    FUZZ_CHECK(b->n >= 1, "an empty block");
    for (unsigned i = 0; i < b->n; i++) {
        const struct insn *in = &b->insns[i];
        FUZZ_CHECK(in->fn && in->off == off && in->len >= 1 && in->len <= X86_MAX_INSN, "instruction %u", i);
        const uint16_t operands[] = {in->base, in->index, in->sbase};
        for (unsigned k = 0; k < ARRAY_LEN(operands); k++)
            FUZZ_CHECK(operands[k] < offsetof(struct interp, blk), "operand %u of instruction %u", k, i);
        off += in->len;
    }
    FUZZ_CHECK(block_is_end(&b->insns[b->n]) && b->insns[b->n].off == off, "no end");
    return off;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = {data, data + size};
    unsigned how = (unsigned)take(&in, 1);
    size_t n = MIN(left(&in), (size_t)MAX_CODE);
    if (!n)
        return -1;
    if (!rig)
        rig = rig_new();
    rig_reset(rig);
    set_mode(how & 3);
    /* At the start of a page, over a page's end, or up to the end of memory. */
    uint64_t at = how & 4 ? RIG_HIGH + RIG_HIGH_SIZE - n : how & 8 ? CODE - n / 2 : CODE;
    mem_load(rig->mem, at, in.at, n);
    struct interp *v = (struct interp *)rig->cpu;
    for (uint64_t rip = at; rip < at + n;) {
        const struct block *b = block_find(v, rip);
        rip += b ? check_block(b) : 1;
    }
    check_tlb(rig->cpu);
    return 0;
}
