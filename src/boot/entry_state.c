/*
 * entry_state.c: the processor as boot protocols want it at a kernel's entry: flat segments with selectors
 * 0x10 (code) and 0x18 (data), interrupts off; 64-bit mode with the first 4 GiB mapped to themselves, or
 * 32-bit protected mode without paging.
 */
#include "boot/boot.h"
#include "boot/put.h"

#define BOOT_CS  0x10u
#define BOOT_DS  0x18u
#define ENTRIES  512u
#define MAPPED_G 4u /* GiB, one page directory of 2 MiB pages each */

#define CODE_ATTR   (SEG_T_CODE | SEG_T_RW | SEG_T_ACCESSED | SEG_S | SEG_P | SEG_L | SEG_G)
#define CODE32_ATTR (SEG_T_CODE | SEG_T_RW | SEG_T_ACCESSED | SEG_S | SEG_P | SEG_DB | SEG_G)
#define DATA_ATTR   (SEG_T_RW | SEG_T_ACCESSED | SEG_S | SEG_P | SEG_DB | SEG_G)

/* A flat segment's descriptor: base 0, limit 0xfffff pages; attributes at bits 55:40 (SDM 3A figure 3-8). */
static uint64_t flat_descriptor(uint16_t attr)
{
    return 0x000f00000000ffffull | (uint64_t)attr << 40;
}

static void put_page_tables(struct mem *m)
{
    const gpa_t pml4 = LAYOUT_PAGE_TABLES, pdpt = pml4 + PAGE_SIZE, pd = pdpt + PAGE_SIZE;
    uint64_t table[ENTRIES] = {pdpt | PTE_P | PTE_W};
    boot_put(m, pml4, table, sizeof(table));
    for (unsigned g = 0; g < MAPPED_G; g++)
        table[g] = (pd + g * PAGE_SIZE) | PTE_P | PTE_W;
    boot_put(m, pdpt, table, sizeof(table));
    for (unsigned g = 0; g < MAPPED_G; g++) {
        for (unsigned i = 0; i < ENTRIES; i++)
            table[i] = (GIB(g) + MIB(2) * i) | PTE_P | PTE_W | PTE_PS;
        boot_put(m, pd + g * PAGE_SIZE, table, sizeof(table));
    }
}

static uint16_t code_attr(const struct boot_entry *entry)
{
    return entry->efer & EFER_LMA ? CODE_ATTR : CODE32_ATTR;
}

static void put_gdt(struct mem *m, struct boot_entry *entry)
{
    const uint64_t gdt[] = {
        [BOOT_CS / 8] = flat_descriptor(code_attr(entry)),
        [BOOT_DS / 8] = flat_descriptor(DATA_ATTR),
    };
    boot_put(m, LAYOUT_GDT, gdt, sizeof(gdt));
    entry->gdt_base = LAYOUT_GDT;
    entry->gdt_limit = sizeof(gdt) - 1;
}

void boot_long_mode(struct mem *m, struct boot_entry *entry)
{
    *entry = (struct boot_entry){
        .rsp = LAYOUT_STACK_TOP,
        .cr0 = CR0_PG | CR0_NE | CR0_ET | CR0_MP | CR0_PE,
        .cr3 = LAYOUT_PAGE_TABLES,
        .cr4 = CR4_PAE,
        .efer = EFER_LME | EFER_LMA,
    };
    put_gdt(m, entry);
    put_page_tables(m);
}

void boot_protected_mode(struct mem *m, struct boot_entry *entry)
{
    *entry = (struct boot_entry){.rsp = LAYOUT_STACK_TOP, .cr0 = CR0_ET | CR0_PE};
    put_gdt(m, entry);
}

void boot_set_state(const struct boot_entry *entry, struct x86_state *s)
{
    const struct x86_seg data = {.limit = UINT32_MAX, .sel = BOOT_DS, .attr = DATA_ATTR};
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        s->seg[i] = data;
    s->seg[SEG_CS] = (struct x86_seg){.limit = UINT32_MAX, .sel = BOOT_CS, .attr = code_attr(entry)};
    s->seg[SEG_TR].limit = 0x67; /* PVH wants a whole 32-bit TSS; nobody else looks */
    s->gdtr = (struct x86_table){entry->gdt_base, entry->gdt_limit};
    s->idtr = (struct x86_table){0};
    s->cr0 = entry->cr0;
    s->cr3 = entry->cr3;
    s->cr4 = entry->cr4;
    s->efer = entry->efer;
    s->msr.mtrr_def_type =
        0xc06; /* as firmware leaves it: MTRRs on, memory write-back; Linux's PAT needs it */
    x86_set_rflags(s, FL_ONE);
    s->rip = entry->rip;
    memset(s->gpr, 0, sizeof(s->gpr)); /* RDX had the processor's signature */
    s->gpr[RSP] = entry->rsp;
    s->gpr[RAX] = entry->rax;
    s->gpr[RBX] = entry->rbx;
    s->gpr[RSI] = entry->rsi;
    s->cpl = 0;
    s->mp = X86_RUNNING;
}
